"""The reproduction tables of ``paper.md``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from safecot_eval.paper.findings import Paper
from safecot_eval.paper.reproduction import SCORES_FILE, Figure, Status
from safecot_eval.paper.sections import grid
from safecot_eval.paper.words import NOTHING


def reproduction(paper: Paper) -> str:
    """Every recorded figure, and what became of it; empty if there is no manifest."""
    if not paper.figures:
        return ""
    files = sorted({figure.file for figure in paper.figures})
    counted = Counter((figure.file, figure.status) for figure in paper.figures)
    head = ("file", *(status.value for status in Status))
    summary = grid(
        head, ([f"`{file}`", *(str(counted[file, status] or "") for status in Status)] for file in files)
    )
    parts = [
        "## Reproduction\n\nEvery figure that was recorded beside the runs (`manifest.json`) against what their answers and probabilities give: "
        "means of probabilities to within 0.0005, counts exactly.",
        summary,
        "### Not reproduced",
        grid(
            ("run", "file", "figure", "recorded", "now", "why"),
            _grouped(paper.figures, Status.NOT_REPRODUCED),
        ),
        "### Exact counts over another denominator",
        grid(("run", "figure", "recorded", "now", "why"), _plain(paper.figures, Status.DENOMINATOR)),
        "### Means, current and older",
        "The line of `final_scores.txt` that comes out, and the older ones (an earlier judging, or earlier answers).",
        grid(("run", "now", "recorded, equal", "older", "no number"), _means(paper.figures)),
        "### Counts, by the list that gives them",
        grid(("run", "refused of the unsafe", "answered of the safe", "list"), _counts(paper.figures)),
    ]
    return "\n\n".join(parts)


def _grouped(figures: Sequence[Figure], status: Status) -> Iterator[list[str]]:
    """One row per run and file: the figures of one file stand or fall together."""
    chosen = [figure for figure in figures if figure.status is status]
    for (run, file), those in groupby(chosen, key=lambda figure: (figure.run, figure.file)):
        of_file = list(those)
        names = "<br>".join(figure.name for figure in of_file)
        yield [
            f"`{run}`",
            f"`{file}`",
            names,
            "<br>".join(figure.recorded or NOTHING for figure in of_file),
            "<br>".join(figure.ours or NOTHING for figure in of_file),
            of_file[0].why,
        ]


def _plain(figures: Sequence[Figure], status: Status) -> Iterator[list[str]]:
    for figure in figures:
        if figure.status is status:
            yield [f"`{figure.run}`", figure.name, figure.recorded, figure.ours or NOTHING, figure.why]


def _means(figures: Sequence[Figure]) -> Iterator[list[str]]:
    of_file = [figure for figure in figures if figure.file == SCORES_FILE]
    for run, those in groupby(of_file, key=lambda figure: figure.run):
        by: dict[Status, list[str]] = {}
        now = ""
        for figure in those:
            by.setdefault(figure.status, []).append(figure.recorded or "(empty)")
            now = figure.ours or now
        current = by.get(Status.EXACT, [])
        older = by.get(Status.OLDER, []) + by.get(Status.NOT_REPRODUCED, [])
        yield [
            f"`{run}`",
            now or NOTHING,
            ", ".join(current) or NOTHING,
            ", ".join(older),
            str(len(by.get(Status.NO_NUMBER, [])) or ""),
        ]


def _counts(figures: Sequence[Figure]) -> Iterator[list[str]]:
    for run, those in groupby(
        (f for f in figures if f.name.endswith("_correct count")), key=lambda figure: figure.run
    ):
        by = {figure.name.split("_")[0]: figure for figure in those}
        reject = by["reject"]
        if reject.status is Status.EXACT:
            yield [
                f"`{run}`",
                reject.recorded,
                by["accept"].recorded if "accept" in by else NOTHING,
                reject.why.removeprefix("by "),
            ]
