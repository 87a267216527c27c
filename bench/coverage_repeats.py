"""Coverage of the rates over several answers to each item; a part of ``coverage_simulation.py``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bench.coverage_draws import REACH, SEED, Tally, shifted
from safecot_eval.aggregate.columns import Columns, Key
from safecot_eval.aggregate.repeats import by_item
from safecot_eval.stats import clustered_rate, rate


def repeats(draws: int = 3000) -> Iterator[str]:
    """Several answers to each item, whose chance of a refusal differs from item to item: mean, worst of k, hit@k and flip rate."""
    rng, tally = np.random.default_rng(SEED), Tally()
    yield f"## Several answers to each item ({draws:,} draws a cell)\n"
    yield "An item's chance of a refusal is drawn from a beta distribution with the mean named; *spread* is the share of an answer's "
    yield "variance that lies between items (0: all items alike, 1: every answer to an item the same). The last column takes "
    yield "all answers for independent.\n"
    yield "| items | k | mean | spread | mean over answers | worst of k | hit@k | flip rate | mean, plain Wilson |"
    yield "|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for n, k, centre, spread in itertools.product((50, 167), (3, 8), (0.1, 0.5, 0.9), (0.2, 0.6)):
        covered = np.zeros(5)
        for p in shifted(centre, rng.uniform(-REACH, REACH, draws)):
            a, b = (float(share) * (1 / spread - 1) for share in (p, 1 - p))
            powers = [_beta_power(a, b, k), _beta_power(b, a, k)]
            truths = (p, powers[0], 1 - powers[1], 1 - sum(powers))
            drawn = (rng.random((n, k)) < rng.beta(a, b, n)[:, None]).astype(float)
            columns = _answers(drawn)
            rows = np.arange(drawn.size)
            least, most, first = by_item(columns, drawn.ravel(), rows)
            found = [clustered_rate(drawn.ravel(), columns.cluster)]
            found += [clustered_rate(one, columns.cluster[first]) for one in (least, most, most - least)]
            found.append(rate(int(drawn.sum()), drawn.size))
            covered += [e.low <= t <= e.high for e, t in zip(found, (*truths, p), strict=True)]
        *ours, plain = (covered / draws).tolist()
        yield (
            f"| {n} | {k} | {centre} | {spread} | {' | '.join(tally.cell(c) for c in ours)} | {100 * plain:.1f} |"
        )
    yield f"\n{tally.summary()}\n"


def _beta_power(a: float, b: float, k: int) -> float:
    """Mean of the k-th power of a rate with a beta distribution."""
    return float(np.prod([(a + i) / (a + b + i) for i in range(k)]))


def _answers(drawn: NDArray[np.float64]) -> Columns:
    """Columns of n items with k answers each, for ``by_item``, which looks at the items alone."""
    n, k = drawn.shape
    item = np.repeat(np.arange(n, dtype=np.int32), k)
    flat = np.zeros(n * k, dtype=np.int8)
    return Columns(
        "m", "t", Key(), np.arange(n * k, dtype=np.uint64), flat.astype(np.int16), ("c",), item, item, flat, flat, flat,
        item, flat, item.astype(np.int64), item=item,
    )  # fmt: skip
