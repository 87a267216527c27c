"""Write the study's report: a dated file in the study folder, and ``docs/study.md`` with its figures."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from safecot_eval import __version__
from safecot_eval.util.files import write_text
from safecot_eval.util.wording import counted
from safecot_training.cot.targets import Variant
from safecot_training.data import dataset
from safecot_training.sft.card import read_card
from safecot_training.study import factor_tables, figures, recorded, scene_writer
from safecot_training.study.answers import Answers, Evaluator, Group, Slice
from safecot_training.study.directions import Direction, View, check
from safecot_training.study.gathered import Gathered, gather
from safecot_training.study.intervals import Interval
from safecot_training.study.journal import Journal
from safecot_training.study.plan import (
    HELD_OUT_CATEGORIES,
    HELD_OUT_STYLE,
    SEEN_STYLES,
    Mixture,
    Plan,
)
from safecot_training.study.trained import Asked

READING = Path(__file__).parent / "reading.md"
REGISTRATION = Path(__file__).parent / "registration.md"
SECOND = Path(__file__).parent / "registration_second.md"
TITLE = (
    "# The mini study",
    "",
    "Do SafeCoT's findings appear in a world small enough for a CPU, and what do they hang on? A small VLM is trained from "
    "nothing, fine-tuned as v0, v1 and v2, and evaluated through lmms-eval on `safecot_mini`; then factors are changed one at a "
    "time. `make study` does all of it again and rewrites this page; *Registered before the run* and *Registered second* were written "
    "before the runs that they are about, *Reading* after them, all by hand.",
    "",
)
FEW = 500
_HALVES = {
    Mixture.UNSAFE: "unsafe requests only (as the paper's sources)",
    Mixture.TWINS: "unsafe requests and their near-miss benign twins (as VLGuard)",
}


def write(plan: Plan, out: Path, runs: Path, also: Path | None = None, *, beside: bool = False) -> Path:
    """Write the report.

    Args:
        plan: What was run.
        out: Study folder; the dated report goes there.
        runs: Folder of the evaluated runs.
        also: A second place, e.g. ``docs/study.md``; figures go to ``img/`` beside it.
        beside: Set the six directions beside those of SafeCoT's recorded checkpoints, which takes half a minute.

    Returns:
        The dated report.

    Raises:
        SafecotError: no mixture is evaluated at full size with any seed.
    """
    found = gather(plan, runs)
    directions = {
        mixture: check(
            found.answers, mixture, plan.shipped.size, FEW, few_is_run=bool(found.seeds_at(mixture, FEW))
        )
        for mixture in found.mixtures
    }
    drawn = _figures(found)
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    text = "\n".join(
        [
            *_head(found, out),
            *_directions(directions),
            *_few_seeds(found),
            *(recorded.lines() if beside else []),
            *_tables(found),
            *factor_tables.sections(found),
            *_design(found, out),
            *_details(directions),
        ]
    )
    places = [out / f"report-{today}.md", *([also] if also else [])]
    for place in places:
        for name, svg in drawn.items():
            write_text(place.parent / "img" / name, svg)
        write_text(place, text + "\n")
    return places[0]


def _figures(found: Gathered) -> dict[str, str]:
    size = found.plan.shipped.size

    def only_base(variant: Variant, mixture: Mixture, size: int) -> Sequence[Answers]:
        return [found.base()]

    def view(mixture: Mixture, part: Slice = Slice.SEEN) -> View:
        return View(found.answers, mixture, size, part)

    plane = {}
    for mixture in found.mixtures:
        of_base = View(only_base, mixture, 0)
        points = {"base": tuple(of_base.rate(Variant.V0, group) for group in (Group.UNSAFE, Group.NEAR_MISS))}
        for variant in Variant:
            seen = view(mixture)
            points[variant.value] = (seen.rate(variant, Group.UNSAFE), seen.rate(variant, Group.NEAR_MISS))
        plane[f"mixture: {mixture}"] = points

    def by_slice(mixture: Mixture, group: Group) -> dict[str, dict[str, Interval]]:
        return {part.value: {v.value: view(mixture, part).rate(v, group) for v in Variant} for part in Slice}

    drawn = {"study-plane.svg": figures.plane(plane)}  # type: ignore[arg-type]
    for mixture in found.mixtures:
        drawn[f"study-slices-{mixture}.svg"] = figures.slices(
            {"CRR": by_slice(mixture, Group.UNSAFE), "near-miss CAR": by_slice(mixture, Group.NEAR_MISS)},
            "rate",
        )
    return drawn | factor_tables.drawn(found)


def _head(found: Gathered, out: Path) -> list[str]:
    plan = found.plan
    rows = Journal(out).rows()
    spent = sum(row["data_s"] + row["train_s"] + row["evaluate_s"] for row in rows) / 60
    started = json.loads((out / "started.json").read_text(encoding="utf-8"))
    planned = plan.runs()
    in_all = [f"{', '.join(map(str, found.seeds[mixture]))} (`{mixture}`)" for mixture in found.mixtures]
    incomplete = (
        f" **{len(found.missing)} of the {len(planned)} runs were not finished**: "
        f"{', '.join(f'`{run.name}`' for run in found.missing)}. What lacks seeds says so; `make study` goes on where it stopped."
        if found.missing
        else ""
    )
    if any(len(seeds) == 1 for seeds in found.seeds.values()):
        incomplete += " With one seed an interval knows how items vary and not how training runs do."
    return [
        *TITLE,
        f"Run begun on {started['date']}, commit {_commits(found, rows, started['commit'])}; page by safecot-eval {__version__}. "
        f"Seeds {' and '.join(in_all)}; "
        f"{len(planned) - len(found.missing)} fine-tuning runs with {plan.batch_size} examples per step; {spent:.0f} CPU minutes "
        f"beside the base's.{incomplete}",
        "",
        *_text(READING),
        "",
        *_text(REGISTRATION),
        "",
        *_text(SECOND),
        "",
    ]


def _commits(found: Gathered, rows: Sequence[dict[str, Any]], first: str) -> str:
    """The commits that ran what is evaluated, with how many runs each has if they are several."""
    missing = {run.name for run in found.missing}
    planned = {run.name for run in found.plan.runs()} - missing
    of = {row["run"]: row.get("commit", first) for row in rows if row["run"] in planned}
    counts = Counter(of.values())
    if len(counts) < 2:
        return f"`{first}`"
    return ", then ".join(f"`{commit}` ({counted(count, 'run')})" for commit, count in counts.items())


def _text(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").rstrip().splitlines() if path.is_file() else []


def _directions(found: dict[Mixture, list[Direction]]) -> list[str]:
    first = next(iter(found.values()))
    lines = [
        "## The six directions",
        "",
        "A claim holds where its whole 95 % interval is on the claimed side, does not hold if it is on the "
        "other, and is undecided otherwise; a direction is as good as its worst claim.",
        "",
        "| | direction | " + " | ".join(f"`{mixture}`" for mixture in found) + " |",
        "|--|--|" + "--|" * len(found),
    ]
    for index, direction in enumerate(first):
        outcomes = " | ".join(f"**{directions[index].outcome}**" for directions in found.values())
        lines.append(f"| {direction.number} | {direction.text} | {outcomes} |")
    return [*lines, ""]


def _few_seeds(found: Gathered) -> list[str]:
    """Say with which seeds direction 4 is checked, if they are not all."""
    told = {m: found.seeds_at(m, FEW) for m in found.mixtures}
    if all(not few or few == found.seeds[m] for m, few in told.items()):
        return []
    each = "; ".join(
        f"`{m}`: " + (f"seed {', '.join(map(str, few))}" if few else "none") for m, few in told.items()
    )
    return [
        f"Direction 4 has fewer seeds than the others ({each}); with one, its intervals know nothing of how trainings vary.",
        "",
    ]


def _tables(found: Gathered) -> list[str]:
    plan = found.plan
    lines = ["## Results with the shipped setting", ""]
    for mixture in found.mixtures:
        models = {
            "base": [found.base()],
            **{v.value: found.answers(v, mixture, plan.shipped.size) for v in Variant},
        }
        lines += [f"**Mixture `{mixture}`**: safety half of {_HALVES[mixture]}.", ""]
        for columns in (_IN_DISTRIBUTION, _ELSEWHERE):
            lines.append("| | " + " | ".join(columns) + " |")
            lines.append("|--|" + "--|" * len(columns))
            for name, runs in models.items():
                lines.append(f"| {name} | " + " | ".join(cell(runs) for cell in columns.values()) + " |")
            lines.append("")
    return [
        *lines,
        "*CRR* and *CAR* by templates unless lite is named; in distribution unless another slice is. *Ask*: questions "
        "about the picture of an unsafe request. *General*: exact match on 140 held-out questions (`mini_general`), "
        "the cost of safety tuning. *Thought right*: share of the thoughts that argue for the right side, of those that "
        "argue for one in words that were taught; the decision, apart from how the answer is worded. *Trained*: "
        f"refusals of the checkpoint's own training requests ({plan.trained} of each kind, mean of the seeds; `unsafe` has no benign ones "
        "in its safety half). *Usable*: share of usable answers; the others are in no rate. *Words*: per "
        "generation.",
        "",
        "![CRR against near-miss CAR](img/study-plane.svg)",
        "",
        *(f"![Slices, mixture {mixture}](img/study-slices-{mixture}.svg)\n" for mixture in found.mixtures),
    ]


def _right_thoughts(runs: Sequence[Answers], group: Group) -> str:
    """Share of the thoughts that argue for the right side, of those that argue for one."""
    chosen = [run.unsafe_thoughts[run.items.where(group, Slice.SEEN)] for run in runs]
    argued = np.concatenate([thoughts[~np.isnan(thoughts)] for thoughts in chosen])
    if not len(argued):
        return "—"
    right = argued.mean() if group is Group.UNSAFE else 1 - argued.mean()
    return f"{100 * right:.0f} % of {len(argued)}"


Cell = Callable[[Sequence[Answers]], str]


def _told(group: Group, part: Slice = Slice.SEEN, evaluator: Evaluator = Evaluator.TEMPLATE) -> Cell:
    def cell(runs: Sequence[Answers]) -> str:
        view = View(lambda variant, mixture, size: runs, Mixture.UNSAFE, 0, part, evaluator)
        return factor_tables.percent(view.rate(Variant.V0, group))

    return cell


_IN_DISTRIBUTION: dict[str, Cell] = {
    "CRR": _told(Group.UNSAFE),
    "near-miss CAR": _told(Group.NEAR_MISS),
    "ask CAR": _told(Group.ASK),
    "CRR, lite": _told(Group.UNSAFE, evaluator=Evaluator.LITE),
    "near-miss CAR, lite": _told(Group.NEAR_MISS, evaluator=Evaluator.LITE),
    "thought right, unsafe": lambda runs: _right_thoughts(runs, Group.UNSAFE),
    "thought right, near miss": lambda runs: _right_thoughts(runs, Group.NEAR_MISS),
    "general": lambda runs: _mean([run.capability for run in runs]),
    "trained: unsafe refused": lambda runs: factor_tables.trained(runs, Asked.UNSAFE),
    "trained: benign refused": lambda runs: factor_tables.trained(runs, Asked.BENIGN),
    "trained: general refused": lambda runs: factor_tables.trained(runs, Asked.GENERAL),
    "usable": lambda runs: _mean([run.ok for run in runs]),
    "words": lambda runs: f"{sum(run.words for run in runs) / len(runs):.0f}",
}
_ELSEWHERE: dict[str, Cell] = {
    f"{name}, {part}": _told(group, part)
    for part in (Slice.NEW_CATEGORIES, Slice.NEW_STYLE)
    for name, group in (("CRR", Group.UNSAFE), ("near-miss CAR", Group.NEAR_MISS), ("ask CAR", Group.ASK))
}


def _mean(shares: Sequence[float]) -> str:
    return f"{100 * sum(shares) / len(shares):.0f} %"


def _design(found: Gathered, out: Path) -> list[str]:
    plan = found.plan
    card = read_card(out / "base" / "merged")
    eyes = json.loads((out / "base" / "start" / "eyes.json").read_text(encoding="utf-8"))
    seen = ", ".join(f"{name} {share:.0%}" for name, share in eyes["accuracy"].items())
    writers = []
    for mixture in found.mixtures:
        manifest = dataset.read_manifest(out / "data" / f"{mixture}-s{found.seeds[mixture][0]}")
        told = manifest["variants"][Variant.V2.value]["writer"]
        dropped = ", ".join(f"{count} {reason}" for reason, count in sorted(told["dropped_attempts"].items()))
        writers.append(
            f"`{mixture}`: {told['written']} written, {told['template_instead']} replaced by a template; attempts dropped: "
            f"{dropped or 'none'}"
        )
    return [
        "## Design",
        "",
        "In `training/safecot_training/study/plan.py`.",
        "",
        f"- **Base.** Idefics3 from its configuration, {eyes['parameters'] / 1e6:.2f} million parameters, own tokenizer. "
        f"The vision encoder learnt to name what a picture shows ({plan.eye_steps} steps of 64 pictures; on unseen "
        f"pictures: {seen}), then connector and language model learnt general data from scratch "
        f"({plan.general} examples, {plan.base_epochs:g} passes, last loss {card.train_loss:.2f}). It answers every "
        "request, also unsafe ones. One base for all seeds.",
        "- **Mixtures**, 1:1 safety:general. "
        + "; ".join(f"`{mixture}`: {_HALVES[mixture]}" for mixture in found.mixtures)
        + ". Images, queries, order and refusals are the same in v0, v1 and v2.",
        f"- **v2's writer** is no VLM but a {scene_writer.NAME}: rules over the scene's ground truth that, per attempt, "
        f"misread a mark ({scene_writer.MISREADS:.0%}), overlook it ({scene_writer.OVERLOOKS:.0%}), contradict the label "
        f"({scene_writer.CONTRADICTS:.0%}) or refuse to write ({scene_writer.REFUSES:.0%}). First seed: "
        + "; ".join(writers)
        + ".",
        f"- **Out of distribution.** New categories: {', '.join(HELD_OUT_CATEGORIES)} (no triplet of them). New style: "
        f"`{HELD_OUT_STYLE}` (words instead of shapes; fine-tuning sees {' and '.join(SEEN_STYLES)}).",
        "- **Items.** *Near miss*: a benign request to use an object, in words that are unsafe with another mark. All "
        "wordings and scenes of the evaluation differ from training; the contamination check ran on every mixture.",
        "- **Evaluators.** Template matching (gcg25) and safecot-lite, the embedded classifier.",
        "- **Intervals.** 95 %, over seeds and twins together (`intervals.py`): bootstrap of seeds and twins, for rates "
        "widened to Wilson's interval at the effective number of items.",
        "",
    ]


def _details(found: dict[Mixture, list[Direction]]) -> list[str]:
    lines = ["## Every claim", ""]
    for mixture, directions in found.items():
        lines += [f"### Mixture `{mixture}`", "", "| | claim | value [95 %] | outcome |", "|--|--|--|--|"]
        for direction in directions:
            lines += [
                f"| {direction.number} | {claim.text} | {_points(claim.interval)} | {claim.outcome} |"
                for claim in direction.claims
            ]
        lines.append("")
    return lines


def _points(interval: Interval) -> str:
    return f"{100 * interval.value:.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
