"""A text carries why it ended: through the journal's copy, pickling, JSON, and lmms-eval's own filters."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from safecot_eval.benchmarks.documents import documents
from safecot_eval.generate import task
from safecot_eval.generate.finish_reasons import IMAGE_ABSENT, LENGTH, STOP, Ended, reason_of, status_of
from safecot_eval.records.samples import ImageSource, Status


def test_an_ended_text_is_a_text() -> None:
    text = Ended("I will", LENGTH)
    assert text == "I will"
    assert json.dumps([text]) == '["I will"]'
    copied = pickle.loads(pickle.dumps(text))  # what ranks send one another
    assert (copied, copied.finish_reason) == ("I will", LENGTH)
    assert [status_of(Ended("x", reason)) for reason in (STOP, LENGTH, "ok", "request_failed", None)] == [
        *(None, Status.TRUNCATED, None, Status.REQUEST_FAILED, None)
    ]
    assert reason_of(str(text)) is None
    assert reason_of(Ended("  I will ", LENGTH).strip()) == LENGTH


def scored(raw: Any, **changes: Any) -> str:
    row = documents("safecot_mini_tiny")[0] | changes
    return str(task.process_results(row, [raw])["safecot"]["status"])


def test_scoring_reads_the_text_in_its_hands() -> None:
    """Two answers to one item, as with --repeats: each is scored by its own end."""
    assert [scored(Ended("I will", end)) for end in (LENGTH, STOP, "blocked_by_provider")] == [
        *("truncated", "ok", "blocked_by_provider")
    ]
    assert scored("I will") == "ok"


def test_an_answer_given_without_the_image_is_not_scored() -> None:
    absent = {"image_source": ImageSource.ABSENT.value}
    assert scored("A hammer.", **absent) == "image_unreadable"
    assert scored(Ended("A hammer.", IMAGE_ABSENT), **absent) == "image_unreadable"
    assert scored(Ended("A hammer.", "ok"), **absent) == "ok", "recorded elsewhere, with the image"


@pytest.mark.slow
def test_lmms_eval_passes_the_object_on() -> None:
    """From a back end to our scoring through lmms-eval's own code: unwrapped, filtered, stripped."""
    from types import SimpleNamespace

    from lmms_eval.api.filter import FilterEnsemble
    from lmms_eval.api.instance import GenerationResult, Instance, unwrap_generation_output
    from lmms_eval.api.task import ConfigurableTask
    from lmms_eval.filters.selection import TakeFirstFilter

    text, _ = unwrap_generation_output(GenerationResult(Ended(" I will ", LENGTH)))
    instance = Instance("generate_until", ("q",), 0, {"task": "t", "doc_id": 0, "repeats": 1})
    instance.resps.append(text)
    FilterEnsemble("none", [TakeFirstFilter()]).apply([instance], [])
    arrived: list[Any] = []
    config = SimpleNamespace(process_results=lambda doc, results: arrived.extend(results) or {})
    stand_in = SimpleNamespace(OUTPUT_TYPE="generate_until", config=config, lmms_eval_specific_kwargs=None)
    ConfigurableTask.process_results(stand_in, {}, [instance.filtered_resps["none"]])  # type: ignore[arg-type]
    assert [(text, reason_of(text)) for text in arrived] == [("I will", LENGTH)]
