"""Models that did not answer the same items: what the page says of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from safecot_eval.generate.finish_reasons import Ended
from safecot_eval.generate.task import process_results
from safecot_eval.records.samples import Status
from safecot_reports.build import Options, build
from safecot_reports.page import page_html
from tests.reports.make_runs import make_docs, make_runs
from tests.reports.watched import Watched

pytestmark = pytest.mark.slow
TASK = "safecot_mini"
LIST = "template:"


class Uneven(NamedTuple):
    """A page and its data."""

    page: Path
    data: dict[str, Any]


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Uneven:
    """A base and its checkpoint that answered 48 of 80 items, one model with a single answer, and a task of one model."""
    folder = tmp_path_factory.mktemp("uneven")
    models = {"tiny": (0.3, 0.1), "tiny-v2": (0.9, 0.5), "Delta": (0.0, 0.0), "refuse_all": (1.0, 1.0)}
    runs = make_runs(folder / "runs", models=models, judge=False)
    leave_out(runs / "m1", lambda number: number >= 48)
    leave_out(runs / "m2", lambda number: number != 1)
    card = {"variant": "v2", "base_model": "org/tiny", "samples": 100}
    (runs / "m1" / "safecot_checkpoint.json").write_text(json.dumps(card))
    make_runs(folder / "runs" / "other", models={"tiny": (0.3, 0.1)}, judge=False, task="safecot_aaa")
    data = build([str(folder / "runs")], Options(samples=4))
    crr = next(c for c in data["cells"] if (c["model"], c["task"], c["metric"]) == ("tiny", TASK, "crr"))
    data["cells"].append(crr | {"metric": "unread"})
    page = folder / "page.html"
    page.write_text(page_html(data), encoding="utf-8")
    return Uneven(page, data)


def leave_out(folder: Path, absent: Callable[[int], bool]) -> None:
    """Write items anew as an import does that found no answer for them."""
    path = next(folder.glob("*_samples_*.jsonl"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for number, doc in enumerate(make_docs(len(lines), TASK)):
        if absent(number):
            kept = {name: lines[number][name] for name in ("doc_id", "target", "token_counts", "input")}
            flat = {k: json.dumps(v) if isinstance(v, list | dict) else v for k, v in doc.items()}
            scored = process_results(flat, [Ended("", Status.NOT_RUN.value)])
            lines[number] = kept | {"filtered_resps": [""], **scored}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def rate(data: dict[str, Any], model: str, metric: str) -> dict[str, Any]:
    return next(
        c
        for c in data["cells"]
        if (c["model"], c["task"], c["metric"]) == (model, TASK, metric) and c["evaluator"].startswith(LIST)
    )


def test_changes_by_training_are_those_of_the_tested_items(browser: Any, uneven: Uneven) -> None:
    data = uneven.data
    pairs = {
        p["metric"]: (p["n"], p["diff"] * (1 if p["a"] == "tiny-v2" else -1))
        for p in data["pairs"]
        if {p["a"], p["b"]} == {"tiny", "tiny-v2"} and p["evaluator"].startswith(LIST)
    }
    for metric in ("crr", "balanced"):
        plain = rate(data, "tiny-v2", metric)["value"] - rate(data, "tiny", metric)["value"]
        assert f"{pairs[metric][1]:.3f}" != f"{plain:.3f}", "the two differ here"
    assert pairs["balanced"][1] == pytest.approx((pairs["crr"][1] + pairs["car"][1]) / 2)
    watched = Watched(browser, uneven.page)
    after = watched.show("training").locator(".chainsof tbody tr").last
    for metric, shown in zip(("crr", "car", "balanced"), after.locator("td small").all(), strict=True):
        n, diff = pairs[metric]
        assert f"{100 * diff:+.1f} (n {n})".replace("-", "\u2212") in shown.inner_text()
        assert "95 % interval" in (shown.get_attribute("title") or "")
    row = watched.show("compare&a=tiny&b=tiny-v2").locator(".sides tbody tr", has_text="Balanced")
    assert f"on {pairs['balanced'][0]} questions scored for both" in row.inner_text()
    assert watched.problems == []


def test_a_model_without_the_sorted_number_stands_last_and_says_how_little_was_scored(
    browser: Any, uneven: Uneven
) -> None:
    watched = Watched(browser, uneven.page)
    shown = watched.show("standings")
    names = [text.split("\n")[0] for text in shown.locator("#standings tbody th .name").all_inner_texts()]
    assert names[-2:] == ["Delta", "refuse_all"], "below every model that has the number"
    scored = shown.locator("#standings tbody tr", has_text="Delta").locator(".scored").inner_text()
    assert scored.split() == ["1", "1", "of", "80"]
    guide = shown.locator(".guide").evaluate("n => n.textContent")
    assert "Every model was asked" not in guide
    assert "Of 4 models, 3 have scored answers to harmful questions, 4 to harmless ones" in guide
    tie = shown.locator(".tie").inner_text()
    assert "1 more has no rank by it" in tie
    assert "These two models" not in tie
    assert watched.problems == []


def test_views_open_on_one_task_and_a_missing_number_says_why(browser: Any, uneven: Uneven) -> None:
    watched = Watched(browser, uneven.page)
    opened = {
        view: watched.show(view).locator("select[data-state=task]").input_value()
        for view in ("standings", "plane", "categories", "compare", "training", "overview")
    }
    assert set(opened.values()) == {TASK}
    text = watched.page.locator("#overview").inner_text()
    assert "none unread" in text
    assert "not run" not in text
    assert watched.problems == []


def test_revealed_texts_stay_with_their_page(browser: Any, uneven: Uneven, tmp_path: Path) -> None:
    other = tmp_path / "other.html"
    other.write_text(page_html({**uneven.data, "title": "Another"}), encoding="utf-8")
    tab = browser.new_page()
    for path, pressed in ((uneven.page, "false"), (other, "false"), (uneven.page, "true")):
        tab.goto(f"file://{path}#view=samples")
        button = tab.locator("#reveal-all")
        assert button.get_attribute("aria-pressed") == pressed
        if path == uneven.page and pressed == "false":
            button.click()


def test_a_reference_line_never_covers_a_model_and_texts_have_a_halo(browser: Any, uneven: Uneven) -> None:
    watched = Watched(browser, uneven.page)
    shown = watched.show("plane")
    models = shown.locator(".chart .model").evaluate_all("n => n.map(x => x.dataset.model)")
    assert models[0] == "refuse_all", "drawn first, so below the others"
    strokes = shown.locator(".chart svg .iso-name").evaluate_all(
        "n => n.map(x => [getComputedStyle(x).paintOrder, getComputedStyle(x).stroke])"
    )
    assert strokes
    assert all(order.startswith("stroke") and stroke != "none" for order, stroke in strokes)
    assert watched.problems == []


def test_a_scorecard_has_no_negative_zero_and_says_what_its_kappa_is_of(
    browser: Any, data: dict[str, Any], tmp_path: Path
) -> None:
    name, card = next(iter(data["scorecards"].items()))
    row = card["rows"][0] | {"worst": {"model": "vlm__origin__ood", "kappa": -0.002}}
    page = tmp_path / "page.html"
    page.write_text(page_html({**data, "scorecards": {name: {**card, "rows": [row]}}}), encoding="utf-8")
    shown = Watched(browser, page).show("judges")
    assert shown.locator(".scorecard tbody td").last.inner_text() == "vlm, origin, ood: 0.00"
    assert "over the answers that the evaluator read" in shown.locator("#panel").inner_text()
