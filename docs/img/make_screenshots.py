"""Screenshots for docs/leaderboard.md: ``SAFECOT_DATA_DIR=… python docs/img/make_screenshots.py`` (needs Chromium)."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from playwright.sync_api import sync_playwright

from safecot_reports.build import Options, build
from safecot_reports.page import page_html
from tests.reports.make_recorded import make_recorded

HERE = Path(__file__).parent
SHOTS = [(view, 1280, "light", "") for view in ("categories", "compare", "judges", "reproduce")]
SHOTS += [
    (view, w, s, "&task=safecot_xstest")
    for view in ("standings", "plane")
    for w in (360, 1280, 1920)
    for s in ("light", "dark")
]
ARGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def main() -> None:
    """Make the page from recorded answers, without samples, and photograph its views."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        page = Path(name) / "page.html"
        data = build(
            [str(make_recorded(Path(name)))], Options(samples=0, title="XSTest and MSTS, recorded answers")
        )
        page.write_text(page_html(data), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
        for view, width, scheme, more in SHOTS:
            tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            tab.goto(f"file://{page}#view={view}{more}")
            tab.wait_for_selector("#panel h2")
            tab.screenshot(path=HERE / f"{view}-{width}-{scheme}.png")
            tab.close()
        browser.close()


if __name__ == "__main__":
    main()
