"""How fast the page itself is: 100 models, 100,000 samples on the page, in Chromium (median of 5, milliseconds).

``python bench/bench_page.py``; needs Chromium. Every step is given twice: from the click or key to the next painted frame (for
the search with its delay of 80 ms after the last key), and the CPU time of the page's own thread (in all, and
script alone), which other work on the machine hardly changes. Samples are 1,000 made-up items of 40 words with 100 answers of 100 words each.
"""

from __future__ import annotations

import random
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from playwright.sync_api import sync_playwright

from bench.bench_report import make
from safecot_reports.build import Options, build
from safecot_reports.page import page_html

ARGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PAINTED = "new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)))"
SORT = f"""async () => {{ const b = document.querySelectorAll('#standings th button')[2]; const t = performance.now();
 b.click(); await {PAINTED}; return performance.now() - t; }}"""
SORT_ALL = SORT.replace("#standings", "#overview")
OPEN = f"""async (view) => {{ const t = performance.now(); document.getElementById('tab-' + view).click();
 await {PAINTED}; return performance.now() - t; }}"""
SEARCH = f"""async (word) => {{ const q = document.querySelector('input[type=search]'); const live = document.getElementById('live');
 live.textContent = ''; const t = performance.now(); q.value = word; q.dispatchEvent(new Event('input'));
 while (!live.textContent) await {PAINTED}; return performance.now() - t; }}"""


def samples(models: list[str], like: dict[str, Any]) -> list[dict[str, Any]]:
    """100,000 samples: every model's answer to 1,000 items."""
    draw = random.Random(1)
    words = [f"w{k}" for k in range(3_000)]
    found = []
    for item in range(1_000):
        prompt = " ".join(draw.choices(words, k=40))
        for model in models:
            answer = " ".join(draw.choices(words, k=100))
            own = {
                "id": f"{item:016x}",
                "item": str(item),
                "model": model,
                "prompt": prompt,
                "answer": answer,
            }
            found.append(like | own)
    return found


def main() -> None:
    """Make the page and time it."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        make(Path(name) / "runs", 100, 120)
        data = build([str(Path(name) / "runs")], Options(samples=1))
        data["samples"] = samples([model["name"] for model in data["models"]], data["samples"][0])
        page = Path(name) / "page.html"
        page.write_text(page_html(data), encoding="utf-8")
        print(f"page of 100 models and 100,000 samples: {page.stat().st_size / 2**20:.1f} MiB")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
        tab = browser.new_page(viewport={"width": 1440, "height": 900})
        tab.goto(f"file://{page}#view=standings")
        tab.wait_for_selector("#standings")
        session = tab.context.new_cdp_session(tab)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})

        def cpu() -> tuple[float, float]:
            metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
            return 1000 * metrics["TaskDuration"], 1000 * metrics["ScriptDuration"]

        def show(what: str, act: Callable[[int], float]) -> None:
            walls, cpus, scripts = [], [], []
            for k in range(5):
                before = cpu()
                walls.append(act(k))
                after = cpu()
                cpus.append(after[0] - before[0])
                scripts.append(after[1] - before[1])
            wall, whole, script = (statistics.median(some) for some in (walls, cpus, scripts))
            print(f"{what}: {wall:.0f} ms; CPU {whole:.0f} ms, of it script {script:.0f} ms")

        show("sort the first screen", lambda _: tab.evaluate(SORT))
        for view in ("standings", "plane", "compare", "judges", "overview"):
            show(f"open {view}", lambda _, view=view: tab.evaluate(OPEN, view))
        show("sort all numbers", lambda _: tab.evaluate(SORT_ALL))
        tab.locator("#tab-samples").click()
        tab.wait_for_selector(".answer")
        tab.wait_for_timeout(5_000)
        show("search", lambda k: tab.evaluate(SEARCH, f"w{k} w{3 * k + 7}"))
        browser.close()


if __name__ == "__main__":
    main()
