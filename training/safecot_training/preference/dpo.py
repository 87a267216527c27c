"""TRL's DPOTrainer on our batches: prompt and answers encoded as the model will be asked, as in SFT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from trl import DPOConfig, DPOTrainer

from safecot_training.preference.batches import AnswersCollator
from safecot_training.preference.referenced import build_referenced_trainer
from safecot_training.sft.recipe import Recipe
from safecot_training.sft.trainer import Resumable, common_arguments


class PairCollator(AnswersCollator):
    """From rows with ``rejected`` to a batch: all chosen answers, then all rejected ones."""

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Encode and join.

        Returns:
            ``input_ids``, ``attention_mask`` and ``completion_mask`` of shape (2 rows, tokens), and the image tensors.
        """
        prompts = [self.single.asked(row) for row in rows]
        rejected = [str(row["rejected"]) for row in rows]
        return self.joined((*prompts, *prompts), (*self.targets(rows), *rejected))


class PreferenceTrainer(Resumable, DPOTrainer):  # type: ignore[misc]
    """DPOTrainer that resumes as ours do."""


build_preference_trainer = partial(build_referenced_trainer, PreferenceTrainer, PairCollator)
"""See :func:`safecot_training.preference.referenced.build_referenced_trainer`."""


def preference_arguments(recipe: Recipe, out: Any) -> Any:
    """TRL's configuration of DPO."""
    return DPOConfig(**common_arguments(recipe, out), beta=recipe.bond, max_length=None)
