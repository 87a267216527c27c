"""TRL's DPOTrainer on our batches: prompt and answers encoded as the model will be asked, as in SFT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from trl import DPOConfig, DPOTrainer

from safecot_training.preference.batches import AnswersCollator, require_computable
from safecot_training.sft.collator import AnswerCollator
from safecot_training.sft.families import Family
from safecot_training.sft.loading import load_model, resumes_here
from safecot_training.sft.recipe import Method, Recipe
from safecot_training.sft.trainer import Resumable, adapter_config, callbacks, common_arguments


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


def build_preference_trainer(
    recipe: Recipe,
    arguments: Any,
    model: Any,
    collator: AnswerCollator,
    dataset: Any,
    family: Family,
    validation: Any = None,
) -> PreferenceTrainer:
    """Set up the trainer; the reference is the base as it was loaded (for adapters, without the adapter).

    Raises:
        SafecotError: an architecture that cannot be trained so.
    """
    require_computable(recipe, model)
    reference = load_model(recipe, family) if recipe.method is Method.FULL else None
    trainer = PreferenceTrainer(
        model=model,
        ref_model=reference,
        args=arguments,
        train_dataset=dataset,
        eval_dataset=validation,
        processing_class=collator.processor,
        data_collator=PairCollator(collator),
        peft_config=adapter_config(recipe, family),
        callbacks=callbacks(recipe),
    )
    trainer.settle(weights_are_loaded=resumes_here(recipe))
    return trainer


def preference_arguments(recipe: Recipe, out: Any) -> Any:
    """TRL's configuration of DPO."""
    return DPOConfig(**common_arguments(recipe, out), beta=recipe.bond, max_length=None)
