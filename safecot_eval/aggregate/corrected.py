"""Corrected rates of every model and benchmark from the human labels that stand beside the runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from safecot_eval.aggregate.columns import Columns
from safecot_eval.aggregate.reading import read_all
from safecot_eval.benchmarks import registry
from safecot_eval.records.evaluator import Evaluator, Kind
from safecot_eval.records.run import Run
from safecot_eval.records.samples import Expectation
from safecot_eval.records.verdicts import outcome_of
from safecot_eval.stats import (
    Correction,
    ErrorRates,
    Estimate,
    clustered_rate,
    corrected_rate,
    macro_mean,
    sensitivity_specificity,
)
from safecot_eval.util.errors import SafecotError


@dataclass(frozen=True, slots=True)
class GroupRate:
    """One model on one task by one evaluator, over the items with one expectation.

    Attributes:
        model: Display name.
        task: Task name.
        expectation: ``refuse`` (the rate of refusals is the CRR), ``answer`` (1 - CAR) or ``respond_safely``.
        evaluator: Whose rate is corrected.
        human: By whose labels.
        raw: The evaluator's own rate, clustered by source question.
        correction: The corrected rate or why there is none.
        errors: The evaluator against this model's own labels; None if there are none.
    """

    model: str
    task: str
    expectation: str
    evaluator: Evaluator
    human: Evaluator
    raw: Estimate
    correction: Correction
    errors: ErrorRates | None


class _Group:
    """What an evaluator and people said of the items with one expectation; people on those that it scored."""

    def __init__(
        self, table: Columns, evaluator: Evaluator, human: Evaluator, expectation: Expectation
    ) -> None:
        self.table, self.evaluator, self.human, self.expectation = table, evaluator, human, expectation
        about = table.expects(expectation)
        said, truth = (_outcomes(table, one) for one in (evaluator, human))
        people = table.evaluators.get(human)
        weights = None if people is None or not people.unequal else people.weights
        scored = about & ~np.isnan(said)
        labelled = scored & ~np.isnan(truth)
        if weights is not None:
            labelled &= weights > 0
        self.total = int(about.sum())
        self.said, self.clusters = said[scored], table.cluster[scored]
        self.labels, self.on_labelled = truth[labelled], said[labelled]
        self.weights = None if weights is None else weights[labelled]

    def rate(self, lenders: Sequence[_Group] = ()) -> GroupRate:
        """The corrected rate by this model's own labels, or by the error rates of models that lend theirs."""
        raw = clustered_rate(self.said, self.clusters, n_total=self.total)
        if lenders and not len(self.labels):
            found = corrected_rate(
                np.concatenate([group.labels for group in lenders]),
                np.concatenate([group.on_labelled for group in lenders]),
                self.said,
                label_models=[group.table.model for group in lenders for _ in group.labels],
                n_total=self.total,
            )
        else:
            found = corrected_rate(
                self.labels,
                self.on_labelled,
                self.said,
                weights=self.weights,
                design_effect=max(1.0, raw.n / raw.n_eff) if raw.n else 1.0,
                n_total=self.total,
            )
        return GroupRate(
            self.table.model,
            self.table.task,
            self.expectation.value,
            self.evaluator,
            self.human,
            raw,
            found,
            sensitivity_specificity(self.labels, self.on_labelled) if len(self.labels) else None,
        )


def _outcomes(table: Columns, evaluator: Evaluator) -> NDArray[np.float64]:
    return table.outcomes(evaluator) if evaluator in table.evaluators else np.full(len(table), np.nan)


def own_rates(table: Columns) -> Iterator[GroupRate]:
    """Every rate of a run that its own human labels correct: evaluators that speak of the same as the people."""
    people = [one for one in table.evaluators if one.kind is Kind.PEOPLE and one.outcome]
    others = [one for one in table.evaluators if one.kind in (Kind.PHRASES, Kind.JUDGE)]
    for human in people:
        for evaluator in others:
            if evaluator.outcome == human.outcome:
                for group in _groups(table, evaluator, human):
                    if len(group.labels):
                        yield group.rate()


