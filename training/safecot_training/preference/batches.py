"""Batches in which one prompt has several answers, encoded as the model will be asked, as in SFT."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from safecot_eval.util.errors import SafecotError
from safecot_training.cot.targets import completion_of
from safecot_training.sft.collator import IGNORED, AnswerCollator, join
from safecot_training.sft.recipe import Recipe

NOT_BY_TRL = {
    "mllama": "computes rows by their number of images, and TRL's {} trainer a batch at once",
    "llama4": "has its hidden states elsewhere than TRL's {} trainer looks for them",
}
"""Architectures that TRL's trainers of preferences cannot compute, and why."""


@dataclass
class AnswersCollator:
    """What the collators of preference tuning share.

    Attributes:
        single: Encodes one row with one answer.
    """

    single: AnswerCollator

    @property
    def processor(self) -> Any:
        """Of the base."""
        return self.single.processor

    @property
    def shape(self) -> Any:
        """What stands around an answer."""
        return self.single.shape

    @property
    def epoch(self) -> int | None:
        """The current pass over the data."""
        return self.single.epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self.single.epoch = epoch

    def targets(self, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """The answer of each row, in the wording of this epoch."""
        return [completion_of(row, self.single.seed, self.single.epoch) for row in rows]

    def joined(
        self, prompts: Sequence[Mapping[str, torch.Tensor]], answers: Sequence[str]
    ) -> dict[str, torch.Tensor]:
        """A batch of encoded prompts with an answer each, in TRL's words.

        Returns:
            ``input_ids``, ``attention_mask`` and ``completion_mask`` of shape (answers, tokens), and the image tensors.
        """
        encoded = [
            self.single.answered(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)
        ]
        batch = join(encoded, self.processor.tokenizer.pad_token_id)
        batch["completion_mask"] = (batch.pop("labels") != IGNORED).long()
        return batch


def require_computable(recipe: Recipe, model: Any) -> None:
    """Refuse an architecture that TRL's trainers of preferences cannot compute.

    Raises:
        SafecotError: with the reason.
    """
    kind = model.config.model_type
    if kind in NOT_BY_TRL:
        reason = NOT_BY_TRL[kind].format(recipe.objective.name)
        raise SafecotError(f"{recipe.base_model}: {kind} {reason}; tune it with `safecot train sft`.")
