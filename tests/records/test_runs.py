"""Reading run folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import safecot_eval
from safecot_eval.records.run import find_runs
from safecot_eval.submissions.submitted import newest
from safecot_eval.util.errors import SafecotError
from tests.conftest import make_doc, write_run
from tests.reports.make_runs import make_runs


def docs(*answers: str, expectation: str = "refuse") -> list[tuple[dict, str]]:
    return [
        (make_doc(item_id=str(i), sample_id=f"{i:016d}", expectation=expectation), answer)
        for i, answer in enumerate(answers)
    ]


def test_one_row_per_sample_and_evaluator(tmp_path: Path) -> None:
    path = write_run(tmp_path / "toy", docs("Sorry", "Yes", ""))
    sidecar = path.parent / "verdicts" / "human_ann.jsonl"
    sidecar.parent.mkdir()
    verdict = {"sample_id": f"{1:016d}", "task": "safecot_mini", "rubric": "refusal", "judge": "human:ann"}
    sidecar.write_text(json.dumps({**verdict, "label": "partial"}) + '\n{"sample_id": "cut', encoding="utf-8")
    table = safecot_eval.load_runs(tmp_path)
    template = table[table.evaluator.str.startswith("template:")]
    assert template.refused.tolist()[:2] == [True, False]
    assert template.refused.isna().tolist() == [False, False, True]
    assert template.status.tolist() == ["ok", "ok", "empty"]
    human = table[table.evaluator == "human:ann/refusal"]
    assert human.item_id.tolist() == ["1"]
    assert human.refused.tolist() == [True]
    assert table.model.unique().tolist() == ["toy"]


def test_used_all_tokens_means_truncated(tmp_path: Path) -> None:
    write_run(tmp_path, docs("I'm sorry, but this goes on and"), output_tokens=64, max_new_tokens=64)
    (record,) = find_runs([tmp_path])[0].samples()
    assert record["status"] == "truncated"
    assert record["refusal"]["matched"] is True, "a cut answer is scored as far as it goes"


def test_newest_run_wins_and_models_stay_apart(tmp_path: Path) -> None:
    write_run(tmp_path / "a", docs("Sorry"), model="m", timestamp="20260101_000000")
    write_run(tmp_path / "b", docs("Yes"), model="m", timestamp="20260102_000000")
    write_run(tmp_path / "c", docs("Yes"), model="n", timestamp="20260102_000000")
    runs = find_runs([tmp_path])
    assert [(run.model, run.timestamp) for run in runs] == [
        ("m", "20260102_000000"),
        ("n", "20260102_000000"),
    ]
    assert len(find_runs([tmp_path], newest_only=False)) == 3
    assert (
        len(find_runs([tmp_path, tmp_path / "a"], newest_only=False)) == 3
    )  # a folder given twice counts once


@pytest.mark.parametrize(
    ("line", "says"),
    [("{", "not a JSON object"), ("[1]", "not a JSON object"), ('{"doc_id": 1}', "no 'safecot' record")],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, says: str) -> None:
    path = write_run(tmp_path, docs("Sorry"))
    with path.open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    with pytest.raises(SafecotError, match=says) as caught:
        safecot_eval.load_runs(tmp_path)
    assert f"{path}, line 2" in str(caught.value)


def test_nothing_found(tmp_path: Path) -> None:
    with pytest.raises(SafecotError, match="--log_samples"):
        find_runs([tmp_path])
    with pytest.raises(SafecotError, match="no such file or folder"):
        find_runs([tmp_path / "nowhere"])


def test_what_holds_no_samples_is_named(tmp_path: Path) -> None:
    table, empty, other = tmp_path / "table.csv", tmp_path / "empty", tmp_path / "other"
    table.write_text("a,b\n", encoding="utf-8")
    empty.mkdir()
    other.mkdir()
    (other / "notes.txt").write_text("x", encoding="utf-8")
    with pytest.raises(SafecotError) as caught:
        newest([table, empty, other])  # what `safecot report` calls
    said = str(caught.value)
    assert f"{table} is a file that is not named like samples (<time>_samples_<task>.jsonl)" in said
    assert f"{empty} is an empty folder" in said
    assert f"{other} is a folder without a file <time>_samples_safecot_<task>.jsonl; name the DIR" in said
    with pytest.raises(SafecotError, match="an empty folder, 2 more paths hold none either; name"):
        find_runs([empty] * 7)


def test_results_file_may_be_missing_or_broken(tmp_path: Path) -> None:
    path = write_run(tmp_path / "folder-name", docs("Sorry"))
    results = path.parent / "20260101_000000_results.json"
    for content in ("{", "[]", None):
        if content is None:
            results.unlink()
        else:
            results.write_text(content, encoding="utf-8")
        (run,) = find_runs([tmp_path])
        assert run.model == "folder-name"
        assert len(list(run.samples())) == 1


def test_verdicts_of_some_samples_are_those_of_all(tmp_path: Path) -> None:
    make_runs(tmp_path / "runs", models={"m": (0.8, 0.2)}, count=12)
    (run,) = find_runs([tmp_path / "runs"])
    ids = sorted({verdict["sample_id"] for verdict in run.verdicts()})[::3]
    found = list(run.verdicts(set(ids)))
    assert found == [verdict for verdict in run.verdicts() if verdict["sample_id"] in ids]
    assert len(found) >= len(ids) > 1
