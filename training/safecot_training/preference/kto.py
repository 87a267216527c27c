"""TRL's KTOTrainer on our batches: answers that are wanted and answers that are not, unpaired (Ethayarajh et al., 2402.01306)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.utils.data import Sampler
from trl import KTOConfig, KTOTrainer

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.wording import counted
from safecot_training.preference.batches import AnswersCollator
from safecot_training.preference.referenced import build_referenced_trainer
from safecot_training.sft.recipe import Recipe
from safecot_training.sft.trainer import Resumable, common_arguments

_OF_TOKENS = ("input_ids", "attention_mask", "completion_mask", "token_type_ids", "mm_token_type_ids")


class LabelCollator(AnswersCollator):
    """From rows with ``desirable`` to a batch, with the mismatched answers that KTO's reference point is estimated from."""

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Encode and join.

        Returns:
            ``input_ids``, ``attention_mask`` and ``completion_mask`` of shape (rows, tokens), the image tensors, ``label`` of
            shape (rows,), and under ``KL_…`` the same prompts with the answer of the row before.
        """
        prompts = [self.single.asked(row) for row in rows]
        answers = self.targets(rows)
        batch = self.joined(prompts, answers)
        mismatched = self.joined(prompts, [answers[-1], *answers[:-1]])
        batch |= {f"KL_{key}": mismatched[key] for key in _OF_TOKENS if key in mismatched}
        batch["label"] = torch.tensor([bool(row["desirable"]) for row in rows])
        return batch


class ShuffledEpochs(Sampler[int]):  # type: ignore[misc]
    """Every epoch in an order of its own, by seed and epoch: the same after an interruption.

    A last batch of one answer is left out: its mismatched answer would be its own.
    """

    def __init__(self, size: int, seed: int, batch_size: int) -> None:
        self.total, self.seed, self.epoch = size, seed, 0
        self.size = size - (size % batch_size == 1)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        return iter(torch.randperm(self.total, generator=generator)[: self.size].tolist())


class UnpairedTrainer(Resumable, KTOTrainer):  # type: ignore[misc]
    """KTOTrainer that resumes as ours do.

    TRL takes rows in the file's order, because for texts it fixes each row's mismatched neighbour beforehand. Our collator
    does so per batch, as TRL's own for pictures, so that each epoch can have an order of its own.
    """

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        rows = self.train_dataset if train_dataset is None else train_dataset
        self._sampler = ShuffledEpochs(len(rows), self.args.data_seed, self.args.per_device_train_batch_size)
        return self._sampler


def build_unpaired_trainer(
    recipe: Recipe,
    arguments: Any,
    model: Any,
    collator: Any,
    dataset: Any,
    family: Any,
    validation: Any = None,
) -> UnpairedTrainer:
    """Set up the trainer; see :func:`safecot_training.preference.referenced.build_referenced_trainer`.

    Raises:
        SafecotError: an architecture that cannot be trained so, or fewer rows than a batch.
    """
    if len(dataset) < recipe.batch_size:
        raise SafecotError(
            f"{recipe.data}: {counted(len(dataset), 'labelled answer')}, fewer than batch_size: {recipe.batch_size}; lower it."
        )
    # TRL would take rows with 'rejected' for pairs
    single, held = (part and part.remove_columns("rejected") for part in (dataset, validation))
    trainer: UnpairedTrainer = build_referenced_trainer(
        UnpairedTrainer, LabelCollator, recipe, arguments, model, collator, single, family, held
    )
    return trainer


def unpaired_arguments(recipe: Recipe, out: Any) -> Any:
    """TRL's configuration of KTO."""
    return KTOConfig(
        **{
            **common_arguments(recipe, out),
            "train_sampling_strategy": "sequential",
            "per_device_eval_batch_size": recipe.batch_size,
        },
        beta=recipe.bond,
        desirable_weight=recipe.desirable_weight,
        undesirable_weight=recipe.undesirable_weight,
        max_length=None,
    )
