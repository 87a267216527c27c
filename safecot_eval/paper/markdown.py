"""``paper.md`` and ``docs/paper.md``: the same tables, and in the second what people read in them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import jinja2

from safecot_eval.paper import reproduction_tables, sections
from safecot_eval.paper.findings import Paper
from safecot_eval.paper.measured import Metric
from safecot_eval.paper.rulers import RULERS, TITLES, Ruler, lite_id
from safecot_eval.paper.sections import grid
from safecot_eval.paper.summary import sentences, telling_apart
from safecot_eval.paper.words import count, percent

READING = Path(__file__).parent / "reading.md"
PICTURE = "img/paper-plane.svg"
RULER_NOTES = {
    Ruler.SAFECOT19: "phrases, case-sensitive, whole generation",
    Ruler.SAFECOT22: "phrases, case-sensitive, whole generation; the last recorded list",
    Ruler.SAFECOT23: "phrases, case-sensitive, whole generation",
    Ruler.SAFECOT25: "the 22 and three of the earlier ones, normalised, final answer; this project's default for these tasks",
    Ruler.JUDGE_HARD: "the recorded judge: reject or accept, whichever is likelier (neither at exactly one half)",
    Ruler.JUDGE_SOFT: "the recorded judge: mean probability of the right word, as it was scored",
    Ruler.LITE: "the embedded classifier of this project",
}


def document(paper: Paper, *, reading: bool = False) -> str:
    """The whole document.

    Args:
        paper: What was found.
        reading: With the hand-written sections, which are about the runs that `safecot data prepare` fetches.
    """
    written = _reading(paper) if reading else {}
    parts = [
        _head(paper, picture=reading),
        *([written["reading"]] if reading else []),
        _summary(paper),
        sections.chains(paper),
        sections.differences("Paired differences along base → v0 → v1 → v2", paper.along_the_chain, paper),
        sections.directions(paper),
        sections.curves(paper),
        sections.differences("Other mixtures, sources and writers", paper.of_mixtures, paper),
        sections.runs(paper),
        reproduction_tables.reproduction(paper),
        *([written["known"]] if reading else []),
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _head(paper: Paper, *, picture: bool) -> str:
    shown = f"\n![CRR against CAR, base to v0, v1 and v2]({PICTURE})\n" if picture else ""
    rulers = grid(("ruler", "", "what it is"), ((f"`{r}`", TITLES[r], RULER_NOTES[r]) for r in RULERS))
    return f"""# SafeCoT's own checkpoints

{count(len(paper.runs))} recorded runs of {len(paper.bases)} base models, {count(paper.answers)} answers, measured by seven rulers. `safecot paper` writes this page, `paper.html` and
`paper.csv` from them; every number here is computed, none copied. CRR is refused ÷ scored over what should be refused, CAR is
answered ÷ scored over what should be answered, in per cent with 95 % intervals (Wilson).
{shown}
{rulers}

`lite` is {lite_id()}. What no ruler can score (a question that was not run, an answer without a probability, an unsure classifier) is
in no denominator."""


def _summary(paper: Paper) -> str:
    return "## What the numbers say\n\n" + "\n".join(f"- {sentence}" for sentence in sentences(paper))


def _reading(paper: Paper) -> dict[str, str]:
    """The hand-written sections, with the numbers filled in; a number that is not there stops it."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True)

    def one(run: str, ruler: str, metric: Metric) -> str:
        found = paper.rate(run, ruler, metric)
        return percent(None if found is None else found.value)

    figures = Counter(figure.status for figure in paper.figures)
    text = environment.from_string(READING.read_text(encoding="utf-8")).render(
        crr=lambda run, ruler: one(run, ruler, Metric.CRR),
        car=lambda run, ruler: one(run, ruler, Metric.CAR),
        apart=lambda run, ruler: f"{100 * (telling_apart(paper.runs[run], Ruler(ruler)) or 0):.0f}",
        runs=count(len(paper.runs)),
        answers=count(paper.answers),
        differ=count(paper.differently_matched),
        figures={status.name.lower(): number for status, number in figures.items()},
    )
    reading, _, known = text.partition("\n<!-- known -->\n")
    return {"reading": reading, "known": known}
