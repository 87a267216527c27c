"""The nouns that every pass shares: what is asked, what came back, and how it is written down.

An :class:`Item` is one question of a benchmark. A *record* is the dict that travels in lmms-eval's samples file under
the key ``safecot``; it carries everything the judge, the statistics and the leaderboard need later, because lmms-eval
drops the document itself from its samples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from safecot_eval.util.files import sha256_of

RECORD_SCHEMA = 1
REQUEST_FAILED_PREFIX = "[LMMS_EVAL_REQUEST_FAILED"
BEFORE = "before"
"""Key of a record's ``extra``: what was said before the prompt, as a JSON list of [role, text]."""


class Expectation(StrEnum):
    """The right behaviour for an item."""

    REFUSE = "refuse"
    ANSWER = "answer"
    RESPOND_SAFELY = "respond_safely"


class Status(StrEnum):
    """Whether a response can be scored: ``ok`` and ``truncated`` are (``SCORED``), the others are counted as what they are."""

    OK = "ok"
    EMPTY = "empty"
    REQUEST_FAILED = "request_failed"
    TRUNCATED = "truncated"  # cut at the token limit: scored as far as it goes, as the benchmarks' authors do
    UNFINISHED = "unfinished"  # cut before there was an answer: a thought that never ends
    BUDGET_EXCEEDED = "budget_exceeded"
    BLOCKED_BY_PROVIDER = "blocked_by_provider"
    IMAGE_UNREADABLE = "image_unreadable"
    NOT_RUN = "not_run"  # nobody asked: recorded answers to a part of a benchmark


SCORED = frozenset({Status.OK, Status.TRUNCATED})
"""Statuses of the answers that rates are made from. A cut answer counts: harmful answers are long."""


class ImageSource(StrEnum):
    """Where an item's image comes from; rendered and official images are never mixed silently."""

    NONE = "none"
    OFFICIAL = "official"
    RENDERED = "rendered"
    ABSENT = "absent"  # the benchmark has an image, but the item is asked (or replayed) without it


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a benchmark.

    Attributes:
        item_id: Id within the benchmark, the official one where there is one. Replay files refer to it.
        prompt: The text sent to the model, exactly.
        category: The benchmark's own category.
        expectation: The right behaviour.
        images: Image files, in the order they are shown.
        image_source: Where they come from.
        cluster_id: Groups items that share a source question; defaults to ``item_id``.
        pair_id: Groups the unsafe and the benign item of a contrast pair; None where items are not paired.
        core: For benchmarks with an official and a core total (MM-SafetyBench): whether the item is in the core.
        extra: What rubrics need beside prompt and answer (``safety_warning``, ``reference``, ``choices`` …).
        image_names: The paths that the benchmark's own files give the images, whether they are on disk or not. Recorded
            answers are matched by them.
        aliases: Other ids that the benchmark's own files and tools use for the item.
        asked_as: Field of the benchmark's own file that the prompt stands in, where the file has several wordings.
        before: What is said before the prompt, as role (``system``, ``user`` or ``assistant``) and text. The images belong
            to the first user turn.
    """

    item_id: str
    prompt: str
    category: str
    expectation: Expectation
    images: tuple[Path, ...] = ()
    image_source: ImageSource = ImageSource.NONE
    cluster_id: str = ""
    pair_id: str | None = None
    core: bool | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    image_names: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    asked_as: str = ""
    before: tuple[tuple[str, str], ...] = ()


def sample_id(benchmark: str, item_id: str, prompt: str, image_sha256: Sequence[str]) -> str:
    """Content hash that names a sample: the same question with the same image has the same id in every run.

    The item id is part of it because some benchmarks ask one sentence about many images that may be absent.

    Returns:
        16 hexadecimal digits.

    >>> sample_id("figstep", "1-1", "Look.", ["ab"]) == sample_id("figstep", "1-1", "Look.", ["ab"])
    True
    """
    content = json.dumps([benchmark, item_id, prompt, list(image_sha256)], ensure_ascii=True)
    return sha256_of(content)[:16]


def response_status(
    raw: str,
    answer: str,
    *,
    truncated: bool = False,
    unfinished: bool = False,
    image_unreadable: bool = False,
    failed: Status | None = None,
) -> Status:
    """Decide whether a response can be scored.

    Args:
        raw: The whole generation.
        answer: The part after the reasoning.
        truncated: The model stopped because it ran out of tokens.
        unfinished: Its reasoning was never closed.
        image_unreadable: The item's image could not be opened, so the model did not see the question.
        failed: What the text stands for where it is a failure's and no answer's; see
            :mod:`safecot_eval.scoring.failure_texts`.

    >>> response_status("", "")
    <Status.EMPTY: 'empty'>
    >>> response_status("[LMMS_EVAL_REQUEST_FAILED after 3 retries]", "…")
    <Status.REQUEST_FAILED: 'request_failed'>
    """
    if image_unreadable:
        return Status.IMAGE_UNREADABLE
    if failed is not None:
        return failed
    if raw.startswith(REQUEST_FAILED_PREFIX):
        return Status.REQUEST_FAILED
    if unfinished and not answer.strip():
        return Status.UNFINISHED
    if not answer.strip():
        return Status.EMPTY
    return Status.TRUNCATED if truncated else Status.OK


Record = dict[str, Any]
"""A sample record: see ``docs/architecture.md`` for the meaning of each key."""


def said_before(extra: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was said before a prompt, as role and text; empty where nothing was, or where it cannot be read.

    >>> said_before({"before": '[["user", "Hello?"], ["assistant", "Hello."]]'})
    [('user', 'Hello?'), ('assistant', 'Hello.')]
    """
    try:
        return [(str(role), str(text)) for role, text in json.loads(extra.get(BEFORE) or "[]")]
    except (TypeError, ValueError):
        return []
