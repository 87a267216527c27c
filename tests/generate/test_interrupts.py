"""An interrupt is exit status 130 at whatever moment it comes; a mistake stays 2."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from safecot_eval import cli
from safecot_eval.generate import matrix


@pytest.fixture(autouse=True)
def own_handler() -> Iterator[None]:
    """What the command does with SIGINT stays inside a test."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def exit_status(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int | str | None:
    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setattr(cli, "cli", failing)
    with pytest.raises(SystemExit) as stopped:
        cli.main([])
    return stopped.value.code


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyboardInterrupt(), 130),
        (click.Abort(), 1),
        (click.UsageError("no such thing"), 2),
        (click.exceptions.Exit(3), 3),
        (SystemExit(7), 7),
    ],
)
def test_exit_statuses(monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int) -> None:
    assert exit_status(monkeypatch, error) == status


def test_an_interrupt_before_the_command_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.environment, "prepare", interrupted)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 130


def test_an_interrupt_inside_an_exec(tmp_path: Path) -> None:
    """As in a dataclass that is being made: below ``python -m``, CPython would end the process by the signal instead."""
    program = (
        "from safecot_eval import cli\n"
        "cli.environment.prepare = lambda: exec('raise KeyboardInterrupt')\n"
        "cli.main([])"
    )
    (tmp_path / "interrupted.py").write_text(program)
    command = [sys.executable, "-m", "interrupted"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "safecot: interrupted.\n")


@pytest.mark.parametrize("moment", ["say", "command", "check", "process"])
def test_a_matrix_is_interrupted_at_any_step(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """What is done by then is looked up, and nothing but False comes back."""
    struck = []

    def strike(step: str) -> None:
        if step == moment and not struck:
            struck.append(step)
            raise KeyboardInterrupt

    def process(arguments: object) -> int:
        strike("process")
        return 0

    def checked(row: matrix.Row) -> set[str]:
        strike("check")
        return set()

    def command(row: matrix.Row, task_names: object) -> list[str]:
        strike("command")
        return []

    monkeypatch.setattr(matrix, "_process", process)
    row = matrix.Row(None, "m", [matrix.Cell("m", "safecot_mini", matrix.Outcome.NOT_STARTED)])
    assert matrix.run([row], command, checked, lambda line: strike("say")) is False
    assert struck == [moment]


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.6, 1.2, 2.0])
def test_a_real_process(tmp_path: Path, after: float) -> None:
    """Before our code runs, Python lets the signal end the process, which a shell reports as 130 as well."""
    command = [sys.executable, "-m", "safecot_eval", "data", "list"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT, 0), said
    assert "Aborted!" not in said
