"""Recorded figures against what comes out, on figures that are known by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from safecot_eval.paper import question_sets
from safecot_eval.paper.manifest import Entry
from safecot_eval.paper.measured import Measured
from safecot_eval.paper.recorded import read_run
from safecot_eval.paper.reproduction import Figure, Status, compare, mean_score
from safecot_eval.paper.rulers import measure
from tests.paper.conftest import Line, Write, ood

TEMPLATE = """correct refusal: {crr}
over refusal: {over}

Total reject_correct count: {reject}, reject_ratio {share}
Total accept_correct count: {accept}, accept_ratio 0.5
Total correct ratio: 0.75"""


def _figures(
    write: Write, lines: list[Line], *, shards: tuple[int, int] | None = None, **texts: str
) -> list[Figure]:
    run = read_run(write("toy__v1__ood", lines), question_sets.load("ood"))
    recorded = {f"{name}.txt": text for name, text in texts.items()}
    return compare(Measured(run, measure(run)), Entry("toy__v1__ood.jsonl", shards=shards, recorded=recorded))


def _by_name(figures: list[Figure]) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures}


def test_means_current_older_and_none(invented: Path, write: Write) -> None:
    lines = ood(4, 0)  # (12 right with 0.9, 4 wrong with 0.1)
    text = "Final average score: N/A (No valid scores)\nFinal average score: 0.5\nFinal average score: 0.7004"
    found = _figures(write, lines, final_scores=text)
    assert [figure.status for figure in found] == [Status.NO_NUMBER, Status.OLDER, Status.EXACT]
    assert found[1].why == "an earlier judging, or earlier answers"
    lost = _figures(write, lines, final_scores="Final average score: 0.71")
    assert [(figure.status, figure.ours) for figure in lost] == [(Status.NOT_REPRODUCED, "0.700000")]


def test_a_mean_is_over_judged_items(invented: Path, write: Write) -> None:
    lines = ood(8, 0)
    for line in lines[:4]:
        del line["judge_accept_probability"]
    run = read_run(write("toy__v1__ood", lines), question_sets.load("ood"))
    assert mean_score(run) == pytest.approx(0.9)


def test_shard_means_in_any_order(invented: Path, write: Write) -> None:
    found = _figures(write, ood(4, 0), shards=(2, 2), tmp_scores="0.5\n0.9\n0.7")
    assert [figure.status for figure in found] == [Status.EXACT, Status.EXACT, Status.NOT_REPRODUCED]


def test_counts_name_the_list_that_gives_them(invented: Path, write: Write) -> None:
    text = TEMPLATE.format(crr=4 / 8, over=(300 - 8) / 300, reject=4, accept=8, share=1 / 3)
    found = _by_name(_figures(write, ood(4, 0), eval_template_score=text))
    assert found["reject_correct count"].status is Status.EXACT
    assert found["reject_correct count"].why == "by safecot22"
    assert found["correct refusal"].status is Status.EXACT
    assert found["over refusal"].status is Status.DENOMINATOR
    assert "recorded over 300 benign items, of which the run has 8" in found["over refusal"].why
    assert found["over refusal"].ours == "0.0000"


@pytest.mark.parametrize(
    ("crr", "sentence"),
    [
        (4 / 300, "recorded over 300 unsafe items, of which the run has 8"),
        (4 / 16, "recorded over all 16 items, benign ones included"),
    ],
)
def test_shares_over_something_else(crr: float, sentence: str, invented: Path, write: Write) -> None:
    text = TEMPLATE.format(crr=crr, over=1.0, reject=4, accept=8, share=1 / 3)
    found = _by_name(_figures(write, ood(4, 0), eval_template_score=text))["correct refusal"]
    assert found.status is Status.DENOMINATOR
    assert sentence in found.why
    assert found.ours == "0.5000"


def test_a_list_without_one_phrase_is_found(invented: Path, write: Write) -> None:
    lines = ood(4, 0)
    lines[9]["answer"] = "Unfortunately it rains."
    text = TEMPLATE.format(crr=0.5, over=0, reject=4, accept=8, share=1 / 3)
    found = _by_name(_figures(write, lines, eval_template_score=text))["reject_correct count"]
    assert found.status is Status.NOT_REPRODUCED
    assert found.why == (
        "a list between the recorded ones (inferred): safecot22 without “Unfortunately” gives exactly these counts; "
        "nearest is safecot22 with 5 and 8"
    )


def test_older_answers_are_inferred_from_older_means(invented: Path, write: Write) -> None:
    text = TEMPLATE.format(crr=0.5, over=0, reject=1, accept=2, share=1 / 3)
    scores = "Final average score: 0.1\nFinal average score: 0.7"
    found = _figures(write, ood(4, 0), eval_template_score=text, final_scores=scores)
    figure = _by_name(found)["reject_correct count"]
    assert "older answers (inferred): the run was judged 2 times" in figure.why
    alone = _by_name(_figures(write, ood(4, 0), eval_template_score=text))["reject_correct count"]
    assert "another list or other answers, unknown which" in alone.why


def test_nothing_recorded_is_left_out(invented: Path, write: Write) -> None:
    found = _figures(write, ood(4, 0), eval_template_score="something else: 1", new_file="0.5")
    assert [figure.status for figure in found] == [Status.NOT_REPRODUCED, Status.NOT_REPRODUCED]
    assert found[1].why == "unknown file"
