"""One run as compact columns: numpy arrays of shape (samples,), never dicts; the form that every number is made from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from safecot_eval.records.evaluator import Evaluator
from safecot_eval.records.samples import SCORED, Expectation, Status

EXPECTATIONS = tuple(Expectation)
STATUSES = tuple(Status)
_SCORED = np.array([status in SCORED for status in STATUSES])

PER_SAMPLE: dict[str, type[np.signedinteger[Any]]] = {
    "category": np.int16,
    "cluster": np.int32,
    "pair": np.int32,
    "core": np.int8,
    "expectation": np.int8,
    "status": np.int8,
    "tokens": np.int32,
    "consistent": np.int8,
}
"""The columns that a submission holds as well, beside the ids."""


class Key(NamedTuple):
    """What two runs of a task must have in common to be compared; submissions hold it under the same names.

    ``protocol`` is empty for greedy answers to the benchmark's own prompt, and in files of versions that knew no other.
    """

    version: str = ""
    data_revision: str = ""
    image_source: str = ""
    protocol: str = ""

    def shown(self, name: str) -> str:
        """A value in words."""
        return str(getattr(self, name)) or "of the task itself"


KEY_TITLES = {
    "version": ("version", "task version"),
    "data_revision": ("data", "data revision"),
    "image_source": ("images", "image source"),
    "protocol": ("protocol", "protocol"),
}
"""Field of the key to what the head of a column and a sentence call it."""


@dataclass(slots=True)
class Labels:
    """One evaluator's labels of one run: ``codes[i]`` indexes ``names``, -1 if there is no label.

    ``weights`` are the answers that each label stands for, if they were drawn for labelling (people);
    ``probabilities`` the judge's own of its label, NaN if not known.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int8]
    weights: NDArray[np.float64] | None = None
    probabilities: NDArray[np.float64] | None = None

    @property
    def unequal(self) -> bool:
        """Labelled answers were drawn with unequal chances: their plain mean is not the rate."""
        if self.weights is None:
            return False
        drawn = self.weights[self.codes >= 0]
        return len(drawn) > 0 and float(np.ptp(drawn)) > 0

    def binary(self, by_label: Mapping[str, float]) -> NDArray[np.float64]:
        """Labels as 1, 0 or NaN (unlisted labels and missing ones), shape (n,)."""
        values = [by_label.get(name) for name in self.names]
        lookup = np.array([math.nan if value is None else float(value) for value in values] + [math.nan])
        result: NDArray[np.float64] = lookup[self.codes]
        return result


@dataclass(slots=True)
class Names:
    """What a table of samples shows and no number needs.

    Attributes:
        item: The benchmark's ids, n of them.
        cluster: Name of each cluster number.
        pair: Name of each pair number.
        phrases: Index into the run's phrase lists: which one a sample was scored by, shape (n,).
        benchmark: Benchmark folder.
        variant: Task suffix.
    """

    item: list[str]
    cluster: tuple[str, ...]
    pair: tuple[str, ...]
    phrases: NDArray[np.int32]
    benchmark: str
    variant: str


@dataclass(slots=True)
class Columns:
    """One run as arrays, one entry per sample, all of shape (n,).

    Attributes:
        model: Display name.
        task: Task name.
        key: What sets the run apart from others of its task.
        ids: Sample ids as integers.
        category: Index into ``categories``.
        cluster: Source question, numbered within the run.
        pair: Contrast pair, numbered within the run; -1 for none.
        core: 1, 0, or -1 where the benchmark has no core.
        expectation: Index into ``EXPECTATIONS``.
        status: Index into ``STATUSES``.
        tokens: Generated tokens; -1 where unknown.
        consistent: 1, 0, or -1 if there is no reasoning or no scored answer.
        offset: Byte offset of the sample's line in the samples file; -1 if there is none (a submission, a table).
        evaluators: Who labelled, and their labels.
        names: Where they were asked for.
        item: The sample that each answer was given to, numbered within the run, where samples were answered several times
            (``--repeats``); None if each was answered once.
    """

    model: str
    task: str
    key: Key
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
    evaluators: dict[Evaluator, Labels] = field(default_factory=dict)
    names: Names | None = None
    item: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which answers count in rates."""
        return np.asarray(_SCORED[self.status])

    @property
    def asked(self) -> NDArray[np.bool_]:
        """Which items the model was asked; the others are in no denominator."""
        return np.asarray(self.status != STATUSES.index(Status.NOT_RUN))

    @property
    def draw(self) -> NDArray[np.int32]:
        """The number of each answer among those to its sample: 0 for the first."""
        if self.item is None:
            return np.zeros(len(self), dtype=np.int32)
        order = np.argsort(self.item, kind="stable")
        starts = np.searchsorted(self.item[order], self.item[order])
        found = np.empty(len(self), dtype=np.int32)
        found[order] = np.arange(len(self)) - starts
        return found

    def expects(self, expectation: Expectation) -> NDArray[np.bool_]:
        """Which items that were asked have this right behaviour."""
        return np.asarray(self.expectation == EXPECTATIONS.index(expectation)) & self.asked

    def outcomes(
        self, evaluator: Evaluator, by_label: Mapping[str, float] | None = None
    ) -> NDArray[np.float64]:
        """What an evaluator says of each answer: 1, 0, or NaN if it says neither or the answer is not scored.

        Args:
            evaluator: One of ``evaluators``.
            by_label: Which labels are 1 and which 0 (or a score between); by default those of the evaluator's outcome.
        """
        values = self.evaluators[evaluator].binary(evaluator.by_label if by_label is None else by_label)
        values[~self.scored] = np.nan
        return values


@runtime_checkable
class CompactRun(Protocol):
    """A run that hands over its columns and its provenance itself: there is no samples file to read (a submission)."""

    def columns(self) -> Columns:
        """The run as arrays."""

    def described(self) -> dict[str, Any]:
        """Its provenance in the form of :func:`safecot_eval.aggregate.provenance.provenance`."""

    def sealed(self) -> tuple[str, dict[str, Any]]:
        """Hash of the samples file that it was made from, and its provenance as it was submitted."""
