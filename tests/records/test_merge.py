"""``safecot merge``: the joined folder says what its parts say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import safecot_eval
from safecot_eval.cli.merge import command
from safecot_eval.records.merging import merge
from safecot_eval.records.run import find_runs
from safecot_eval.util.errors import SafecotError
from tests.conftest import make_doc, write_run
from tests.reports.make_runs import make_runs


def rows(folder: Path | list[Path]) -> list[tuple]:
    table = safecot_eval.load_runs(folder)
    columns = ["model", "task", "sample_id", "status", "evaluator", "label"]
    return sorted(tuple(str(v) for v in row) for row in table[columns].itertuples(index=False))


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    """Three jobs with the same timestamp: one model on two tasks, another on one of them, with judges."""
    folder = tmp_path / "jobs"
    make_runs(folder / "1", models={"a": (0.8, 0.2)}, count=40, task="safecot_mini")
    make_runs(folder / "2", models={"a": (0.8, 0.2)}, count=30, task="safecot_figstep")
    make_runs(folder / "3", models={"b/c": (0.5, 0.1)}, count=40, task="safecot_mini")
    return folder


def test_the_whole_is_its_parts(jobs: Path, tmp_path: Path) -> None:
    out = tmp_path / "all"
    done = merge([jobs], out)
    assert (done.runs, done.samples) == (3, 110)
    assert done.verdicts == 2 * 110 + 2 * 40 + 30
    assert rows(out) == rows(jobs)
    assert sorted(path.name for path in out.iterdir()) == ["a", "b_c"]
    assert (
        len({run.timestamp for run in find_runs([out]) if run.model == "a"}) == 2
    )  # they were made distinct


def test_merging_again_changes_nothing(jobs: Path, tmp_path: Path) -> None:
    out = tmp_path / "all"
    merge([jobs], out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    done = merge([jobs], out)
    assert done.verdicts == 0
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_newer_runs_win_and_are_named(tmp_path: Path) -> None:
    answers = [(make_doc(sample_id="1" * 16), "Sorry")]
    write_run(tmp_path / "x", answers, model="m", timestamp="20260101_000000")
    write_run(tmp_path / "y", [(answers[0][0], "Yes")], model="m", timestamp="20260102_000000")
    done = merge([tmp_path / "x", tmp_path / "y"], tmp_path / "out")
    assert done.runs == 1
    assert "20260101_000000" in done.notes[0]
    assert rows(tmp_path / "out")[0][-1] == "complied"


def test_different_checkpoints_under_one_name_are_told(tmp_path: Path) -> None:
    for task, identity in (("safecot_mini", "aa"), ("safecot_figstep", "bb")):
        path = write_run(tmp_path / task, [(make_doc(), "Sorry")], model="m", task=task)
        (path.parent / "20260101_000000_run.json").write_text(json.dumps({"model_identity": identity}))
    (note,) = merge([tmp_path / "safecot_mini", tmp_path / "safecot_figstep"], tmp_path / "out").notes
    assert "different checkpoints" in note


def test_damage_stops_before_anything_is_written(jobs: Path, tmp_path: Path) -> None:
    path = find_runs([jobs / "3"])[0].samples_path
    path.write_text(path.read_text() + "{\n")
    with pytest.raises(SafecotError, match="line 41"):
        merge([jobs], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_and_a_name_that_is_a_path(tmp_path: Path) -> None:
    write_run(tmp_path / "in", [(make_doc(), "Sorry")], model="../../\x1b[31mevil")
    done = CliRunner().invoke(
        command, [str(tmp_path / "in"), "-o", str(tmp_path / "out" / "deep"), "--index"]
    )
    assert done.exit_code == 0, done.output
    assert "1 run, 1 sample" in done.output
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["deep"]
    assert len(list((tmp_path / "out").rglob("*_index_*.parquet"))) == 1
