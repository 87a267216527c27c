"""Logs of Inspect (``.eval``: a zip of JSON; or ``.json``), read without the package."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.generate.importing.answers import Answer
from safecot_eval.generate.importing.pictures import picture
from safecot_eval.records.samples import Status
from safecot_eval.records.tables.archives import open_archive, read_json
from safecot_eval.scoring.failure_texts import of_recorded
from safecot_eval.util.errors import SafecotError

_SAMPLE = re.compile(r"^samples/.+\.json$")
_ATTACHMENT = "attachment://"
_STOPPED = {
    "max_tokens": Status.TRUNCATED,
    "model_length": Status.TRUNCATED,
    "content_filter": Status.BLOCKED_BY_PROVIDER,
}


def model_of(path: Path) -> str | None:
    """The evaluated model, as the log's header names it."""
    with open_archive(path) as archive:
        names = set(archive.namelist())
        header = next(
            (name for name in ("header.json", "_journal/start.json", "start.json") if name in names), None
        )
        return header_model(read_json(archive, header, path)) if header else None


def header_model(log: Mapping[str, Any]) -> str | None:
    """The evaluated model of a log's header."""
    spec = log.get("eval")
    model = spec.get("model") if isinstance(spec, dict) else None
    return model if isinstance(model, str) and model else None


def read_archive(path: Path, folders: tuple[Path, ...], repeated: list[str]) -> Iterator[Answer]:
    """Yield the answers of a ``.eval`` log, one sample in memory at a time.

    Args:
        path: The log.
        folders: Where relative picture paths may start.
        repeated: Gets the place of every sample of a second or later epoch; these are left out.

    Raises:
        SafecotError: the file is not such a log, or is damaged (the member is named).
    """
    with open_archive(path) as archive:
        names = [name for name in archive.namelist() if _SAMPLE.match(name)]
        if not names:
            raise SafecotError(
                f"{path}: the log holds no samples; it was interrupted, or is another kind of file."
            )
        for name in names:
            yield from _first_epoch(read_json(archive, name, path), f"{path.name}, {name}", folders, repeated)


def read_object(
    log: Mapping[str, Any], path: Path, folders: tuple[Path, ...], repeated: list[str]
) -> Iterator[Answer]:
    """Yield the answers of a log in JSON form; see :func:`read_archive`."""
    samples = log.get("samples")
    if not isinstance(samples, list) or not samples:
        raise SafecotError(f"{path}: the log holds no samples.")
    for number, sample in enumerate(samples, start=1):
        if not isinstance(sample, dict):
            raise SafecotError(f"{path}, sample {number}: not a JSON object.")
        yield from _first_epoch(sample, f"{path.name}, sample {number}", folders, repeated)


def _first_epoch(
    sample: dict[str, Any], where: str, folders: tuple[Path, ...], repeated: list[str]
) -> Iterator[Answer]:
    if sample.get("epoch") not in (None, 1):
        repeated.append(where)
        return
    yield to_answer(sample, where, folders)


def to_answer(sample: Mapping[str, Any], where: str, folders: tuple[Path, ...] = ()) -> Answer:
    """One sample of a log.

    The prompt is the text of the last user turn of the sample's input. Reasoning that the log keeps apart is put before
    the answer in ``<think>`` tags, so that scoring finds both.

    >>> to_answer({"id": 1, "input": "Hi?", "output": {"completion": "Ho."}}, "here").response
    'Ho.'
    """
    attachments = sample.get("attachments")
    texts, images = _question(sample.get("input"), attachments if isinstance(attachments, dict) else {})
    output = sample.get("output")
    output = output if isinstance(output, dict) else {}
    choices = output.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    given = choice.get("message")
    message: Mapping[str, Any] = given if isinstance(given, dict) else {}
    reasoning, answer = _said(message.get("content"))
    older = message.get("reasoning")  # logs of 2024 kept it beside the content
    reasoning = reasoning or (older if isinstance(older, str) else "")
    completion = output.get("completion")
    answer = answer or (completion if isinstance(completion, str) else "")
    status = _STOPPED.get(str(choice.get("stop_reason")), Status.OK)
    failure = of_recorded(answer) if status is Status.OK else None
    if (sample.get("error") or output.get("error")) and not answer:
        status = Status.REQUEST_FAILED
    elif failure is not None:
        status = failure.status
    usage = output.get("usage")
    tokens = usage.get("output_tokens") if isinstance(usage, dict) else None
    return Answer(
        where=where,
        response=f"<think>{reasoning}</think>\n{answer}" if reasoning else answer,
        prompt="\n".join(texts) or None,
        item_id=None if sample.get("id") is None else str(sample["id"]),
        pictures=tuple(picture(image, folders) for image in images),
        status=status,
        output_tokens=tokens
        if isinstance(tokens, int) and not isinstance(tokens, bool) and tokens >= 0
        else None,
        failure=failure.source if failure else "",
    )


def _question(given: Any, attachments: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Texts and pictures of the last user turn."""
    if isinstance(given, str):
        return [_resolved(given, attachments)], []
    turns = [turn for turn in given if isinstance(turn, dict)] if isinstance(given, list) else []
    users = [turn for turn in turns if turn.get("role") == "user"]
    content = users[-1].get("content") if users else None
    if isinstance(content, str):
        return [_resolved(content, attachments)], []
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    texts = [_resolved(part["text"], attachments) for part in parts if isinstance(part.get("text"), str)]
    images = [_resolved(part["image"], attachments) for part in parts if isinstance(part.get("image"), str)]
    return texts, images


def _resolved(text: str, attachments: Mapping[str, Any]) -> str:
    """Long texts and pictures are kept apart, under their hash."""
    kept = attachments.get(text.removeprefix(_ATTACHMENT)) if text.startswith(_ATTACHMENT) else None
    return kept if isinstance(kept, str) else text


def _said(content: Any) -> tuple[str, str]:
    """Reasoning and answer of the model's message."""
    if isinstance(content, str):
        return "", content
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    return "\n".join(filter(None, map(_thought, parts))), "\n".join(texts)


def _thought(part: Mapping[str, Any]) -> str:
    """The readable reasoning of a part: where a provider encrypts it (``redacted``), at most its summary is."""
    readable = "" if part.get("redacted") else part.get("reasoning")
    for text in (readable, part.get("summary")):
        if isinstance(text, str) and text.strip():
            return text
    return ""
