"""Deal an optimiser step's examples to its micro-batches so that the least is padded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from transformers.trainer_pt_utils import BatchRebalanceSampler

_MOST = 2**28
"""Comparisons that a step may take (a second or so); beyond, transformers' search is as good."""


class LeastPadding(BatchRebalanceSampler):  # type: ignore[misc]
    """transformers' sampler for one process.

    Its search makes micro-batches cost alike, so that processes do not wait for each other. One process waits for nobody: the
    sizes of its micro-batches are those with the fewest padded tokens, and none is larger than ``batch_size`` of the step's
    longest, which a random one may need as well. Which examples make a step is as before.
    """

    @classmethod
    def like(cls, sampler: BatchRebalanceSampler) -> LeastPadding:
        """The same steps in other micro-batches."""
        return cls(
            sampler.lengths, sampler.effective_batch_size, sampler.dp_size, sampler.grad_accum, sampler.shuffle,
            sampler.seed, sampler.rank, sampler.drop_last,
        )  # fmt: skip

    def _balance_groups(self, sorted_pairs: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
        lengths = [length for _, length in sorted_pairs]
        if len(lengths) ** 2 * self.grad_accum > _MOST:
            return super()._balance_groups(sorted_pairs)  # type: ignore[no-any-return]
        room = -(-self.effective_batch_size // self.grad_accum) * max(lengths)
        groups, start = [], 0
        for count in group_sizes(lengths, self.grad_accum, room):
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
