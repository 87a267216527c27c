"""What a plan costs, from seconds that were measured: printed before anything runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from safecot_eval.util.wording import agreeing, counted
from safecot_training.cot.targets import Variant
from safecot_training.study import runs
from safecot_training.study.evaluation import finished
from safecot_training.study.journal import Journal
from safecot_training.study.plan import Mixture, Plan

STEP_S = {Variant.V0: 0.14, Variant.V1: 0.20, Variant.V2: 0.22}
"""CPU seconds of a training step of 16 examples: one thread, on a shared server of 2 cores with other work on both."""
START_S = 1.0
"""CPU seconds of a training beside its steps."""
EVALUATION_S = {Variant.V0: 4.0, Variant.V1: 5.5, Variant.V2: 6.0}
"""CPU seconds to ask a checkpoint everything."""
DATA_S = 3.5
"""CPU seconds to build one data folder with its three variants."""
BASE_S = 375.0
"""CPU seconds of the base, evaluation included."""


def minutes(plan: Plan, journal: Journal, answers: Path) -> tuple[float, float]:
    """CPU minutes of the whole plan, and of what is left of it.

    Seconds of runs that are finished replace the constants.
    """
    step, evaluation = _measured(journal)
    whole, left = BASE_S, 0.0 if finished(answers / "mini-base", plan.task) else BASE_S
    folders = set()
    for run in plan.runs():
        folder = runs.data_folder(plan, run, Path())
        seconds = START_S + run.setting.steps * step[run.variant] + evaluation[run.variant]
        seconds += DATA_S if folder not in folders else 0.0
        folders.add(folder)
        whole += seconds
        left += 0.0 if journal.has(run) else seconds
    return whole / 60, left / 60


def _measured(journal: Journal) -> tuple[dict[Variant, float], dict[Variant, float]]:
    trained: dict[Variant, float] = defaultdict(float)
    steps: dict[Variant, int] = defaultdict(int)
    asked: dict[Variant, list[float]] = defaultdict(list)
    for row in journal.rows():
        if row["train_s"] > 0 and row["evaluate_s"] > 0:  # neither was found finished after an interruption
            variant = Variant(row["variant"])
            trained[variant] += max(row["train_s"] - START_S, 0.0)
            steps[variant] += row["steps"]
            asked[variant].append(row["evaluate_s"])
    per_step = {v: trained[v] / steps[v] if steps[v] else STEP_S[v] for v in Variant}
    return per_step, {v: sum(asked[v]) / len(asked[v]) if asked[v] else EVALUATION_S[v] for v in Variant}


def arms(plan: Plan) -> list[str]:
    """The arms as rows of a table: one for each level of a factor, with how many runs."""
    shipped = _row("", "", "shipped, shared by all", tuple(Variant), plan.mixtures, plan.seeds)
    lines = [*_HEAD, shipped]
    for factor in (*plan.factors, *plan.extra):
        own = [seed for seed in factor.seeds if seed in plan.seeds]
        for level in factor.levels:
            mixtures = [m for m in plan.mixtures if level in factor.levels_in(m)]
            lines.append(_row(factor.letter, factor.text, level.text, factor.variants, mixtures, own))
    return lines


def later_arms(plan: Plan) -> list[str]:
    """What was registered after the rest, in the order of its runs, as rows of such a table."""
    of = {level: factor for factor in (*plan.factors, *plan.extra) for level in factor.levels}
    rows = ((of[arm.level], arm) for arm in plan.later)
    return [
        *_HEAD,
        *(_row(f.letter, f.text, a.level.text, a.variants, a.mixtures, a.seeds) for f, a in rows),
    ]


_HEAD = ("| | factor | level | variants | mixtures | seeds | runs |", "|--|--|--|--|--|--|--|")


def _row(
    letter: str,
    text: str,
    level: str,
    variants: Sequence[Variant],
    mixtures: Sequence[Mixture],
    seeds: Sequence[int],
) -> str:
    count = len(variants) * len(mixtures) * len(seeds)
    told = [letter, text, level, ", ".join(variants), ", ".join(f"`{m}`" for m in mixtures)]
    cells = (f" {cell} " if cell else " " for cell in (*told, ", ".join(map(str, seeds)), str(count)))
    return f"|{'|'.join(cells)}|"


def told(plan: Plan, journal: Journal, answers: Path) -> str:
    """The plan as it is printed before it runs."""
    todo = plan.runs()
    done = sum(journal.has(run) for run in todo)
    whole, left = minutes(plan, journal, answers)
    return "\n".join(
        [
            "the plan:",
            *arms(plan),
            f"{counted(len(todo), 'run')} with {agreeing(len(plan.seeds), 'seed', 'seeds')} {', '.join(map(str, plan.seeds))}, about {whole:.0f} CPU minutes; "
            f"{done} {agreeing(done, 'is', 'are')} finished, about {left:.0f} CPU minutes are left.",
        ]
    )
