"""Less padding at the same gradient: the examples of one optimiser step are dealt to its micro-batches by length.

Random micro-batches of mixed lengths spend most of their arithmetic on padding. Which examples make an optimiser step is
decided by the seed alone, so every variant of the data, every restart and every number of processes takes the same
steps; inside a step the examples are sorted, so that a micro-batch holds examples of like length. Since the loss is a
mean over all tokens of a step, the gradient is that of the unsorted step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from PIL import Image
from torch.utils.data import Sampler


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
    processor: Any, rows: Sequence[dict[str, Any]], image_sizes: Sequence[list[tuple[int, int]]]
) -> list[int]:
    """Tokens per example, images included.

    Args:
        processor: The model's.
        rows: Training rows.
        image_sizes: (height, width) of each row's images, in pixels.

    Returns:
        One number per row, exact to the few tokens of the chat template.
    """
    texts = [row["prompt"][0]["content"] + "\n" + row["completion"][0]["content"] for row in rows]
    encoded = processor.tokenizer(texts, add_special_tokens=False)["input_ids"]
    tokens = {
        size: _image_tokens(processor, size) for size in {size for each in image_sizes for size in each}
    }
    return [
        len(ids) + sum(tokens[size] for size in each) for ids, each in zip(encoded, image_sizes, strict=True)
    ]


def _image_tokens(processor: Any, size: tuple[int, int]) -> int:
    """Tokens of one user turn that holds a blank image of this size and nothing else."""
    image = Image.new("RGB", (size[1], size[0]))
    turn = {"role": "user", "content": [{"type": "image", "image": image}]}
    encoded = processor.apply_chat_template(
        [turn], tokenize=True, return_dict=True, processor_kwargs={"return_tensors": "pt"}
    )
    return int(encoded["input_ids"].shape[1])
