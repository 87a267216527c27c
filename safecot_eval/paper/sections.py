"""The tables of ``paper.md``: rates, differences, directions, curves, runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby

from safecot_eval.paper.differences import Difference
from safecot_eval.paper.directions import BOTH, TEXTS, Direction
from safecot_eval.paper.findings import Paper
from safecot_eval.paper.measured import METRICS, Measured
from safecot_eval.paper.rulers import RULERS, TITLES, Ruler
from safecot_eval.paper.summary import telling_apart
from safecot_eval.paper.trainings import Variant, parse
from safecot_eval.paper.words import NOTHING, SIGNS, count, difference, p_value, percent, points, rate


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is left, the others as they come."""
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join('--' for _ in head)}|"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def folded(title: str, content: str) -> str:
    """Something that a reader unfolds."""
    return f'<details markdown="1"><summary>{title}</summary>\n\n{content}\n\n</details>'


def chains(paper: Paper) -> str:
    """CRR and CAR along base → v0 → v1 → v2, one table for each base model and test set."""
    parts = [
        "## Base → v0 → v1 → v2\n\nCRR / CAR. Which run stands for a variant is said in its column's head: where `v1_new_data` (the newer "
        "templates, which the last recorded scripts test as v1) was recorded, it stands for v1. *Apart* is CRR + CAR − 100 by "
        "`safecot25`: 0 if safe and unsafe are refused alike."
    ]
    for (test, base), _ in paper.groups.items():
        standing = paper.standing(test, base)
        if not standing:
            continue
        head = ["ruler", *(_named(variant, run) for variant, run in standing.items())]
        rows = [[f"`{ruler}`", *(_both(run, ruler) for run in standing.values())] for ruler in RULERS]
        apart = [telling_apart(run, Ruler.SAFECOT25) for run in standing.values()]
        if any(value is not None for value in apart):
            rows.append(["*apart*", *(NOTHING if value is None else points(value) for value in apart)])
        parts.append(f"### {paper.title(base)}, {paper.short(test)}\n\n{grid(head, rows)}")
    return "\n\n".join(parts)


def _named(variant: Variant, run: Measured) -> str:
    training = run.run.training
    plain = training in (variant.value, "origin")
    return variant.value if plain else f"{variant} (`{training}`)"


def _both(run: Measured, ruler: Ruler) -> str:
    found = [run.rate(ruler, metric) for metric in METRICS]
    return " / ".join(rate(one) for one in found if one is not None) or NOTHING


def differences(title: str, rows: Sequence[Difference], paper: Paper) -> str:
    """Paired differences, one table for each ruler; empty if there are none."""
    if not rows:
        return ""
    text = [
        f"## {title}\n\nIn points, on common items, with 95 % intervals (phrases and hard judge: Tango, McNemar's mid-p; soft judge: "
        "Student, sign flips); p values are corrected by Holm within one test set and ruler."
    ]
    for ruler in RULERS:
        cells = [
            [paper.short(test), paper.title(base), step, f"`{first}` → `{second}`", *_pair(those)]
            for (test, base, step, first, second), those in groupby(
                (row for row in rows if row.ruler is ruler),
                key=lambda row: (row.test, row.base, row.step, row.first, row.second),
            )
        ]
        table = grid(("test set", "base model", "step", "runs", "CRR", "p", "CAR", "p"), cells)
        text.append(folded(f"{ruler}: {TITLES[ruler]}", table))
    return "\n\n".join(text)


def _pair(rows: Iterable[Difference]) -> list[str]:
    by = {row.metric: row for row in rows}
    cells = []
    for metric in METRICS:
        row = by.get(metric)
        cells += [NOTHING, NOTHING] if row is None else [difference(row.found), p_value(row.p_holm)]
    return cells


def directions(paper: Paper) -> str:
    """The six directions by base model, and the claims of the first four by the two kinds of ruler of the paper."""
    if not paper.directions:
        return ""
    parts = [
        "## The six directions\n\nThose of docs/study.md: a claim holds where its whole 95 % interval is on the claimed side, does "
        "not hold where it is on the other, and is undecided otherwise; a direction is as good as its worst claim. Of few samples only "
        f"v1 was recorded; it is held against v0 and v2 of all samples. {NOTHING}: nothing that it needs was recorded."
    ]
    for base in paper.bases:
        of_base = [direction for direction in paper.directions if direction.base == base]
        if of_base:
            head = ("", *(f"`{ruler}`" for ruler in RULERS))
            parts.append(f"### {paper.title(base)}\n\n{grid(head, _outcomes(of_base))}")
            table = grid(("", "ruler", "claim", "value", "outcome"), _claims(of_base))
            parts.append(
                folded("The claims of directions 1 to 4, by these two; by all rulers in `paper.html`", table)
            )
    return "\n\n".join(parts)


def _outcomes(of_base: Sequence[Direction]) -> Iterable[list[str]]:
    for number, text in TEXTS.items():
        by = {
            direction.ruler: SIGNS[direction.outcome] for direction in of_base if direction.number == number
        }
        if None in by:
            yield [f"{number}. {text}", f"{by[None]} ({' and '.join(BOTH)})", *[""] * (len(RULERS) - 1)]
        else:
            yield [f"{number}. {text}", *(by[ruler] for ruler in RULERS)]


def _claims(of_base: Sequence[Direction]) -> Iterable[list[str]]:
    for direction in of_base:
        if direction.number < 5 and direction.ruler in BOTH:
            for claim in direction.claims:
                value = (
                    NOTHING
                    if math.isnan(claim.value)
                    else f"{percent(claim.value)} [{percent(claim.low)}, {percent(claim.high)}]"
                )
                yield [str(direction.number), f"`{direction.ruler}`", claim.text, value, SIGNS[claim.outcome]]


def curves(paper: Paper) -> str:
    """Rates by training size; empty if no base model has several sizes."""
    parts = []
    for (test, base, stem), by_size in paper.curves.items():
        head = ["ruler", *("all" if size is None else f"{size:,} + {size:,}" for size in by_size)]
        rows = [[f"`{ruler}`", *(_both(run, ruler) for run in by_size.values())] for ruler in RULERS]
        parts.append(f"### {paper.title(base)}, `{stem}`, {paper.short(test)}\n\n{grid(head, rows)}")
    if not parts:
        return ""
    return "## Data efficiency\n\nCRR / CAR by the number of safety and general examples.\n\n" + "\n\n".join(
        parts
    )


def runs(paper: Paper) -> str:
    """Every run by every ruler, and what it lacks."""
    rows = []
    for name, run in paper.runs.items():
        recorded = run.run
        rows.append(
            [
                f"`{name}`",
                parse(recorded.training).variant or NOTHING,
                count(len(recorded.answers)),
                str(recorded.not_run or ""),
                str(recorded.unjudged or ""),
                *(_short(run, ruler) for ruler in RULERS),
            ]
        )
    head = ("run", "", "answers", "not run", "unjudged", *(f"`{ruler}`" for ruler in RULERS))
    return f"## All runs\n\nCRR / CAR; intervals are in `paper.csv`.\n\n{grid(head, rows)}"


def _short(run: Measured, ruler: Ruler) -> str:
    found = [run.rate(ruler, metric) for metric in METRICS]
    return " / ".join(percent(one.value) for one in found if one is not None) or NOTHING
