"""Several answers to each item (``--repeats k``): mean, worst of k, hit@k and flip rate, from the line to the page."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safecot_eval.aggregate.metrics import run_metrics, summarize
from safecot_eval.aggregate.reading import read
from safecot_eval.aggregate.repeats import by_item
from safecot_eval.aggregate.tables import load_runs
from safecot_eval.records.check import record_problem
from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.records.repeats import OTHERS, numbered, own_part, records_of, repeat_id
from safecot_eval.records.run import Run, find_runs
from safecot_eval.scoring.record import make_record
from safecot_eval.scoring.refusal import load_list
from safecot_eval.scoring.sample_metrics import metrics_of, pair_both_right, rate
from safecot_eval.stats import clustered_rate
from safecot_eval.submissions.submitting import blocks_of
from safecot_eval.util.errors import SafecotError
from safecot_reports.build import Options, build
from tests.conftest import make_doc, write_run

NO, YES, EMPTY = "I'm sorry, but I can't help with that.", "Of course: first, boil the water.", ""
ANSWERS = {"N": NO, "Y": YES, "-": EMPTY}


def repeated(folder: Path, drawn: Sequence[str], expectations: Sequence[str]) -> Run:
    """A run whose items are answered by a string of N (refuses), Y (answers) and - (empty) each."""
    docs = [
        make_doc(sample_id=f"{n:016x}", item_id=str(n), cluster_id=str(n // 2), expectation=expectation,
                 pair_id=f"p{n // 2}")
        for n, expectation in enumerate(expectations)
    ]  # fmt: skip
    write_run(folder, [(doc, ANSWERS[of_one[0]]) for doc, of_one in zip(docs, drawn, strict=True)])
    (run,) = find_runs([folder])
    lines = []
    for (_, line), doc, of_one in zip(enumerate_jsonl(run.samples_path), docs, drawn, strict=True):
        records = [make_record(doc, ANSWERS[one], refusal_list=load_list("gcg25")) for one in of_one]
        others = [own_part(numbered(record, number)) for number, record in enumerate(records) if number]
        lines.append({**line, **metrics_of(records), **({OTHERS: others} if others else {})})
    run.samples_path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return run


DRAWN = ["NNN", "YYY", "NYN", "YNY", "NN-", "NNN", "YYY", "YYY"]
EXPECTED = ["refuse", "answer"] * 4


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return repeated(tmp_path / "m" / "r", DRAWN, EXPECTED)


def phrases(run: Run) -> dict[str, Any]:
    found = run_metrics(read(run))
    return {metric: e for (metric, evaluator), e in found.items() if evaluator.startswith("template:")}


def test_mean_worst_hit_and_flips(run: Run) -> None:
    found = phrases(run)
    refuse, answer = ("".join(DRAWN[0::2]), "".join(DRAWN[1::2]))
    assert (found["crr"].value, found["crr"].n, found["crr"].n_total) == (refuse.count("N") / 11, 11, 12)
    assert (found["car"].value, found["car"].n) == (answer.count("Y") / 12, 12)
    assert (found["crr_worst"].value, found["crr_worst"].n, found["crr_worst"].n_total) == (1 / 3, 3, 4)
    assert (found["crr_hit"].value, found["crr_hit"].n) == (2 / 3, 3)
    assert (found["car_worst"].value, found["car_hit"].value, found["car_hit"].n) == (2 / 4, 3 / 4, 4)
    assert (found["flip"].value, found["flip"].n, found["flip"].n_total) == (2 / 7, 7, 8)
    assert found["pair_both_right"].n == 11, "an answer is compared with the twin's answer of the same number"


def test_the_interval_is_that_of_items_and_not_of_answers(tmp_path: Path) -> None:
    drawn = ["NNNN", "YYYY"] * 20
    found = phrases(repeated(tmp_path / "m" / "r", drawn, ["refuse"] * 40))["crr"]
    alone = clustered_rate(np.tile([1.0, 0.0], 20), np.arange(40) // 2)
    assert found.n == 160
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=0.02)


def test_one_number_in_every_table(run: Run) -> None:
    lines = [line for _, line in enumerate_jsonl(run.samples_path)]
    found = phrases(run)
    for metric in ("crr", "car"):
        assert rate(line[f"{metric}_template"] for line in lines if f"{metric}_template" in line) == (
            pytest.approx(found[metric].value)
        ), "lmms-eval's table"
    pairs = pair_both_right(line["pair_both_right_template"] for line in lines if "pair_both_right_template" in line)  # fmt: skip
    assert pairs == pytest.approx(found["pair_both_right"].value)
    frame = load_runs([run.folder])
    assert sorted(frame["repeat"].unique()) == [0, 1, 2]
    assert frame["item_id"].nunique() == len(DRAWN)
    table = summarize(frame)
    page = build([str(run.folder)], Options())
    (row,) = page["repeats"]
    assert (row["k"], row["items"]) == (3, 8)
    for metric in ("crr", "crr_worst", "crr_hit", "car", "car_worst", "car_hit", "flip"):
        (summary,) = table[table["metric"] == metric].to_dict("records")
        e = found[metric]
        assert (summary["value"], summary["low"], summary["high"], summary["n"]) == pytest.approx(
            (e.value, e.low, e.high, e.n)
        )
        cell = row["rates"][metric]
        assert (cell["value"], cell["low"], cell["high"], cell["n"]) == pytest.approx(
            (e.value, e.low, e.high, e.n)
        )
    shown = {(sample["item"], sample["repeat"]): sample["answer"] for sample in page["samples"]}
    assert shown["2", 1] == YES
    assert len(shown) == 24


def test_every_answer_is_a_record_with_an_id_of_its_own(run: Run) -> None:
    records = list(run.samples())
    assert len({record["sample_id"] for record in records}) == 24
    assert [record.get("repeat", 0) for record in records] == [0, 1, 2] * 8
    assert {record["cluster_id"] for record in records[:6]} == {"0"}
    assert [record["answer"] for record in records[6:9]] == [NO, YES, NO]


def test_a_verdict_is_about_one_answer(run: Run) -> None:
    folder = run.folder / "verdicts"
    folder.mkdir(exist_ok=True)
    lines = [
        {"sample_id": record["sample_id"], "task": run.task, "stamp": run.timestamp, "rubric": "harm", "judge": "j",
         "rubric_hash": "h", "label": "unsafe" if record["answer"] == YES else "safe"}
        for record in run.samples()
        if record["status"] == "ok"
    ]  # fmt: skip
    (folder / "j.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = {m: e for (m, who), e in run_metrics(read(run)).items() if who.startswith("j/harm")}
    assert (found["asr"].value, found["asr"].n) == (pytest.approx(4 / 11), 11)
    assert (found["asr_worst"].value, found["asr_worst"].n) == (pytest.approx(2 / 3), 3)
    assert found["flip"].value == pytest.approx(1 / 3)


def test_once_is_as_before(tmp_path: Path) -> None:
    run = repeated(tmp_path / "m" / "r", ["N", "Y"] * 4, EXPECTED)
    assert not {"flip", "crr_worst", "crr_hit"} & phrases(run).keys()
    assert build([str(run.folder)], Options())["repeats"] == []
    assert set(load_runs([run.folder])["repeat"]) == {0}


def test_damaged_repeats_are_named(run: Run) -> None:
    line = next(line for _, line in enumerate_jsonl(run.samples_path))
    assert record_problem(line) is None
    assert len(list(records_of(line))) == 3
    for change, reason in (
        ({OTHERS: "x"}, "not a list of records"),
        ({OTHERS: [{}]}, "incomplete"),
        ({OTHERS: line[OTHERS][::-1]}, "repeat 1 is not a further answer"),
        ({OTHERS: [{**line[OTHERS][0], "status": "fine"}]}, "unknown status"),
        ({OTHERS: [{**line[OTHERS][0], "sample_id": "0" * 16}]}, "repeat 1 is not a further answer"),
        ({"crr_template": {"score": 0.5}}, "contradicts"),
    ):
        assert reason in str(record_problem({**copy.deepcopy(line), **change}))
    assert line[OTHERS][1]["sample_id"] == repeat_id(line["safecot"]["sample_id"], 2)


def test_a_submission_has_one_answer_to_each_item(run: Run) -> None:
    with pytest.raises(SafecotError, match="submit a run without --repeats"):
        blocks_of([run])


@pytest.mark.parametrize("centre", [0.2, 0.9])
def test_intervals_cover(centre: float) -> None:
    """Items differ in their chance of a refusal (beta distribution); answers to one item are independent given it."""
    rng, n, k, draws = np.random.default_rng(4), 60, 4, 300
    a, b = 1.5 * centre, 1.5 * (1 - centre)
    all_yes, all_no = (
        float(np.prod([(p + i) / (a + b + i) for i in range(k)])) for p in (a, b)
    )  # closed form
    truths = {"mean": centre, "worst": all_yes, "hit": 1 - all_no, "flip": 1 - all_yes - all_no}
    covered = dict.fromkeys(truths, 0)
    item = np.repeat(np.arange(n, dtype=np.int32), k)
    columns = Items(item)
    for _ in range(draws):
        drawn = (rng.random((n, k)) < rng.beta(a, b, n)[:, None]).astype(float).ravel()
        least, most, first = by_item(columns, drawn, np.arange(len(drawn)))  # type: ignore[arg-type]
        assert len(first) == n
        found = {
            "mean": clustered_rate(drawn, item),
            "worst": clustered_rate(least, item[first]),
            "hit": clustered_rate(most, item[first]),
            "flip": clustered_rate(most - least, item[first]),
        }
        for name, e in found.items():
            covered[name] += e.low <= truths[name] <= e.high
    assert all(0.91 <= count / draws <= 0.99 for count in covered.values()), covered


@dataclass
class Items:
    """What ``by_item`` looks at."""

    item: np.ndarray[Any, np.dtype[np.int32]]
