"""The page in real Chromium: views, keys, axe, no requests, no violations; a hostile corpus stays text."""

from __future__ import annotations

import functools
import http.server
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from safecot_reports.build import Options, build
from safecot_reports.page import page_html
from tests.conftest import make_doc, write_run
from tests.reports.make_runs import make_runs

pytestmark = pytest.mark.slow
VIEWS = (
    "standings",
    "overview",
    "plane",
    "categories",
    "compare",
    "judges",
    "samples",
    "training",
    "reproduce",
)
HOSTILE = (
    "<script>window.hit=1</script></script><!--",
    "<img src=x onerror=window.hit=1>",
    "{{7*7}} ${7*7}",
    "javascript:window.hit=1",
    "abc\u202edcba\u2066",
    "\x1b[31mred\x1b]0;t\x07",
    "nul\x00 end\u2028",
    "lone \ud800 surrogate",
    "=HYPERLINK(1)",
    "long " + "x" * 1_000_000,
)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server that does not log."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Watched:
    """A page that remembers console errors, exceptions and requests to anything but itself."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.path, self.problems = path, []  # type: ignore[var-annotated]
        self.page = browser.new_page(**options)
        self.page.on(
            "console", lambda m: self.problems.append(m.text) if m.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda e: self.problems.append(str(e)))
        self.page.on(
            "request", lambda r: self.problems.append(r.url) if not r.url.startswith("file:") else None
        )

    def show(self, view: str) -> Any:
        self.page.goto("about:blank")
        self.page.goto(f"file://{self.path}#view={view}")
        self.page.wait_for_selector("#panel h2")
        return self.page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_renders_without_errors_and_passes_axe(browser: Any, page: Path, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    watched = Watched(browser, page, color_scheme=scheme, bypass_csp=True)
    for view in VIEWS:
        shown = watched.show(view)
        found = [v for v in Axe().run(shown).response["violations"] if v["impact"] in ("serious", "critical")]
        assert [(view, v["id"], v["nodes"][0]["html"][:200]) for v in found] == []
    assert watched.problems == []


@pytest.mark.parametrize("width", [360, 1280, 1920])
def test_no_view_is_wider_than_the_window(browser: Any, page: Path, width: int) -> None:
    watched = Watched(browser, page, viewport={"width": width, "height": 900})
    for view in VIEWS:
        shown = watched.show(view)
        assert shown.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, view
        text = shown.evaluate("document.getElementById('panel').textContent")
        assert len(text) > 150, view
        assert not {word for word in ("[object", "undefined", "NaN", "null") if word in text}, view
    assert watched.problems == []


def test_the_first_screen_holds_many_models_and_says_ties_in_words(browser: Any, tmp_path: Path) -> None:
    models = {f"model-{k:02}": (0.5 + 0.02 * k, 0.5 - 0.01 * k) for k in range(24)}
    make_runs(tmp_path / "runs", models=models | {"refuse_all": (1.0, 1.0)}, count=120, judge=False)
    source = tmp_path / "page.html"
    data = build([str(tmp_path / "runs")], Options(samples=0))
    source.write_text(page_html(data), encoding="utf-8")
    watched = Watched(browser, source, viewport={"width": 1440, "height": 900})
    shown = watched.show("standings")
    rows = shown.locator("#standings tbody tr")
    boxes = [rows.nth(k).bounding_box() for k in range(rows.count())]
    assert len(boxes) == 25
    assert max(box["height"] for box in boxes) <= 36
    assert sum(box["y"] + box["height"] <= 900 for box in boxes) >= 15
    assert "cannot be told apart" in shown.locator(".tie").inner_text()
    assert rows.last.locator("th").inner_text().startswith("refuse_all"), (
        "reference lines stand below the others"
    )
    crr = {c["model"]: c["value"] for c in data["cells"] if c["metric"] == "crr"}
    top = rows.first.locator("th").inner_text()
    number = shown.locator(f'[data-cell="{top}|crr"]')
    assert number.inner_text() == f"{100 * crr[top]:.1f}"
    number.press("Enter")
    assert "95 % interval" in shown.locator("#standings .behind").inner_text()
    assert shown.evaluate("document.activeElement.dataset.cell") == f"{top}|crr", (
        "the focus stays on the number"
    )
    shown.locator("#standings th button", has_text="Refuses harmful").press("Enter")
    values = [
        float(v)
        for v in shown.eval_on_selector_all('#standings [data-cell$="|crr"]', "n => n.map(x => x.innerText)")
    ]
    assert values[:-1] == sorted(values[:-1], reverse=True)
    assert watched.problems == []


def test_the_overview_shows_the_numbers_of_the_export(browser: Any, page: Path, data: dict[str, Any]) -> None:
    watched = Watched(browser, page)
    shown = watched.show("overview")
    seen = sorted(
        float(v)
        for v in shown.eval_on_selector_all("#overview td[data-value]", "n => n.map(x => x.dataset.value)")
    )
    hidden = ("partial", "pair_refuses_both", "pair_answers_both", "pair_inverted", "tokens", "refusal_share")
    cells = [
        c for c in data["cells"] if c["metric"] not in hidden and not c["evaluator"].startswith("shadow ")
    ]
    assert seen == pytest.approx(sorted(c["value"] for c in cells if c["value"] is not None))


def test_sorting_by_key_says_so_and_the_address_keeps_it(browser: Any, page: Path) -> None:
    watched = Watched(browser, page)
    shown = watched.show("overview")
    button = shown.locator("#overview th button", has_text="CRR").first
    button.focus()
    shown.keyboard.press("Enter")
    assert shown.locator("#overview th[aria-sort=descending]").count() == 1
    assert shown.locator("#overview tbody th").first.inner_text().startswith("refuse_all")
    assert shown.evaluate("document.activeElement.tagName") == "BUTTON"
    address = shown.evaluate("location.href")
    assert "sort=crr" in address
    shown.goto("about:blank")
    shown.goto(address)
    assert shown.locator("#overview th[aria-sort=descending]").count() == 1


def test_tabs_move_with_the_arrow_keys(browser: Any, page: Path) -> None:
    shown = Watched(browser, page).show("overview")
    shown.locator("#tab-overview").focus()
    shown.keyboard.press("ArrowRight")
    assert shown.locator("[role=tab][aria-selected=true]").get_attribute("id") == "tab-plane"
    shown.keyboard.press("End")
    assert shown.locator("#panel h2").inner_text() == "Reproduce"


def test_texts_are_absent_until_asked_for_and_go_on_escape(browser: Any, page: Path) -> None:
    shown = Watched(browser, page).show("samples")
    assert "what should I do" not in shown.locator("#panel").inner_text()
    first = shown.locator("article.sample button").first
    first.focus()
    shown.keyboard.press("Enter")
    assert "what should I do" in shown.locator("article.sample").first.inner_text()
    shown.keyboard.press("Escape")
    assert shown.locator("article.sample pre").count() == 0
    shown.locator("#reveal-all").click()
    assert shown.locator("article.sample pre").count() > 10


def test_searching_samples_finds_them(browser: Any, page: Path) -> None:
    shown = Watched(browser, page).show("samples")
    shown.locator("select[data-state=s-label]").select_option("refused")
    shown.wait_for_function("document.querySelector('article.sample')")
    labels = shown.locator("article.sample").all_inner_texts()
    assert labels
    assert all("phrase list gcg25: refused" in text for text in labels)


def test_a_hostile_corpus_is_inert_and_shown_as_text(browser: Any, tmp_path: Path) -> None:
    for number, text in enumerate(HOSTILE):
        doc = make_doc(sample_id=f"{number:016x}", category=text[:60], prompt=text, item_id=text[:60])
        path = write_run(tmp_path / f"m{number}", [(doc, text)], model="placeholder")
        results = path.parent / "20260101_000000_results.json"
        content = json.loads(results.read_text())
        content["config"]["model_args"] = {"name": text[:60]}
        results.write_text(json.dumps(content))
    target = tmp_path / "page.html"
    target.write_text(page_html(build([str(tmp_path)], Options(title=HOSTILE[0]))), encoding="utf-8")
    watched = Watched(browser, target)
    for view in VIEWS:
        shown = watched.show(view)
        assert shown.evaluate("window.hit") is None
        assert shown.locator("#panel script, #panel img, #panel a").count() == 0
    shown = watched.show("samples")
    shown.locator("#reveal-all").click()
    text = shown.locator("#panel").inner_text()
    assert "<img src=x onerror=window.hit=1>" in text
    assert "{{7*7}}" in text
    assert "\u202e" not in text
    assert "\u27e8U+202E\u27e9" in text
    assert watched.problems == []


def test_screenshots_for_the_docs(browser: Any, runs_dir: Path, tmp_path: Path) -> None:
    """Written to SAFECOT_SCREENSHOTS where it is set, always without samples; here it is checked that they can be."""
    target = Path(os.environ.get("SAFECOT_SCREENSHOTS") or tmp_path)
    source = tmp_path / "page.html"
    source.write_text(page_html(build([str(runs_dir)], Options(samples=0))), encoding="utf-8")
    for width, scheme in ((360, "light"), (1280, "light"), (1280, "dark"), (1920, "dark")):
        watched = Watched(browser, source, viewport={"width": width, "height": 900}, color_scheme=scheme)
        for view in ("overview", "plane"):
            shot = target / f"{view}-{width}-{scheme}.png"
            watched.show(view).screenshot(path=shot)
            assert 5_000 < shot.stat().st_size < 300_000


def test_a_published_folder_loads_its_shards(browser: Any, runs_dir: Path, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from safecot_eval.cli import report

    site = tmp_path / "site"
    assert CliRunner().invoke(report.command, [str(runs_dir), "--split", "-o", str(site)]).exit_code == 0
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        tab = browser.new_page()
        problems: list[str] = []
        tab.on("console", lambda m: problems.append(m.text) if "Security" in m.text else None)
        tab.goto(f"http://127.0.0.1:{server.server_port}/#view=samples&shard=0")
        tab.wait_for_selector("article.sample")
        assert "80 match" in tab.locator("#panel").inner_text()
        server.shutdown()
    assert problems == []
