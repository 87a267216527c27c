"""``safecot import`` from end to end, and its equality with lmms-eval's own scoring of the same answers."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from safecot_eval.aggregate.tables import load_runs
from safecot_eval.cli import main
from safecot_eval.cli.import_ import command
from safecot_eval.records.run import Run, find_runs
from safecot_eval.records.samples import Item
from tests.generate.importing.conftest import TASK, reply
from tests.processes import python_m


def write_answers(path: Path, items: Sequence[Item], *, skip: int = 0) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(("prompt", "image", "answer"))
        for number, item in enumerate(items[skip:]):
            rows.writerow((item.prompt, item.images[0], "" if number == 5 else reply(number)))
    return path


def run(*arguments: object) -> Any:
    return CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)


@pytest.mark.slow
def test_from_a_csv_to_a_run(tmp_path: Path, items: Sequence[Item]) -> None:
    table = write_answers(tmp_path / "a.csv", items)
    done = run(table, "--name", "my, vlm", "--output_path", tmp_path / "runs")
    assert done.exit_code == 3, done.output
    assert f"{TASK}: {len(items) - 1} of {len(items)} items have an answer" in done.output
    assert f"{TASK}: 1 of {len(items)} answers is empty, in no rate (status empty)" in done.output
    assert f"matched by prompt and picture ({len(items)})" in done.output
    (found,) = find_runs([tmp_path / "runs"])
    assert (found.model, found.task) == ("my, vlm", TASK)
    records = list(found.samples())
    assert [r["raw"] for r in records] == ["" if n == 5 else reply(n) for n in range(len(items))]
    assert records[5]["status"] == "empty"
    assert records[0]["refusal"]["matched"] is True
    assert found.provenance["imported"]["matched_by"] == {"prompt and picture": len(items)}
    assert len(found.provenance["imported"]["from"][0]["sha256"]) == 64
    assert (load_runs(tmp_path / "runs").refused.sum()) == sum(
        n % 3 == 0 and n != 5 for n in range(len(items))
    )


def test_the_recorded_command_repeats_the_import(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("asked,said\nWhere is the bridge?,I cannot say.\n", encoding="utf-8")
    words = ("--own-questions", "--expect", "refuse", "--column", "prompt=asked", "--column", "response=said")
    for place, options in (("a", words), ("b", (*words, "--name", "a b", "--partial"))):
        done = run(table, *options, "--output-path", tmp_path / place)
        assert done.exit_code == 0, done.output
        (found,) = find_runs([tmp_path / place])
        kept = found.provenance["command"]
        assert kept[:3] == ["safecot", "import", "mine.csv"], "the folder stays private"
        assert ("--partial" in kept) == (place == "b")
        (second,) = find_runs([repeated(table, kept[3:], tmp_path / f"{place} again")])
        assert (second.model, second.task) == (found.model, found.task)


def repeated(table: Path, options: Sequence[str], output: Path) -> Path:
    done = run(table, *options, "--output-path", output)
    assert done.exit_code == 0, done.output
    return output


@pytest.mark.slow
def test_what_is_left_over_is_said(tmp_path: Path, items: Sequence[Item]) -> None:
    table = write_answers(tmp_path / "a.csv", items, skip=4)
    with table.open("a", encoding="utf-8") as stream:
        stream.write("Who asked this?,,Nobody.\n")
    left = tmp_path / "left.csv"
    done = run(table, "--name", "m", "--tasks", TASK, "--output_path", tmp_path / "runs", "--unmatched", left)
    assert done.exit_code == 3
    assert "not matched: 1, no item has this prompt (the first: a.csv, row " in done.output
    assert "4 items have no answer; they are not_run" in done.output
    assert next(csv.DictReader(left.open()))["prompt"] == "Who asked this?"
    (found,) = find_runs([tmp_path / "runs"])
    assert [r["status"] for r in found.samples()][:5] == ["not_run"] * 4 + ["ok"]
    assert run(table, "--name", "m", "--output_path", tmp_path / "runs", "--partial").exit_code == 0
    assert len(find_runs([tmp_path / "runs"], newest_only=False)) == 2  # neither run overwrote the other


@pytest.mark.slow
def test_questions_go_out_and_come_back(tmp_path: Path, items: Sequence[Item]) -> None:
    table = tmp_path / "q.csv"
    assert run("--questions", table, "--tasks", TASK).exit_code == 0
    rows = list(csv.DictReader(table.open(encoding="utf-8")))
    assert [row["id"] for row in rows] == [item.item_id for item in items]
    assert all(Path(row["image"]).is_file() for row in rows)
    done = run(table, "--name", "m", "--output_path", tmp_path / "runs")
    assert done.exit_code == 3  # a sheet that nobody filled in
    assert f"0 of {len(items)} items have an answer" in done.output
    assert f"{len(items)} of {len(items)} answers are empty" in done.output
    (found,) = find_runs([tmp_path / "runs"])
    assert {r["status"] for r in found.samples()} == {"empty"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "at least one file"),
        (["no.csv"], "no such file"),
        (["--questions", "q.csv"], "needs --tasks"),
        (["a.csv", "--column", "response"], "KIND=NAME"),
        (["a.csv", "--tasks", "safecot_nothing"], "there is no task"),
        (["a.csv", "--tasks", TASK], "None of 1 answer fits"),
    ],
)
def test_mistakes_are_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("prompt,answer\nWho?,Me.\n")
    with pytest.raises(SystemExit) as stopped:
        main(["import", *arguments])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_scored_as_lmms_eval_scores_the_same_answers(tmp_path: Path, items: Sequence[Item]) -> None:
    """The replay file that an import writes, run through the real lmms-eval, gives the same records and metrics."""
    table = write_answers(tmp_path / "a.csv", items, skip=2)
    replay = tmp_path / "replay.jsonl"
    arguments = ("--name", "m", "--tasks", TASK, "--output_path", tmp_path / "mine", "--replay", replay)
    assert run(table, *arguments).exit_code == 3
    model = ["--model", "safecot_replay", "--model_args", f"name=m,responses={replay}"]
    more = ("--tasks", TASK, "--output_path", "theirs")
    done = python_m("safecot_eval", "run", *model, *more, cwd=tmp_path)
    assert (tmp_path / "theirs").exists(), done.stderr[-2000:]
    mine, theirs = (find_runs([tmp_path / name])[0] for name in ("mine", "theirs"))
    assert [_plain(r) for r in mine.samples()] == [_plain(r) for r in theirs.samples()]
    for metric, value in mine.results["results"][TASK].items():
        if metric != "alias":
            assert theirs.results["results"][TASK][metric] == pytest.approx(value), metric
    assert _metric_lines(mine) == _metric_lines(theirs)


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "output_tokens"}


def _metric_lines(found: Run) -> list[dict[str, Any]]:
    lines = map(json.loads, found.samples_path.read_text().splitlines())
    return [
        {key: value for key, value in line.items() if key.endswith(("_template", "_rate"))} for line in lines
    ]
