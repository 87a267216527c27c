"""How a step's examples are dealt to its micro-batches: which make a step is transformers' choice, and the least is padded."""

from __future__ import annotations

import itertools
import random

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("training")]


def test_no_other_sizes_pad_less() -> None:
    from safecot_training.sft.dealing import group_sizes

    draw = random.Random(0)
    for _ in range(200):
        count = draw.randint(2, 9)
        groups = draw.randint(1, count)
        lengths = sorted((draw.randint(1, 50) for _ in range(count)), reverse=True)
        room = -(-count // groups) * lengths[0]

        def padded(sizes: list[int], lengths: list[int] = lengths, room: int = room) -> float:
            starts = itertools.accumulate(sizes, initial=0)
            costs = [size * lengths[start] for size, start in zip(sizes, starts, strict=False)]
            return sum(costs) if max(costs) <= room else float("inf")

        cuts = itertools.combinations(range(1, count), groups - 1)
        every = [[b - a for a, b in itertools.pairwise((0, *cut, count))] for cut in cuts]
        assert padded(group_sizes(lengths, groups, room)) == min(map(padded, every))


@pytest.mark.parametrize("drop_last", [True, False])
def test_steps_are_those_of_transformers_and_less_is_padded(drop_last: bool) -> None:
    from transformers.trainer_pt_utils import BatchRebalanceSampler

    from safecot_training.sft.dealing import LeastPadding

    draw = random.Random(1)
    lengths = [min(600, max(3, int(draw.lognormvariate(4.1, 0.9)))) for _ in range(323)]
    theirs = BatchRebalanceSampler(lengths, 32, 1, 4, seed=7, drop_last=drop_last)
    ours = LeastPadding.like(theirs)
    padded = {}
    for epoch in (0, 1):
        steps = {}
        for sampler in (theirs, ours):
            sampler.set_epoch(epoch)
            batches = list(sampler)
            assert len(batches) == len(sampler)
            steps[sampler] = [
                sorted(set(itertools.chain(*batches[i : i + 4]))) for i in range(0, len(batches), 4)
            ]
            padded[sampler] = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
            assert max(len(batch) * max(lengths[i] for i in batch) for batch in batches) <= 8 * max(lengths)
        assert steps[theirs][:10] == steps[ours][:10]
        assert drop_last or sorted(itertools.chain(*steps[ours])) == list(range(323)), (
            "the last step's three examples are not filled up to four with one that was seen"
        )
        assert len(steps[theirs]) == len(steps[ours]) == (10 if drop_last else 11)
    assert padded[ours] < 0.97 * padded[theirs]


def test_very_large_steps_are_left_to_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.trainer_pt_utils import BatchRebalanceSampler

    from safecot_training.sft import dealing

    monkeypatch.setattr(dealing, "_MOST", 1)
    lengths = [5, 60, 7, 8, 90, 10, 11, 12]
    theirs = BatchRebalanceSampler(lengths, 8, 1, 4)
    assert list(dealing.LeastPadding.like(theirs)) == list(theirs)


def test_half_the_size_where_it_spares_padding() -> None:
    from types import SimpleNamespace

    from safecot_training.sft.trainer import spare_padding

    draw = random.Random(2)
    mixed = [min(600, max(3, int(draw.lognormvariate(4.1, 0.9)))) for _ in range(200)]
    for lengths, world, strategy, expected in (
        (mixed, 1, "batch_rebalance", (4, 8)),
        ([70] * 200, 1, "batch_rebalance", (8, 4)),
        (mixed, 2, "batch_rebalance", (8, 4)),
        (mixed, 1, "random", (8, 4)),
    ):
        arguments = SimpleNamespace(
            train_sampling_strategy=strategy,
            world_size=world,
            per_device_train_batch_size=8,
            gradient_accumulation_steps=4,
        )
        spare_padding(arguments, {"length": lengths})
        found = (arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps)
        assert found == expected, (world, strategy)


def test_a_set_smaller_than_a_step_is_dealt_without_repetition() -> None:
    from safecot_training.sft.dealing import LeastPadding

    for count in (1, 3, 7):
        sampler = LeastPadding([9, 8, 7, 6, 5, 4, 3][:count], 32, 1, 8, drop_last=False)
        batches = list(sampler)
        assert sorted(itertools.chain(*batches)) == list(range(count))
        assert len(batches) == len(sampler) == count
