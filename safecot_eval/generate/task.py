"""What the task YAMLs call: documents, prompts and scoring, one set of functions for all leaves.

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

from safecot_eval.benchmarks import images
from safecot_eval.benchmarks.documents import documents
from safecot_eval.generate import finish_reasons
from safecot_eval.judge import in_run
from safecot_eval.records.samples import ImageSource, Record
from safecot_eval.scoring import failure_texts, reasoning, refusal
from safecot_eval.scoring.record import make_record
from safecot_eval.scoring.sample_metrics import sample_metrics
from safecot_eval.util.errors import SafecotError

if TYPE_CHECKING:
    from datasets import Dataset


def load_docs(stub: Dataset) -> Dataset:
    """Build the documents of the leaf whose name is the stub's config name.

    Returns:
        A dataset with one row per item; every column is text (``images``, ``image_sha256``, ``rubrics`` and ``extra``
        are JSON), except ``core`` (bool or None) and ``also_refuse`` (bool).

    Raises:
        SystemExit: the leaf's data are missing or malformed (one sentence).
    """
    from datasets import Dataset

    try:
        rows = documents(stub.info.config_name)
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
    if doc["image_error"] or doc["image_source"] == ImageSource.ABSENT:
        return []
    return [images.open_image(Path(path)) for path in json.loads(doc["images"])]


def doc_to_messages(doc: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One user turn: the images in order, then the prompt."""
    content: list[dict[str, Any]] = [{"type": "image", "url": image} for image in doc_to_visual(doc)]
    content.append({"type": "text", "text": doc_to_text(doc)})
    return [{"role": "user", "content": content}]


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, Any]:
    """Score one generation.

    Args:
        doc: A document of :func:`load_docs`.
        results: The generation, as a list of one.

    Returns:
        The sample record under ``safecot``, and the metrics this sample takes part in
        (see :func:`safecot_eval.scoring.sample_metrics.sample_metrics`).
    """
    record = _record(doc, results)
    record["verdicts"] = in_run.verdicts(record)
    also_refuse = bool(doc.get("also_refuse"))
    return {"safecot": record, **sample_metrics(record, also_refuse=also_refuse)}


def judge_together(task: Any) -> None:
    """Have all responses of one of our tasks judged at once, before the first is scored; see ``judge/inrun.py``.

    Args:
        task: An lmms-eval task whose filters have been applied; tasks of others are left alone.
    """
    if getattr(task.config, "process_results", None) is not process_results:
        return
    docs = task.eval_docs
    records = []
    if in_run.configured_at_all():
        for instance in task.instances:
            response = next(iter(instance.filtered_resps.values()), "")
            response = finish_reasons.Ended(str(response or "").strip(), finish_reasons.reason_of(response))
            records.append(_record(docs[instance.doc_id], [response]))
    in_run.prefetch(records)


def _record(doc: Mapping[str, Any], results: Sequence[str]) -> Record:
    response = results[0] if results else ""
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
