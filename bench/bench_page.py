"""How fast the page itself is: sorting 100 models and searching 100,000 samples, in Chromium (median of 5, milliseconds).

``python bench/bench_page.py``; needs Chromium. The times are from the click or key to the next painted frame (for
the search with its delay of 80 ms after the last key).
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from playwright.sync_api import sync_playwright

from bench.bench_report import make
from safecot_reports.build import Options, build
from safecot_reports.page import page_html

ARGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PAINTED = "new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)))"
SORT = f"""async () => {{ const b = document.querySelectorAll('#overview th button')[2]; const t = performance.now();
 b.click(); await {PAINTED}; return performance.now() - t; }}"""
SEARCH = f"""async (word) => {{ const q = document.querySelector('input[type=search]'); const live = document.getElementById('live');
 live.textContent = ''; const t = performance.now(); q.value = word; q.dispatchEvent(new Event('input'));
 while (!live.textContent) await {PAINTED}; return performance.now() - t; }}"""


OPEN = f"""async (view) => {{ const t = performance.now(); document.getElementById('tab-' + view).click();
 await {PAINTED}; return performance.now() - t; }}"""


def main() -> None:
    """Make a page of 100 models x 1,000 samples and time it."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        make(Path(name) / "runs", 100, 1_000)
        page = Path(name) / "page.html"
        page.write_text(
            page_html(build([str(Path(name) / "runs")], Options(samples=1_000))), encoding="utf-8"
        )
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
        tab = browser.new_page()
        tab.goto(f"file://{page}#view=overview")
        tab.wait_for_selector("#overview")
        opened = {
            view: statistics.median(tab.evaluate(OPEN, view) for _ in range(5))
            for view in ("standings", "plane", "compare", "judges")
        }
        tab.locator("#tab-overview").click()
        sorts = [tab.evaluate(SORT) for _ in range(5)]
        tab.locator("#tab-samples").click()
        tab.wait_for_selector(".answer")
        first = tab.evaluate(SEARCH, "question 7")
        searches = [tab.evaluate(SEARCH, f"question {k}") for k in range(5)]
        browser.close()
        size = page.stat().st_size / 2**20
    print(f"page of 100 models and 100,000 samples: {size:.1f} MiB")
    print("views drawn anew:", ", ".join(f"{view} {ms:.0f} ms" for view, ms in opened.items()))
    print(f"sort: {statistics.median(sorts):.0f} ms")
    print(f"search: first {first:.0f} ms, then {statistics.median(searches):.0f} ms")


if __name__ == "__main__":
    main()
