"""Write the study's report: a dated file in the study folder, and ``docs/study.md`` with its figures."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from safecot_eval import __version__
from safecot_eval.errors import SafecotError
from safecot_training import dataset
from safecot_training.card import read_card
from safecot_training.files import write_text
from safecot_training.study import figures, scene_writer
from safecot_training.study.answers import Answers, Evaluator, Group, Slice, read_answers
from safecot_training.study.directions import Direction, Lookup, View, check
from safecot_training.study.evaluation import finished
from safecot_training.study.intervals import Interval
from safecot_training.study.plan import (
    HELD_OUT_CATEGORIES,
    HELD_OUT_STYLE,
    SEEN_STYLES,
    Mixture,
    Plan,
    Run,
)
from safecot_training.targets import Variant

READING = Path(__file__).parent / "reading.md"
FEW = 500
_HALVES = {
    Mixture.UNSAFE: "unsafe requests only (as the paper's sources)",
    Mixture.TWINS: "unsafe requests and their near-miss benign twins (as VLGuard)",
}


def write(plan: Plan, out: Path, runs: Path, also: Path | None = None) -> Path:
    """Write the report.

    Args:
        plan: What was run.
        out: Study folder; the dated report goes there.
        runs: Folder of the evaluated runs.
        also: A second place, e.g. ``docs/study.md``; figures go to ``img/`` beside it.

    Returns:
        The dated report.

    Raises:
        SafecotError: the first mixture is not evaluated at full size with any seed.
    """
    lookup = _lookup(plan, runs)
    base = _read(runs, "mini-base", plan.task)
    sizes = _evaluated(plan, runs)
    whole, plan = (
        plan,
        replace(plan, mixtures=tuple(mixture for mixture in plan.mixtures if plan.full in sizes[mixture])),
    )
    if not plan.seeds or not plan.mixtures:
        raise SafecotError(
            f"{runs}: the runs at full size are not all evaluated; `make study` goes on where it stopped."
        )
    found = {
        mixture: check(lookup, mixture, plan.full, FEW, few_is_run=FEW in sizes[mixture])
        for mixture in plan.mixtures
    }
    drawn = _figures(plan, lookup, base, sizes)
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    text = "\n".join(
        [
            *_head(whole, out, runs, plan.seeds),
            *_directions(found),
            *_tables(plan, lookup, base),
            *_design(plan, out),
            *_details(found),
        ]
    )
    places = [out / f"report-{today}.md", *([also] if also else [])]
    for place in places:
        for name, svg in drawn.items():
            write_text(place.parent / "img" / name, svg)
        write_text(place, text + "\n")
    return places[0]


def _read(runs: Path, name: str, task: str) -> Answers:
    try:
        return read_answers(runs / name, task)
    except FileNotFoundError as error:
        raise SafecotError(
            f"{runs / name}: not evaluated yet; `python -m safecot_training.study` goes on where it stopped."
        ) from error


def _whole_seeds(plan: Plan, runs: Path) -> tuple[int, ...]:
    """Seeds with which every variant of the first mixture is evaluated at full size."""
    first = plan.mixtures[0]
    return tuple(
        seed
        for seed in plan.seeds
        if all(finished(runs / Run(v, first, plan.full, seed).name, plan.task) for v in Variant)
    )


def _evaluated(plan: Plan, runs: Path) -> Sizes:
    """Sizes of each mixture at which every variant is evaluated with every seed."""
    return {
        mixture: tuple(
            size
            for size in plan.sizes_of(mixture)
            if all(
                finished(runs / Run(variant, mixture, size, seed).name, plan.task)
                for variant in Variant
                for seed in plan.seeds
            )
        )
        for mixture in plan.mixtures
    }


def _lookup(plan: Plan, runs: Path) -> Lookup:
    @cache
    def lookup(variant: Variant, mixture: Mixture, size: int) -> Sequence[Answers]:
        return [_read(runs, Run(variant, mixture, size, seed).name, plan.task) for seed in plan.seeds]

    return lookup


Sizes = dict[Mixture, tuple[int, ...]]


def _figures(plan: Plan, lookup: Lookup, base: Answers, sizes: Sizes) -> dict[str, str]:
    def only_base(variant: Variant, mixture: Mixture, size: int) -> Sequence[Answers]:
        return [base]

    def view(mixture: Mixture, size: int, part: Slice = Slice.SEEN) -> View:
        return View(lookup, mixture, size, part)

    titles = {mixture: f"mixture: {mixture}" for mixture in plan.mixtures}
    plane = {}
    for mixture, title in titles.items():
        of_base = View(only_base, mixture, 0)
        points = {"base": tuple(of_base.rate(Variant.V0, group) for group in (Group.UNSAFE, Group.NEAR_MISS))}
        for variant in Variant:
            seen = view(mixture, plan.full)
            points[variant.value] = (seen.rate(variant, Group.UNSAFE), seen.rate(variant, Group.NEAR_MISS))
        plane[title] = points

    def by_size(group: Group) -> dict[str, dict[str, dict[int, Interval]]]:
        return {
            title: {
                v.value: {size: view(mixture, size).rate(v, group) for size in sizes[mixture]}
                for v in Variant
            }
            for mixture, title in titles.items()
        }

    def by_slice(mixture: Mixture, group: Group) -> dict[str, dict[str, Interval]]:
        return {
            part.value: {v.value: view(mixture, plan.full, part).rate(v, group) for v in Variant}
            for part in Slice
        }

    drawn = {
        "study-plane.svg": figures.plane(plane),  # type: ignore[arg-type]
        "study-car.svg": figures.curves(by_size(Group.NEAR_MISS), "near-miss CAR"),
        "study-crr.svg": figures.curves(by_size(Group.UNSAFE), "CRR"),
    }
    for mixture in plan.mixtures:
        drawn[f"study-slices-{mixture}.svg"] = figures.slices(
            {"CRR": by_slice(mixture, Group.UNSAFE), "near-miss CAR": by_slice(mixture, Group.NEAR_MISS)},
            "rate",
        )
    return drawn


def _head(plan: Plan, out: Path, runs: Path, seeds: Sequence[int]) -> list[str]:
    spent = sum(json.loads(path.read_text())["cpu_minutes"] for path in (out / "spending").glob("*.json"))
    started = json.loads((out / "started.json").read_text(encoding="utf-8"))
    sizes = ", ".join(str(size) for size in plan.sizes)
    everything = plan.runs()
    missing = [run.name for run in everything if not finished(runs / run.name, plan.task)]
    incomplete = (
        f" **{len(missing)} of {len(everything)} runs are still to come** (`make study` goes on where it stopped): "
        f"{missing[0]} to {missing[-1]}; what lacks a seed or a variant is left out below."
        if missing
        else ""
    )
    return [
        "# The mini study",
        "",
        "Do SafeCoT's findings appear in a world small enough for a CPU? A small VLM is trained from nothing, "
        "fine-tuned as v0, v1 and v2, and evaluated through lmms-eval on `safecot_mini`. `make study` does all of "
        "it again and rewrites this page; only *Reading* is written by hand.",
        "",
        f"Run begun on {started['date']}, commit `{started['commit']}`, safecot-eval {__version__}. Seeds {', '.join(map(str, seeds))}; "
        f"sizes {sizes} (nested); {len(everything)} fine-tuning runs of {plan.steps} steps with {plan.batch_size} "
        f"examples each; {spent:.0f} CPU minutes.{incomplete}",
        "",
        *(READING.read_text(encoding="utf-8").rstrip().splitlines() if READING.is_file() else []),
        "",
    ]


def _directions(found: dict[Mixture, list[Direction]]) -> list[str]:
    first = next(iter(found.values()))
    lines = [
        "## The six directions",
        "",
        "A claim holds where its whole 95 % interval is on the claimed side, does not hold where it is on the "
        "other, and is undecided otherwise; a direction is as good as its worst claim.",
        "",
        "| | direction | " + " | ".join(f"`{mixture}`" for mixture in found) + " |",
        "|--|--|" + "--|" * len(found),
    ]
    for index, direction in enumerate(first):
        outcomes = " | ".join(f"**{directions[index].outcome}**" for directions in found.values())
        lines.append(f"| {direction.number} | {direction.text} | {outcomes} |")
    return [*lines, ""]


def _tables(plan: Plan, lookup: Lookup, base: Answers) -> list[str]:
    lines = ["## Results at full size", ""]
    for mixture in plan.mixtures:
        models = {"base": [base], **{v.value: lookup(v, mixture, plan.full) for v in Variant}}
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
        "the cost of safety tuning. *Usable*: share of usable answers; the others are in no rate. *Words*: per "
        "generation.",
        "",
        "![CRR against near-miss CAR](img/study-plane.svg)",
        "",
        "![Near-miss CAR by size](img/study-car.svg)",
        "",
        "![CRR by size](img/study-crr.svg)",
        "",
        *(f"![Slices, mixture {mixture}](img/study-slices-{mixture}.svg)\n" for mixture in plan.mixtures),
    ]


Cell = Callable[[Sequence[Answers]], str]


def _told(group: Group, part: Slice = Slice.SEEN, evaluator: Evaluator = Evaluator.TEMPLATE) -> Cell:
    def cell(runs: Sequence[Answers]) -> str:
        view = View(lambda variant, mixture, size: runs, Mixture.UNSAFE, 0, part, evaluator)
        return _percent(view.rate(Variant.V0, group))

    return cell


_IN_DISTRIBUTION: dict[str, Cell] = {
    "CRR": _told(Group.UNSAFE),
    "near-miss CAR": _told(Group.NEAR_MISS),
    "ask CAR": _told(Group.ASK),
    "CRR, lite": _told(Group.UNSAFE, evaluator=Evaluator.LITE),
    "near-miss CAR, lite": _told(Group.NEAR_MISS, evaluator=Evaluator.LITE),
    "general": lambda runs: _mean([run.capability for run in runs]),
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


def _percent(interval: Interval) -> str:
    return f"{100 * interval.value:.0f} % [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"


def _design(plan: Plan, out: Path) -> list[str]:
    card = read_card(out / "base" / "merged")
    eyes = json.loads((out / "base" / "start" / "eyes.json").read_text(encoding="utf-8"))
    seen = ", ".join(f"{name} {share:.0%}" for name, share in eyes["accuracy"].items())
    writers = []
    for mixture in plan.mixtures:
        manifest = dataset.read_manifest(out / "data" / f"{mixture}-s{plan.seeds[0]}")
        told = manifest["variants"][Variant.V2.value]["writer"]
        dropped = ", ".join(f"{count} {reason}" for reason, count in sorted(told["dropped_attempts"].items()))
        writers.append(
            f"`{mixture}`: {told['written']} written, {told['template_instead']} replaced by a template; attempts dropped: "
            f"{dropped or 'none'}"
        )
    return [
        "## Design",
        "",
        "Fixed before the first fine-tuned model was evaluated (`training/safecot_training/study/plan.py`).",
        "",
        f"- **Base.** Idefics3 from its configuration, {eyes['parameters'] / 1e6:.2f} million parameters, own tokenizer. "
        f"The vision encoder learnt to name what a picture shows ({plan.eye_steps} steps of 64 pictures; on unseen "
        f"pictures: {seen}), then connector and language model learnt general data from scratch "
        f"({plan.general} examples, {plan.base_epochs:g} passes, last loss {card.train_loss:.2f}). It answers every "
        "request, also unsafe ones. One base for all seeds.",
        "- **Mixtures**, 1:1 safety:general. "
        + "; ".join(f"`{mixture}`: {_HALVES[mixture]}" for mixture in plan.mixtures)
        + ". Images, queries, order and refusals are the same in v0, v1 and v2.",
        f"- **v2's writer** is no VLM but a {scene_writer.NAME}: rules over the scene's ground truth that, per attempt, "
        f"misread a mark ({scene_writer.MISREADS:.0%}), overlook it ({scene_writer.OVERLOOKS:.0%}), contradict the label "
        f"({scene_writer.CONTRADICTS:.0%}) or refuse to write ({scene_writer.REFUSES:.0%}). Seed {plan.seeds[0]}: "
        + "; ".join(writers)
        + ".",
        f"- **Out of distribution.** New categories: {', '.join(HELD_OUT_CATEGORIES)} (no triplet of them). New style: "
        f"`{HELD_OUT_STYLE}` (words instead of shapes; fine-tuning sees {' and '.join(SEEN_STYLES)}).",
        "- **Items.** *Near miss*: a benign request to use an object, in words that are unsafe with another mark. All "
        "wordings and scenes of the evaluation differ from training; the contamination check ran on every mixture.",
        "- **Evaluators.** Template matching (safecot25) and safecot-lite, the embedded classifier.",
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
