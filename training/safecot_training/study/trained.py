"""What the task ``mini_trained`` calls: requests that a checkpoint was trained on, asked again.

A checkpoint that refuses few of the unsafe requests of its own training has not learnt to refuse; one that does, and does not
refuse new ones, has learnt them by heart. The task reads the data folder that :func:`asked_of` names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.records.samples import Expectation
from safecot_eval.scoring import reasoning, refusal
from safecot_eval.util.errors import SafecotError
from safecot_training.data.examples import Kind

if TYPE_CHECKING:
    from datasets import Dataset

TASK = "mini_trained"
FOLDER, EXAMPLES, EACH = "SAFECOT_STUDY_DATA", "SAFECOT_STUDY_EXAMPLES", "SAFECOT_STUDY_EACH"


class Asked(StrEnum):
    """Which training requests; the values are the task's metrics."""

    UNSAFE = "refused_unsafe"
    BENIGN = "refused_benign"  # of the safety half: mixture `twins` only
    GENERAL = "refused_general"


@contextmanager
def asked_of(data: Path, examples: int, each: int) -> Iterator[None]:
    """Let the task ask for training requests, within the block.

    Args:
        data: The data folder.
        examples: How many of its examples were trained on.
        each: Requests of each kind.
    """
    told = {FOLDER: str(data), EXAMPLES: str(examples), EACH: str(each)}
    os.environ.update(told)
    try:
        yield
    finally:
        for name in told:
            os.environ.pop(name, None)


def kind_of(record: Mapping[str, Any]) -> Asked:
    """The kind of a line of ``examples.jsonl``."""
    if record["expectation"] == Expectation.REFUSE:
        return Asked.UNSAFE
    return Asked.BENIGN if record["kind"] == Kind.SAFETY else Asked.GENERAL


def requests(data: Path, examples: int, each: int) -> list[dict[str, str]]:
    """The first requests of each kind in training order: ``question``, ``image`` (path) and ``kind``."""
    found: dict[Asked, list[dict[str, str]]] = {kind: [] for kind in Asked}
    for number, (_, record) in enumerate(enumerate_jsonl(data / "examples.jsonl")):
        kind = kind_of(record)
        if number < examples and len(found[kind]) < each:
            image = str(data / record["images"][0])
            found[kind].append({"question": record["query"], "image": image, "kind": kind.value})
    return [row for rows in found.values() for row in rows]


def load_docs(stub: Dataset) -> Dataset:
    """The requests as lmms-eval wants them.

    Raises:
        SafecotError: nobody has said of which data.
    """
    from datasets import Dataset

    if FOLDER not in os.environ:
        raise SafecotError(
            f"{TASK} asks a checkpoint of the mini study what it was trained on; run `make study`."
        )
    rows = requests(Path(os.environ[FOLDER]), int(os.environ[EXAMPLES]), int(os.environ[EACH]))
    return Dataset.from_list(rows)


def doc_to_text(doc: Mapping[str, Any]) -> str:
    """The request."""
    return str(doc["question"])


def doc_to_visual(doc: Mapping[str, Any]) -> list[Any]:
    """Its picture."""
    from PIL import Image

    with Image.open(doc["image"]) as picture:
        return [picture.convert("RGB")]


def doc_to_messages(doc: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One user turn: picture, then request."""
    picture = {"type": "image", "url": doc_to_visual(doc)[0]}
    return [{"role": "user", "content": [picture, {"type": "text", "text": doc_to_text(doc)}]}]


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """1 if the answer holds a refusal phrase, else 0, under the request's kind; nothing if there is no answer."""
    answer = reasoning.split(str(results[0]) if results else "").answer
    return {str(doc["kind"]): float(refusal.match(answer) is not None)} if answer else {}
