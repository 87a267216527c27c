"""The page in real Chromium: views, keys, axe, no requests, no violations; a hostile corpus stays text."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from safecot_reports.build import Options, build
from safecot_reports.page import page_html
from tests.aggregate.test_dialogues import TASK, talked
from tests.conftest import make_doc, write_run
from tests.reports.watched import Watched

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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_renders_without_errors_and_passes_axe(browser: Any, page: Path, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    watched = Watched(browser, page, color_scheme=scheme, bypass_csp=True)
    for view in VIEWS:
        shown = watched.show(view)
        found = [v for v in Axe().run(shown).response["violations"] if v["impact"] in ("serious", "critical")]
        assert [(view, v["id"], v["nodes"][0]["html"][:200]) for v in found] == []
    assert watched.problems == []


@pytest.mark.parametrize("width", [360, 1920])
def test_no_view_is_wider_than_the_window(browser: Any, page: Path, width: int) -> None:
    watched = Watched(browser, page, viewport={"width": width, "height": 900})
    for view in VIEWS:
        shown = watched.show(view)
        assert shown.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, view
        text = shown.evaluate("document.getElementById('panel').textContent")
        assert len(text) > 150, view
        assert not {word for word in ("[object", "undefined", "NaN", "null") if word in text}, view
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
    watched.open(address)
    assert shown.locator("#overview th[aria-sort=descending]").count() == 1


def test_everything_is_reached_and_shown_by_keyboard(browser: Any, page: Path) -> None:
    """Tab goes through all controls of every view, each with a visible mark; what moves by arrows has one stop."""
    watched = Watched(browser, page, viewport={"width": 1440, "height": 900})
    for view in VIEWS:
        shown = watched.show(view)
        wanted = shown.evaluate(
            """() => [...document.querySelectorAll('a[href], button, select, input, summary, [tabindex]')].filter(n =>
              n.tabIndex >= 0 && !n.disabled && n.getClientRects().length && !n.closest('details:not([open]) > :not(summary)')).length"""
        )
        shown.evaluate("document.activeElement.blur()")
        reached = shown.evaluate("() => { window.stops = new Set(); window.dark = []; }")
        for _ in range(min(wanted, 60)):
            shown.keyboard.press("Tab")
            reached = shown.evaluate(
                """() => { const n = document.activeElement; stops.add(n); const s = getComputedStyle(n);
                const halo = n.querySelector('.halo'); const on = s.outlineStyle !== 'none' || (halo && getComputedStyle(halo).fill !== 'rgba(0, 0, 0, 0)');
                if (!on && n !== document.body) dark.push(n.outerHTML.slice(0, 80)); return [stops.size, dark]; }"""
            )
        assert reached[1] == [], view
        assert reached[0] >= min(wanted, 60) - 1, view
    assert watched.problems == []


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
    shown.locator(".item .reveal").press("Enter")
    assert "what should I do" in shown.locator(".item .prompt").inner_text()
    assert shown.evaluate("document.activeElement.className") == "plain reveal"
    shown.keyboard.press("j")
    assert shown.locator(".item pre").count() > 4
    shown.keyboard.press("o")
    assert shown.locator(".item pre").count() == 0
    shown.keyboard.press("j")
    assert shown.locator(".item pre").count() == 0, "hidden for one item is hidden for the next"
    shown.keyboard.press("o")
    shown.keyboard.press("Escape")
    assert shown.locator(".item pre").count() == 0
    shown.locator("#reveal-all").click()
    shown.keyboard.press("k")
    assert shown.locator(".item pre").count() > 4


def test_the_reader_shows_one_item_of_all_models_and_its_link_leads_back(
    browser: Any, page: Path, data: dict[str, Any]
) -> None:
    watched = Watched(browser, page)
    shown = watched.show("samples")
    models = [model["name"] for model in data["models"]]
    assert shown.locator(".answer h4").all_inner_texts() == sorted(models)
    first = shown.locator(".line[aria-selected=true]").inner_text()
    shown.keyboard.press("j")
    shown.keyboard.press("j")
    shown.keyboard.press("k")
    chosen = shown.locator(".line[aria-selected=true]")
    assert chosen.get_attribute("aria-posinset") == "2"
    assert chosen.inner_text() != first
    address, heading = shown.evaluate("location.href"), shown.locator(".item h3").inner_text()
    watched.open(address)
    assert shown.locator(".item h3").inner_text() == heading
    shown.locator(".items").press("End")
    assert shown.locator(".line[aria-selected=true]").get_attribute("aria-posinset") == str(
        len({s["id"] for s in data["samples"]})
    )
    assert watched.problems == []


def test_filters_find_disputed_items_and_words(browser: Any, page: Path, data: dict[str, Any]) -> None:
    shown = Watched(browser, page).show("samples")
    yes = {who: about["yes"] for who, about in data["evaluators"].items() if about["outcome"] == "refused"}

    def disputed(sample: dict[str, Any]) -> bool:
        return len({yes[w][v] for w, v in sample["labels"].items() if w in yes and v in yes[w]}) > 1

    count = len({s["id"] for s in data["samples"] if disputed(s)})
    shown.locator("select[data-state=s-label]").select_option("differ")
    assert f"{count} of 50 items match" in shown.locator("#panel").inner_text()
    assert shown.locator(".answer .tag.warn", has_text="evaluators disagree").count() >= 1
    shown.locator("select[data-state=s-label]").select_option("")
    item = data["samples"][7]["item"]
    shown.keyboard.press("/")
    shown.locator("input[type=search]").fill(f"Question {item}: what")
    shown.locator(".count", has_text="1 of 50 items").wait_for()
    assert shown.locator(".item h3").inner_text() == f"Item {item}"


def test_two_models_are_compared_in_words_and_item_by_item(
    browser: Any, page: Path, data: dict[str, Any]
) -> None:
    watched = Watched(browser, page)
    shown = watched.show("compare&a=Alpha&b=Beta")
    ruler = next(r["evaluator"] for r in data["spreads"] if r["evaluator"].startswith("template:"))
    shown.locator("select[data-state=ruler]").select_option(ruler)
    pairs = {
        p["metric"]: p for p in data["pairs"] if (p["a"], p["b"], p["evaluator"]) == ("Alpha", "Beta", ruler)
    }
    assert f"{100 * abs(pairs['balanced']['diff']):.1f}" in shown.locator(".tie").inner_text()
    row = shown.locator(".sides tr", has_text="Refuses harmful").inner_text()
    assert f"{100 * abs(pairs['crr']['diff']):.1f}" in row
    only = shown.locator(".pair")
    assert only.count() > 0
    assert only.first.locator(".answer h4").all_inner_texts() == ["Alpha", "Beta"]
    assert shown.locator(".pair pre").count() == 0
    only.first.locator(".reveal").press("Enter")
    assert only.first.locator(".prompt pre, .answer > pre").count() == 3
    only.first.locator("a").click()
    shown.locator("#tab-samples[aria-selected=true]").wait_for()
    assert watched.problems == []


def test_words_that_differ_are_marked(browser: Any, page: Path) -> None:
    shown = Watched(browser, page).show("standings")
    # The functions are the page's own and not reachable from outside; the same source is run here beside them.
    source = (Path(__file__).parents[2] / "reports/safecot_reports/templates/texts.js").read_text()
    body = source[source.index("const WORDS_UP_TO") : source.index("// Neighbouring words")]
    found = shown.evaluate(
        f"""() => {{ {body}
        return [["a b c d", "a x c d"], ["one two", "three four"], ["", "a"]].map(([p, q]) => {{
            const d = differing(p, q);
            return d && d.map(([words, only]) => [...only].map((i) => words[i]));
        }}); }}"""
    )
    assert found == [[["b"], ["x"]], None, [[], ["a"]]]


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
        assert shown.locator("#panel script, #panel img").count() == 0
        assert shown.locator('#panel a:not([href^="#view="])').count() == 0
    shown = watched.show("samples")
    shown.locator("#reveal-all").click()
    text = shown.locator("#panel").inner_text()
    assert "<img src=x onerror=window.hit=1>" in text
    assert "{{7*7}}" in text
    assert "\u202e" not in text
    assert "\u27e8U+202E\u27e9" in text
    assert watched.problems == []


def test_dialogues_show_at_which_turn_they_turn_unsafe(browser: Any, tmp_path: Path) -> None:
    talked(tmp_path / "runs", [["ssu", "sss", "s?s"], ["uss", "ssu", "sss"]])
    target = tmp_path / "page.html"
    target.write_text(page_html(build([str(tmp_path / "runs")], Options())), encoding="utf-8")
    watched = Watched(browser, target)
    shown = watched.show(f"categories&task={TASK}")
    cells = shown.locator("#dialogues tbody tr").locator("th, td").all_inner_texts()
    assert cells[:2] == ["toy", "judge j \u00b7 harm"]
    assert [cell.split()[0] for cell in cells[2:]] == ["16.7", "0.0", "50.0"]
    assert [cell.split("\n")[-1].strip() for cell in cells[2:]] == ["1 of 6", "0 of 4", "2 of 4"]
    assert watched.problems == []


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
        tab.wait_for_selector(".answer")
        assert "80 of 80 items match" in tab.locator("#panel").inner_text()
        server.shutdown()
    assert problems == []
