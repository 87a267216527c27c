"""What the study runs: one shipped setting, and factors that change one thing of it each.

*Mixtures.* The paper's sources are collections of unsafe requests (MM-SafetyBench, MultiTrust) and general data
(ShareGPT4V). The ``unsafe`` mixture copies that: its safety half holds unsafe requests only. Other safety sets also hold
benign requests that look alike (VLGuard: 1,023 unsafe and 977 safe pictures); the ``twins`` mixture copies those: half of its
safety half are near-miss benign twins. Both are 1:1 safety:general.

*Held out of fine-tuning.* Every third category (no triplet of it; its objects do occur in general data, unless a factor
takes them out), and the style ``label``, which shows object and mark as words (no picture of it in either half).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from safecot_eval.benchmarks import mini
from safecot_training.cot.targets import Reasons, Variant
from safecot_training.sft.recipe import Drawn


class Mixture(StrEnum):
    """What the safety half holds."""

    UNSAFE = "unsafe"  # unsafe requests only
    TWINS = "twins"  # every unsafe request with its near-miss benign twin


class Objects(StrEnum):
    """Which objects the general half of fine-tuning shows."""

    ALL = "all"
    SEEN = "seen"  # those of the seen categories only


HELD_OUT_CATEGORIES = tuple(mini.world().categories)[2::3]
SEEN_CATEGORIES = tuple(name for name in mini.world().categories if name not in HELD_OUT_CATEGORIES)
HELD_OUT_STYLE = mini.Style.LABEL
SEEN_STYLES = tuple(style for style in mini.Style if style is not HELD_OUT_STYLE)
V1_AND_V2 = (Variant.V1, Variant.V2)
V1_ONLY = (Variant.V1,)
V2_ONLY = (Variant.V2,)


@dataclass(frozen=True, slots=True)
class Setting:
    """How a checkpoint is trained, apart from variant, mixture and seed; the defaults are the shipped setting.

    Attributes:
        size: Training examples, both halves together.
        steps: Optimiser steps: sizes differ in data, not in compute.
        drawn: When the wordings of templates and refusals are drawn.
        wordings: Templates per category, and refusals, that are drawn from; None for all (10 and 25).
        reasons: Which examples think.
        objects: What the general half shows.
        harm_by_words: Share of the unsafe requests that are unsafe by their words, whatever the picture shows.
    """

    size: int = 1600
    steps: int = 200
    drawn: Drawn = Drawn.EACH_EPOCH
    wordings: int | None = None
    reasons: Reasons = Reasons.ALL
    objects: Objects = Objects.ALL
    harm_by_words: float = 0.25

    def differs_from(self, other: Setting) -> tuple[str, ...]:
        """Names of what is set differently."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name))


@dataclass(frozen=True, slots=True)
class Level:
    """One value of a factor.

    Attributes:
        slug: In the names of its runs.
        text: In tables.
        changes: What it changes of the shipped setting.
        mixtures: In which data, if not in all of the factor's.
    """

    slug: str
    text: str
    changes: tuple[tuple[str, Any], ...] = ()
    mixtures: tuple[Mixture, ...] = tuple(Mixture)

    def of(self, shipped: Setting) -> Setting:
        """The setting."""
        return replace(shipped, **dict(self.changes))


SHIPPED = Level("", "shipped")


@dataclass(frozen=True, slots=True)
class Factor:
    """What is changed, and for whom.

    Attributes:
        letter: As the factors are called in tables.
        text: What it is.
        levels: Its values beside the shipped one.
        variants: Whose runs.
        mixtures: In which data.
        seeds: With which seeds, of the plan's.
    """

    letter: str
    text: str
    levels: tuple[Level, ...]
    variants: tuple[Variant, ...] = V1_AND_V2
    mixtures: tuple[Mixture, ...] = tuple(Mixture)
    seeds: tuple[int, ...] = (0, 1, 2)

    def levels_in(self, mixture: Mixture) -> tuple[Level, ...]:
        """The levels that are run in a mixture."""
        return tuple(level for level in self.levels if mixture in self.mixtures and mixture in level.mixtures)

    def cells(self) -> list[tuple[Level, Variant, Mixture]]:
        """What is run with each seed."""
        return [
            (level, variant, mixture)
            for level in self.levels
            for mixture in self.mixtures
            if mixture in level.mixtures
            for variant in self.variants
        ]


@dataclass(frozen=True, slots=True)
class Run:
    """One fine-tuning run.

    Attributes:
        variant: v0, v1 or v2.
        mixture: Which data.
        setting: How it is trained.
        seed: Of the data drawn, their order, and training.
        slug: Of its level; empty for the shipped setting.
    """

    variant: Variant
    mixture: Mixture
    setting: Setting
    seed: int
    slug: str = ""

    @property
    def name(self) -> str:
        """Folder and model name."""
        name = f"mini-{self.variant}-{self.mixture}-{self.setting.size}-s{self.seed}"
        return f"{name}-{self.slug}" if self.slug else name


@dataclass(frozen=True, slots=True)
class Arm:
    """Runs that were registered together, after the first registration.

    Attributes:
        level: Of which level.
        variants: Whose runs.
        mixtures: In which data.
        seeds: With which seeds.
    """

    level: Level
    variants: tuple[Variant, ...]
    mixtures: tuple[Mixture, ...]
    seeds: tuple[int, ...]

    def holds(self, run: Run, shipped: Setting) -> bool:
        """Whether a run is one of them."""
        return (
            (run.slug, run.setting) == (self.level.slug, self.level.of(shipped))
            and run.variant in self.variants
            and run.mixture in self.mixtures
            and run.seed in self.seeds
        )


