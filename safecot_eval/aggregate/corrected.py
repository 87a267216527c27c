"""Corrected rates of every model and benchmark from the human labels that stand beside the runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safecot_eval.aggregate.columns import Columns
from safecot_eval.aggregate.reading import read_all
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
