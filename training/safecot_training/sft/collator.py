"""Batches of training examples: prompt and answer joined, rows padded, images of any number beside rows without one.

TRL's own collator renders the answer through the chat template and the processor. That puts a second beginning before it
(mllama), leaves the attention to images without rows for it (mllama), and lets the processor refuse rows without an
image beside rows with one. Here every row is encoded alone and joined with the others afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from safecot_eval.benchmarks.images import open_image
from safecot_training.cot.targets import completion_of
from safecot_training.sft.turns import AnswerShape, answer_tokens, prompt_inputs

IGNORED = -100
_IMAGE_ATTENTION = "cross_attention_mask"
"""Which of its images a token sees, in models that attend to them instead of reading them as tokens (mllama)."""


@dataclass
class AnswerCollator:
    """From rows with ``prompt``, ``completion`` and ``images`` (files, or pictures) to a batch.

    Attributes:
        processor: Of the base.
        shape: What stands around an answer.
        seed: Of the draw of wordings.
        epoch: The current pass over the data; each draws its own wordings, and None the ones that the file shows.
    """

    processor: Any
    shape: AnswerShape
    seed: int = 0
    epoch: int | None = None

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Encode and join.

        Returns:
            ``input_ids``, ``attention_mask`` and ``labels`` of shape (rows, tokens), padded on the right; ``labels`` is
            -100 everywhere but on the answer and its end; and the processor's image tensors.
        """
        return join([self.encode(row) for row in rows], self.processor.tokenizer.pad_token_id)

    def encode(self, row: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """Tensors of one row, each with one row or one entry per image."""
        return self.answered(self.asked(row), completion_of(row, self.seed, self.epoch))

    def asked(self, row: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """Tensors of one row's prompt and images."""
        images = [open_image(Path(image)) if isinstance(image, str) else image for image in row["images"]]
        inputs = dict(prompt_inputs(self.processor, row["prompt"], images))
        # Llama 4's processor gives bfloat16, which whole models in float32 do not take; others are cast where they are used
        return {key: value.float() if value.is_floating_point() else value for key, value in inputs.items()}

    def answered(self, inputs: Mapping[str, torch.Tensor], text: str) -> dict[str, torch.Tensor]:
        """Tensors of a prompt with an answer to it, and ``labels``; one prompt may get several answers."""
        answer = answer_tokens(self.processor.tokenizer, self.shape, text)
        prompt = inputs["input_ids"]
        ids = torch.cat((prompt, torch.tensor([answer], dtype=prompt.dtype)), dim=1)
        labels = ids.clone()
        labels[:, : prompt.shape[1]] = IGNORED
        longer = {
            key: _extended(key, value, prompt.shape[1], len(answer))
            for key, value in inputs.items()
            if key not in ("input_ids", "attention_mask")
        }
        return {**longer, "input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


def _extended(key: str, value: torch.Tensor, prompt: int, answer: int) -> torch.Tensor:
    """A tensor with an entry per token, made as long as prompt and answer; any other as it is."""
    if key == _IMAGE_ATTENTION:  # an answer sees the images that the last token of its prompt sees
        return torch.cat((value, value[:, -1:].expand(-1, answer, -1, -1)), dim=1)
    if _per_token(value, prompt):
        return torch.cat((value, value.new_zeros(1, answer)), dim=1)
    return value


def _per_token(value: torch.Tensor, tokens: int) -> bool:
    return value.shape == (1, tokens) and not torch.is_floating_point(value)


def join(rows: Sequence[Mapping[str, torch.Tensor]], pad_token: int) -> dict[str, torch.Tensor]:
    """Pad encoded rows on the right and stack them.

    A tensor is one row's where it has a row per example (all text, and the images of Idefics3 and mllama): there, a row
    without an image gets an empty one. Otherwise it has an entry per image (LLaVA) or patch (Qwen-VL), and a row without an
    image adds none.
    """
    batch = {}
    for key in sorted({key for row in rows for key in row}):
        values = [row[key] for row in rows if key in row]
        width = [max(sizes) for sizes in zip(*(value.shape[1:] for value in values), strict=True)]
        if key == _IMAGE_ATTENTION:  # rows without it have tokens, too, and may have more
            width[0] = max(row["input_ids"].shape[1] for row in rows)
        if len(values) < len(rows) and _one_per_row(key, rows):
            empty = values[0].new_zeros(1, *width)
            values = [row.get(key, _unseen(key, empty)) for row in rows]
        padding = {"input_ids": pad_token, "labels": IGNORED}.get(key, 0)
        batch[key] = torch.cat([_padded(value, width, padding) for value in values])
    return batch


def _one_per_row(key: str, rows: Sequence[Mapping[str, torch.Tensor]]) -> bool:
    """Whether the processor packs all images of an example into one row.

    It shows on an example with several images, and otherwise on the number of dimensions: (1, images, …) has one more
    than (images, channels, height, width), and its companions are as those of mllama and Idefics3.
    """
    keys = {key for row in rows for key in row}
    return _IMAGE_ATTENTION in keys or "pixel_attention_mask" in keys


def _unseen(key: str, empty: torch.Tensor) -> torch.Tensor:
    if key == "aspect_ratio_mask":  # an image of no tile at all would be a division by nothing
        empty = empty.clone()
        empty[..., 0] = 1
    return empty


def _padded(value: torch.Tensor, width: Sequence[int], padding: int) -> torch.Tensor:
    missing = [wanted - given for wanted, given in zip(width, value.shape[1:], strict=True)]
    if not any(missing):
        return value
    sides = [side for amount in reversed(missing) for side in (0, amount)]
    return torch.nn.functional.pad(value, sides, value=padding)


def by_image_count(batch: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Split a batch of a model that attends to its images into batches of rows with equally many, none first.

    There, a token that sees no image attends to all of them alike, padding included, so that a row's numbers would depend
    on the rows beside it. A batch of any other model stays whole.
    """
    if _IMAGE_ATTENTION not in batch:
        return [dict(batch)]
    counts = (batch["aspect_ratio_ids"] > 0).sum(dim=1)
    parts = []
    for count in counts.unique(sorted=True).tolist():
        rows = counts == count
        part = {key: value[rows] for key, value in batch.items()}
        for key in ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask"):
            part[key] = part[key][:, :count]
        part[_IMAGE_ATTENTION] = part[_IMAGE_ATTENTION][:, :, :count]
        if not count:
            for key in ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask", _IMAGE_ATTENTION):
                del part[key]
        parts.append(part)
    return parts
