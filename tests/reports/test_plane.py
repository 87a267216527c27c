"""Many models on one page: the first screen, and the plane with a crowd in one corner."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from safecot_reports.build import Options, build
from safecot_reports.page import page_html
from tests.reports.make_runs import make_runs
from tests.reports.watched import Watched

pytestmark = pytest.mark.slow
FAMILIES = ("Llama-3.2", "Qwen2-VL", "InternVL2", "gpt-4o", "SmolVLM")


class Crowd(NamedTuple):
    """A page and its data."""

    page: Path
    data: dict[str, Any]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Crowd:
    """25 models within a few points of each other, three of them a chain, and a reference line."""
    folder = tmp_path_factory.mktemp("crowd")
    names = [f"{FAMILIES[k % 5]}-instruct-of-{k:02}" for k in range(22)] + [
        f"tiny {v}" for v in ("base", "v0", "v1")
    ]
    models = {name: (0.86 + 0.004 * k, 0.12 - 0.003 * k) for k, name in enumerate(names)}
    make_runs(folder / "runs", models=models | {"refuse_all": (1.0, 1.0)}, count=120, labelled=100)
    data = build([str(folder / "runs")], Options(samples=0))
    page = folder / "page.html"
    page.write_text(page_html(data), encoding="utf-8")
    return Crowd(page, data)


def test_the_first_screen_holds_many_models_and_says_ties_in_words(browser: Any, crowd: Crowd) -> None:
    data = crowd.data
    watched = Watched(browser, crowd.page, viewport={"width": 1440, "height": 900})
    shown = watched.show("standings")
    rows = shown.locator("#standings tbody tr")
    boxes = [rows.nth(k).bounding_box() for k in range(rows.count())]
    assert len(boxes) == 26
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


def boxes(shown: Any, selector: str) -> list[dict[str, float]]:
    return shown.eval_on_selector_all(  # type: ignore[no-any-return]
        selector,
        "n => n.map(x => { const r = x.getBoundingClientRect(); return {x: r.x, y: r.y, w: r.width, h: r.height}; })",
    )


def overlap(a: dict[str, float], b: dict[str, float]) -> bool:
    return (
        a["x"] < b["x"] + b["w"]
        and b["x"] < a["x"] + a["w"]
        and a["y"] < b["y"] + b["h"]
        and b["y"] < a["y"] + a["h"]
    )


@pytest.mark.parametrize(
    ("width", "zoom", "least"), [(1440, "", 26), (1920, "crowd", 25), (360, "models", 5)]
)
def test_labels_in_a_crowded_corner_never_overlap(
    browser: Any, crowd: Crowd, width: int, zoom: str, least: int
) -> None:
    watched = Watched(browser, crowd.page, viewport={"width": width, "height": 900}, reduced_motion="reduce")
    shown = watched.show(f"plane&zoom={zoom}")
    labels = boxes(shown, ".chart .label text")
    assert len(labels) >= least
    assert [pair for pair in combinations(labels, 2) if overlap(*pair)] == []
    points = boxes(shown, ".chart .model .mark")
    assert [1 for a in labels for b in points if overlap(a, b)] == []
    frame = boxes(shown, ".chart .ground")[0]
    for box in labels:
        assert frame["x"] <= box["x"]
        assert box["x"] + box["w"] <= frame["x"] + frame["w"]
    assert shown.locator(".chart").bounding_box()["width"] >= 0.85 * width, "the plane fills its place"
    assert watched.problems == []


def test_the_plane_moves_from_ruler_to_ruler_and_tells_a_models_numbers_by_keyboard(
    browser: Any, crowd: Crowd
) -> None:
    watched = Watched(
        browser, crowd.page, viewport={"width": 1440, "height": 900}, reduced_motion="no-preference"
    )
    shown = watched.show("plane")
    assert shown.locator(".chart .head").count() >= 1, "arrows along base, v0, v1"
    choice = shown.locator("select[data-state=ruler]")
    # Every place that a model is put at: a look at fixed times would miss the way on a busy machine.
    shown.evaluate(
        """() => { window.places = new Set(); new MutationObserver(() => {
          const n = document.querySelector('.chart .model[data-model="tiny v0"]');
          if (n) places.add(n.getAttribute('transform')); })
          .observe(document.getElementById('panel'), { subtree: true, childList: true, attributes: true }); }"""
    )
    choice.select_option(next(e for e in crowd.data["evaluators"] if e.startswith("template:")))
    shown.wait_for_function("() => places.size > 2")  # it moves, and does not jump
    shown.locator(".chart .label text").first.wait_for()  # drawn once it stands still
    ruler = choice.input_value()
    corrected = {
        c["model"] for c in crowd.data["cells"] if (c["metric"], c["evaluator"]) == ("crr_corrected", ruler)
    }
    corrected &= {
        c["model"] for c in crowd.data["cells"] if (c["metric"], c["evaluator"]) == ("car_corrected", ruler)
    }
    every = all(m["name"] in corrected for m in crowd.data["models"] if not m["reference"])
    assert shown.locator("#panel .badge").first.inner_text() == ("corrected" if every else "raw")
    shown.locator(".chart .model[tabindex='0']").focus()
    names = []
    for _ in range(26):
        names.append(shown.evaluate("document.activeElement.dataset.model"))
        assert names[-1] in shown.locator(".tip").inner_text()
        shown.keyboard.press("ArrowRight")
    assert sorted(names) == sorted(m["name"] for m in crowd.data["models"])
    shown.keyboard.press("Escape")
    assert shown.locator(".tip").is_hidden()
    assert watched.problems == []


def test_corrected_rates_are_shown_where_every_model_has_one_and_never_mixed(
    browser: Any, tmp_path: Path
) -> None:
    models = {"Alpha": (0.6, 0.4), "Beta": (0.5, 0.3)}
    runs = make_runs(tmp_path / "runs", models=models, count=160, labelled=120)
    for every in (True, False):
        if not every:
            next(runs.glob("m1/verdicts/human-*.jsonl")).unlink()
        data = build([str(runs)], Options(samples=0))
        source = tmp_path / "page.html"
        source.write_text(page_html(data), encoding="utf-8")
        judge = next(e for e in data["evaluators"] if e.startswith("toy-judge/refusal"))
        cells = {(c["model"], c["metric"]): c["value"] for c in data["cells"] if c["evaluator"] == judge}
        assert ("Alpha", "crr_corrected") in cells
        assert (("Beta", "crr_corrected") in cells) is every
        watched = Watched(browser, source, viewport={"width": 1440, "height": 900})
        shown = watched.show(f"standings&ruler={judge}")
        kind = "corrected" if every else "raw"
        badges = shown.locator("#standings thead .badge").all_inner_texts()
        assert badges == ["by raw", kind, kind, kind, "raw"], "ranks name what they use"
        for name in models:
            text = shown.locator(f'[data-cell="{name}|crr"]').inner_text().split()
            raw = f"{100 * cells[name, 'crr']:.1f}"
            assert text == ([f"{100 * cells[name, 'crr_corrected']:.1f}", "raw", raw] if every else [raw])
        if every:
            assert watched.show(f"plane&ruler={judge}").locator("#panel .badge").inner_text() == "corrected"
            shown = watched.show(f"standings&ruler={judge}")
            shown.locator("select[data-state=numbers]").select_option("raw")
            assert set(shown.locator("#standings thead .badge").all_inner_texts()) == {"raw", "by raw"}
        else:
            shown.locator('[data-cell="Alpha|crr"]').click()
            assert "corrected" in shown.locator(".behind").inner_text(), (
                "one click says which number is corrected"
            )
        assert watched.problems == []
