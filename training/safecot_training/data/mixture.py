"""Split by source question, mix safety and general data, and order them so that every prefix is a smaller data set.

The order is the whole trick: examples alternate between the halves at the wanted ratio, and within the safety half
categories and expectations take turns. The first N lines are therefore a balanced data set of size N, the 100 are inside
the 200, and no subset files are needed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.wording import agreeing, counted
from safecot_training.data.examples import Example, stable_unit

_T = TypeVar("_T")


def is_held_out(cluster_id: str, fraction: float, seed: int) -> bool:
    """Whether a source question is kept for evaluation: a property of its id alone, not of the rest of the data.

    >>> sum(is_held_out(f"q{i}", 0.3, 0) for i in range(1000)) in range(260, 340)
    True
    """
    return stable_unit("holdout", seed, cluster_id) < fraction


def split_by_question(
    examples: Iterable[Example], fraction: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """Split into (train, held out); variants of one question always stay together."""
    train: list[Example] = []
    held_out: list[Example] = []
    for example in examples:
        (held_out if is_held_out(example.cluster_id, fraction, seed) else train).append(example)
    return train, held_out


def balanced_order(examples: Iterable[Example], seed: int) -> list[Example]:
    """Shuffle by seed, then let the groups (category, expectation) take turns.

    A group that is used up drops out, so the tail holds what the larger groups have left. The order is a function of
    the examples' ids and the seed, not of the order they were read in.
    """
    groups: dict[tuple[str, str], list[Example]] = defaultdict(list)
    for example in examples:
        groups[(example.category, example.expectation.value)].append(example)
    ranked: list[tuple[int, float, Example]] = []
    for key, members in groups.items():
        members.sort(key=lambda example: stable_unit("order", seed, example.example_id))
        ranked.extend(
            (turn, stable_unit("turn", seed, turn, key), member) for turn, member in enumerate(members)
        )
    return [example for _, _, example in sorted(ranked, key=lambda entry: (entry[0], entry[1]))]


def shuffled(rows: Sequence[_T], seed: int) -> list[_T]:
    """The order of ``datasets.Dataset.shuffle(seed)``.

    >>> shuffled("abcdef", 42)
    ['d', 'c', 'f', 'e', 'b', 'a']
    """
    return [rows[index] for index in np.random.default_rng(seed).permutation(len(rows))]


def mix(
    safety: Sequence[Example],
    general: Sequence[Example],
    *,
    ratio: tuple[int, int] = (1, 1),
    size: int | None = None,
    seed: int = 0,
    order: Callable[[Sequence[Example], int], list[Example]] = balanced_order,
) -> list[Example]:
    """Interleave the halves at a ratio.

    Args:
        safety: Safety half, any order.
        general: General half, any order.
        ratio: Safety parts and general parts; (1, 1) is the paper's mixture.
        size: Total number of examples; None takes as many as the ratio allows without repeating any.
        seed: Of the order.
        order: Orders one half; balanced over categories and expectations by default.

    Returns:
        Every prefix holds the ratio to within one example.

    Raises:
        SafecotError: a half is too small for the size.
    """
    parts_safety, parts_general = ratio
    if min(ratio) < 0 or sum(ratio) == 0:
        raise SafecotError(f"The ratio {parts_safety}:{parts_general} is not one; give e.g. 1:1 or 1:0.")
    share = parts_safety / sum(ratio)
    attainable = min(
        int(len(half) / part) if part else len(safety) + len(general)
        for half, part in ((safety, share), (general, 1 - share))
    )
    if size is None:
        size = attainable
    for half, part, name in ((safety, share, "safety"), (general, 1 - share, "general")):
        if part and not half:
            raise SafecotError(
                f"No example is left for the {name} half of {parts_safety}:{parts_general}: its sources hold none that can be "
                "trained on (of a benchmark, items to refuse), or all were held out, dropped or taken out as contaminated."
            )
    if size > attainable or size == 0:
        raise SafecotError(
            f"{counted(size, 'example')} at {parts_safety}:{parts_general} {agreeing(size, 'needs', 'need')} more than the {len(safety)} safety and "
            f"{counted(len(general), 'general example')} that are left; at most {attainable} {agreeing(attainable, 'is', 'are')} possible."
        )
    halves = (iter(order(safety, seed)), iter(order(general, seed)))
    mixed: list[Example] = []
    taken = 0
    for position in range(size):
        wants_safety = round((position + 1) * share) > taken
        taken += wants_safety
        mixed.append(next(halves[0] if wants_safety else halves[1]))
    return mixed
