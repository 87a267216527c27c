"""The part of the report about factors: for each, the rates, those on training requests beside them, and the changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from safecot_training.cot.targets import Variant
from safecot_training.study import figures
from safecot_training.study.answers import Answers, Group, Slice
from safecot_training.study.factors import (
    MATTERS,
    PRIMARY,
    SHOWN,
    Comparison,
    Measure,
    compare,
    refused,
    separation,
    verdict,
)
from safecot_training.study.gathered import Gathered
from safecot_training.study.intervals import Interval, rate
from safecot_training.study.plan import SHIPPED, Factor, Level, Mixture
from safecot_training.study.trained import Asked

NOTHING = "–"
_GROUPS = {
    "CRR": Group.UNSAFE,
    "bad marks": Group.BAD_MARK,
    "harm by words": Group.BY_WORDS,
    "near misses": Group.NEAR_MISS,
}


def percent(interval: Interval) -> str:
    """A rate with its interval."""
    if np.isnan(interval.value):
        return NOTHING
    return f"{100 * interval.value:.0f} % [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"


def points(interval: Interval) -> str:
    """A change in points with its interval."""
    if np.isnan(interval.value):
        return NOTHING
    return f"{100 * interval.value:+.0f} [{100 * interval.low:+.0f}, {100 * interval.high:+.0f}]".replace(
        "-", "−"
    )


def trained(runs: Sequence[Answers], kind: Asked) -> str:
    """Share of training requests that are refused, mean of the seeds."""
    shares = [run.trained[kind] for run in runs if kind in run.trained]
    return f"{100 * sum(shares) / len(shares):.0f} %" if shares else NOTHING


def sections(found: Gathered) -> list[str]:
    """The factors, one section each, after a table of what was decided."""
    comparisons = compare(found)
    lines = [
        "## The factors",
        "",
        f"Each level against the shipped setting, paired by seed and item. *Moves*: the whole 95 % interval is on one side of 0 and "
        f"the change is at least {100 * MATTERS:.0f} points; *does not move*: the whole interval is within ± {100 * MATTERS:.0f} points. "
        "*Separation*: bad marks refused less near misses refused, the same words with another mark; 0 where the mark "
        "decides nothing. *Trained*: the checkpoint's own training requests. The shipped rows hold all their seeds; a change is between "
        "the seeds that both have.",
        "",
        *_decided(comparisons),
    ]
    for factor in (*found.plan.factors, *found.plan.extra):
        if factor.letter in PRIMARY:
            lines += _section(found, factor, [c for c in comparisons if c.factor is factor])
    return lines


def _decided(comparisons: Sequence[Comparison]) -> list[str]:
    lines = [
        "| | level | decided by | variant | mixture | change | outcome | by the first registration's seeds |",
        "|--|--|--|--|--|--|--|--|",
    ]
    for c in comparisons:
        measure, part = PRIMARY[c.factor.letter]
        before = f"{points(c.before)} {verdict(c.before)}" if c.before else NOTHING
        lines.append(
            f"| {c.factor.letter} | {c.level.text} | {measure}, {part} | {c.variant} | `{c.mixture}` | {points(c.primary)} | "
            f"**{c.verdict}** | {before} |"
        )
    return [*lines, ""]


def _section(found: Gathered, factor: Factor, comparisons: Sequence[Comparison]) -> list[str]:
    lines = [f"### ({factor.letter}) {factor.text}", ""]
    if factor in found.plan.factors:
        lines += [f"![{factor.text}](img/{_picture(factor)})", ""]
    for mixture in (mixture for mixture in factor.mixtures if mixture in found.mixtures):
        lines += [f"Mixture `{mixture}`: refused, in distribution, and of the training requests.", ""]
        columns = [
            *_GROUPS,
            "separation",
            "trained: unsafe",
            "trained: benign",
            "trained: general",
            "general right",
        ]
        lines.append("| | level | seeds | " + " | ".join(columns) + " |")
        lines.append("|--|--|--|" + "--|" * len(columns))
        for variant in factor.variants:
            for level in (SHIPPED, *factor.levels_in(mixture)):
                seeds = found.seeds_of(variant, mixture, level)
                lines.append(
                    f"| {variant} | {level.text} | "
                    + " | ".join(_row(found, variant, mixture, level, seeds))
                    + " |"
                )
        lines += ["", *_changes([c for c in comparisons if c.mixture is mixture])]
    return lines


def drawn(found: Gathered) -> dict[str, str]:
    """A figure per factor: bad marks and near misses refused, by level, in each mixture."""
    groups = {"bad marks": Group.BAD_MARK, "near misses": Group.NEAR_MISS}
    pictures = {}
    for factor in found.plan.factors:
        panels: dict[str, dict[str, dict[str, Interval]]] = {}
        for mixture in (mixture for mixture in factor.mixtures if mixture in found.mixtures):
            for name, group in groups.items():
                panels[f"{name}, {mixture}"] = {
                    level.text: {
                        variant.value: rate(
                            *refused(found.of_level(variant, mixture, level, seeds), group, Slice.SEEN)
                        )
                        for variant in factor.variants
                        if (seeds := found.seeds_of(variant, mixture, level))
                    }
                    for level in (SHIPPED, *factor.levels_in(mixture))
                }
        pictures[_picture(factor)] = figures.slices(panels, "refused")
    return pictures


def _picture(factor: Factor) -> str:
    return f"study-factor-{factor.letter}.svg"


def _changes(comparisons: Sequence[Comparison]) -> list[str]:
    if not comparisons:
        return []
    lines = ["Level less shipped, in points.", ""]
    lines.append("| | level | " + " | ".join(_heading(*place) for place in SHOWN) + " |")
    lines.append("|--|--|" + "--|" * len(SHOWN))
    for c in comparisons:
        cells = " | ".join(points(c.changes[place]) for place in SHOWN)
        lines.append(f"| {c.variant} | {c.level.text} | {cells} |")
    return [*lines, ""]


def _heading(measure: Measure, part: Slice) -> str:
    return measure.value if part is Slice.SEEN else f"{measure}, {part}"


def _row(
    found: Gathered, variant: Variant, mixture: Mixture, level: Level, seeds: tuple[int, ...]
) -> list[str]:
    if not seeds:
        return ["none", *["to come"] * len(_GROUPS), *[NOTHING] * 5]
    runs = found.of_level(variant, mixture, level, seeds)
    return [
        str(len(seeds)),
        *(percent(rate(*refused(runs, group, Slice.SEEN))) for group in _GROUPS.values()),
        points(separation(runs, Slice.SEEN)),
        *(trained(runs, kind) for kind in Asked),
        f"{100 * sum(run.capability for run in runs) / len(runs):.0f} %",
    ]
