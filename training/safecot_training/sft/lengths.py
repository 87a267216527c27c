"""How long each example is, before anything is trained: to sort by, and to refuse what is too long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from safecot_eval.util.errors import SafecotError
from safecot_training.cot.targets import longest
from safecot_training.sft.collator import AnswerCollator


def token_lengths(
    collator: AnswerCollator, rows: Sequence[dict[str, Any]], image_sizes: Sequence[list[tuple[int, int]]]
) -> list[int]:
    """Tokens per example, images included; no image is decoded.

    Args:
        collator: The one that makes the batches.
        rows: Training rows.
        image_sizes: (height, width) of each row's images, in pixels.

    Returns:
        One number per row, for its longest wording, exact to the few tokens by which a template sets several images apart.

    Raises:
        SafecotError: the processor cannot take a picture of such a size.
    """
    blank = {"prompt": [{"role": "user", "content": "?"}], "completion": [{"content": "!"}], "images": []}

    def length(row: Mapping[str, Any], images: Sequence[Image.Image]) -> int:
        shown = {"prompt": row["prompt"], "completion": [{"content": longest(row)}], "images": images}
        return int(collator.encode(shown)["input_ids"].shape[1])

    start = length(blank, [])

    def added(size: tuple[int, int]) -> int:
        return length(blank, [Image.new("RGB", (size[1], size[0]))]) - start

    owner = {size: row["id"] for row, each in zip(rows, image_sizes, strict=True) for size in each}
    tokens = {}
    for size, sample in owner.items():
        try:
            tokens[size] = added(size)
        except (ValueError, ZeroDivisionError) as error:  # a strip that the processor does not take
            reason = " ".join(str(error).split())[:200]
            raise SafecotError(
                f"Sample {sample}: the base's processor cannot take its picture of {size[1]} x {size[0]} pixels ({reason}); "
                "take it out, or scale it."
            ) from error
    return [
        length(row, []) + sum(tokens[size] for size in each)
        for row, each in zip(rows, image_sizes, strict=True)
    ]
