"""``paper.html``: what a template needs, from the findings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2

from safecot_eval import __version__
from safecot_eval.paper import words
from safecot_eval.paper.differences import Difference
from safecot_eval.paper.directions import BOTH, TEXTS
from safecot_eval.paper.findings import Paper
from safecot_eval.paper.measured import METRICS, Measured, Metric
from safecot_eval.paper.reproduction import Status
from safecot_eval.paper.rulers import TITLES, Ruler, lite_id
from safecot_eval.paper.summary import sentences, telling_apart
from safecot_eval.paper.trainings import parse
from safecot_eval.util.content_security import source_of
from safecot_reports.paper import marks
from safecot_reports.paper.plane import Rates, picture, plane

_HERE = Path(__file__).parent
_TEMPLATES = _HERE.parent / "templates"
FIRST = Ruler.SAFECOT25
TABS = {
    Ruler.SAFECOT19: "19 phrases",
    Ruler.SAFECOT23: "23 phrases",
    Ruler.SAFECOT22: "22 phrases",
    Ruler.SAFECOT25: "25 phrases",
    Ruler.JUDGE_HARD: "LLaMA-3, hard",
    Ruler.JUDGE_SOFT: "LLaMA-3, soft",
    Ruler.LITE: "lite",
}
"""In the order of the choice at the top: the lists by their dates."""


class _Ours(str):
    """Markup that was made here."""

    def __html__(self) -> str:
        return str(self)


def page_html(paper: Paper) -> str:
    """The page: a style, no script, nothing from anywhere else."""
    style = (
        "\n".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "paper.css"))
        + _choice_of_ruler()
    )
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["said"] = _said
    return environment.get_template("paper.html").render(
        policy=f"default-src 'none'; style-src '{source_of(style)}'; base-uri 'none'; form-action 'none'",
        style=_Ours(style),
        version=__version__,
        words=words,
        paper=paper,
        tabs=[(ruler.value, TABS[ruler], TITLES[ruler], ruler is FIRST) for ruler in TABS],
        lite=lite_id(),
        both=words.listed([f"{ruler}" for ruler in BOTH]),
        sentences=sentences(paper),
        planes=[(ruler.value, list(_planes(paper, ruler))) for ruler in TABS],
        heat=list(_heat(paper)),
        chain=[(ruler.value, _rows(paper, paper.along_the_chain, ruler)) for ruler in TABS],
        mixtures=[(ruler.value, _rows(paper, paper.of_mixtures, ruler)) for ruler in TABS],
        directions=list(_directions(paper)),
        curves=[(ruler.value, list(_curves(paper, ruler))) for ruler in TABS],
        runs=[(ruler.value, list(_runs(paper, ruler))) for ruler in TABS],
        reproduction=_reproduction(paper),
    )


def chain_picture(paper: Paper, ruler: Ruler = FIRST) -> str:
    """The planes of all base models as a file of their own, for a README."""
    panels = {
        paper.title(base): rates for base in paper.bases if len(rates := _rates(paper, base, ruler)) > 1
    }
    caption = (
        f"SafeCoT's own checkpoints on MSSBench chat: recorded answers, refusals by {TITLES[ruler]}, 95 % intervals.",
        "Dotted: a question is refused with its safe picture as often as with its unsafe one.",
    )
    return picture(panels, caption)


def _choice_of_ruler() -> str:
    """Style rules that show what belongs to the chosen ruler; without ``:has`` everything is shown."""
    shown = ",".join(f"body:has(#ruler-{ruler}:checked) .by-{ruler}" for ruler in TABS)
    hidden = ",".join(f".by-{ruler}" for ruler in TABS)
    return f"\n@supports selector(:has(a)){{:is({hidden}){{display:none}}{shown}{{display:revert}}}}\n"


def _said(text: str) -> _Ours:
    """A sentence of the summary: ``**…**`` is its beginning."""
    escaped = escape(text)
    return _Ours(re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escaped))


def _rates(paper: Paper, base: str, ruler: Ruler) -> Rates:
    rates = {}
    for variant, run in paper.standing("ood", base).items():
        crr, car = run.rate(ruler, Metric.CRR), run.rate(ruler, Metric.CAR)
        if crr is not None and car is not None:
            rates[variant] = (crr, car)
    return rates


def _planes(paper: Paper, ruler: Ruler) -> Iterator[dict[str, Any]]:
    for base in paper.bases:
        rates = _rates(paper, base, ruler)
        if rates:
            told = "; ".join(
                f"{v}: CRR {100 * a.value:.0f}, CAR {100 * b.value:.0f}" for v, (a, b) in rates.items()
            )
            standing = [
                f"{variant} is {run.run.training}"
                for variant, run in paper.standing("ood", base).items()
                if variant in rates and run.run.training not in (variant.value, "origin")
            ]
            lacking = [v for v in ("base", "v0", "v1", "v2") if v not in rates]
            notes = standing + ([f"{words.listed(lacking)} not recorded"] if lacking else [])
            yield {
                "title": paper.title(base),
                "svg": _Ours(plane(rates, label=told)),
                "note": "; ".join(notes),
            }


def _heat(paper: Paper) -> Iterator[dict[str, Any]]:
    """Per base model and test set: variants down, rulers across, once for CRR and once for CAR."""
    for test, base in paper.groups:
        standing = paper.standing(test, base)
        if not standing:
            continue
        metrics = []
        for metric in METRICS:
            rows = []
            for variant, run in standing.items():
                cells = []
                for ruler in TABS:
                    found = run.rate(ruler, metric)
                    cells.append(
                        None
                        if found is None
                        else (words.percent(found.value, 0), _span(found), round(found.value * 10))
                    )
                rows.append((variant.value, run.run.training, cells))
            if any(cell for _, _, cells in rows for cell in cells):
                metrics.append((metric.value.upper(), rows))
        apart = [
            (
                variant.value,
                [
                    None if (value := telling_apart(run, ruler)) is None else words.points(value)
                    for ruler in TABS
                ],
            )
            for variant, run in standing.items()
        ]
        known = any(value for _, values in apart for value in values)
        yield {
            "title": paper.title(base),
            "test": paper.short(test),
            "metrics": metrics,
            "apart": apart if known else [],
        }


def _span(found: Any) -> str:
    return f"{words.percent(found.low, 0)}–{words.percent(found.high, 0)}"


def _rows(paper: Paper, rows: Sequence[Difference], ruler: Ruler) -> list[dict[str, Any]]:
    chosen = [row for row in rows if row.ruler is ruler]
    found = []
    for (test, base, step, first, second), those in groupby(
        chosen, key=lambda r: (r.test, r.base, r.step, r.first, r.second)
    ):
        by = {row.metric: row for row in those}
        cells = []
        for metric in METRICS:
            row = by.get(metric)
            cells.append(
                None
                if row is None
                else {
                    "svg": _Ours(
                        marks.change(row.found.diff, row.found.low, row.found.high, sure=row.p_holm < 0.05)
                    ),
                    "text": words.difference(row.found),
                    "p": words.p_value(row.p_holm),
                    "n": row.found.n,
                }
            )
        found.append(
            {
                "base": paper.title(base),
                "test": paper.short(test),
                "step": step,
                "first": first,
                "second": second,
                "cells": cells,
            }
        )
    return found


def _directions(paper: Paper) -> Iterator[dict[str, Any]]:
    for base in paper.bases:
        of_base = [direction for direction in paper.directions if direction.base == base]
        if not of_base:
            continue
        rows = []
        for number, text in TEXTS.items():
            by = {direction.ruler: direction.outcome for direction in of_base if direction.number == number}
            rows.append(
                (number, text, [by[None]] if None in by else [by[ruler] for ruler in TABS], None in by)
            )
        claims = [
            (
                ruler.value,
                [
                    (
                        direction.number,
                        claim.text,
                        claim.value == claim.value and _claim(claim),
                        claim.outcome,
                    )
                    for direction in of_base
                    if direction.ruler is ruler
                    for claim in direction.claims
                ],
            )
            for ruler in TABS
        ]
        yield {"title": paper.title(base), "rows": rows, "claims": claims}


def _claim(claim: Any) -> str:
    return f"{words.percent(claim.value)} [{words.percent(claim.low)}, {words.percent(claim.high)}]"


def _curves(paper: Paper, ruler: Ruler) -> Iterator[dict[str, Any]]:
    for (test, base, stem), by_size in paper.curves.items():
        rates = {
            size: {metric: found for metric in METRICS if (found := run.rate(ruler, metric)) is not None}
            for size, run in by_size.items()
        }
        told = "; ".join(
            f"{'all' if size is None else size}: "
            + ", ".join(f"{m.upper()} {100 * e.value:.0f}" for m, e in those.items())
            for size, those in rates.items()
        )
        rows = [
            ("all" if size is None else f"{size:,} + {size:,}", [words.rate(those.get(m)) for m in METRICS])
            for size, those in rates.items()
        ]
        title = f"{paper.title(base)}, {stem}, {paper.short(test)}"
        yield {"title": title, "svg": _Ours(marks.curve(rates, label=told)), "rows": rows}


def _runs(paper: Paper, ruler: Ruler) -> Iterator[dict[str, Any]]:
    for base, runs in groupby(paper.runs.items(), key=lambda item: item[1].run.base):
        yield {"title": paper.title(base), "rows": [_run(paper, run, ruler) for _, run in runs]}


def _run(paper: Paper, run: Measured, ruler: Ruler) -> dict[str, Any]:
    recorded = run.run
    cells = []
    for metric in METRICS:
        found = run.rate(ruler, metric)
        cells.append(
            None
            if found is None
            else {"svg": _Ours(marks.bar(found)), "text": words.rate(found), "n": found.n}
        )
    return {
        "training": recorded.training,
        "different": "" if parse(recorded.training).change == "" else parse(recorded.training).different,
        "test": paper.short(recorded.test.name),
        "answers": len(recorded.answers),
        "not_run": recorded.not_run,
        "unjudged": recorded.unjudged,
        "cells": cells,
    }


def _reproduction(paper: Paper) -> dict[str, Any]:
    figures = paper.figures
    files = sorted({figure.file for figure in figures})
    counted = Counter((figure.file, figure.status) for figure in figures)
    grouped = []
    for (run, file), those in groupby(
        (figure for figure in figures if figure.status is Status.NOT_REPRODUCED),
        key=lambda f: (f.run, f.file),
    ):
        of_file = list(those)
        grouped.append((run, file, of_file, of_file[0].why))
    return {
        "statuses": list(Status),
        "summary": [(file, [counted[file, status] for status in Status]) for file in files],
        "not_reproduced": grouped,
        "all": figures,
    }
