"""How often do the intervals of ``safecot_eval.stats`` cover the truth? Writes ``bench/results/coverage.md``.

    python bench/coverage_simulation.py

Takes about ten minutes on one core; the seed is fixed, so the table is the same every time. Coverage at one single rate
jumps with the discreteness of counts (an interval made from 0, 1, 2 … successes can cover 84 % at one rate and 98 % at a
rate beside it, Brown, Cai and DasGupta 2001), so each cell averages over a neighbourhood of rates: odds from 0.7 to 1.42
times those of the rate named. For single proportions, where coverage is computed exactly and not simulated, the value at
the rate itself and the lowest value in the neighbourhood stand beside it. Cells outside 93.5 to 96.5 % are set in bold
and counted.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.coverage_draws import JUDGES, REACH, SEED, Tally, cluster_sizes, correlated, judged, shifted
from bench.coverage_repeats import repeats
from bench.coverage_tuning import tuning
from safecot_eval.stats import (
    Target,
    clustered_rate,
    cohen_kappa,
    gwet_ac1,
    krippendorff_alpha,
    macro_mean,
    mcnemar,
    paired_difference,
    ppi,
    rate,
    rogan_gladen,
    sign_flip,
    tango_interval,
)

OUTPUT = Path(__file__).parent / "results" / "coverage.md"
RATES = (0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 0.9, 0.95, 0.98)
SIX_RATES = (0.02, 0.05, 0.2, 0.5, 0.8, 0.98)
# Questions per scenario of MM-SafetyBench (arXiv 2311.17600, table 1).
SCENARIOS = (97, 163, 44, 144, 122, 154, 109, 153, 139, 130, 167, 109, 149)


def exact_coverage(rates: NDArray[np.float64], low: list[float], high: list[float]) -> NDArray[np.float64]:
    """Probability, summed over the binomial, that the interval of the observed count contains the rate."""
    n = len(low) - 1
    inside = (np.array(low) <= rates[:, None]) & (rates[:, None] <= np.array(high))
    return np.asarray((stats.binom.pmf(np.arange(n + 1), n, rates[:, None]) * inside).sum(axis=1))


def proportion_intervals(n: int, method: str) -> tuple[list[float], list[float]]:
    """Limits for every possible count; ``wald`` is there for comparison only."""
    if method == "wald":
        p = np.arange(n + 1) / n
        half = stats.norm.ppf(0.975) * np.sqrt(p * (1 - p) / n)
        return list(p - half), list(p + half)
    made = [rate(k, n, method=method) for k in range(n + 1)]  # type: ignore[arg-type]
    return [e.low for e in made], [e.high for e in made]


def proportions() -> Iterator[str]:
    """Independent items: exact coverage of Wilson (and of Clopper-Pearson and Wald beside it)."""
    yield "## Independent items (exact, no simulation)\n"
    yield "| n | rate | Wilson, neighbourhood | Wilson, at the rate | Wilson, lowest near it | Clopper–Pearson, neighbourhood | Wald, neighbourhood |"
    yield "|--:|--:|--:|--:|--:|--:|--:|"
    tally, offsets = Tally(), np.linspace(-REACH, REACH, 141)
    for n in (44, 132, 167, 450, 1680):
        limits = {method: proportion_intervals(n, method) for method in ("wilson", "clopper-pearson", "wald")}
        for centre in RATES:
            near = shifted(centre, offsets)
            by_method = {method: exact_coverage(near, *pair) for method, pair in limits.items()}
            at = exact_coverage(np.array([centre]), *limits["wilson"])[0]
            wilson = by_method["wilson"]
            yield (
                f"| {n} | {centre} | {tally.cell(float(wilson.mean()))} | {100 * at:.1f} | {100 * wilson.min():.1f} | "
                f"{100 * by_method['clopper-pearson'].mean():.1f} | {100 * by_method['wald'].mean():.1f} |"
            )
    yield f"\nWilson: {tally.summary()}\n"


def clusters(draws: int = 6000) -> Iterator[str]:
    """Items in clusters of three: simulated coverage of the cluster-robust interval, and of plain Wilson beside it."""
    rng, tally = np.random.default_rng(SEED), Tally()
    yield f"## Clusters of three ({draws:,} draws a cell)\n"
    yield "n counts items: 44 items are 15 source questions, 132 are 44. The last column ignores the clusters.\n"
    yield "| n | correlation | " + " | ".join(f"rate {p}" for p in SIX_RATES) + " | plain Wilson, rate 0.5 |"
    yield "|--:|--:|" + "--:|" * (len(SIX_RATES) + 1)
    for n in (44, 132, 501, 1680):
        for icc in (0.0, 0.3, 0.7, 1.0):
            cells, plain = [], 0.0
            for centre in SIX_RATES:
                covered = naive = 0
                for p in shifted(centre, rng.uniform(-REACH, REACH, draws)):
                    x, index = correlated(rng, cluster_sizes(n), float(p), icc)
                    e = clustered_rate(x, index)
                    covered += e.low <= p <= e.high
                    if centre == 0.5:
                        w = rate(int(x.sum()), n)
                        naive += w.low <= p <= w.high
                cells.append(tally.cell(covered / draws))
                plain = naive / draws if centre == 0.5 else plain
            yield f"| {n} | {icc} | " + " | ".join(cells) + f" | {100 * plain:.1f} |"
    yield f"\n{tally.summary()}\n"


def macro(draws: int = 6000) -> Iterator[str]:
    """Mean over the 13 scenarios of MM-SafetyBench, rates differing between them."""
    rng, tally = np.random.default_rng(SEED), Tally()
    yield f"## Macro mean over 13 scenarios of 44 to 167 questions ({draws:,} draws a cell)\n"
    yield "MOVER combines the limits of the strata (Zou and Donner 2008); it was tried and not taken.\n"
    yield "| typical rate | effective n (ours) | MOVER |"
    yield "|--:|--:|--:|"
    for centre in SIX_RATES:
        covered = mover = 0
        for _ in range(draws):
            p = shifted(centre, rng.uniform(-1.0, 1.0, len(SCENARIOS)))
            strata = [rate(int(k), n) for k, n in zip(rng.binomial(SCENARIOS, p), SCENARIOS, strict=True)]
            e = macro_mean(strata)
            covered += e.low <= p.mean() <= e.high
            below, above = (
                np.linalg.norm([getattr(x, end) - x.value for x in strata]) / len(strata)
                for end in ("low", "high")
            )
            mover += e.value - below <= p.mean() <= e.value + above
        yield f"| {centre} | {tally.cell(covered / draws)} | {100 * mover / draws:.1f} |"
    yield f"\n{tally.summary()}\n"


def adjusted_wald_covers(b: int, c: int, n: int, added: float, truth: float) -> bool:
    """Whether the Wald interval contains the difference, after adding to both discordant counts."""
    first, second, total = b + added, c + added, n + 2 * added
    difference = (first - second) / total
    half = stats.norm.ppf(0.975) * np.sqrt(((first + second) / total - difference**2) / total)
    return bool(abs(difference - truth) <= half)


def pairs(draws: int = 20_000) -> Iterator[str]:
    """Two models on the same items: coverage of the difference and size of the test."""
    rng, tally = np.random.default_rng(SEED), Tally()
    yield f"## Paired difference, independent items ({draws:,} draws a cell)\n"
    yield "The true difference is drawn from 0 to nine tenths of the discordant share. With fewer than about four expected"
    yield "discordant items every such interval covers too much; those rows are shown and not counted.\n"
    yield "Wald, Agresti–Min and Bonett–Price add 0, ½ and 1 to both discordant counts; they were tried and not taken.\n"
    yield "| n | discordant | Tango (ours) | Wald | Agresti–Min | Bonett–Price | size of mid-p McNemar at 5 % | of exact |"
    yield "|--:|--:|--:|--:|--:|--:|--:|--:|"
    uncounted = Tally()
    for n in (44, 167, 450, 1680):

        @functools.cache
        def limits(b: int, c: int, n: int = n) -> tuple[float, float]:
            return tango_interval(b, c, n)

        tests = functools.lru_cache(maxsize=None)(mcnemar)
        for psi in (0.02, 0.05, 0.1, 0.2, 0.4):
            covered, others = 0, np.zeros(3)
            for delta in rng.uniform(0, 0.9 * psi, draws):
                b, c, _ = rng.multinomial(n, [(psi + delta) / 2, (psi - delta) / 2, 1 - psi])
                low, high = limits(int(b), int(c))
                covered += low <= delta <= high
                others += [adjusted_wald_covers(int(b), int(c), n, a, float(delta)) for a in (0, 0.5, 1)]
            null = rng.multinomial(n, [psi / 2, psi / 2, 1 - psi], draws)
            mid = np.mean([tests(int(b), int(c)) <= 0.05 for b, c, _ in null])
            exact = np.mean([tests(int(b), int(c), mid_p=False) <= 0.05 for b, c, _ in null])
            cell = (tally if n * psi >= 4 else uncounted).cell(covered / draws)
            tried = " | ".join(f"{100 * o / draws:.1f}" for o in others)
            yield f"| {n} | {psi} | {cell} | {tried} | {100 * mid:.1f} % | {100 * exact:.1f} % |"
    yield f"\n{tally.summary()}\n"


def clustered_pairs(draws: int = 1500) -> Iterator[str]:
    """Two models on items in clusters of three: coverage, and size of the sign-flip test against McNemar's."""
    rng, tally = np.random.default_rng(SEED), Tally()
    yield f"## Paired difference, clusters of three, correlation 0.5 ({draws:,} draws a cell)\n"
    yield "| n | rate of B | true difference | coverage | sign-flip significant at 5 % | McNemar (ignores clusters) |"
    yield "|--:|--:|--:|--:|--:|--:|"
    for n in (132, 501, 1680):
        for base, delta in ((0.1, 0.0), (0.5, 0.0), (0.1, 0.1), (0.5, 0.1)):
            covered = flips = naive = 0
            for _ in range(draws):
                a, index = correlated(rng, cluster_sizes(n), base + delta, 0.5)
                b, _ = correlated(rng, cluster_sizes(n), base, 0.5)
                found = paired_difference(a, b, index)
                covered += found.low <= delta <= found.high
                flips += sign_flip(np.bincount(index, weights=a.astype(float) - b)) <= 0.05
                naive += mcnemar(found.b, found.c) <= 0.05
            yield (
                f"| {n} | {base} | {delta} | {tally.cell(covered / draws)} | {100 * flips / draws:.1f} % | "
                f"{100 * naive / draws:.1f} % |"
            )
    yield f"\n{tally.summary()}\n"


