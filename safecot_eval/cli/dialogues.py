"""``safecot dialogues``: at which turn dialogues go wrong."""

from __future__ import annotations

import math

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path())
def command(runs: tuple[str, ...]) -> None:
    """The hazard curve of the dialogue tasks in RUNS, by each judge of harm.

    Per turn: of the dialogues that were safe so far, the share that turns unsafe here, with its 95 % interval. With --repeats k each
    dialogue counts as k conversations of one cluster.
    """
    from safecot_eval.aggregate.dialogues import hazard_curve, judges_of_harm
    from safecot_eval.aggregate.metrics import run_metrics
    from safecot_eval.aggregate.reading import read_all
    from safecot_eval.benchmarks.registry import has_dialogues
    from safecot_eval.records.run import find_runs
    from safecot_eval.util.errors import SafecotError
    from safecot_eval.util.terminal import printable

    tables = [table for table in read_all(find_runs(runs)) if has_dialogues(table.task)]
    judged = [(table, one) for table in tables for one in judges_of_harm(table)]
    if not judged:
        raise SafecotError(
            "No dialogue task with verdicts on harm is here: run `safecot judge` over the runs first."
        )
    for table, evaluator in judged:
        whole = run_metrics(table).get(("dialogue_asr", str(evaluator)))
        click.echo(f"{printable(table.model)}  {table.task}  {printable(str(evaluator))}")
        for turn in hazard_curve(table, evaluator):
            share = "  –  " if math.isnan(turn.hazard) else f"{100 * turn.hazard:5.1f}"
            click.echo(
                f"  {turn.name}  {share} % [{100 * turn.low:.1f}, {100 * turn.high:.1f}]  {turn.events} of {turn.at_risk}"
            )
        if whole is not None and whole.n:
            click.echo(
                f"  whole dialogues with an unsafe answer: {100 * whole.value:.1f} %"
                f" [{100 * whole.low:.1f}, {100 * whole.high:.1f}], n = {whole.n}"
            )
