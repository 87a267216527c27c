"""What of a study is evaluated so far: a study that was interrupted is reported as far as it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from safecot_eval.util.errors import SafecotError
from safecot_training.cot.targets import Variant
from safecot_training.study.answers import Answers, read_answers
from safecot_training.study.evaluation import finished
from safecot_training.study.plan import SHIPPED, Level, Mixture, Plan, Run


@dataclass(frozen=True)
class Gathered:
    """The evaluated runs of a plan that can be compared.

    Attributes:
        plan: What was planned.
        runs: Folder of the evaluated runs.
        seeds: Per mixture the seeds with which all variants are evaluated as shipped.
        missing: Planned runs that are still to come.
    """

    plan: Plan
    runs: Path
    seeds: dict[Mixture, tuple[int, ...]]
    missing: tuple[Run, ...]

    @property
    def mixtures(self) -> tuple[Mixture, ...]:
        """Mixtures with at least one seed."""
        return tuple(mixture for mixture, seeds in self.seeds.items() if seeds)

    def seeds_of(self, variant: Variant, mixture: Mixture, level: Level) -> tuple[int, ...]:
        """The seeds with which a level is evaluated, of those with which the shipped setting is."""
        runs = {seed: self.plan.run(variant, mixture, seed, level) for seed in self.seeds[mixture]}
        return tuple(seed for seed, run in runs.items() if finished(self.runs / run.name, self.plan.task))

    def of_level(
        self, variant: Variant, mixture: Mixture, level: Level = SHIPPED, seeds: Sequence[int] | None = None
    ) -> Sequence[Answers]:
        """The answers of a level, by all seeds or the ones that are named."""
        chosen = self.seeds[mixture] if seeds is None else seeds
        names = (self.plan.run(variant, mixture, seed, level).name for seed in chosen)
        return [_read(self.runs / name, self.plan.task) for name in names]

    def answers(self, variant: Variant, mixture: Mixture, size: int) -> Sequence[Answers]:
        """The answers with the shipped setting at a size, of all seeds with which all variants have it."""
        seeds = self.seeds_at(mixture, size)
        return [_read(self.runs / self._at(variant, mixture, size, s).name, self.plan.task) for s in seeds]

    def seeds_at(self, mixture: Mixture, size: int) -> tuple[int, ...]:
        """The seeds with which all variants are evaluated at a size, of those that the full size has."""

        def whole(seed: int) -> bool:
            names = (self._at(variant, mixture, size, seed).name for variant in Variant)
            return all(finished(self.runs / name, self.plan.task) for name in names)

        return tuple(seed for seed in self.seeds[mixture] if whole(seed))

    def _at(self, variant: Variant, mixture: Mixture, size: int, seed: int) -> Run:
        return Run(variant, mixture, replace(self.plan.shipped, size=size), seed)

    def base(self) -> Answers:
        """The base's answers."""
        return _read(self.runs / "mini-base", self.plan.task)


def gather(plan: Plan, runs: Path) -> Gathered:
    """Find what is evaluated.

    Raises:
        SafecotError: no mixture is evaluated as shipped with any seed.
    """
    missing = tuple(run for run in plan.runs() if not finished(runs / run.name, plan.task))

    def whole(mixture: Mixture, seed: int) -> bool:
        return not any(plan.run(variant, mixture, seed) in missing for variant in Variant)

    seeds = {m: tuple(seed for seed in plan.seeds if whole(m, seed)) for m in plan.mixtures}
    if not any(seeds.values()):
        raise SafecotError(
            f"{runs}: no mixture is evaluated with the shipped setting yet; `make study` goes on where it stopped."
        )
    return Gathered(plan, runs, seeds, missing)


@cache
def _read(folder: Path, task: str) -> Answers:
    try:
        return read_answers(folder, task)
    except FileNotFoundError as error:
        raise SafecotError(f"{folder}: not evaluated yet; `make study` goes on where it stopped.") from error
