"""Deal an optimiser step's examples to its micro-batches so that the least is padded."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from transformers.trainer_pt_utils import BatchRebalanceSampler

_MOST = 2**28
"""Comparisons that a step may take (a second or so); beyond, transformers' search is as good."""
_STEPS = 8
"""Steps by which it is judged what smaller micro-batches spare."""
_WORTHWHILE = 0.05
"""Share of the padded tokens that smaller micro-batches have to spare: each costs a start of the model."""


class LeastPadding(BatchRebalanceSampler):  # type: ignore[misc]
    """transformers' sampler for one process.

    Its search makes micro-batches cost alike, so that processes do not wait for each other. One process waits for nobody: the
    sizes of its micro-batches are those with the fewest padded tokens, and none is larger than ``batch_size`` of the step's
    longest, which a random one may need as well. Which examples make a step is as before, but that none is repeated where the
    epoch's last step has fewer examples than micro-batches: it then has fewer micro-batches.
    """

    @classmethod
    def like(cls, sampler: BatchRebalanceSampler) -> LeastPadding:
        """The same steps in other micro-batches."""
        return cls(
            sampler.lengths, sampler.effective_batch_size, sampler.dp_size, sampler.grad_accum, sampler.shuffle,
            sampler.seed, sampler.rank, sampler.drop_last,
        )  # fmt: skip

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        self.has_tail = False  # only says whether the last step is filled up with repeated examples

    def __len__(self) -> int:
        rest = self.remainder if self.num_global_batches > self.num_full_batches else 0
        return int(self.num_full_batches * self.grad_accum + min(rest, self.grad_accum))

    def _yield_global_batch(self, batch_indices: list[int]) -> Iterator[list[int]]:
        pairs = sorted(((i, self.lengths[i]) for i in batch_indices), key=lambda pair: pair[1], reverse=True)
        # The dearest first, so that a step that does not fit into memory fails at its start.
        for group in sorted(self._balance_groups(pairs), key=self._group_cost, reverse=True):
            yield [index for index, _ in group]

    def _balance_groups(self, sorted_pairs: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
        lengths = [length for _, length in sorted_pairs]
        if len(lengths) ** 2 * self.grad_accum > _MOST:
            return super()._balance_groups(sorted_pairs)  # type: ignore[no-any-return]
        room = -(-self.effective_batch_size // self.grad_accum) * max(lengths)
        groups, start = [], 0
        for count in group_sizes(lengths, min(self.grad_accum, len(lengths)), room):
            groups.append(sorted_pairs[start : start + count])
            start += count
        return groups


def group_sizes(lengths: Sequence[int], groups: int, room: int) -> list[int]:
    """Sizes of consecutive groups with the fewest padded tokens in all, by dynamic programming over their ends.

    Args:
        lengths: Tokens of each example, longest first; a group is padded to its first.
        groups: How many, none of them empty.
        room: Tokens that a group may have at most, padding included; at least those of ``len(lengths) / groups`` of the longest.

    >>> group_sizes([9, 9, 3, 3, 3, 3], 2, 27)
    [2, 4]
    >>> group_sizes([9, 3, 3, 3, 3, 3], 2, 27)
    [1, 5]
    """
    count = len(lengths)
    ends = np.arange(count + 1)
    padded = (ends[None, :] - ends[:count, None]) * np.asarray(lengths, dtype=float)[:, None]
    padded[(padded <= 0) | (padded > room)] = np.inf  # from each start to each end
    best, starts = np.where(ends == 0, 0.0, np.inf), []
    for _ in range(groups):
        costs = best[:count, None] + padded
        starts.append(costs.argmin(axis=0))
        best = costs.min(axis=0)
    sizes, end = [], count
    for start in reversed(starts):
        sizes.append(int(end - start[end]))
        end = start[end]
    return sizes[::-1]


def halved(lengths: Sequence[int], batch_size: int, accumulation: int) -> bool:
    """Whether twice as many micro-batches of half the size spare enough padding; a step's examples stay the same.

    A step that is one micro-batch is left one: who asks for that has a reason.

    Args:
        lengths: Tokens of each example.
        batch_size: Examples of a micro-batch.
        accumulation: Micro-batches of a step.

    >>> halved([9, 1] * 8, 4, 1), halved([9, 7, 5, 3] * 4, 2, 2), halved([9] * 16, 2, 2)
    (False, True, False)
    """
    if accumulation == 1 or batch_size % 2:
        return False
    whole, half = (
        _padded(lengths, batch_size * accumulation, parts) for parts in (accumulation, 2 * accumulation)
    )
    return half < (1 - _WORTHWHILE) * whole


def _padded(lengths: Sequence[int], step: int, parts: int) -> int:
    """Tokens of a few steps, padding included."""
    batches = itertools.islice(LeastPadding(list(lengths), step, 1, parts, drop_last=False), _STEPS * parts)
    return sum(len(batch) * max(lengths[index] for index in batch) for batch in batches)
