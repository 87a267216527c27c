"""The two smoothing weights of ``safecot_eval.stats`` beside others; a part of ``coverage_simulation.py``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from bench.coverage_draws import JUDGES, REACH, SEED, cluster_sizes, correlated, judged, shifted
from safecot_eval.stats import clustered_rate, ppi
from safecot_eval.stats import clusters as clusters_module
from safecot_eval.stats import correction as correction_module


def tuning(draws: int = 3000) -> Iterator[str]:
    """The two smoothing weights of the package, and what others would do."""
    yield f"## Smoothing weights ({draws:,} draws a cell; lowest, mean and highest cell)\n"
    yield "Imagined clusters (`PSEUDO_CLUSTERS`): n 132 and 501, correlation 0.3 and 0.7, rates 0.02, 0.05, 0.5. Imagined labels"
    yield "(`CORNER_WEIGHT`): N 167 with 60 labels and 1,680 with 100, the two better judges, rates 0.02, 0.2, 0.5, 0.98.\n"
    yield "| weight | value | lowest | mean | highest |"
    yield "|---|--:|--:|--:|--:|"
    for module, name, values, experiment in (
        (clusters_module, "PSEUDO_CLUSTERS", (0.001, 0.05, 0.1, 0.25, 0.5), _clustered_cells),
        (correction_module, "CORNER_WEIGHT", (0.2, 0.4, 0.6, 0.8, 1.0), _corrected_cells),
    ):
        taken = getattr(module, name)
        for value in values:
            setattr(module, name, value)
            cells = np.array(experiment(draws))
            mark = " (ours)" if value == taken else ""
            yield (
                f"| `{name}` | {value}{mark} | {100 * cells.min():.1f} | {100 * cells.mean():.1f} | {100 * cells.max():.1f} |"
            )
        setattr(module, name, taken)
    yield ""


def _clustered_cells(draws: int) -> list[float]:
    rng, cells = np.random.default_rng(SEED), []
    for n, icc, centre in itertools.product((132, 501), (0.3, 0.7), (0.02, 0.05, 0.5)):
        covered = 0
        for p in shifted(centre, rng.uniform(-REACH, REACH, draws)):
            x, index = correlated(rng, cluster_sizes(n), float(p), icc)
            e = clustered_rate(x, index)
            covered += e.low <= p <= e.high
        cells.append(covered / draws)
    return cells


def _corrected_cells(draws: int) -> list[float]:
    rng, cells = np.random.default_rng(SEED), []
    for (size, m), judge, centre in itertools.product(
        ((167, 60), (1680, 100)), JUDGES[:2], (0.02, 0.2, 0.5, 0.98)
    ):
        covered = 0
        for p in shifted(centre, rng.uniform(-REACH, REACH, draws)):
            y, f = judged(rng, size, float(p), *judge)
            e = ppi(y[:m], f[:m], f)
            covered += e.low <= p <= e.high
        cells.append(covered / draws)
    return cells
