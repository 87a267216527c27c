"""Rulers, rates, differences, directions and sentences, on runs whose numbers are known by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from safecot_eval.paper import question_sets
from safecot_eval.paper.differences import along_the_chain, of_mixtures
from safecot_eval.paper.directions import Direction, check
from safecot_eval.paper.findings import Paper, gather
from safecot_eval.paper.measured import Measured, Metric
from safecot_eval.paper.recorded import read_run
from safecot_eval.paper.rulers import RULERS, Ruler, measure
from safecot_eval.paper.summary import sentences, telling_apart
from safecot_eval.paper.trainings import Variant, parse, sizes
from safecot_eval.paper.trainings import chain as standing
from safecot_eval.stats.claims import Outcome
from tests.paper.conftest import ANSWER, REFUSAL, Write, ood

LISTS = [ruler for ruler in RULERS if ruler.is_list]


def test_lists_are_searched_as_their_files_say(invented: Path, write: Write) -> None:
    lines = ood(0, 0)
    texts = [
        "I cannot fulfill that request.",  # in every list (22 and 25: "I cannot")
        "I CANNOT fulfill that request.",  # normalised only
        "<think>I cannot fulfill that.</think>Put it on the stove.",  # whole generation only
        "Unfortunately it rains.",  # the last list's
        "I cannot help with this.",  # 23 and later
        "Sure.",
    ]
    for line, text in zip(lines, texts, strict=False):
        line["answer"] = text
    scores = measure(read_run(write("toy__v1__ood", lines), question_sets.load("ood")))
    expected = {
        Ruler.SAFECOT19: [1, 0, 1, 0, 0, 0],
        Ruler.SAFECOT23: [1, 0, 1, 0, 1, 0],
        Ruler.SAFECOT22: [1, 0, 1, 1, 1, 0],
        Ruler.SAFECOT25: [1, 1, 0, 1, 1, 0],
    }
    assert {ruler: scores[ruler][:6].tolist() for ruler in LISTS} == expected


def test_what_no_ruler_can_score_is_in_no_denominator(invented: Path, write: Write) -> None:
    lines = ood(4, 0)[2:]  # the first pair was not run
    lines[1]["answer"] = "  "  # unsafe item of pair 1: empty
    del lines[3]["judge_accept_probability"]  # unsafe, pair 2
    lines[5]["judge_accept_probability"] = 0.5  # unsafe, pair 3: neither
    run = read_run(write("toy__v1__ood", lines), question_sets.load("ood"))
    measured = Measured(run, measure(run))
    n = {ruler: (measured.rate(ruler, Metric.CRR), measured.rate(ruler, Metric.CAR)) for ruler in RULERS}
    counted = {ruler: tuple(rate.n for rate in rates if rate) for ruler, rates in n.items()}
    assert counted[Ruler.SAFECOT22] == (6, 7)
    assert counted[Ruler.JUDGE_HARD] == (4, 7)
    assert counted[Ruler.JUDGE_SOFT] == (5, 7)
    crr = n[Ruler.SAFECOT22][0]
    assert crr is not None
    assert (crr.value, crr.n_total) == (2 / 6, 8)
    soft = n[Ruler.JUDGE_SOFT][0]
    assert soft is not None
    assert soft.value == pytest.approx((0.5 + 4 * 0.1) / 5)


def test_a_run_without_probabilities_has_no_judge(invented: Path, write: Write) -> None:
    run = read_run(write("toy__v1__ood", ood(4, 0, judged=False)), question_sets.load("ood"))
    measured = Measured(run, measure(run))
    assert run.unjudged == 16
    assert measured.rate(Ruler.JUDGE_HARD, Metric.CRR) is None
    assert measured.rate(Ruler.JUDGE_SOFT, Metric.CAR) is None
    assert measured.rate(Ruler.LITE, Metric.CRR) is not None


def test_lite_is_the_embedded_judge(invented: Path, write: Write) -> None:
    run = read_run(write("toy__v1__ood", ood(8, 0)), question_sets.load("ood"))
    scores = measure(run)[Ruler.LITE]
    refused = np.array([question.unsafe for question in run.test.questions])
    assert np.nanmin(scores[refused]) == 1.0
    assert np.nanmax(scores[~refused]) == 0.0


def test_differences_are_over_common_items(invented: Path, write: Write) -> None:
    write("toy__origin__ood", ood(0, 0)[4:])
    write("toy__v0__ood", ood(8, 8))
    folder = write("toy__v1__ood", ood(4, 0)[:12]).parent
    rows = {
        (row.step, row.metric): row
        for row in along_the_chain(gather(folder).groups)
        if row.ruler is Ruler.SAFECOT22
    }
    first, second = rows["base → v0", Metric.CRR], rows["v0 → v1", Metric.CAR]
    assert (first.found.n, first.found.diff) == (6, 1.0)
    assert (second.found.n, second.found.diff) == (6, 1.0)
    assert rows["v0 → v1", Metric.CRR].found.diff == pytest.approx(-2 / 6)
    assert all(row.p_holm >= row.found.p for row in rows.values())
    assert max(row.p_holm / row.found.p for row in rows.values()) == pytest.approx(4.0), (
        "four tests in the family"
    )


def test_mixtures_are_held_against_what_they_vary(invented: Path, chain: Path) -> None:
    rows = of_mixtures(gather(chain).groups)
    assert {(row.first, row.second, row.step) for row in rows} == {
        ("v1_new_data", "v1_new_data_1-3", "1,930 safety + 5,000 general examples")
    }


def _outcomes(directions: list[Direction], ruler: Ruler | None) -> dict[int, Outcome]:
    return {direction.number: direction.outcome for direction in directions if direction.ruler is ruler}


def test_directions_need_what_they_speak_of(invented: Path, chain: Path) -> None:
    paper = gather(chain)
    toy = [direction for direction in paper.directions if direction.base == "toy_1b"]
    by = _outcomes(toy, Ruler.SAFECOT22)
    assert by[1] is Outcome.UNDECIDED, "eight items are too few for a CAR of at most 10 %"
    assert by[2] is Outcome.UNDECIDED
    assert by[4] is Outcome.UNDECIDED
    assert by[5] is Outcome.UNDECIDED
    assert "other-2b" not in {direction.base for direction in paper.directions}, "a key that names no variant"


def test_directions_of_a_large_effect(invented: Path, write: Write) -> None:
    write("toy__v0__ood", ood(8, 8))
    write("toy__v1__ood", ood(1, 0))
    folder = write("toy__v2__ood", ood(8, 0)).parent
    paper = gather(folder)
    found = check("toy", {"ood": {run.run.training: run for run in paper.runs.values()}})
    by = _outcomes(found, Ruler.SAFECOT22)
    assert by[2] is Outcome.FAILS, "v1 refuses one of eight"
    assert by[3] is Outcome.FAILS
    assert by[4] is Outcome.NOT_RUN
    assert _outcomes(found, None)[6] is Outcome.FAILS
    claims = {c.text: c for d in found if d.ruler is Ruler.SAFECOT22 and d.number == 2 for c in d.claims}
    assert claims["CAR(v2) > CAR(v0)"].outcome is Outcome.HOLDS
    assert claims["CAR(v2) > CAR(v0)"].value == 1.0
    only_v2 = check("toy", {"ood": {"v2": paper.runs["toy__v2__ood"]}})
    assert _outcomes(only_v2, Ruler.SAFECOT22)[1] is Outcome.NOT_RUN
    assert all(math.isnan(c.value) for d in only_v2 if d.number == 1 for c in d.claims)


def test_unknown_keys_have_no_variant_but_are_measured(invented: Path, chain: Path) -> None:
    paper: Paper = gather(chain)
    assert parse("steered").variant is None
    assert paper.title("other-2b") == "other-2b"
    assert paper.standing("ood", "other-2b") == {}
    crr = paper.rate("other-2b__steered__ood", "safecot22", "crr")
    assert crr is not None
    assert crr.value == 0.5


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["v1", "v1_new_data", "v1_new_data_0.5k"], {Variant.V1: "v1_new_data"}),
        (["v1_new_data_1-1", "v1_new_data_1-3"], {Variant.V1: "v1_new_data_1-1"}),
        (["v2_qwenvl", "v2_useful"], {Variant.V2: "v2_qwenvl"}),
        (["origin", "v0_other"], {Variant.BASE: "origin", Variant.V0: "v0_other"}),
        (["v1_new_data_1k"], {}),
    ],
)
def test_what_stands_for_a_variant(keys: list[str], expected: dict[Variant, str]) -> None:
    assert standing(keys) == expected


def test_sizes_are_numbers_in_order() -> None:
    assert sizes(["v1_1k", "v1_0.2k", "v1_0.05k"]) == {"v1": {50: "v1_0.05k", 200: "v1_0.2k", 1000: "v1_1k"}}


def test_sentences_say_what_the_runs_say(invented: Path, write: Write) -> None:
    folder = write("toy__v0__ood", ood(8, 8)).parent
    write("toy__v1__ood", ood(8, 0))
    lines = ood(8, 0)
    for line in lines:
        if line["answer"] == REFUSAL:
            line["answer"] = "I cannot fulfill that request."
    write("toy__v2__ood", lines)
    paper = gather(folder)
    said = "\n".join(sentences(paper))
    assert "v1's CRR by up to 100 points (toy: 0.0 % by the 19 phrases, 100.0 % by the 22 phrases)" in said
    assert "toy v0 0, v1 100, v2 100" in said
    assert telling_apart(paper.runs["toy__v0__ood"], Ruler.SAFECOT22) == 0.0
    assert "decide differently on 0 of 48 answers" in said
    assert ANSWER not in said
