"""TRL's DPOTrainer on our batches: prompt and answers encoded as the model will be asked, as in SFT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from trl import DPOConfig, DPOTrainer

from safecot_eval.util.errors import SafecotError
from safecot_training.cot.targets import completion_of
from safecot_training.sft.collator import IGNORED, AnswerCollator, join
from safecot_training.sft.families import Family
from safecot_training.sft.loading import load_model, resumes_here
from safecot_training.sft.recipe import Method, Recipe
from safecot_training.sft.trainer import Resumable, adapter_config, callbacks, common_arguments

BY_IMAGE_COUNT = ("mllama",)
"""Architectures whose rows are computed by their number of images, which TRL's halves of a batch do not allow."""


@dataclass
class PairCollator:
    """From rows with ``rejected`` to a batch: all chosen answers, then all rejected ones.

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

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Encode and join.

        Returns:
            ``input_ids``, ``attention_mask`` and ``completion_mask`` of shape (2 rows, tokens), and the image tensors.
        """
        chosen = [completion_of(row, self.single.seed, self.single.epoch) for row in rows]
        rejected = [str(row["rejected"]) for row in rows]
        encoded = [
            self.single.encode(
                {"prompt": row["prompt"], "images": row["images"], "completion": [{"content": text}]}
            )
            for texts in (chosen, rejected)
            for row, text in zip(rows, texts, strict=True)
        ]
        batch = join(encoded, self.processor.tokenizer.pad_token_id)
        batch["completion_mask"] = (batch.pop("labels") != IGNORED).long()
        return batch


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
    if model.config.model_type in BY_IMAGE_COUNT:
        raise SafecotError(
            f"{recipe.base_model}: {model.config.model_type} computes rows by their number of images, and DPO its batches in "
            "halves; tune it with `safecot train sft`."
        )
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
    return DPOConfig(**common_arguments(recipe, out), beta=recipe.beta, max_length=None)
