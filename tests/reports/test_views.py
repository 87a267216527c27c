"""Judges, training and what can be taken away from the page, in Chromium."""

from __future__ import annotations

import csv
import io
import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from safecot_reports.build import Options, build
from safecot_reports.page import page_html
from tests.reports.make_runs import make_runs
from tests.reports.watched import Watched

pytestmark = pytest.mark.slow
CLIPBOARD = {"permissions": ["clipboard-read", "clipboard-write"]}


def test_agreement_is_a_heat_map_with_counts_behind_every_cell(
    browser: Any, page: Path, data: dict[str, Any]
) -> None:
    watched = Watched(browser, page)
    shown = watched.show("judges")
    people = next(e for e in data["evaluators"] if e.startswith("human:"))
    assert shown.locator("select[data-state=against]").input_value() == people, (
        "people are what others are held against"
    )
    rows = [r for r in data["agreement"] if people in (r["a"], r["b"]) and r["model"] == "Alpha"]
    texts = shown.locator(".map tr", has_text="Alpha").first.locator("td").all_inner_texts()
    expected = {"not defined" if r["kappa"] is None else f"{r['kappa']:.2f}" for r in rows}
    assert set(texts) - {"—"} == expected
    shown.locator("select[data-state=agree]").select_option("rate")
    shown.locator(".map tr", has_text="Alpha").first.locator("td button").first.press("Enter")
    said = shown.locator(".card").inner_text()
    assert any(str(r["n"]) in said and all(str(c) in said for c in r["counts"]) for r in rows)
    card = shown.locator(".scorecard")
    assert card.locator("tbody tr").count() == len(
        data["scorecards"][shown.locator("select[data-state=card]").input_value()]["rows"]
    )
    own = [r for r in data["lists"] if r["own"] and r["refused"] is not None]
    assert shown.locator("svg.dots .dot.own").count() == len(own)
    assert watched.problems == []


def test_thoughts_and_answers_make_a_square(browser: Any, data: dict[str, Any], tmp_path: Path) -> None:
    part = {"count": 5, "value": 0.25, "low": 0.1, "high": 0.4}
    cells = dict.fromkeys(("safe_safe", "safe_unsafe", "unsafe_safe", "unsafe_unsafe"), part)
    row = {"model": "Alpha", "task": "safecot_mini", "thought": "j/harm_reasoning", "answer": "j/harm"}
    source = tmp_path / "page.html"
    source.write_text(page_html({**data, "thoughts": [row | {"n": 20, "n_thoughts": 22, "cells": cells}]}))
    watched = Watched(browser, source)
    square = watched.show("judges").locator(".square")
    assert square.locator("td b").all_inner_texts() == ["25.0 %"] * 4
    assert watched.problems == []


def test_training_shows_curves_in_colours_with_intervals_and_what_changed(
    browser: Any, tmp_path: Path
) -> None:
    models = {"tiny": (0.3, 0.1), "tiny-a": (0.6, 0.2), "tiny-b": (0.9, 0.2), "refuse_all": (1.0, 1.0)}
    runs = make_runs(tmp_path / "runs", models=models, judge=False)
    for number, samples in ((1, 100), (2, 400)):
        card = {
            "variant": "v2",
            "base_model": "org/tiny",
            "loss_history": [[1, 2.0], [9, 0.5]],
            "probe_history": {
                "lite": [[4, None, 1.0, None, 0.5], [6, 0.8, 0.6, 0.7, 1.0], [8, 0.5, 0.5, 0.5, 0.95]]
            },
            "samples": samples,
        }
        if number == 2:  # as a card of an earlier version has it: NaN, which is no JSON
            card |= {"train_loss": math.nan, "loss_history": [[1, 2.0], [3, math.nan], [5, 1.0], [9, 0.5]]}
        (runs / f"m{number}" / "safecot_checkpoint.json").write_text(json.dumps(card))
    for number, share in ((0, 0.8), (2, 0.7)):
        scores = {"scores": [{"task": "vqa", "share": share}]}
        (runs / f"m{number}" / "safecot_capability.json").write_text(json.dumps(scores))
    source = tmp_path / "page.html"
    data = build([str(runs)], Options(samples=0))
    source.write_text(page_html(data), encoding="utf-8")
    watched = Watched(browser, source)
    shown = watched.show("training")
    after = shown.locator(".chainsof tbody tr").last.inner_text()
    pair = next(p for p in data["pairs"] if {p["a"], p["b"]} == {"tiny", "tiny-b"} and p["metric"] == "crr")
    assert "tiny-b" in after
    assert f"+{100 * abs(pair['diff']):.1f}" in after
    assert "70.0" in after
    assert "\u221210.0" in after, "the capability column has before and after"
    efficiency, losses, probe = shown.locator("svg.lines").all()
    assert probe.locator(".mark").count() == 4, "two evaluations of two checkpoints have a balanced rate"
    probed = shown.locator("table", has=watched.page.get_by_text("Best and last evaluation while training"))
    assert [row.split("\t")[2:] for row in probed.locator("tbody tr").all_inner_texts()[:2]] == [
        ["6 (best)", "80.0", "60.0", "70.0", "100.0"],
        ["8", "50.0", "50.0", "50.0", "95.0"],
    ]
    assert efficiency.locator(".cross").count() == 2, "one interval per checkpoint"
    strokes = losses.locator(".line").evaluate_all("n => n.map(x => getComputedStyle(x).stroke)")
    assert len(set(strokes)) == 2
    assert [
        d.count("M") for d in losses.locator(".line").evaluate_all("n => n.map(x => x.getAttribute('d'))")
    ] == [1, 2]
    assert (
        "no numbers: 1 losses of tiny-b (NaN at step 3 first)"
        in shown.locator("#view, body").first.inner_text()
    )
    assert (
        shown.locator("table", has=watched.page.get_by_text("Final loss"))
        .locator("tbody td", has_text="NaN")
        .count()
        == 1
    )
    assert watched.problems == []


