"""What a recipe minimises, and the rewards of those that sample their own answers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from safecot_eval.util.settings import Settings
from safecot_training.sft.recipe_types import Number


class Objective(StrEnum):
    """What is minimised."""

    SFT = "sft"
    DPO = "dpo"
    KTO = "kto"
    GRPO = "grpo"


class Evaluator(StrEnum):
    """Who says whether a sampled answer refuses."""

    PHRASES = "phrases"
    LITE = "lite"  # safecot-lite, the embedded classifier
    JUDGE = "judge"  # a model behind an OpenAI-compatible endpoint


class RewardSettings(Settings):
    """GRPO's rewards (:mod:`safecot_training.preference.rewards`): a weight each, 0 for none, and who reads the answers.

    Attributes:
        expectation: Weight of doing what is expected.
        format: Weight of thought and answer standing where the data have them.
        acceptance: Weight of being of use where an answer is expected.
        by: ``phrases``, ``lite`` or ``judge``.
        judge_url: Of the judge; $SAFECOT_JUDGE_URL by default. Its key is in $SAFECOT_JUDGE_KEY.
        judge_model: Its model; the first that it lists by default.
    """

    what: ClassVar[str] = "rewards"

    expectation: Annotated[Number, Field(ge=0)] = 1.0
    format: Annotated[Number, Field(ge=0)] = 0.5
    acceptance: Annotated[Number, Field(ge=0)] = 0.5
    by: Evaluator = Evaluator.PHRASES
    judge_url: str = ""
    judge_model: str = ""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not any(self.weights.values()):
            raise ValueError("one of 'expectation', 'format' and 'acceptance' should be above 0")
        return self

    @property
    def weights(self) -> dict[str, float]:
        """Weight by reward."""
        return {"expectation": self.expectation, "format": self.format, "acceptance": self.acceptance}
