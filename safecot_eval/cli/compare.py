"""``safecot compare``: two models on the items they share, in the terminal."""

from __future__ import annotations

from pathlib import Path

import click

from safecot_eval.util.errors import SafecotError


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="FIRST SECOND [RUNS]...")
@click.option(
    "--blind", is_flag=True, help="All arguments are RUNS: each model with itself under --preset blind."
)
def command(names: tuple[str, ...], blind: bool) -> None:
    """Compare FIRST with SECOND: two run folders, or two model names of the RUNS folders.

    Each line is the rate of FIRST minus the rate of SECOND over the items scored for both, with its 95 % interval,
    the p value adjusted for all lines of the comparison (Holm), and the discordant items.
    """
    if blind:
        _blind(names)
        return
    if len(names) < 2:
        raise SafecotError("Give two to compare: run folders, or model names and the run folders.")
    _two(names[0], names[1], names[2:])


def _blind(runs: tuple[str, ...]) -> None:
    """Does safety look at the picture? The rates with it minus those with a blank one."""
    from safecot_eval.aggregate.comparisons import blind_differences
    from safecot_eval.aggregate.reading import read_all
    from safecot_eval.generate.presets import load
    from safecot_eval.submissions.submitted import newest
    from safecot_reports.export import plain

    rows = blind_differences(read_all(newest(runs)), load("blind").title)
    if not rows:
        raise SafecotError(
            "No model is here both with its pictures and blind on one task; run the same command with --preset blind, too."
        )
    click.echo(
        "With the picture minus with a blank one, in points, 95 % interval; p adjusted (Holm). A CRR that does not change is"
        " earned by the words alone."
    )
    for row in rows:
        if row["diff"] is None:
            continue
        seen = "the picture matters" if row["p_holm"] < 0.05 else "no difference shown"
        click.echo(
            f"{plain(row['a'])}  {row['task']}  {row['metric']}  {plain(row['evaluator'])}\n"
            f"    {100 * row['diff']:+.1f} [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]"
            f"  p = {row['p_holm']:.3g}  n = {row['n']}  {seen}"
        )


def _two(first: str, second: str, runs: tuple[str, ...]) -> None:
    import math

    from safecot_eval.aggregate.comparisons import compare_two
    from safecot_eval.aggregate.reading import read_all
    from safecot_eval.submissions.submitted import newest
    from safecot_reports.export import plain

    if runs:
        every = newest(runs)
        sides = [[run for run in every if run.model == name] for name in (first, second)]
    else:
        for name in (first, second):
            if not Path(name).exists():
                raise SafecotError(f"{name}: no such folder; for model names give the run folders as well.")
        sides = [newest([name]) for name in (first, second)]
    names = []
    for given, side in zip((first, second), sides, strict=True):
        models = sorted({run.model for run in side})
        if len(models) != 1:
            there = ", ".join(plain(model) for model in models) or "no model"
            raise SafecotError(f"{plain(given)}: need exactly one model, found {there}.")
        names.append(models[0])
    rows = compare_two(read_all(sides[0]), read_all(sides[1]))
    if not rows:
        raise SafecotError(
            "These two have no task, data version and evaluator in common; nothing can be compared."
        )
    click.echo(
        f"A = {plain(names[0])}\nB = {plain(names[1])}\nA minus B, in points, 95 % interval; p adjusted (Holm)"
    )
    for row in rows:
        if row["diff"] is None:
            continue
        interval = f"[{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]"
        mde = "—" if row["mde"] is None or math.isnan(row["mde"]) else f"{100 * row['mde']:.1f}"
        click.echo(
            f"{row['task']}  {row['metric']}  {plain(row['evaluator'])}\n"
            f"    {100 * row['diff']:+.1f} {interval}  p = {row['p_holm']:.3g}  n = {row['n']}"
            f"  only A {row['only_a']}, only B {row['only_b']}  detectable {mde}"
        )