def test_a_table_leaves_as_markdown_latex_and_csv(browser: Any, page: Path, data: dict[str, Any]) -> None:
    watched = Watched(browser, page, **CLIPBOARD)
    shown = watched.show("standings")
    crr = f"{100 * next(c['value'] for c in data['cells'] if c['model'] == 'Alpha' and c['metric'] == 'crr' and c['evaluator'].startswith('toy')):.1f}"
    found = {}
    for kind in ("Markdown", "LaTeX", "CSV", "Link"):
        shown.locator(".share button", has_text=kind).press("Enter")
        shown.locator("#live", has_text="copied").wait_for(state="attached")
        found[kind] = shown.evaluate("navigator.clipboard.readText()")
        shown.evaluate("document.getElementById('live').textContent = ''")
    rows = list(csv.reader(io.StringIO(found["CSV"])))
    assert len(rows) == 5
    assert len({len(row) for row in rows}) == 1
    alpha = next(row for row in rows if "Alpha" in row[1])
    assert crr in alpha
    for kind in ("Markdown", "LaTeX"):
        assert crr in next(line for line in found[kind].splitlines() if "Alpha" in line)
    assert "refuse\\_all" in found["LaTeX"]
    assert found["LaTeX"].count("\\\\\n") == 5
    assert found["Link"].startswith("file:")
    assert watched.problems == []


def test_a_chart_leaves_as_svg_and_png(browser: Any, page: Path) -> None:
    watched = Watched(browser, page)
    shown = watched.show("plane")
    with shown.expect_download() as waiting:
        shown.locator(".share button", has_text="SVG").click()
    text = Path(waiting.value.path()).read_text()
    root = ET.fromstring(text)
    assert root.tag.endswith("svg")
    assert "Alpha" in text
    assert "var(--" not in text, "colours are written out"
    with shown.expect_download() as waiting:
        shown.locator(".share button", has_text="PNG").click()
    assert Path(waiting.value.path()).read_bytes()[:4] == b"\x89PNG"
    assert [p for p in watched.problems if not p.startswith(("blob:", "data:"))] == []


@pytest.mark.parametrize(
    "view",
    [
        "standings",
        "plane&zoom=models",
        "compare&a=Beta&b=Alpha",
        "judges&agree=rate",
        "samples&s-label=models",
    ],
)
def test_an_address_brings_back_the_view(browser: Any, page: Path, view: str) -> None:
    watched = Watched(browser, page)
    shown = watched.show(view)
    for part in view.split("&")[1:]:
        name, value = part.split("=")
        assert shown.locator(f"select[data-state={name}]").input_value() == value
    assert watched.problems == []


def test_the_four_questions_of_a_first_reader_take_three_clicks(browser: Any, page: Path) -> None:
    """The paths that docs/leaderboard.md writes down, from the page's first screen."""
    watched = Watched(browser, page, viewport={"width": 1440, "height": 900})
    shown = watched.show("standings")
    shown.locator(".glance li", has_text="Over-refusal").locator("button").first.click()
    assert shown.locator("#standings tbody th").first.inner_text().startswith("Alpha"), (
        "it refuses most of the harmless"
    )
    shown = watched.show("standings")
    shown.locator("#tab-compare").click()
    shown.locator("select[data-state=a]").select_option("Beta")
    shown.locator("select[data-state=b]").select_option("Alpha")
    assert shown.locator(".tie").inner_text().startswith("Beta ")
    shown = watched.show("standings")
    shown.locator("#tab-samples").click()
    shown.locator(".line").nth(3).click()
    shown.locator(".item .reveal").click()
    assert shown.locator(".answer[data-model=Alpha] > pre").inner_text()
    shown = watched.show("standings")
    assert shown.locator("#standings thead .badge").first.is_visible()
    assert "Corrected:" in shown.locator(".glance").inner_text()
    assert watched.problems == []


def test_the_first_screen_says_who_refuses_too_much_and_what_another_evaluator_would_say(
    browser: Any, page: Path, data: dict[str, Any]
) -> None:
    watched = Watched(browser, page)
    shown = watched.show("standings")
    ruler = shown.locator("select[data-state=ruler]").input_value()
    own = {m["name"] for m in data["models"] if not m["reference"]}

    def rates(metric: str, evaluator: str) -> dict[str, float]:
        return {
            c["model"]: c["value"]
            for c in data["cells"]
            if (c["metric"], c["evaluator"]) == (metric, evaluator)
            and c["model"] in own
            and c["value"] is not None
        }

    said = shown.locator(".glance").inner_text()
    fixed = {c["metric"] for c in data["cells"] if c["metric"].endswith("_corrected")}
    for metric, word in (("car", "Over-refusal"), ("crr", "Under-refusal")):
        if f"{metric}_corrected" not in fixed:
            low = sum(value < 0.5 for value in rates(metric, ruler).values())
            assert f"{word}: {low or 'none'} of {len(rates(metric, ruler))} models" in said
    (other,) = {
        e
        for e in shown.locator("select[data-state=ruler] option").evaluate_all("n => n.map(o => o.value)")
        if e != ruler and e.startswith("template:")
    }
    moved = {
        model
        for metric in ("crr", "car")
        for model, value in rates(metric, other).items()
        if abs(value - rates(metric, ruler)[model]) > 0.05
    }
    assert f"more than 5 points for {len(moved) or 'none'} of {len(rates('balanced', ruler))} models" in said
    assert watched.problems == []