def corrections(draws: int = 4000) -> Iterator[str]:
    """PPI++ with a judge that errs: coverage and width, against labels alone, Rogan-Gladen and the judge's own rate."""
    rng, tally, run_tally = np.random.default_rng(SEED), Tally(), Tally()
    yield f"## PPI++ under judge error ({draws:,} draws a cell)\n"
    yield "N answers judged, m of them labelled; coverage (mean width in points). PPI++ (run) is about the rate over the N"
    yield "answers, all others about the population. Rogan–Gladen is over the draws where it exists.\n"
    yield "| N | m | judge sens. / spec. | rate | PPI++ | PPI++ (run) | labels alone | Rogan–Gladen | judge alone |"
    yield "|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for size, m in ((44, 30), (167, 60), (400, 100), (1680, 100), (1680, 200)):
        for sensitivity, specificity in JUDGES:
            for centre in SIX_RATES:
                seen: dict[str, list[tuple[bool, float]]] = {
                    name: [] for name in ("plus", "run", "alone", "gladen", "raw")
                }
                for p in shifted(centre, rng.uniform(-REACH, REACH, draws)):
                    y, f = judged(rng, size, float(p), sensitivity, specificity)
                    made = {
                        "plus": (ppi(y[:m], f[:m], f), p),
                        "run": (ppi(y[:m], f[:m], f, target=Target.RUN), y.mean()),
                        "alone": (rate(int(y[:m].sum()), m), p),
                        "gladen": (rogan_gladen(y[:m], f[:m], f), p),
                        "raw": (rate(int(f.sum()), size), p),
                    }
                    for name, (e, truth) in made.items():
                        if e is not None:
                            seen[name].append((bool(e.low <= truth <= e.high), e.high - e.low))
                cells = []
                for name, results in seen.items():
                    covered, width = np.mean(results, axis=0) if results else (float("nan"),) * 2
                    counted = {"plus": tally, "run": run_tally}.get(name)
                    text = counted.cell(float(covered)) if counted else f"{100 * covered:.1f}"
                    cells.append(f"{text} ({100 * width:.1f})")
                yield (
                    f"| {size} | {m} | {sensitivity} / {specificity} | {centre} | " + " | ".join(cells) + " |"
                )
    yield f"\nPPI++, population: {tally.summary()}\n\nPPI++, run: {run_tally.summary()}\n"


