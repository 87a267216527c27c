"""``safecot run --models``: plan the matrix, run or emit it, sum it up."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from safecot_eval.benchmarks import item_list
from safecot_eval.generate import cards, decoding, matrix, presets, slurm
from safecot_eval.generate.matrix import Cell, Row
from safecot_eval.generate.model_under_test import ModelUnderTest, model_under_test, repeats_of, settings
from safecot_eval.generate.plan import parse_model_args
from safecot_eval.records.matrix_state import Outcome, StateFile
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.exit_status import ExitStatus
from safecot_eval.util.secrets import is_secret

_OWN = ("model", "card", "models", "tasks", "output_path", "per_task", "emit", "report", "dry_run")


def run_matrix(ctx: click.Context, models: str, tasks: str, output: Path) -> ExitStatus:
    """Run a matrix.

    Args:
        ctx: The context of ``safecot run``; options that were given are passed on to every model's process.
        models: ``--models``.
        tasks: ``--tasks``.
        output: ``--output_path``.

    Returns:
        Done, failed (something is not done) or interrupted.

    Raises:
        SafecotError: a mistake that concerns every model.
    """
    given = ctx.params
    if models == "list":
        click.echo(cards.table())
        return ExitStatus.DONE
    if given["model"] or given["card"]:
        raise SafecotError(
            "--models cannot be combined with --model or --card: its cards name the back ends."
        )
    if any(is_secret(key) for key in parse_model_args(given["model_args"])):
        raise SafecotError(
            "--model_args: a matrix takes keys from the environment (a card's key_env), not from here."
        )
    chosen = cards.find(models)
    passed = [*passed_on(ctx), *ctx.args]
    if given["emit"] == "slurm":
        options = ["--tasks", tasks, "--output_path", str(output), *passed]
        scripts = slurm.write(chosen, output / "slurm", options)
        click.echo("\n".join(f"sbatch {path}" for path in scripts))
        return ExitStatus.DONE
    preset = presets.load(given["preset"]) if given["preset"] else None
    drawn = decoding.load(given["decoding"]) if given["decoding"] else None
    if (given["repeats"] or 1) > 1:
        raise SafecotError("--repeats takes one model (--model or --card), not --models.")
    repeats_of(ModelUnderTest("", {}, decoding=drawn), None, ctx.args)  # a mistake that concerns every model

    def plan_row(one: ModelUnderTest, wanted: str) -> Row:
        (one,), rest = repeats_of(one, given["repeats"], ctx.args)
        options = [*rest, *one.generation_options()]
        same = settings(given["limit"], given["refusal_list"], given["reasoning_markers"], options)
        return matrix.plan_row(one, wanted, output, same, options)

    references: dict[str, str] = {}
    rows = []
    for reference, card in chosen:
        # What is wrong with one card alone becomes its row's failure, and the others go on.
        try:
            row = plan_row(
                model_under_test(None, given["model_args"], card, preset, drawn, move_keys=False), tasks
            )
        except SafecotError as error:
            row = Row(None, card.name, [Cell(card.name, tasks, Outcome.FAILED, str(error))])
        references[row.name] = reference
        rows.append(row)
    if item_list.VARIABLE in os.environ:  # it was compared with all tasks, of which a process below has some
        os.environ[item_list.CHECKED] = os.environ[item_list.VARIABLE]
    if given["fresh"]:
        for cell in (cell for row in rows for cell in row.cells if cell.outcome is Outcome.DONE_BEFORE):
            cell.outcome = Outcome.NOT_STARTED
    if given["dry_run"]:
        click.echo(matrix.summary(rows))
        failed = any(cell.outcome is Outcome.FAILED for row in rows for cell in row.cells)
        return ExitStatus.FAILED if failed else ExitStatus.DONE

    def command_of(row: Row, task_names: Sequence[str]) -> list[str]:
        return [
            "run",
            "--card",
            references[row.name],
            "--tasks",
            ",".join(task_names),
            "--output_path",
            str(output),
            *passed,
        ]

    def done_now(row: Row) -> set[str]:
        if row.under_test is None:
            return set()
        try:
            task_names = ",".join(cell.task_name for cell in row.cells)
            again = plan_row(row.under_test, task_names)
        except SafecotError:  # the data went away meanwhile: its process has said so
            return set()
        return {cell.task_name for cell in again.cells if cell.outcome is Outcome.DONE_BEFORE}

    state = StateFile(output)
    went_through = matrix.run(
        rows,
        command_of,
        done_now,
        click.echo,
        per_task=given["per_task"],
        settled=lambda: state.write(matrix.cells_of(rows)),
    )
    click.echo(matrix.summary(rows))
    if not went_through:
        return ExitStatus.INTERRUPTED
    whole = matrix.complete(rows)
    if given["report"] is not None and not _report(output, given["report"]):
        return ExitStatus.FAILED
    if given["report"] is None:
        click.echo(f"Next: safecot report {output} -o leaderboard.html")
    return ExitStatus.DONE if whole else ExitStatus.FAILED


def passed_on(ctx: click.Context) -> list[str]:
    """Options of ``safecot run`` that were given on the command line and concern every model."""
    found: list[str] = []
    for parameter in ctx.command.params:
        name = str(parameter.name)
        if name in _OWN or ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value = ctx.params[name]
        flag = max(parameter.opts, key=len)
        found += [flag] if value is True else [flag, str(value)]
    return found


def _report(output: Path, page: Path) -> bool:
    """Write the leaderboard in a process of its own (the pages' package is not ours to import)."""
    done = subprocess.run([sys.executable, "-m", "safecot_eval", "report", str(output), "-o", str(page)])
    return done.returncode == 0
