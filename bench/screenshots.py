"""Screenshots of every view of a leaderboard: ``python bench/screenshots.py FILE OUT [--whole]`` (needs Chromium).

Views are found from the page's own tabs, each at 1440 x 900, 1920 x 1080 and 360 x 800, light and dark. ``--whole`` takes the whole
page instead of the first screen. Texts of samples stay concealed. What is wider than the window is said.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

SIZES = ((1440, 900), (1920, 1080), (360, 800))
SCHEMES = ("light", "dark")
ARGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def photograph(browser: Any, page: Path, out: Path, *, whole: bool = False) -> int:
    """Write ``VIEW-WIDTH-SCHEME.png`` for every tab of the page; returns how many."""
    count = 0
    for width, height in SIZES:
        for scheme in SCHEMES:
            tab = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
            )
            tab.goto(page.resolve().as_uri())
            tab.wait_for_selector("#panel h2", state="attached")
            for button in tab.locator("[role=tab]").all():
                button.click()
                button.blur()
                name = (button.get_attribute("id") or "").removeprefix("tab-")
                tab.evaluate("scrollTo(0, 0)")
                tab.screenshot(path=out / f"{name}-{width}-{scheme}.png", full_page=whole)
                wider = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
                if wider > 0:
                    print(f"{name} at {width}: {wider} px wider than the window")
                count += 1
            tab.close()
    return count


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path, help="a file that safecot report wrote")
    parser.add_argument("out", type=Path, help="folder for the images")
    parser.add_argument("--whole", action="store_true", help="the whole page, not only its first screen")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
        print(photograph(browser, arguments.page, arguments.out, whole=arguments.whole), "images")
        browser.close()


if __name__ == "__main__":
    main()
