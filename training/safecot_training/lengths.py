"""Batches of like length, reproducibly: less padding, the same order after every restart and on every number of processes.

Random batches of mixed lengths spend most of their arithmetic on padding. Here the examples of an epoch are shuffled,
cut into blocks of several batches, sorted by length inside a block, and the batches are shuffled again. All batches of
one optimiser step, over all processes, are neighbours in length, so no process waits for another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from PIL import Image
from torch.utils.data import Sampler

BLOCK_STEPS = 16


class LengthGroupedSampler(Sampler[int]):  # type: ignore[misc]
    """Indices in an order that depends on the seed and the epoch only."""

    def __init__(self, lengths: Sequence[int], step_size: int, seed: int) -> None:
        """Set up.

        Args:
            lengths: Tokens per example.
            step_size: Examples per optimiser step over all processes.
            seed: Of the order.
        """
        self.lengths = list(lengths)
        self.step_size = step_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each epoch, also when it resumes in the middle."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(self.lengths), generator=generator).tolist()
        block = self.step_size * BLOCK_STEPS
        grouped: list[int] = []
        for start in range(0, len(order), block):
            grouped += sorted(order[start : start + block], key=lambda index: -self.lengths[index])
        steps = [grouped[start : start + self.step_size] for start in range(0, len(grouped), self.step_size)]
        whole = [step for step in steps if len(step) == self.step_size]
        rest = [index for step in steps if len(step) < self.step_size for index in step]
        for position in torch.randperm(len(whole), generator=generator).tolist():
            yield from whole[position]
        yield from rest


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
    encoded = processor.apply_chat_template([turn], tokenize=True, return_dict=True, return_tensors="pt")
    return int(encoded["input_ids"].shape[1])