def coefficients(draws: int = 4000) -> Iterator[str]:
    """Two annotators who each see the truth with a given accuracy: coverage of kappa, alpha and AC1."""
    rng, tally = np.random.default_rng(SEED), Tally()
    yield f"## Agreement of two annotators, yes/no labels ({draws:,} draws a cell)\n"
    yield "The true coefficient is the limit for very many units. Annotators err independently with the accuracy given.\n"
    yield "| n | true rate | accuracy | Cohen's κ | Krippendorff's α | Gwet's AC1 |"
    yield "|--:|--:|--:|--:|--:|--:|"
    for n in (50, 100, 400):
        for prevalence in (0.1, 0.5):
            for accuracy in (0.85, 0.95, 0.99):
                covered = np.zeros(3)
                for sharp in shifted(accuracy, rng.uniform(-REACH, REACH, draws)):
                    marginal = prevalence * sharp + (1 - prevalence) * (1 - sharp)
                    apart, by_chance = 2 * sharp * (1 - sharp), 2 * marginal * (1 - marginal)
                    truths = (1 - apart / by_chance,) * 2 + (1 - apart / (1 - by_chance),)
                    truth = rng.random(n) < prevalence
                    a, b = (np.where(rng.random(n) < sharp, truth, ~truth).tolist() for _ in range(2))
                    found = (cohen_kappa(a, b), krippendorff_alpha([a, b]), gwet_ac1([a, b]))
                    covered += [e.low <= t <= e.high for e, t in zip(found, truths, strict=True)]
                cells = " | ".join(tally.cell(float(c / draws)) for c in covered)
                yield f"| {n} | {prevalence} | {accuracy} | {cells} |"
    yield f"\n{tally.summary()}\n"


PARTS: tuple[Callable[[], Iterator[str]], ...] = (
    proportions,
    clusters,
    macro,
    pairs,
    clustered_pairs,
    repeats,
    corrections,
    coefficients,
    tuning,
)


def main() -> None:
    """Run every part and write the table."""
    header = (
        "# Coverage of the nominal 95 % intervals\n\nWritten by `python bench/coverage_simulation.py` (seed "
        f"{SEED}); do not edit. Percent. Each cell averages over a neighbourhood of rates (log odds within {REACH}); "
        "cells outside 93.5 to 96.5 are bold.\n"
    )
    lines = [header, *(line for part in PARTS for line in part())]
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
