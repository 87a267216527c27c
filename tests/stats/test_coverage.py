"""Do nominal 95 % intervals cover? Seeded and small; the full table is ``bench/results/coverage.md``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from safecot_eval.stats import Target, clustered_rate, cohen_kappa, gwet_ac1, paired_difference, ppi, rate

BENCHMARKS = Path(__file__).parents[2] / "bench"
REACH = 0.35


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    return load("coverage_simulation")


@pytest.mark.parametrize("n", [44, 167, 450])
def test_exact_coverage_of_wilson_around_every_rate(simulation, n):
    limits = simulation.proportion_intervals(n, "wilson")
    for centre in simulation.RATES:
        near = simulation.exact_coverage(simulation.shifted(centre, np.linspace(-REACH, REACH, 141)), *limits)
        assert 0.935 <= near.mean() <= 0.965
        assert near.min() > 0.91


def test_clopper_pearson_never_covers_too_little(simulation):
    rates = np.linspace(0.001, 0.999, 400)
    assert (
        simulation.exact_coverage(rates, *simulation.proportion_intervals(44, "clopper-pearson")).min()
        >= 0.95
    )


def pooled(cells: list[float], low: float = 0.935, high: float = 0.965) -> None:
    """The mean over cells is in the band; single cells, of few draws, are not far from it."""
    assert low <= np.mean(cells) <= high
    assert min(cells) > 0.89


@pytest.mark.slow
@pytest.mark.parametrize("icc", [0.0, 0.5, 1.0])
def test_clustered_rates_cover(simulation, icc):
    rng, cells = np.random.default_rng(1), []
    for n in (44, 132, 1680):
        for centre in (0.02, 0.2, 0.5, 0.95):
            covered = 0
            for p in simulation.shifted(centre, rng.uniform(-REACH, REACH, 400)):
                x, index = simulation.correlated(rng, simulation.cluster_sizes(n), float(p), icc)
                e = clustered_rate(x, index)
                covered += e.low <= p <= e.high
            cells.append(covered / 400)
    pooled(cells)


@pytest.mark.slow
@pytest.mark.parametrize(("sensitivity", "specificity"), [(0.95, 0.97), (0.75, 0.80)])
@pytest.mark.parametrize("target", list(Target))
def test_ppi_covers_under_judge_error_where_the_judge_alone_does_not(
    simulation, sensitivity, specificity, target
):
    rng, cells, naive = np.random.default_rng(2), [], []
    for size, m in ((167, 60), (400, 100), (1680, 200)):
        for centre in (0.02, 0.2, 0.5, 0.98):
            covered = raw = 0
            for p in simulation.shifted(centre, rng.uniform(-REACH, REACH, 400)):
                y = (rng.random(size) < p).astype(float)
                wrong = rng.random(size) >= np.where(y == 1, sensitivity, specificity)
                f = np.where(wrong, 1 - y, y)
                truth = p if target is Target.POPULATION else y.mean()
                e, judge = ppi(y[:m], f[:m], f, target=target), rate(int(f.sum()), size)
                covered += e.low <= truth <= e.high
                raw += judge.low <= p <= judge.high
            cells.append(covered / 400)
            naive.append(raw / 400)
    pooled(cells)
    assert np.mean(naive) < 0.7


@pytest.mark.slow
def test_paired_differences_cover_with_clusters(simulation):
    rng, cells = np.random.default_rng(3), []
    for n in (132, 501):
        for base, delta in ((0.1, 0.05), (0.5, 0.0), (0.5, 0.2)):
            covered = 0
            for _ in range(250):
                a, index = simulation.correlated(rng, simulation.cluster_sizes(n), base + delta, 0.5)
                b, _ = simulation.correlated(rng, simulation.cluster_sizes(n), base, 0.5)
                found = paired_difference(a, b, index)
                covered += found.low <= delta <= found.high
            cells.append(covered / 250)
    pooled(cells)


@pytest.mark.slow
def test_agreement_coefficients_cover():
    rng, cells = np.random.default_rng(4), []
    for n in (100, 400):
        for prevalence, accuracy in ((0.2, 0.9), (0.5, 0.95)):
            marginal = prevalence * accuracy + (1 - prevalence) * (1 - accuracy)
            apart, chance = 2 * accuracy * (1 - accuracy), 2 * marginal * (1 - marginal)
            covered = np.zeros(2)
            for _ in range(400):
                truth = rng.random(n) < prevalence
                a, b = (np.where(rng.random(n) < accuracy, truth, ~truth).tolist() for _ in range(2))
                kappa, ac1 = cohen_kappa(a, b), gwet_ac1([a, b])
                covered[0] += kappa.low <= 1 - apart / chance <= kappa.high
                covered[1] += ac1.low <= 1 - apart / (1 - chance) <= ac1.high
            cells.extend(covered / 400)
    pooled(cells)


@pytest.mark.slow
def test_the_committed_tables_are_what_the_scripts_write(simulation, data_dir, monkeypatch):
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(data_dir))
    committed = (BENCHMARKS / "results" / "coverage.md").read_text(encoding="utf-8")
    assert "\n".join(simulation.proportions()) in committed
    methods = (BENCHMARKS.parent / "docs" / "methods.md").read_text(encoding="utf-8")
    assert "\n".join(load("msts_correction").table(200)) in methods


@pytest.mark.slow
def test_msts_corrected_rates_cover_and_are_narrower_than_labels_alone(data_dir, monkeypatch):
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(data_dir))
    msts = load("msts_correction")
    results = msts.simulate(draws=200)
    covered = {
        name: np.mean([c for counted in results.values() for c in counted[name].covered])
        for name in msts.NAMES
    }
    assert 0.93 <= covered["ppi"] <= 0.97
    assert covered["template"] < 0.2
    for counted in results.values():
        assert np.mean(counted["ppi"].widths) < np.mean(counted["labels"].widths)