STEPS_600 = Level("600-steps", "600 steps", (("steps", 600),))
STEPS_1000 = Level("1000-steps", "1,000 steps", (("steps", 1000),))
WORDING_1 = Level("1-wording", "1 wording", (("wordings", 1),))
WORDINGS_3 = Level("3-wordings", "3 wordings", (("wordings", 3),))
SEEN_OBJECTS = Level("seen-objects", "taken out", (("objects", Objects.SEEN),))
# In `unsafe` the safety half holds refusals only: the two levels would be the same cell.
SAFETY_THINKS = Level("reasons-safety", "safety half", (("reasons", Reasons.SAFETY),), (Mixture.TWINS,))
REFUSALS_THINK = Level("reasons-refusals", "refusals", (("reasons", Reasons.REFUSALS),))
HALF_BY_WORDS = Level("half-by-words", "a half", (("harm_by_words", 0.5),))
BOTH = Level("1-wording-1000-steps", "1 wording, 1,000 steps", (("wordings", 1), ("steps", 1000)))
FEWER = Level("", "500 examples", (("size", 500),))

FACTORS = (
    Factor("a", "steps, wordings drawn anew each epoch", (STEPS_600, STEPS_1000)),
    Factor("b", "wordings to draw from", (WORDING_1, WORDINGS_3)),
    Factor("c", "objects of held-out categories in the general half", (SEEN_OBJECTS,), V2_ONLY),
    Factor("d", "who thinks", (SAFETY_THINKS, REFUSALS_THINK)),
    Factor("e", "unsafe requests whose harm is in the words", (HALF_BY_WORDS,), V2_ONLY),
)
"""Each changes one thing of the shipped setting, which is the level that all of them share."""
PAIR = Factor("a+b", "both together, as was seen before", (BOTH,), V1_ONLY, (Mixture.TWINS,))
"""The one cell that changes two things: what was seen before the study was registered, to be seen again or not."""
DIRECTION_4 = Factor(
    "4", "training examples, as many steps (direction 4)", (FEWER,), tuple(Variant), seeds=(0, 1)
)
"""No factor: the size at which direction 4 asks for the order."""

SECOND = (
    Arm(STEPS_1000, V2_ONLY, (Mixture.TWINS,), (0, 1, 2)),
    Arm(WORDING_1, V1_AND_V2, tuple(Mixture), (2,)),
    Arm(WORDINGS_3, V1_ONLY, tuple(Mixture), (2,)),
    Arm(SAFETY_THINKS, V1_AND_V2, (Mixture.TWINS,), (2,)),
    Arm(REFUSALS_THINK, V1_AND_V2, tuple(Mixture), (2,)),
    Arm(HALF_BY_WORDS, V2_ONLY, tuple(Mixture), (2,)),
    Arm(BOTH, V1_ONLY, (Mixture.TWINS,), (2,)),
    Arm(STEPS_600, V1_AND_V2, (Mixture.UNSAFE,), (0, 1, 2)),
    Arm(STEPS_1000, V1_AND_V2, (Mixture.UNSAFE,), (0, 1, 2)),
    Arm(WORDINGS_3, V2_ONLY, tuple(Mixture), (0, 1, 2)),
    Arm(FEWER, tuple(Variant), tuple(Mixture), (0, 1)),
)
"""The second registration, in the order in which it is run: what had been cut from the first."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of everything.

    Attributes:
        shipped: The setting that factors change.
        factors: What is changed, one at a time.
        extra: Cells that are no factor's.
        later: Of all these, what was registered after the rest and is run after it, in this order.
        seeds: Seeds of the fine-tuning runs. The base is one model, as in the paper.
        mixtures: Which data.
        batch_size: Examples per step.
        eye_steps: Steps of 64 pictures for the vision encoder.
        general: General examples for the base.
        base_epochs: Passes of the base over them.
        task: The lmms-eval task.
        trained: Training requests of each kind that a checkpoint is also asked; 0 for none.
    """

    shipped: Setting = field(default_factory=Setting)
    factors: tuple[Factor, ...] = FACTORS
    extra: tuple[Factor, ...] = (PAIR, DIRECTION_4)
    later: tuple[Arm, ...] = SECOND
    seeds: tuple[int, ...] = (0, 1, 2)
    mixtures: tuple[Mixture, ...] = (Mixture.UNSAFE, Mixture.TWINS)
    batch_size: int = 16
    eye_steps: int = 1800
    general: int = 10000
    base_epochs: float = 2.5
    task: str = "safecot_mini"
    trained: int = 40

    def run(self, variant: Variant, mixture: Mixture, seed: int, level: Level = SHIPPED) -> Run:
        """One run of a level."""
        return Run(variant, mixture, level.of(self.shipped), seed, level.slug)

    def runs(self) -> list[Run]:
        """All runs, the shared cells first, one seed after the other, then what was registered later.

        What is interrupted can be reported.
        """
        found = []
        for seed in self.seeds:
            found += [self.run(v, mixture, seed) for mixture in self.mixtures for v in Variant]
            for factor in (*self.factors, *self.extra):
                if seed in factor.seeds:
                    cells = factor.cells()
                    found += [self.run(v, m, seed, level) for level, v, m in cells if m in self.mixtures]
        return sorted(found, key=self.wave)

    def wave(self, run: Run) -> int:
        """0 for a run of the first registration, else the place of its arm in the second, from 1."""
        held = (place for place, arm in enumerate(self.later, start=1) if arm.holds(run, self.shipped))
        return next(held, 0)


LONG = Plan()
SHORT = Plan(
    shipped=Setting(size=1000),
    factors=(),
    extra=(),
    seeds=(0,),
    mixtures=(Mixture.TWINS,),
    eye_steps=1500,
    base_epochs=2.0,
    trained=0,
)
