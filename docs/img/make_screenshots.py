"""Screenshots of every view: ``SAFECOT_DATA_DIR=… python docs/img/make_screenshots.py`` (needs Chromium).

The recorded SafeCoT runs show what ``safecot paper`` makes of them, XSTest and MSTS the published answers of other models.
Texts of samples stay concealed. Files have 128 colours, which is all that the page needs.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from PIL import Image
from playwright.sync_api import sync_playwright

from bench.screenshots import ARGS, SCHEMES, SIZES
from safecot_reports.build import Options, build
from safecot_reports.page import page_html
from tests.reports.make_recorded import make_recorded

HERE = Path(__file__).parent
LLAMA = "Llama-3.2-11B-Vision-Instruct"
SHOTS = {
    "standings": ("paper", ""),
    "overview": ("recorded", "&task=safecot_xstest"),
    "plane": ("paper", ""),
    "categories": ("recorded", ""),
    "compare": ("paper", f"&a={LLAMA} v2&b={LLAMA} origin"),
    "judges": ("recorded", "&agree=rate"),
    "samples": ("paper", "&s-label=differ"),
    "training": ("paper", ""),
    "reproduce": ("recorded", ""),
}


def main() -> None:
    """Make two pages and photograph their views at three widths, light and dark."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        make_recorded(folder / "recorded")
        subprocess.run(
            [sys.executable, "-m", "safecot_eval", "paper", "--out", str(folder / "made")], check=True
        )
        for page, runs, title in (
            ("paper", folder / "made" / "runs", "SafeCoT's own checkpoints, recorded answers"),
            ("recorded", folder / "recorded", "XSTest and MSTS, recorded answers"),
        ):
            data = build([str(runs)], Options(samples=20, title=title))
            (folder / f"{page}.html").write_text(page_html(data), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
        for view, (page, more) in SHOTS.items():
            for width, height in SIZES:
                for scheme in SCHEMES:
                    tab = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                    tab.goto(f"file://{folder}/{page}.html#view={view}{more}")
                    tab.wait_for_selector("#panel h2", state="attached")
                    picture = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
                    picture.quantize(128).save(HERE / f"{view}-{width}-{scheme}.png", optimize=True)
                    tab.close()
        browser.close()


if __name__ == "__main__":
    main()
