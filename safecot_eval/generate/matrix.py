"""Models times tasks: one process per model, only for what is missing, and a summary that hides nothing.

A task of a model is done when a published run of it has the same model identity (arguments, checkpoint content, preset),
the same settings (limit, phrase list, markers, options), the present version of the benchmark and, without a limit, all
of its items, and when every request was answered. Within a task, the journal keeps what was answered.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks import registry
from safecot_eval.benchmarks.selection import expand_tasks
from safecot_eval.generate.journal.identity import model_identity
from safecot_eval.generate.model_under_test import ModelUnderTest
from safecot_eval.generate.plan import RECORDED
from safecot_eval.records.matrix_state import Outcome
from safecot_eval.records.run import Run, find_runs
from safecot_eval.records.samples import Status
from safecot_eval.scoring.refusal import DEFAULT_LIST, load_list
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.exit_status import ExitStatus

UNANSWERED = (Status.REQUEST_FAILED.value, Status.BUDGET_EXCEEDED.value)


@dataclass
class Cell:
    """One model on one task.

    Attributes:
        name: The model's display name.
        task_name: The task.
        outcome: What became of it.
        reason: One sentence if it is neither done nor done before.
        items: Questions that it asks; 0 if not known.
    """

    name: str
    task_name: str
    outcome: Outcome
    reason: str = ""
    items: int = 0


@dataclass
class Row:
    """One model of the matrix.

    Attributes:
        under_test: The model; None if its card could not be used.
        name: Its display name.
        cells: Its tasks.
        left_out: Tasks that a wildcard asked for and that cannot run here.
    """

    under_test: ModelUnderTest | None
    name: str
    cells: list[Cell] = field(default_factory=list)
    left_out: Mapping[str, str] = field(default_factory=dict)

    def missing(self) -> list[Cell]:
        """Cells that are to be run."""
        return [cell for cell in self.cells if cell.outcome is Outcome.NOT_STARTED]


def plan_row(
    under_test: ModelUnderTest, tasks: str, output: Path, settings: Mapping[str, Any], options: Sequence[str]
) -> Row:
    """Find out what of a model's row is done.

    Args:
        under_test: The model.
        tasks: As ``--tasks``.
        output: The matrix's folder.
        settings: See :func:`safecot_eval.generate.model_under_test.settings`.
        options: Further options of lmms-eval (they are part of the identity).

    Raises:
        SafecotError: see :func:`expand_tasks`; tasks that are not ours do not belong in a matrix.
    """
    task_names, others, left_out = expand_tasks(tasks, recorded=under_test.model in RECORDED)
    if others:
        raise SafecotError(
            f"--tasks: {', '.join(others)} is not a safecot task; a matrix runs our tasks only."
        )
    name = str(under_test.display_name)
    identity = model_identity(under_test.model, under_test.counted_arguments, options)
    done = finished(under_test.folder(output), name, identity, settings, task_names)
    limit = settings.get("limit")
    cells = [
        Cell(
            name,
            task_name,
            Outcome.DONE_BEFORE if task_name in done else Outcome.NOT_STARTED,
            items=_limited(count, limit),
        )
        for task_name, count in task_names.items()
    ]
    return Row(under_test, name, cells, left_out)


def _limited(items: int, limit: Any) -> int:
    """How many items lmms-eval asks: a limit below 1 is a share."""
    if not isinstance(limit, int | float) or limit <= 0:
        return items
    return min(items, math.ceil(items * limit) if limit < 1 else int(limit))


def finished(
    folder: Path | None, name: str, identity: str, settings: Mapping[str, Any], task_names: Mapping[str, int]
) -> set[str]:
    """Tasks with a complete published run that is the same in everything that decides its numbers."""
    if folder is None or not any(folder.glob("**/*_samples_safecot_*.jsonl")):
        return set()
    return {
        run.task
        for run in find_runs([folder], newest_only=False)
        if run.task in task_names
        and run.model == name
        and _same(run, identity, settings, task_names[run.task])
    }


def _same(run: Run, identity: str, settings: Mapping[str, Any], items: int) -> bool:
    kept = run.provenance
    task = (kept.get("tasks") or {}).get(run.task) or {}
    if kept.get("model_identity") != identity or kept.get("settings") != dict(settings):
        return False
    benchmark, variant = registry.task_parts(run.task)
    if str(task.get("benchmark_version")) != benchmark.version:
        return False
    phrases = load_list(benchmark.refusal_list(variant) or DEFAULT_LIST)
    if settings.get("refusal_list") is None and task.get("phrase_lists") != [phrases.id]:
        return False
    if settings.get("limit") is None and task.get("samples") != items:
        return False
    try:
        return all(record["status"] not in UNANSWERED for record in run.samples())
    except SafecotError:  # a damaged file is not a finished task
        return False


def run(
    rows: Sequence[Row],
    command_of: Callable[[Row, Sequence[str]], Sequence[str]],
    check: Callable[[Row], set[str]],
    say: Callable[[str], None],
    *,
    per_task: bool = False,
    settled: Callable[[], None] = lambda: None,
) -> bool:
    """Run what is missing, one process after the other; a model that fails does not stop the others.

    Args:
        rows: The matrix; outcomes are written into its cells.
        command_of: Arguments of ``safecot`` for some tasks of a row.
        check: Which tasks of a row are done now.
        say: Prints one line.
        per_task: A process for every task: the model is loaded anew each time, and a crash costs one task at most.
        settled: Called before the first process and whenever outcomes have changed.

    Returns:
        False if it was interrupted.
    """
    settled()
    for row in rows:
        missing = row.missing()
        if not missing:
            continue
        for part in [[cell] for cell in missing] if per_task else [missing]:
            try:  # an interrupt may come at any moment, also while we look what is done
                say(f"== {row.name}: {', '.join(cell.task_name for cell in part)}")
                status = _process(command_of(row, [cell.task_name for cell in part]))
                _settle(part, check(row), _why(status))
                settled()
            except KeyboardInterrupt:
                _settle(part, check(row), "it was interrupted; the same command continues.")
                settled()
                return False
    return True


def _process(arguments: Sequence[str]) -> int:
    """One ``safecot`` in a process of its own; an interrupt reaches it too, and it is waited for."""
    process = subprocess.Popen([sys.executable, "-m", "safecot_eval", *arguments], env=dict(os.environ))
    try:
        return process.wait()
    except KeyboardInterrupt:
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise


def _why(status: int) -> str:
    if status < 0:
        return f"its process was ended by signal {-status} (out of memory?)."
    return {
        ExitStatus.MISTAKE.value: "a mistake in its card or settings; see its message above.",
        ExitStatus.INCOMPLETE.value: "some requests have no answer; the same command asks for them again.",
    }.get(status, f"its process ended with status {status}; see its messages above.")


def _settle(cells: Sequence[Cell], done: set[str], reason: str) -> None:
    for cell in cells:
        if cell.task_name in done:
            cell.outcome = Outcome.DONE
        else:
            cell.outcome = Outcome.INCOMPLETE if reason.startswith("some requests") else Outcome.FAILED
            cell.reason = reason


def cells_of(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """All cells as ``safecot_matrix.json`` holds them."""
    return [
        {"model": cell.name, "task": cell.task_name, "items": cell.items, "outcome": cell.outcome.value}
        for row in rows
        for cell in row.cells
    ]


def summary(rows: Sequence[Row]) -> str:
    """The closing table: one line per model, then one sentence per cell that is not done."""
    width = max((len(row.name) for row in rows), default=0)
    lines = []
    for row in rows:
        counts = {kind: sum(cell.outcome is kind for cell in row.cells) for kind in Outcome}
        parts = [f"{count} {kind.value}" for kind, count in counts.items() if count]
        if row.left_out:
            parts.append(f"{len(row.left_out)} left out for want of data")
        lines.append(f"{row.name:<{width}}  {', '.join(parts) or 'nothing to do'}")
    lines += [
        f"{cell.name}, {cell.task_name}: {cell.outcome.value}, {cell.reason}"
        for row in rows
        for cell in row.cells
        if cell.reason
    ]
    return "\n".join(lines)


def complete(rows: Sequence[Row]) -> bool:
    """Whether every cell is done."""
    return all(cell.outcome in (Outcome.DONE, Outcome.DONE_BEFORE) for row in rows for cell in row.cells)
