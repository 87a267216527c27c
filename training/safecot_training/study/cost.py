"""What a plan costs, from seconds that were measured: printed before anything runs."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from safecot_training.cot.targets import Variant
from safecot_training.study import runs
from safecot_training.study.evaluation import finished
from safecot_training.study.journal import Journal
from safecot_training.study.plan import Plan

STEP_S = {Variant.V0: 0.20, Variant.V1: 0.26, Variant.V2: 0.28}
"""CPU seconds of a training step of 16 examples: one thread, on a shared server of 2 cores with other work on both."""
START_S = 8.0
"""CPU seconds of a training beside its steps."""
EVALUATION_S = {Variant.V0: 6.0, Variant.V1: 8.0, Variant.V2: 10.5}
"""CPU seconds to ask a checkpoint everything."""
DATA_S = 4.5
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
    seeds = ", ".join(map(str, plan.seeds))
    mixtures = ", ".join(f"`{mixture}`" for mixture in plan.mixtures)
    shipped = len(Variant) * len(plan.mixtures) * len(plan.seeds)
    lines = ["| | factor | level | variants | mixtures | seeds | runs |", "|--|--|--|--|--|--|--|"]
    lines.append(f"| | | shipped, shared by all | {', '.join(Variant)} | {mixtures} | {seeds} | {shipped} |")
    for factor in (*plan.factors, *plan.extra):
        in_plan = [mixture for mixture in factor.mixtures if mixture in plan.mixtures]
        own = [seed for seed in factor.seeds if seed in plan.seeds]
        for level in factor.levels:
            variants = level.only or factor.variants
            told = (
                factor.letter,
                factor.text,
                level.text,
                ", ".join(variants),
                ", ".join(f"`{mixture}`" for mixture in in_plan),
                ", ".join(map(str, own)),
                str(len(variants) * len(in_plan) * len(own)),
            )
            lines.append(f"| {' | '.join(told)} |")
    return lines


def told(plan: Plan, journal: Journal, answers: Path) -> str:
    """The plan as it is printed before it runs."""
    todo = plan.runs()
    done = sum(journal.has(run) for run in todo)
    whole, left = minutes(plan, journal, answers)
    return "\n".join(
        [
            "the plan:",
            *arms(plan),
            f"{len(todo)} runs with seeds {', '.join(map(str, plan.seeds))}, about {whole:.0f} CPU minutes; "
            f"{done} are finished, about {left:.0f} CPU minutes are left.",
        ]
    )
