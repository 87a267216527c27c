"""The 57 recorded runs: counts and means against an independent reading of the files, and docs/paper.md against both."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from safecot_eval.paper import csv_table, markdown
from safecot_eval.paper.findings import Paper, gather
from safecot_eval.paper.reproduction import Status
from safecot_eval.paper.rulers import RULERS, Ruler
from safecot_reports.paper import chain_picture, page_html

DOCS = Path(__file__).parents[2] / "docs"
COMMITS = {"safecot19": "42c8dd4", "safecot23": "ce7e4a2", "safecot22": "eafa278"}

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("shared-runs")]


@pytest.fixture(scope="module")
def paper(data_dir: Path) -> Paper:
    """All of it, measured once."""
    return gather(data_dir / "safecot_runs")


@pytest.fixture(scope="module")
def lines(data_dir: Path) -> dict[str, list[dict[str, Any]]]:
    """The recorded answers, read with nothing of ours."""
    found = {}
    for path in sorted((data_dir / "safecot_runs").glob("*.jsonl")):
        with path.open(encoding="utf-8") as stream:
            found[path.stem] = [json.loads(line) for line in stream]
    return found


def _manifest(data_dir: Path) -> dict[str, dict[str, Any]]:
    entries = json.loads((data_dir / "safecot_runs" / "manifest.json").read_text(encoding="utf-8"))
    return {entry["file"].removesuffix(".jsonl"): entry for entry in entries}


def test_every_count_by_the_recorded_lists(
    paper: Paper, lines: dict[str, list[dict[str, Any]]], data_dir: Path
) -> None:
    protocol = json.loads((data_dir / "safecot_runs" / "protocol.json").read_text(encoding="utf-8"))
    lists = {
        name: next(phrases for key, phrases in protocol["phrases"].items() if key.startswith(commit))
        for name, commit in COMMITS.items()
    }
    rows = csv_table.table(paper).splitlines()
    head = rows[0].split(",")
    cells = {(c[0], c[4]): dict(zip(head, c, strict=True)) for c in (row.split(",") for row in rows[1:])}
    assert len(cells) == 57 * 7
    assert len(lines) == 57
    for run, answers in lines.items():
        for name, phrases in lists.items():
            unsafe = [
                any(p in line["answer"] for p in phrases) for line in answers if line["label"] == "unsafe"
            ]
            safe = [any(p in line["answer"] for p in phrases) for line in answers if line["label"] == "safe"]
            cell = cells[run, name]
            assert (int(cell["n_unsafe"]), int(cell["n_safe"])) == (len(unsafe), len(safe)), (run, name)
            assert round(float(cell["crr"]) * len(unsafe) / 100) == sum(unsafe), (run, name)
            if safe:
                assert round(float(cell["car"]) * len(safe) / 100) == len(safe) - sum(safe), (run, name)
            else:
                assert (cell["car"], cell["car_low"], cell["car_high"]) == ("", "", ""), (run, name)


def test_every_mean_but_one_is_a_recorded_line(
    paper: Paper, lines: dict[str, list[dict[str, Any]]], data_dir: Path
) -> None:
    without = []
    for run, entry in _manifest(data_dir).items():
        right = [
            p if line["label"] == "safe" else 1 - p
            for line in lines[run]
            if (p := line.get("judge_accept_probability")) is not None
        ]
        mean = sum(right) / len(right)
        recorded = [
            float(found[1])
            for line in entry["recorded"]["final_scores.txt"].splitlines()
            if (found := re.match(r"Final average score: ([\d.]+)$", line))
        ]
        figures = [f for f in paper.figures if (f.run, f.file) == (run, "final_scores.txt")]
        assert len(figures) == len(entry["recorded"]["final_scores.txt"].splitlines())
        exact = [f for f in figures if f.status is Status.EXACT]
        assert len(exact) == sum(abs(value - mean) <= 5e-4 for value in recorded)
        assert sum(f.status is Status.OLDER for f in figures) == len(recorded) - len(exact) or not exact
        if not exact:
            without.append(run)
    assert without == ["llava1.5_7b__origin__siuo"], "its file holds no number"


def test_every_recorded_figure_is_accounted_for(paper: Paper, data_dir: Path) -> None:
    for run, entry in _manifest(data_dir).items():
        for file, text in entry["recorded"].items():
            figures = [f for f in paper.figures if (f.run, f.file) == (run, file)]
            numbers = re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", text)
            shown = [f for f in figures if f.status is not Status.NO_NUMBER]
            assert len(shown) == len(numbers), (run, file)
            assert all(f.why for f in figures)
    lost = {f.run for f in paper.figures if f.status is Status.NOT_REPRODUCED}
    assert lost == {
        "SmolVLM__v2__siuo",
        "llama_11b__v1_new_data__ood",
        "llama_11b__v1_new_data_0.2k__ood",
        "llama_11b__v1_new_data_0.5k__ood",
        "llama_11b__v1_new_data_1k__ood",
        "llava1.5_7b__v1_new_data_1-1__ood",
        "qwen_7b_vl__v1_useful__ood",
    }


def test_what_was_not_run_or_not_judged_is_in_no_denominator(paper: Paper) -> None:
    assert (len(paper.runs), paper.answers) == (57, 28_809)
    short = {
        name: run.run.not_run
        for name, run in paper.runs.items()
        if run.run.not_run and run.run.test.name == "ood"
    }
    assert short == {"qwen_7b_vl__origin__ood": 150, "llava1.5_7b__nsfw+sharedgpt4v_v1_nsfw__ood": 150}
    assert sorted({run.run.not_run for run in paper.runs.values() if run.run.test.name == "siuo"}) == [0, 41]
    unjudged = {name: run.run.unjudged for name, run in paper.runs.items() if run.run.unjudged}
    assert unjudged == {"qwen_7b_vl__v1_1__ood": 150}
    soft = paper.rate("qwen_7b_vl__v1_1__ood", "judge_soft", "crr")
    phrases = paper.rate("qwen_7b_vl__v1_1__ood", "safecot22", "crr")
    assert soft is not None and phrases is not None  # noqa: PT018
    assert (soft.n, phrases.n) == (225, 300)
    step = next(
        row
        for row in paper.along_the_chain
        if (row.base, row.test, row.step, row.ruler, row.metric)
        == ("qwen_7b_vl", "ood", "base → v1", "safecot22", "crr")
    )
    assert step.found.n == 225, "paired tests use common items"


def test_the_phrases_alone_turn_the_order_round(paper: Paper) -> None:
    """What the issue of the phrase lists is about, on Llama-3.2-11B-Vision (300 + 300)."""
    rates = {
        (training, ruler): tuple(
            round(100 * found.value, 1)
            for metric in ("crr", "car")
            if (found := paper.rate(f"llama_11b__{training}__ood", ruler, metric)) is not None
        )
        for training in ("v0", "v1_new_data", "v2")
        for ruler in ("safecot22", "safecot23")
    }
    assert rates["v0", "safecot22"] == (100.0, 0.0)
    assert rates["v1_new_data", "safecot22"] == (62.7, 68.3)
    assert rates["v2", "safecot22"] == (84.0, 70.0)
    assert rates["v2", "safecot23"][0] < rates["v1_new_data", "safecot23"][0]
    assert 400 < paper.differently_matched < 600


def test_directions_and_differences_are_complete(paper: Paper) -> None:
    by_base = {base: [d for d in paper.directions if d.base == base] for base in paper.bases}
    assert {base: len(found) for base, found in by_base.items()} == dict.fromkeys(
        paper.bases, 5 * len(RULERS) + 1
    )
    steps = {(row.base, row.step) for row in paper.along_the_chain if row.test == "ood"}
    assert {step for base, step in steps if base == "llama_11b"} == {
        "base → v0",
        "v0 → v1",
        "v1 → v2",
        "v0 → v2",
    }
    assert {step for base, step in steps if base == "qwen_7b_vl"} == {"base → v1", "v1 → v2"}
    (curve,) = paper.curves.values()
    assert list(curve) == [50, 100, 200, 500, 1000, None]


def test_docs_are_written_from_these_numbers(paper: Paper) -> None:
    remedy = "run `make paper` and look at what changed"
    assert markdown.document(paper, reading=True) == (DOCS / "paper.md").read_text(encoding="utf-8"), remedy
    assert chain_picture(paper) == (DOCS / markdown.PICTURE).read_text(encoding="utf-8"), remedy


def test_no_sentence_of_the_recorded_answers_leaves_the_folder(
    paper: Paper, lines: dict[str, list[dict[str, Any]]]
) -> None:
    shown = page_html(paper) + markdown.document(paper, reading=True) + csv_table.table(paper)
    for answers in lines.values():
        for line in answers[::25]:
            for text in (line["question"].strip(), line["answer"].strip()[:60]):
                assert len(text) < 25 or text not in shown


def test_the_hard_judge_is_the_likelier_word(paper: Paper, lines: dict[str, list[dict[str, Any]]]) -> None:
    for run, answers in lines.items():
        unsafe = [line.get("judge_accept_probability") for line in answers if line["label"] == "unsafe"]
        decided = [p for p in unsafe if p is not None and p != 0.5]
        found = paper.rate(run, Ruler.JUDGE_HARD, "crr")
        assert found is not None
        assert (found.n, round(found.value * found.n)) == (len(decided), sum(p < 0.5 for p in decided))
