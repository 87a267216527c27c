"""Paired differences and ranks for any number of models, per task and over all tasks.

A model's balanced rate is half its CRR and half its CAR. Every answer moves it by a known amount (its influence, zero if
unscored), so that the variance of any two models' difference comes out of one product of influences, summed within
source questions: linearisation, as for the ratio estimators of survey sampling (Särndal, Swensson & Wretman 1992, 5.5).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from safecot_eval.aggregate.columns import Columns, Key
from safecot_eval.aggregate.leaderboard import POOLED
from safecot_eval.benchmarks import registry
from safecot_eval.records.evaluator import Evaluator, Kind
from safecot_eval.records.samples import Expectation
from safecot_eval.stats import holm, rank_ranges

METRIC = "balanced"
HALVES = {
    METRIC: (Expectation.REFUSE, Expectation.ANSWER),
    "crr": (Expectation.REFUSE,),
    "car": (Expectation.ANSWER,),
}
"""The rates that are compared: over which items they are."""
ALL_METRICS_UP_TO = 60
"""Models up to which the differences of all these rates are told; above, those of the balanced rate alone."""
SIGNIFICANT = 0.05
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Standing:
    """One evaluator on one task: rates of K models and how each source question moves them.

    Attributes:
        models: Names, K of them.
        rates: Balanced rates, shape (K,).
        influence: Shape (K, C): what the answers to a source question add to a rate's error.
        least: Variance that a rate has even if all its outcomes are alike, shape (K,): one answer of each half borrowed.
    """

    models: tuple[str, ...]
    rates: Floats
    influence: Floats
    least: Floats


def rank_views(tables: Sequence[Columns]) -> dict[str, list[dict[str, Any]]]:
    """Rank ranges of all models on the balanced rate, and how far any two models' difference is certain.

    Args:
        tables: The runs.

    Returns:
        ``ranks``: one dict per model, task (or ``pooled``) and evaluator: ``from``, ``to``, ``of``; p values are
        Holm-adjusted over all pairs of a task and evaluator. Over all tasks, models that ran every task are ranked.
        ``spreads``: one dict per task, evaluator and metric: ``models`` (K of them), their ``rates``, and ``sd``, the
        standard deviations of all K (K - 1) / 2 differences in hundredths of a point, row by row above the diagonal.
    """
    ranks: list[dict[str, Any]] = []
    spreads: list[dict[str, Any]] = []
    for metric, halves in HALVES.items():
        for task, evaluator, standing in standings(
            tables, halves, at_most=None if metric == METRIC else ALL_METRICS_UP_TO
        ):
            if metric == METRIC:
                ranks += _rows(standing, task, evaluator)
            spreads.append(
                {"task": task, "evaluator": str(evaluator), "metric": metric}
                | {
                    "models": list(standing.models),
                    "rates": [round(float(rate), 5) for rate in standing.rates],
                    "sd": np.rint(1e4 * deviations(standing)[np.triu_indices(len(standing.models), 1)])
                    .astype(int)
                    .tolist(),
                }
            )
    return {"ranks": ranks, "spreads": spreads}


def standings(
    tables: Sequence[Columns], halves: Sequence[Expectation], *, at_most: int | None = None
) -> Iterator[tuple[str, Evaluator, Standing]]:
    """Every task and evaluator of at least two models, and after them all tasks together (``pooled``).

    Tasks of more than ``at_most`` models are passed over.
    """
    columns: defaultdict[tuple[str, Evaluator, Key], list[Columns]] = defaultdict(list)
    for table in tables:
        for evaluator, labels in table.evaluators.items():
            counts = evaluator.outcome == "refused" and evaluator.kind is not Kind.ALTERNATIVE
            if counts and not labels.unequal:
                columns[table.task, evaluator, table.key].append(table)
    by_evaluator: defaultdict[Evaluator, dict[str, Standing]] = defaultdict(dict)
    apart = {task for task, _, _ in columns if len({key for name, _, key in columns if name == task}) > 1}
    for (task, evaluator, _), runs in sorted(
        columns.items(), key=lambda entry: (entry[0][0], str(entry[0][1]))
    ):
        standing = None if at_most and len(runs) > at_most else standing_of(runs, evaluator, halves)
        if standing is None:
            continue
        yield task, evaluator, standing
        if task not in apart and not registry.also_refuse(task):
            by_evaluator[evaluator][task] = standing
    for evaluator, found in by_evaluator.items():
        if len(found) > 1 and (joined := together(list(found.values()))) is not None:
            yield POOLED, evaluator, joined


def standing_of(
    runs: Sequence[Columns], evaluator: Evaluator, halves: Sequence[Expectation] = HALVES[METRIC]
) -> Standing | None:
    """Rates and influences of the models that were scored on all ``halves``; None for fewer than two of them."""
    named = [_clusters(run) for run in runs]
    clusters = np.unique(np.concatenate(named))
    models, rates, influence, least = [], [], [], []
    for run, names in zip(runs, named, strict=True):
        refused = run.outcomes(evaluator)
        row, rate, floor = np.zeros(len(clusters)), 0.0, 0.0
        places = np.searchsorted(clusters, names)
        for expectation in halves:
            right = refused if expectation is Expectation.REFUSE else 1 - refused
            scored = run.expects(expectation) & ~np.isnan(right)
            n = int(scored.sum())
            if not n:
                break
            mean = float(right[scored].mean())
            rate += mean / len(halves)
            np.add.at(row, places[scored], (right[scored] - mean) / (len(halves) * n))
            floor += 1 / (len(halves) * (n + 1)) ** 2
        else:
            models.append(run.model)
            rates.append(rate)
            influence.append(row)
            least.append(floor)
    if len(models) < 2:
        return None
    return Standing(tuple(models), np.array(rates), np.array(influence), np.array(least))


def _clusters(run: Columns) -> NDArray[np.uint64]:
    """A source question's name in every run: the first of its sample ids; those of further answers are no sample's."""
    first = np.full(int(run.cluster.max()) + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
    once = run.draw == 0
    np.minimum.at(first, run.cluster[once], run.ids[once])
    found: NDArray[np.uint64] = first[run.cluster]
    return found


def together(standings: Sequence[Standing]) -> Standing | None:
    """The mean over tasks, of the models that all tasks have; None for fewer than two of them."""
    shared = [name for name in standings[0].models if all(name in one.models for one in standings)]
    if len(shared) < 2:
        return None
    picks = [[one.models.index(name) for name in shared] for one in standings]
    size = len(standings)
    return Standing(
        tuple(shared),
        np.mean([one.rates[pick] for one, pick in zip(standings, picks, strict=True)], axis=0),
        np.hstack([one.influence[pick] / size for one, pick in zip(standings, picks, strict=True)]),
        np.sum([one.least[pick] / size**2 for one, pick in zip(standings, picks, strict=True)], axis=0),
    )


def deviations(standing: Standing) -> Floats:
    """Standard deviations of the differences of all pairs, shape (K, K)."""
    product = standing.influence @ standing.influence.T
    own = np.diag(product)
    clusters = max(standing.influence.shape[1], 2)
    variance = (own[:, None] + own[None, :] - 2 * product) * clusters / (clusters - 1)
    found: Floats = np.sqrt(
        np.maximum(variance, np.maximum(standing.least[:, None], standing.least[None, :]))
    )
    return found


def p_values(standing: Standing) -> Floats:
    """Two-sided p values of all pairs, shape (K, K), not adjusted."""
    z = np.abs(standing.rates[:, None] - standing.rates[None, :]) / deviations(standing)
    p: Floats = 2 * ndtr(-z)
    return p


def rank(standing: Standing) -> list[tuple[int, int]]:
    """Lowest and highest rank that the significant differences leave open to each model."""
    upper = np.triu_indices(len(standing.models), 1)
    adjusted = np.ones((len(standing.models),) * 2)
    adjusted[upper] = holm(p_values(standing)[upper])
    adjusted = np.minimum(adjusted, adjusted.T)
    return rank_ranges((adjusted <= SIGNIFICANT) & (standing.rates[:, None] > standing.rates[None, :]))


def _rows(standing: Standing, task: str, evaluator: Evaluator) -> Iterable[dict[str, Any]]:
    head = {"task": task, "metric": METRIC, "evaluator": str(evaluator), "of": len(standing.models)}
    return [
        head | {"model": model, "from": low, "to": high}
        for model, (low, high) in zip(standing.models, rank(standing), strict=True)
    ]
