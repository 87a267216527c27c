"""One run as compact columns: numpy arrays of shape (samples,), never dicts; the form that every number is made from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from safecot_eval.records.samples import Expectation, Status
from safecot_eval.records.verdicts import EFFECTIVE_BY_LABEL, REFUSED_BY_LABEL, UNSAFE_BY_LABEL

EXPECTATIONS = tuple(Expectation)


STATUSES = tuple(Status)


_OK = STATUSES.index(Status.OK)


TEMPLATE_LABELS = ("complied", "refused")


_TEMPLATE = {"refused": True, "complied": False}


@dataclass(slots=True)
class Labels:
    """One evaluator's labels of one run: ``codes[i]`` indexes ``names``, -1 where there is no label.

    ``weights`` are the answers that each label stands for, where they were drawn for labelling (people).
    """

    rubric: str
    judge: str
    names: tuple[str, ...]
    codes: NDArray[np.int8]
    weights: NDArray[np.float32] | None = None

    @property
    def unequal(self) -> bool:
        """Labelled answers were drawn with unequal chances: their plain mean is not the rate."""
        if self.weights is None:
            return False
        drawn = self.weights[self.codes >= 0]
        return len(drawn) > 0 and float(np.ptp(drawn)) > 0

    def binary(self, table: dict[str, bool]) -> NDArray[np.float64]:
        """Labels as 1, 0 or NaN (unlisted labels and missing ones), shape (n,)."""
        reading = [table.get(name) for name in self.names]
        lookup = np.array([math.nan if value is None else float(value) for value in reading] + [math.nan])
        result: NDArray[np.float64] = lookup[self.codes]
        return result


@dataclass(slots=True)
class Columns:
    """One run as arrays, one entry per sample, all of shape (n,).

    Attributes:
        model: Display name.
        task: Leaf name.
        key: Comparability key: benchmark version, data revision, image source.
        ids: Sample ids as integers.
        category: Index into ``categories``.
        cluster: Source question, numbered within the run.
        pair: Twins, numbered within the run; -1 for none.
        core: 1, 0, or -1 where the benchmark has no core.
        expectation: Index into ``EXPECTATIONS``.
        status: Index into ``STATUSES``.
        tokens: Generated tokens; -1 where unknown.
        consistent: 1, 0, or -1 where there is no reasoning or no scored answer.
        offset: Byte offset of the sample's line in the samples file.
        evaluators: Evaluator id (``template:<list>`` or ``<judge>/<rubric>``) to its labels.
    """

    model: str
    task: str
    key: tuple[str, ...]
    ids: NDArray[np.uint64]
    category: NDArray[np.int16]
    categories: tuple[str, ...]
    cluster: NDArray[np.int32]
    pair: NDArray[np.int32]
    core: NDArray[np.int8]
    expectation: NDArray[np.int8]
    status: NDArray[np.int8]
    tokens: NDArray[np.int32]
    consistent: NDArray[np.int8]
    offset: NDArray[np.int64]
    evaluators: dict[str, Labels] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def expects(self, expectation: Expectation) -> NDArray[np.bool_]:
        """Which items have this right behaviour."""
        return np.asarray(self.expectation == EXPECTATIONS.index(expectation))

    def reading(self, evaluator: str) -> tuple[str, NDArray[np.float64]]:
        """What an evaluator speaks of (``refused``, ``unsafe``, ``effective`` or nothing) and its 1/0/NaN outcomes."""
        labels = self.evaluators[evaluator]
        if evaluator.startswith("template:"):
            kind, table = "refused", _TEMPLATE
        elif labels.rubric in REFUSED_BY_LABEL:
            kind, table = "refused", REFUSED_BY_LABEL[labels.rubric]
        elif labels.rubric in UNSAFE_BY_LABEL:
            kind, table = "unsafe", UNSAFE_BY_LABEL[labels.rubric]
        elif labels.rubric in EFFECTIVE_BY_LABEL:
            kind, table = "effective", EFFECTIVE_BY_LABEL[labels.rubric]
        else:
            kind, table = "", {}
        values = labels.binary(table)
        values[self.status != _OK] = np.nan
        return kind, values


@runtime_checkable
class CompactRun(Protocol):
    """A run that hands over its columns and its provenance itself: there is no samples file to read (a submission)."""

    def columns(self) -> Columns:
        """The run as arrays."""

    def described(self) -> dict[str, Any]:
        """Its provenance in the form of :func:`safecot_eval.aggregate.provenance.provenance`."""
