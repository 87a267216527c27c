"""What of a study is evaluated so far: a study that was interrupted is reported as far as it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from safecot_eval.util.errors import SafecotError
from safecot_training.cot.targets import Variant
from safecot_training.study.answers import Answers, read_answers
from safecot_training.study.evaluation import finished
from safecot_training.study.plan import Mixture, Plan, Run


@dataclass(frozen=True)
class Gathered:
    """The evaluated runs of a plan that can be compared.

    Attributes:
        plan: What was planned.
        runs: Folder of the evaluated runs.
        seeds: Per mixture the seeds with which all variants are evaluated at full size.
        sizes: Per mixture the sizes at which all variants are evaluated with all these seeds.
        missing: Planned runs that are still to come.
    """

    plan: Plan
    runs: Path
    seeds: dict[Mixture, tuple[int, ...]]
    sizes: dict[Mixture, tuple[int, ...]]
    missing: tuple[Run, ...]

    @property
    def mixtures(self) -> tuple[Mixture, ...]:
        """Mixtures with at least one seed."""
        return tuple(mixture for mixture, seeds in self.seeds.items() if seeds)

    def answers(self, variant: Variant, mixture: Mixture, size: int) -> Sequence[Answers]:
        """The answers of all seeds."""
        names = (Run(variant, mixture, size, seed).name for seed in self.seeds[mixture])
        return [_read(self.runs / name, self.plan.task) for name in names]

    def base(self) -> Answers:
        """The base's answers."""
        return _read(self.runs / "mini-base", self.plan.task)


def gather(plan: Plan, runs: Path) -> Gathered:
    """Find what is evaluated.

    Raises:
        SafecotError: no mixture is evaluated at full size with any seed.
    """
    missing = tuple(run for run in plan.runs() if not finished(runs / run.name, plan.task))

    def whole(mixture: Mixture, size: int, seeds: tuple[int, ...]) -> bool:
        return not any(Run(v, mixture, size, seed) in missing for v in Variant for seed in seeds)

    seeds = {m: tuple(seed for seed in plan.seeds if whole(m, plan.full, (seed,))) for m in plan.mixtures}
    if not any(seeds.values()):
        raise SafecotError(
            f"{runs}: no mixture is evaluated at full size yet; `make study` goes on where it stopped."
        )
    sizes = {m: tuple(size for size in plan.sizes_of(m) if whole(m, size, seeds[m])) for m in plan.mixtures}
    return Gathered(plan, runs, seeds, sizes, missing)


@cache
def _read(folder: Path, task: str) -> Answers:
    try:
        return read_answers(folder, task)
    except FileNotFoundError as error:
        raise SafecotError(f"{folder}: not evaluated yet; `make study` goes on where it stopped.") from error
