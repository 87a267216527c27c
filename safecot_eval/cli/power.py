"""``safecot power``: how many items a comparison needs, or what a given number of items can show."""

from __future__ import annotations

import math

import click

from safecot_eval.util.errors import SafecotError

SHARES = (0.05, 0.1, 0.2, 0.3)


@click.command()
@click.option("--n", "n", type=click.IntRange(min=1), help="Items both models answer.")
@click.option(
    "--effect", type=click.FloatRange(0, 1, min_open=True), help="Difference of the two rates, e.g. 0.05."
)
@click.option(
    "--discordant",
    type=click.FloatRange(0, 1, min_open=True),
    help="Share of items on which the models disagree (default: a table of several).",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Level of the test: the chance of a difference where there is none.",
)
@click.option(
    "--power",
    "wanted",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.8,
    show_default=True,
    help="Wanted chance of showing a difference that is there.",
)
@click.option(
    "--comparisons",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Size of the family (Holm): alpha is divided by it.",
)
@click.option(
    "--cluster-size",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Items per source question (3 for MM-SafetyBench with all image types).",
)
@click.option(
    "--icc",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Correlation within a source question.",
)
def command(
    n: int | None,
    effect: float | None,
    discordant: float | None,
    alpha: float,
    wanted: float,
    comparisons: int,
    cluster_size: int,
    icc: float,
) -> None:
    """Say how many items a paired comparison needs, or what it can detect.

    \b
    safecot power --n 1680                  the smallest difference that 1,680 items show
    safecot power --effect 0.05             how many items a difference of 5 points needs
    safecot power --n 167 --effect 0.05     the chance that 167 items show it

    McNemar's test, two-sided (Connor 1987); see docs/methods.md.
    """
    from safecot_eval.stats import items_needed, minimum_detectable_difference, power

    if n is None and effect is None:
        raise SafecotError("Give --n (how many items), --effect (how large a difference), or both.")
    if discordant is not None and effect is not None and effect > discordant:
        raise SafecotError(
            f"Models that differ by {effect:g} disagree on at least that share: raise --discordant."
        )
    level, design = alpha / comparisons, 1 + (cluster_size - 1) * icc
    shares = [share for share in SHARES if effect is None or share >= effect] or [effect or 1.0]
    click.echo(f"Paired comparison, two-sided level {level:.4g}, design effect {design:.3g}")
    click.echo("models disagree on   result")
    for share in [discordant] if discordant is not None else shares:
        if n is None and effect is not None:
            count = math.ceil(items_needed(effect, share, level, wanted) * design)
            result = f"{count:,} items show {100 * effect:g} points with power {wanted:.0%}"
        elif n is not None and effect is not None:
            result = f"{n:,} items show {100 * effect:g} points with power {power(n / design, effect, share, level):.1%}"
        else:
            found = minimum_detectable_difference((n or 0) / design, share, level, wanted)
            nothing = f"{n:,} items show nothing with power {wanted:.0%}"
            result = (
                nothing
                if math.isnan(found)
                else f"{n:,} items show {100 * found:.1f} points with power {wanted:.0%}"
            )
        click.echo(f"{share:>17.0%}    {result}")
