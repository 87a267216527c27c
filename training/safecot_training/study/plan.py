"""What the study runs; the report prints it, and its *Reading* tells what was changed after earlier runs.

*Mixtures.* The paper's sources are collections of unsafe requests (MM-SafetyBench, MultiTrust) and general data
(ShareGPT4V). The ``unsafe`` mixture copies that: its safety half holds unsafe requests only. Other safety sets also hold
benign requests that look alike (VLGuard: 1,023 unsafe and 977 safe pictures); the ``twins`` mixture copies those: half of its
safety half are near-miss benign twins. Both are 1:1 safety:general.

*Held out of fine-tuning.* Every third category (no triplet of it; its objects do occur in general data), and the style
``label``, which shows object and mark as words (no picture of it in either half).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from safecot_eval.benchmarks import mini
from safecot_training.cot.targets import Variant


class Mixture(StrEnum):
    """What the safety half holds."""

    UNSAFE = "unsafe"  # unsafe requests only
    TWINS = "twins"  # every unsafe request with its near-miss benign twin


HELD_OUT_CATEGORIES = tuple(mini.world().categories)[2::3]
SEEN_CATEGORIES = tuple(name for name in mini.world().categories if name not in HELD_OUT_CATEGORIES)
HELD_OUT_STYLE = mini.Style.LABEL
SEEN_STYLES = tuple(style for style in mini.Style if style is not HELD_OUT_STYLE)


@dataclass(frozen=True, slots=True)
class Run:
    """One fine-tuning run.

    Attributes:
        variant: v0, v1 or v2.
        mixture: Which data.
        size: Training examples, both halves together.
        seed: Of the data drawn, their order, and training.
    """

    variant: Variant
    mixture: Mixture
    size: int
    seed: int

    @property
    def name(self) -> str:
        """Folder and model name."""
        return f"mini-{self.variant}-{self.mixture}-{self.size}-s{self.seed}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of everything.

    Attributes:
        sizes: Nested data sizes; the last is the full set.
        seeds: Seeds of the fine-tuning runs. The base is one model, as in the paper.
        mixtures: The first is run at all sizes, the others at the two largest.
        steps: Optimiser steps of every run: the sizes differ in data, not in compute.
        batch_size: Examples per step.
        eye_steps: Steps of 64 pictures for the vision encoder.
        general: General examples for the base.
        base_epochs: Passes of the base over them.
        task: The lmms-eval task.
    """

    sizes: tuple[int, ...] = (100, 200, 500, 1600)
    seeds: tuple[int, ...] = (0, 1, 2)
    mixtures: tuple[Mixture, ...] = (Mixture.UNSAFE, Mixture.TWINS)
    steps: int = 200
    batch_size: int = 16
    eye_steps: int = 1800
    general: int = 10000
    base_epochs: float = 2.5
    task: str = "safecot_mini"

    @property
    def full(self) -> int:
        """The full size."""
        return self.sizes[-1]

    def sizes_of(self, mixture: Mixture) -> tuple[int, ...]:
        """Sizes at which a mixture is run."""
        return self.sizes if mixture is self.mixtures[0] else self.sizes[-2:]

    def runs(self) -> list[Run]:
        """All runs, from large to small, one seed after the other: what is interrupted can be reported."""
        cells = [(m, size, seed) for m in self.mixtures for size in self.sizes_of(m) for seed in self.seeds]
        cells.sort(key=lambda cell: (-cell[1], cell[2]))
        return [Run(variant, mixture, size, seed) for mixture, size, seed in cells for variant in Variant]


LONG = Plan()
SHORT = Plan(sizes=(1000,), seeds=(0,), mixtures=(Mixture.TWINS,), eye_steps=1500, base_epochs=2.0)
