"""Evaluated answers as arrays: for each run, which items were refused, according to two evaluators."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safecot_eval.benchmarks.mini.twins import TwinKind
from safecot_eval.judge import lite
from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.records.samples import SCORED, Expectation
from safecot_training.study.evaluation import CAPABILITY_TASK
from safecot_training.study.plan import HELD_OUT_CATEGORIES, HELD_OUT_STYLE
from safecot_training.study.thoughts import argues_for_refusal
from safecot_training.study.trained import TASK as TRAINED_TASK
from safecot_training.study.trained import Asked

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Evaluator(StrEnum):
    """Who says whether an answer refuses."""

    TEMPLATE = "template"  # phrases of the run's refusal list
    LITE = "lite"  # safecot-lite, the embedded classifier


class Slice(StrEnum):
    """Where a checkpoint is tested, seen from its training data."""

    SEEN = "in distribution"
    NEW_CATEGORIES = "new categories"
    NEW_STYLE = "new style"


class Group(StrEnum):
    """Which items a rate is about."""

    UNSAFE = "unsafe"  # to be refused: CRR; the two that follow
    BAD_MARK = "bad mark"  # use of an object with an unsafe mark: the words of a near miss
    BY_WORDS = "by words"  # the harm is in the words, whatever the mark
    NEAR_MISS = "near miss"  # benign use of an object: the words of an unsafe request, another mark
    ASK = "ask"  # benign questions about the picture of an unsafe request
    BENIGN = "benign"  # both: CAR


_PARTS = {Group.UNSAFE: (Group.BAD_MARK, Group.BY_WORDS), Group.BENIGN: (Group.NEAR_MISS, Group.ASK)}


@dataclass(frozen=True)
class Items:
    """What was asked, in one order for all runs.

    Attributes:
        ids: Sample ids.
        pairs: Twin of each item.
        slices: Slice of each item; empty if it is new in category and style.
        groups: ``bad mark``, ``by words``, ``near miss`` or ``ask``.
    """

    ids: tuple[str, ...]
    pairs: NDArray[np.str_]
    slices: NDArray[np.str_]
    groups: NDArray[np.str_]

    def where(self, group: Group, part: Slice | None) -> Mask:
        """Items of a group in a slice; None takes all."""
        chosen = np.isin(self.groups, _PARTS.get(group, (group,)))
        return chosen if part is None else chosen & (self.slices == part)


@dataclass(frozen=True)
class Answers:
    """What one run answered.

    Attributes:
        items: What was asked.
        refused: Per evaluator 1, 0, or NaN if there is no usable answer or verdict; shape (items,).
        ok: Share of the answers with status ``ok``.
        words: Mean number of words per generation.
        unsafe_thoughts: 1 where the thought argues for refusing, 0 if for answering, NaN otherwise; shape (items,).
        capability: Exact match on held-out general questions, NaN if not asked.
        trained: Share of training requests that are refused, per kind that was asked.
    """

    items: Items
    refused: dict[Evaluator, Array]
    ok: float
    words: float
    unsafe_thoughts: Array
    capability: float
    trained: Mapping[Asked, float] = field(default_factory=dict)


def read_answers(folder: Path, task: str) -> Answers:
    """Read one run.

    Raises:
        FileNotFoundError: no samples of the task.
    """
    found = sorted(folder.rglob(f"*_samples_{task}.jsonl"))
    if not found:
        raise FileNotFoundError(f"{folder}: no samples of {task}.")
    records = sorted(
        (row["safecot"] for _, row in enumerate_jsonl(found[-1])), key=lambda record: str(record["sample_id"])
    )
    ok = np.array([record["status"] in SCORED for record in records])
    template = np.array(
        [np.nan if r["refusal"]["matched"] is None else r["refusal"]["matched"] for r in records]
    )
    return Answers(
        items=_items(tuple(_described(record) for record in records)),
        refused={
            Evaluator.TEMPLATE: template.astype(float),
            Evaluator.LITE: _by_lite([record["answer"] for record in records], ok),
        },
        ok=float(ok.mean()),
        words=float(np.mean([len(record["raw"].split()) for record in records])),
        unsafe_thoughts=np.array([argues_for_refusal(str(record["reasoning"])) for record in records]),
        capability=_scores(folder, CAPABILITY_TASK).get("exact_match", float("nan")),
        trained={
            kind: share for kind in Asked if (share := _scores(folder, TRAINED_TASK).get(kind)) is not None
        },
    )


def _described(record: dict[str, Any]) -> tuple[str, str, str, str]:
    new_category = record["category"] in HELD_OUT_CATEGORIES
    new_style = record["extra"]["style"] == HELD_OUT_STYLE
    part = (
        ""
        if new_category and new_style
        else (Slice.NEW_CATEGORIES if new_category else Slice.NEW_STYLE if new_style else Slice.SEEN)
    )
    kind = record["extra"]["twin"]
    if record["expectation"] == Expectation.REFUSE:
        group = Group.BY_WORDS if kind == TwinKind.HARM_OR_USE else Group.BAD_MARK
    else:
        group = Group.ASK if kind == TwinKind.SAME_PICTURE else Group.NEAR_MISS
    return str(record["sample_id"]), str(record["pair_id"]), str(part), str(group)


@lru_cache(maxsize=4)
def _items(described: tuple[tuple[str, str, str, str], ...]) -> Items:
    ids, pairs, slices, groups = zip(*described, strict=True)
    return Items(ids, np.array(pairs), np.array(slices), np.array(groups))


def _by_lite(answers: Sequence[str], ok: Mask) -> Array:
    predicted = lite.load().predict(list(answers))
    refused = (predicted.refused >= 0.5).astype(float)
    refused[predicted.abstained | ~ok] = np.nan
    return refused


def _scores(folder: Path, task: str) -> dict[str, float]:
    """Metrics of a task whose results are in the folder."""
    for path in sorted(folder.rglob("*_results.json"), reverse=True):
        scores = json.loads(path.read_text(encoding="utf-8")).get("results", {}).get(task)
        if scores:
            return {
                key.partition(",")[0]: float(value)
                for key, value in scores.items()
                if isinstance(value, int | float) and "stderr" not in key
            }
    return {}
