"""What the task YAMLs call: documents, prompts and scoring, one set of functions for all tasks.

lmms-eval retries ``download`` and ``process_results`` five times on any ``Exception`` and exits 0 in the end, so
that missing data end the process here with ``SystemExit`` and one sentence, and ``process_results`` never raises.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safecot_eval.benchmarks import catalogue, images, item_list
from safecot_eval.benchmarks.documents import documents
from safecot_eval.generate import dialogues, finish_reasons
from safecot_eval.judge import in_run
from safecot_eval.records.repeats import FIRST, OTHERS, numbered, own_part
from safecot_eval.records.samples import ImageSource, Record
from safecot_eval.scoring import failure_texts, reasoning, refusal
from safecot_eval.scoring.record import make_record
from safecot_eval.scoring.sample_metrics import metrics_of
from safecot_eval.util.errors import SafecotError

if TYPE_CHECKING:
    from datasets import Dataset


def load_docs(stub: Dataset) -> Dataset:
    """Build the documents of the task whose name is the stub's config name.

    Returns:
        A dataset with one row per item; every column is text (``images``, ``image_sha256``, ``rubrics`` and ``extra``
        are JSON), except ``core`` (bool or None) and ``also_refuse`` (bool).

    Raises:
        SystemExit: the task's data are missing or malformed (one sentence).
    """
    from datasets import Dataset

    try:
        task_name = str(stub.info.config_name)
        items = (
            item_list.chosen(task_name, catalogue.items_of(task_name))
            if os.environ.get(item_list.VARIABLE)
            else None
        )
        rows = documents(task_name, items)
        for named in {row["refusal_list"] for row in rows} - {""}:
            refusal.load_list(named)  # process_results must not be the first to find out that it is broken
    except SafecotError as error:
        raise SystemExit(f"safecot: {error}") from error
    return Dataset.from_list(rows)


def doc_to_text(doc: Mapping[str, Any]) -> str:
    """The prompt, exactly as the benchmark words it."""
    return str(doc["prompt"])


def doc_to_visual(doc: Mapping[str, Any]) -> list[Any]:
    """Open a document's images (RGB, within the pixel limit); none if they are broken or absent."""
    dialogues.require_messages(doc)
    return _pictures(doc)


def _pictures(doc: Mapping[str, Any]) -> list[Any]:
    dialogues.require_history(doc)
    if doc["image_error"] or doc["image_source"] == ImageSource.ABSENT:
        return []
    return [images.open_image(Path(path)) for path in json.loads(doc["images"])]


def doc_to_messages(doc: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is said before the prompt, then the prompt; the images in order, at the start of the first user turn."""
    messages: list[dict[str, Any]] = [
        {"role": role, "content": [{"type": "text", "text": text}]}
        for role, text in (*dialogues.before_of(doc), ("user", doc_to_text(doc)))
    ]
    first = next(message for message in messages if message["role"] == "user")
    first["content"] = [*({"type": "image", "url": image} for image in _pictures(doc)), *first["content"]]
    return messages


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, Any]:
    """Score the generations of one document.

    Args:
        doc: A document of :func:`load_docs`.
        results: The generation; with ``--repeats k`` all k of them.

    Returns:
        The sample record under ``safecot``, those of further answers under ``safecot_repeats`` (see
        :mod:`safecot_eval.records.repeats`), and the metrics this sample takes part in
        (see :func:`safecot_eval.scoring.sample_metrics.metrics_of`).
    """
    records = _records(doc, results)
    for record in records:
        record["verdicts"] = in_run.verdicts(record)
    metrics = metrics_of(records, also_refuse=bool(doc.get("also_refuse")))
    others = [own_part(record) for record in records[1:]]
    return {FIRST: records[0], **({OTHERS: others} if others else {}), **metrics}


def score_together(task: Any) -> None:
    """Have all answers to each document of one of our tasks scored, and all judged at once, before the first is scored.

    lmms-eval's filter hands on the first of ``--repeats`` answers; here they are all put in its place, which its own
    ``process_results`` takes. See ``judge/in_run.py`` for the judge.

    Args:
        task: An lmms-eval task whose filters have been applied; tasks of others are left alone.
    """
    if getattr(task.config, "process_results", None) is not process_results:
        return
    records = []
    for instance in task.instances:
        if len(instance.resps) > 1:
            instance.filtered_resps = {name: list(instance.resps) for name in instance.filtered_resps}
        if in_run.configured_at_all():
            given = next(iter(instance.filtered_resps.values()), "")
            drawn = given if isinstance(given, list) else [given]
            ended = [
                finish_reasons.Ended(str(one or "").strip(), finish_reasons.reason_of(one)) for one in drawn
            ]
            records += _records(task.eval_docs[instance.doc_id], ended)
    in_run.prefetch(records)


def _records(doc: Mapping[str, Any], results: Sequence[str]) -> list[Record]:
    return [numbered(_record(doc, response), n) for n, response in enumerate(results or [""])]


def _record(doc: Mapping[str, Any], response: str) -> Record:
    # Recorded answers say how they ended, and were given to the image elsewhere; who says nothing was asked without it.
    unseen = finish_reasons.reason_of(response) in (None, finish_reasons.IMAGE_ABSENT)
    absent = unseen and doc["image_source"] == ImageSource.ABSENT
    parsed = {
        **doc,
        "image_sha256": json.loads(doc["image_sha256"]),
        "rubrics": json.loads(doc["rubrics"]),
        "image_error": doc["image_error"] or ("the image is not on disk" if absent else ""),
    }
    return make_record(
        parsed,
        str(response),
        refusal_list=_settings().refusal_list
        or refusal.load_list(doc.get("refusal_list") or refusal.DEFAULT_LIST),
        markers=_settings().markers,
        known=finish_reasons.status_of(response),
        failure_texts=failure_texts.active(),
    )


class _Settings:
    """In-run settings from the environment; ``safecot run`` sets them from its options."""

    def __init__(self) -> None:
        chosen = os.environ.get("SAFECOT_REFUSAL_LIST")
        self.refusal_list = refusal.load_list(chosen) if chosen else None  # None: each task's own
        self.markers = reasoning.chosen_markers()


@cache
def _settings() -> _Settings:
    try:
        return _Settings()
    except SafecotError as error:
        raise SystemExit(f"safecot: {error}") from error
