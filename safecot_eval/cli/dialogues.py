"""``safecot dialogues``: at which turn dialogues go wrong, and the Safety Index over dialogues of several lengths."""

from __future__ import annotations

import math

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path())
def command(runs: tuple[str, ...]) -> None:
    """The hazard curve of the dialogue tasks in RUNS, by each judge of harm.

    Per turn: of the dialogues that were safe so far, the share that turns unsafe here, with its 95 % interval. With --repeats k each
    dialogue counts as k conversations of one cluster. Of SafeMT's scripted dialogues the Safety Index over their lengths.
    """
    from safecot_eval.aggregate.dialogues import hazard_curve, judges_of_harm
    from safecot_eval.aggregate.metrics import run_metrics
    from safecot_eval.aggregate.reading import read, read_all
    from safecot_eval.aggregate.safety_index import indices
    from safecot_eval.benchmarks.registry import has_dialogues, turns_of
    from safecot_eval.records.run import find_runs
    from safecot_eval.util.errors import SafecotError
    from safecot_eval.util.terminal import printable

    found = find_runs(runs)
    tables = read_all([run for run in found if has_dialogues(run.task)])
    scripted = list(indices([read(run, named=True) for run in found if turns_of(run.task)]))
    judged = [(table, one) for table in tables for one in judges_of_harm(table)]
    if not judged and not scripted:
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
    for index in scripted:
        click.echo(f"{printable(index.model)}  {index.benchmark}  {printable(index.evaluator)}")
        lengths = ", ".join(map(str, index.lengths))
        if index.value is None:
            click.echo(f"  no Safety Index: of {lengths} turns only, without {', '.join(index.missing)}")
        else:
            click.echo(f"  Safety Index {index.value:.4f} over {lengths} turns, n = {index.items}")
