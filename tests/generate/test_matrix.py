"""The matrix: what counts as done, what is run, and what is said in the end."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from safecot_eval.cli.run import command
from safecot_eval.generate import cards, matrix, slurm
from safecot_eval.generate.journal.identity import model_identity
from safecot_eval.generate.matrix import Cell, Row
from safecot_eval.generate.model_under_test import model_under_test, settings
from safecot_eval.records.matrix_state import Outcome
from safecot_eval.records.run import find_runs
from safecot_eval.util.errors import SafecotError
from tests.conftest import make_doc, write_run

pytestmark = pytest.mark.usefixtures("toy_tasks")
SETTINGS = {"limit": None, "refusal_list": "list@1", "reasoning_markers": None, "options": []}


def toy_card(**changes: Any) -> cards.ModelCard:
    content = {
        "id": "toy",
        "name": "Toy 1",
        "backend": "safecot_baseline",
        "arguments": {"policy": "refuse_all"},
    }
    return cards.ModelCard.check({**content, **changes}, "toy.yaml")


def done(output: Path, raws: Sequence[str] = ("No.", "No.", "No."), **changes: Any) -> Path:
    """A published run of the toy benchmark as ``safecot run --card`` leaves it."""
    chosen = model_under_test(None, "", toy_card(), None)
    folder = chosen.folder(output)
    assert folder is not None
    documents = [
        make_doc(sample_id=f"{n:016d}", item_id=str(n), benchmark="toy", benchmark_version="1.0")
        for n in range(len(raws))
    ]
    path = write_run(folder, list(zip(documents, raws, strict=True)), model="lmms name", task="safecot_toy")
    kept = {
        "model_identity": model_identity(chosen.model, chosen.counted_arguments),
        "tasks": {"safecot_toy": {"benchmark_version": "1.0", "samples": len(raws)}},
        **chosen.labels(SETTINGS, {}),
        **changes,
    }
    (folder / "20260101_000000_run.json").write_text(json.dumps(kept), encoding="utf-8")
    return path


def outcome(output: Path, wanted: dict[str, Any] = SETTINGS, card: cards.ModelCard | None = None) -> Outcome:
    chosen = model_under_test(None, "", card or toy_card(), None)
    (cell,) = matrix.plan_row(chosen, "safecot_toy", output, wanted, []).cells
    return cell.outcome


def test_a_complete_run_of_the_same_thing_is_done(tmp_path: Path) -> None:
    path = done(tmp_path)
    assert outcome(tmp_path) is Outcome.DONE_BEFORE
    (run,) = find_runs([path])
    assert run.model == "Toy 1", "the leaderboard shows the card's name"


@pytest.mark.parametrize(
    "changes",
    [
        {"model_identity": "another"},
        {"settings": {**SETTINGS, "refusal_list": "list@2"}},
        {"tasks": {"safecot_toy": {"benchmark_version": "0.9", "samples": 3}}},
        {"tasks": {"safecot_toy": {"benchmark_version": "1.0", "samples": 2}}},
        {"display_name": "Toy 2"},
        {"tasks": None},
    ],
)
def test_what_is_not_the_same_is_run_again(tmp_path: Path, changes: dict[str, Any]) -> None:
    done(tmp_path, **changes)
    assert outcome(tmp_path) is Outcome.NOT_STARTED


def test_unanswered_requests_are_asked_again(tmp_path: Path) -> None:
    done(tmp_path, ("No.", "[LMMS_EVAL_REQUEST_FAILED after 3 retries]", "No."))
    assert outcome(tmp_path) is Outcome.NOT_STARTED


def test_a_limit_and_another_model_are_another_run(tmp_path: Path) -> None:
    done(tmp_path)
    assert outcome(tmp_path, {**SETTINGS, "limit": "2"}) is Outcome.NOT_STARTED
    other = toy_card(arguments={"policy": "answer_all"})
    assert outcome(tmp_path, card=other) is Outcome.NOT_STARTED


def test_settings_leave_out_what_only_makes_a_run_faster() -> None:
    one = settings("4", None, None, ["--batch_size", "8", "--gen_kwargs", "max_new_tokens=9", "--device=cpu"])
    two = settings("4", None, None, ["--gen_kwargs", "max_new_tokens=9"])
    assert one == two
    assert one != settings("4", None, None, [])


def rows_of(*names: str) -> list[Row]:
    chosen = model_under_test(None, "", toy_card(), None)
    return [
        Row(chosen, name, [Cell(name, task_name, Outcome.NOT_STARTED) for task_name in ("a", "b")])
        for name in names
    ]


def test_one_model_fails_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Sequence[str]] = []

    def process(arguments: Sequence[str]) -> int:
        started.append(arguments)
        return {"bad": 1, "cut": -9, "half": 3}.get(arguments[0], 0)

    monkeypatch.setattr(matrix, "_process", process)
    rows = rows_of("good", "bad", "cut", "half", "late")
    rows[0].cells[0].outcome = Outcome.DONE_BEFORE
    finished = {"good": {"a", "b"}, "late": {"a", "b"}, "half": {"a"}}
    assert matrix.run(
        rows,
        lambda row, task_names: [row.name, *task_names],
        lambda row: finished.get(row.name, set()),
        lambda _: None,
    )
    assert started == [
        ["good", "b"],
        ["bad", "a", "b"],
        ["cut", "a", "b"],
        ["half", "a", "b"],
        ["late", "a", "b"],
    ]
    assert not matrix.complete(rows)
    text = matrix.summary(rows)
    assert "good  1 done before, 1 done" in text
    assert "bad   2 failed" in text
    assert "cut, a: failed, its process was ended by signal 9 (out of memory?)." in text
    assert "half, b: incomplete, some requests have no answer" in text
    assert "late  2 done" in text


def test_a_process_per_task(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Sequence[str]] = []
    monkeypatch.setattr(matrix, "_process", lambda arguments: started.append(arguments) or 0)
    matrix.run(
        rows_of("m"),
        lambda row, task_names: list(task_names),
        lambda row: {"a", "b"},
        lambda _: None,
        per_task=True,
    )
    assert started == [["a"], ["b"]]


def test_an_interrupt_stops_and_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def process(arguments: Sequence[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(matrix, "_process", process)
    rows = rows_of("one", "two")
    assert not matrix.run(rows, lambda row, task_names: [], lambda row: set(), lambda _: None)
    text = matrix.summary(rows)
    assert "one, a: failed, it was interrupted" in text
    assert "two  2 not started" in text


@pytest.fixture
def card_file(tmp_path: Path) -> Path:
    path = tmp_path / "toy.yaml"
    path.write_text("id: toy\nbackend: safecot_baseline\narguments: {policy: refuse_all}\n", encoding="utf-8")
    return path


def test_the_command_plans_and_refuses(card_file: Path, tmp_path: Path) -> None:
    planned = CliRunner().invoke(
        command,
        [
            "--models",
            str(card_file),
            "--tasks",
            "safecot_*",
            "--output_path",
            str(tmp_path / "r"),
            "--dry-run",
        ],
    )
    assert planned.output == "toy  2 not started, 1 left out for want of data\n"
    assert not (tmp_path / "r").exists()
    for words, says in (
        (["--models", str(card_file), "--model", "openai"], "cannot be combined with --model or --card"),
        (["--model", "openai", "--report", "x.html"], "belong to --models"),
        (["--models", "toyy"], "there is no card 'toyy'"),
        (["--tasks", "safecot_toy"], "needs one of --model"),
    ):
        result = CliRunner().invoke(command, words)
        assert isinstance(result.exception, SafecotError)
        assert says in str(result.exception)


def test_the_list_of_cards() -> None:
    result = CliRunner().invoke(command, ["--models", "list"])
    assert result.exit_code == 0
    assert "qwen2.5-vl-7b " in result.output


def test_a_model_without_its_key_fails_alone(
    card_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(matrix, "_process", lambda arguments: 0)
    result = CliRunner().invoke(
        command,
        ["--models", f"gpt-4o,{card_file}", "--tasks", "safecot_toy", "--output_path", str(tmp_path / "r")],
    )
    assert result.exit_code == 1
    assert "gpt-4o: the environment variable OPENAI_API_KEY" in result.output
    assert "== toy: safecot_toy" in result.output


def test_a_key_of_one_provider_never_reaches_another(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("OPENAI_API_KEY", "openai's")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "anthropic's")
    card = cards.find("claude-sonnet-4.5")[0][1]
    model_under_test(None, "", card, None, move_keys=False)
    assert os.environ["OPENAI_API_KEY"] == "openai's"
    model_under_test(None, "", card, None)
    assert os.environ["OPENAI_API_KEY"] == "anthropic's"


def test_slurm_scripts_are_grouped_by_accelerators(tmp_path: Path) -> None:
    chosen = [
        ("small", toy_card(id="s", gpus=1)),
        ("my card.yaml", toy_card(id="x")),
        ("other", toy_card(id="o", gpus=1)),
    ]
    scripts = slurm.write(chosen, tmp_path / "slurm", ["--tasks", "safecot_*", "--limit", "4"])
    assert [path.name for path in scripts] == ["safecot-0gpu.sh", "safecot-1gpu.sh"]
    text = scripts[1].read_text(encoding="utf-8")
    assert "#SBATCH --array=0-1" in text
    assert "#SBATCH --gres=gpu:1" in text
    assert "gres" not in scripts[0].read_text(encoding="utf-8")
    assert all(path.stat().st_mode & 0o111 for path in scripts)


def test_a_slurm_job_runs_the_model_of_its_number(tmp_path: Path) -> None:
    """The script itself, with a stand-in for ``safecot`` that says what it was asked."""
    chosen = [("first", toy_card(id="f")), ("my card.yaml", toy_card(id="x"))]
    (script,) = slurm.write(chosen, tmp_path, ["--tasks", "safecot_*"], safecot="printf '%s\\n'")
    done = subprocess.run(
        ["bash", str(script)],
        capture_output=True,
        text=True,
        check=True,
        env={"SLURM_ARRAY_TASK_ID": "1", "PATH": "/bin"},
    )
    assert done.stdout.splitlines() == ["run", "--models", "my card.yaml", "--tasks", "safecot_*"]
