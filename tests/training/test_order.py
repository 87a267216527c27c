"""The order of examples: decided by the seed alone, sorted inside a step, equal for any number of processes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from safecot_training.sft.lengths import StepOrder


def steps(order: StepOrder) -> list[list[int]]:
    indices = list(order)
    return [indices[start : start + order.step_size] for start in range(0, len(indices), order.step_size)]


@given(
    st.integers(1, 60),
    st.integers(1, 24),
    st.integers(0, 5),
    st.integers(0, 3),
    st.randoms(use_true_random=False),
)
def test_lengths_change_the_order_inside_steps_only(
    count: int, size: int, seed: int, epoch: int, random
) -> None:
    lengths = [random.randint(1, 500) for _ in range(count)]
    plain, sorted_ = StepOrder(count, size, seed), StepOrder(count, size, seed, lengths)
    plain.set_epoch(epoch)
    sorted_.set_epoch(epoch)
    assert [sorted(step) for step in steps(plain)] == [sorted(step) for step in steps(sorted_)]
    for step in steps(sorted_):
        assert [lengths[i] for i in step] == sorted((lengths[i] for i in step), reverse=True)


@given(st.integers(1, 60), st.integers(1, 24))
def test_every_example_is_seen_and_every_step_is_full(count: int, size: int) -> None:
    order = StepOrder(count, size, seed=0)
    assert set(order) == set(range(count))
    assert len(list(order)) == len(order) == len(steps(order)) * size
    assert len(order) - count < size


def test_epochs_and_seeds_differ_and_repeat() -> None:
    def taken(seed: int, epoch: int) -> list[int]:
        order = StepOrder(40, 8, seed)
        order.set_epoch(epoch)
        return list(order)

    assert taken(0, 0) == taken(0, 0)
    assert len({tuple(taken(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4


def test_grouping_saves_padding() -> None:
    import random

    draw = random.Random(3)
    lengths = [int(draw.lognormvariate(4.5, 0.8)) for _ in range(1600)]

    def padded(order: StepOrder, batch: int) -> int:
        indices = list(order)
        return sum(
            batch * max(lengths[i] for i in indices[start : start + batch])
            for start in range(0, len(indices), batch)
        )

    plain, grouped = (padded(StepOrder(1600, 32, 0, given), 8) for given in (None, lengths))
    assert plain / grouped > 1.4
