"""What DPO and KTO share: a trainer of TRL that keeps a model near its base, the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from safecot_training.preference.batches import AnswersCollator, require_computable
from safecot_training.sft.collator import AnswerCollator
from safecot_training.sft.families import Family
from safecot_training.sft.loading import load_model, resumes_here
from safecot_training.sft.recipe import Method, Recipe
from safecot_training.sft.trainer import adapter_config, callbacks


def build_referenced_trainer(
    kind: Callable[..., Any],
    batches: type[AnswersCollator],
    recipe: Recipe,
    arguments: Any,
    model: Any,
    collator: AnswerCollator,
    dataset: Any,
    family: Family,
    validation: Any = None,
) -> Any:
    """Set up a trainer; the reference is the base as it was loaded (for adapters, without the adapter).

    Args:
        kind: The trainer.
        batches: Its collator.
        recipe: What to do.
        arguments: Its configuration.
        model: The loaded base.
        collator: Encodes one row with one answer.
        dataset: Rows with what the collator needs.
        family: Names of the base's parts.
        validation: Rows to measure the loss on; None for none.

    Raises:
        SafecotError: an architecture that cannot be trained so.
    """
    require_computable(recipe, model)
    trainer = kind(
        model=model,
        ref_model=load_model(recipe, family) if recipe.method is Method.FULL else None,
        args=arguments,
        train_dataset=dataset,
        eval_dataset=validation,
        processing_class=collator.processor,
        data_collator=batches(collator),
        peft_config=adapter_config(recipe, family),
        callbacks=callbacks(recipe),
    )
    trainer.settle(weights_are_loaded=resumes_here(recipe))
    return trainer
