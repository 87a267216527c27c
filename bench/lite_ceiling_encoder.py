"""A pretrained encoder's states instead of words, for :mod:`lite_ceiling`: all-MiniLM-L6-v2, or another BERT in a folder.

The answers that are in question end in one of the common refusals; each is read once, description and refusal together, and
never trained on. What is learned is a linear reading of the states.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LONGEST = 380
LAYERS = (2, 4, 6)
BATCH = 16


def states(before: Sequence[str], last: Sequence[str], folder: Path) -> Array:
    """Mean states of the last sentence and of what stands before, three layers each, and the first token's; shape (n, 7 widths).

    Args:
        before: n answers without their last sentences; the middle is left out where it is too long.
        last: n last sentences.
        folder: Model and tokenizer, as transformers saves them.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModel.from_pretrained(folder).eval()
    read = [_tokens(tokenizer, *pair) for pair in zip(before, last, strict=True)]
    found: dict[int, Array] = {}
    order = sorted(range(len(read)), key=lambda index: len(read[index][0]))
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        width = max(len(read[index][0]) for index in batch)
        tokens = torch.tensor([read[index][0] + [0] * (width - len(read[index][0])) for index in batch])
        mask = torch.tensor([[int(place < len(read[index][0])) for place in range(width)] for index in batch])
        with torch.no_grad():
            layers = model(input_ids=tokens, attention_mask=mask, output_hidden_states=True).hidden_states
        for row, index in enumerate(batch):
            ids, of_last = read[index]
            end = len(ids) - 1
            parts = [
                part.mean(dim=0)
                for layer in LAYERS
                for part in (
                    layers[layer][row, end - of_last : end],
                    layers[layer][row, 1 : max(end - of_last, 2)],
                )
            ]
            found[index] = torch.cat([*parts, layers[LAYERS[-1]][row, 0]]).double().numpy()
    result = np.array([found[index] for index in range(len(read))])
    return np.asarray((result - result.mean(axis=0)) / (result.std(axis=0) + 1e-6))


def _tokens(tokenizer: Any, before: str, last: str) -> tuple[list[int], int]:
    """Ids with their marks, and how many are of the last sentence."""
    first, second = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (before, last))
    room = LONGEST - len(second) - 2
    if len(first) > room:
        first = first[: room // 2] + first[-(room - room // 2) :]
    return [tokenizer.cls_token_id, *first, *second, tokenizer.sep_token_id], len(second)
