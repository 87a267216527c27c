"""Less padding at the same gradient: the examples of one optimiser step are dealt to its micro-batches by length.

Random micro-batches of mixed lengths spend most of their arithmetic on padding. Which examples make an optimiser step is
decided by the seed alone, so every variant of the data, every restart and every number of processes takes the same
steps; inside a step the examples are sorted, so that a micro-batch holds examples of like length. Since the loss is a
mean over all tokens of a step, the gradient is that of the unsorted step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from torch.utils.data import Sampler

from safecot_training.sft.collator import AnswerCollator


class StepOrder(Sampler[int]):  # type: ignore[misc]
    """Example indices, ``step_size`` of them per optimiser step.

    The last step of an epoch is filled with the epoch's first examples: a short one would be filled differently by
    different numbers of processes.
    """

    def __init__(self, count: int, step_size: int, seed: int, lengths: Sequence[int] | None = None) -> None:
        """Set up.

        Args:
            count: Number of examples.
            step_size: Examples per optimiser step, over all processes and micro-batches.
            seed: Of the order.
            lengths: Tokens per example; None leaves steps unsorted.
        """
        self.count = count
        self.step_size = step_size
        self.seed = seed
        self.lengths = lengths
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each epoch, also when it resumes in the middle."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.count // self.step_size) * self.step_size

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(self.count, generator=generator).tolist()
        filled = (order * -(-len(self) // self.count))[: len(self)]
        for start in range(0, len(filled), self.step_size):
            step = filled[start : start + self.step_size]
            if self.lengths is not None:
                lengths = self.lengths
                step.sort(key=lambda index: (-lengths[index], index))
            yield from step


def token_lengths(
    collator: AnswerCollator, rows: Sequence[dict[str, Any]], image_sizes: Sequence[list[tuple[int, int]]]
) -> list[int]:
    """Tokens per example, images included; no image is decoded.

    Args:
        collator: The one that makes the batches.
        rows: Training rows.
        image_sizes: (height, width) of each row's images, in pixels.

    Returns:
        One number per row, exact to the few tokens by which a template sets several images apart.
    """
    blank = {"prompt": [{"role": "user", "content": "?"}], "completion": [{"content": "!"}], "images": []}

    def length(row: Mapping[str, Any], images: Sequence[Image.Image]) -> int:
        return int(collator.encode({**row, "images": images})["input_ids"].shape[1])

    start = length(blank, [])

    def added(size: tuple[int, int]) -> int:
        return length(blank, [Image.new("RGB", (size[1], size[0]))]) - start

    tokens = {size: added(size) for size in {size for each in image_sizes for size in each}}
    return [
        length(row, []) + sum(tokens[size] for size in each)
        for row, each in zip(rows, image_sizes, strict=True)
    ]