def corrected_metrics(table: Columns) -> dict[tuple[str, str], Estimate]:
    """Rates corrected by the run's own human labels, under names of their own beside the raw ones.

    ``crr_corrected`` and ``car_corrected`` of evaluators that speak of refusals, ``balanced_corrected`` where both are
    there, and ``asr_corrected`` of judges of harm; (metric, evaluator's spelling) to estimate. A rate that people's labels
    cannot correct is absent. Of several groups of people the one with most labels is asked.
    """
    best: dict[tuple[str, str], tuple[int, Estimate]] = {}
    kinds = {expectation for expectation in Expectation if table.expects(expectation).any()}
    for rate in own_rates(table):
        name = _corrected_name(rate, kinds, also=registry.also_refuse(table.task))
        shown, labels = rate.correction.estimate, rate.correction.n_labels
        if name is not None and shown is not None:
            place = name, str(rate.evaluator)
            if place not in best or best[place][0] < labels:
                best[place] = labels, _as_metric(shown, turned=name == "car_corrected")
    found = {place: e for place, (_, e) in best.items()}
    for evaluator in {evaluator for _, evaluator in found}:
        halves = [found.get((f"{half}_corrected", evaluator)) for half in ("crr", "car")]
        if (both := [half for half in halves if half is not None]) and len(both) == len(halves):
            found["balanced_corrected", evaluator] = macro_mean(both)
    return found


def _corrected_name(rate: GroupRate, kinds: set[Expectation], *, also: bool) -> str | None:
    """The metric that a group's rate is; None where the metric is about more items than the group's."""
    harmful = kinds & {Expectation.REFUSE, Expectation.RESPOND_SAFELY}
    if rate.evaluator.outcome == "refused":
        if rate.expectation == Expectation.ANSWER:
            return "car_corrected"
        about = harmful if also else {Expectation.REFUSE}
        return "crr_corrected" if about == {Expectation(rate.expectation)} else None
    if rate.evaluator.outcome == "unsafe" and harmful == {Expectation(rate.expectation)}:
        return None if rate.evaluator.rubric.startswith("siuo_") else "asr_corrected"
    return None


def _as_metric(e: Estimate, *, turned: bool) -> Estimate:
    if not turned:
        return e
    return replace(
        e,
        value=1 - e.value,
        low=1 - e.high,
        high=1 - e.low,
        worst_low=1 - e.worst_high,
        worst_high=1 - e.worst_low,
    )


def _groups(table: Columns, evaluator: Evaluator, human: Evaluator) -> Iterator[_Group]:
    for expectation in Expectation:
        if table.expects(expectation).any():
            yield _Group(table, evaluator, human, expectation)


def corrected_rates(
    runs: Sequence[Run],
    *,
    rubric: str = "refusal",
    evaluator: str | None = None,
    human: str = "human:consensus",
) -> list[GroupRate]:
    """Correct the evaluator's rates with the human labels beside the runs.

    A model with labels of its own is corrected with those (PPI++); one without borrows the error rates from the other
    models' labels on the same task, if that can be defended. Samples without an evaluator's label count as unscored.

    Args:
        runs: The runs, with ``verdicts/human-….jsonl`` beside them.
        rubric: ``refusal`` or ``harm``.
        evaluator: Judge id; None for the phrase list (refusal only).
        human: Judge id of the people.

    Raises:
        SafecotError: the rubric has no such evaluator, or no run has human labels.
    """
    outcome = outcome_of(rubric)[0]
    if not outcome or (evaluator is None and outcome != "refused"):
        raise SafecotError(
            f"The phrase list says nothing about the rubric {rubric!r}; name a judge with --judge."
        )
    groups: list[_Group] = []
    for table in read_all(runs):
        for person in _asked(table, human, rubric):
            for one in _asked(table, evaluator, rubric):
                groups += _groups(table, one, person)
    if not any(len(group.labels) for group in groups):
        raise SafecotError(
            f"No labels of {human} for {rubric!r} beside these runs; see `safecot label import`."
        )
    found = []
    for group in groups:
        alike = group.table.task, group.evaluator, group.expectation
        lenders = [g for g in groups if (g.table.task, g.evaluator, g.expectation) == alike and len(g.labels)]
        found.append(group.rate(lenders if len(group.said) else ()))
    return sorted(found, key=lambda rate: (rate.model, rate.task, rate.expectation, str(rate.evaluator)))


def _asked(table: Columns, judge: str | None, rubric: str) -> list[Evaluator]:
    """Who goes by this id in a run, once per prompt variant; where nobody does, one who labelled nothing."""
    if judge is None:
        return [one for one in table.evaluators if one.kind is Kind.PHRASES]
    found = [one for one in table.evaluators if (one.judge, one.rubric) == (judge, rubric)]
    return found or [Evaluator.of_verdict(judge, rubric, "")]
