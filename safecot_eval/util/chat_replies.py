"""What came of a chat request: the answer and how it ended, or the name of the failure, in the dialects of many servers.

OpenAI's API is spoken by dozens of servers and gateways, most of which pass on words of the API behind them: Anthropic's
``max_tokens`` and ``refusal``, Gemini's ``SAFETY``, vLLM's ``abort``, OpenRouter's ``error``. A reply counts as a whole answer
only if it says so.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

LONGEST_WAIT_S = 60.0
FILTER_WORDS = [
    line
    for line in Path(__file__).with_name("filter_words.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
"""In the text of an error: the provider's filter refused, not the model."""


class Failure(StrEnum):
    """Why there is no answer."""

    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    BROKEN_REPLY = "broken_reply"
    KEY_REFUSED = "key_refused"
    OUT_OF_QUOTA = "out_of_quota"
    REJECTED = "rejected"
    BLOCKED = "blocked_by_provider"


FINAL = frozenset({Failure.KEY_REFUSED, Failure.OUT_OF_QUOTA, Failure.REJECTED, Failure.BLOCKED})
"""Failures that a retry of the same request cannot repair."""

SUFFIX = frozenset({Failure.KEY_REFUSED, Failure.OUT_OF_QUOTA})
"""Failures after which nothing more is sent."""


class FinishReason(StrEnum):
    """Why a generation ended."""

    STOP = "stop"
    LENGTH = "length"
    BLOCKED = "content_filter"
    FAILED = "error"


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request.

    Attributes:
        text: The answer, reasoning included (between ``<think>`` and ``</think>`` where the server sends it apart).
        finish_reason: Why the generation ended; None for a failure before there was one.
        failure: None for an answer.
        detail: About the failure, without secrets.
        input_tokens: As the provider counted them.
        output_tokens: Likewise, reasoning included.
        reasoning_tokens: Likewise.
        choice: The first choice as received (``logprobs`` …); empty for a failure.
        attempts: How often the request was sent.
        status: HTTP status; 0 if there was none.
    """

    text: str = ""
    finish_reason: str | None = None
    failure: Failure | None = None
    detail: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    choice: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 0
    status: int = 0


_EXACT = {
    **dict.fromkeys(
        ("", "stop", "end_turn", "stop_sequence", "eos", "eos_token", "complete", "completed"),
        FinishReason.STOP,
    ),
    **dict.fromkeys(("tool_calls", "tool_use", "function_call", "unknown"), FinishReason.STOP),
    **dict.fromkeys(
        ("length", "max_tokens", "model_context_window_exceeded", "incomplete"), FinishReason.LENGTH
    ),
    **dict.fromkeys(
        ("content_filter", "safety", "sensitive", "refusal", "recitation", "spii"), FinishReason.BLOCKED
    ),
    **dict.fromkeys(("error", "abort", "cancelled", "load", "unload"), FinishReason.FAILED),
}
_PATTERNS = (
    (r"filter|safety|block|prohibit|sensitiv|refus|toxic|guardrail|moderat|policy|violat|risk|recitation|spii", FinishReason.BLOCKED),
    (r"error|abort|fail|cancel|timeout|time_limit|interrupt|malformed|overload|disconnect|network|unspecified", FinishReason.FAILED),
    (r"length|max|limit|truncat|budget|context|repet", FinishReason.LENGTH),
    (r"stop|eos|(^|_)end|complete|finish|done|normal|success|tool|function", FinishReason.STOP),
)  # fmt: skip


def finish_reason_of(value: Any) -> FinishReason:
    """Understand a ``finish_reason``; one that nobody knows is no proof of a whole answer, and is a failure.

    >>> [finish_reason_of(v).value for v in ("stop", "MAX_TOKENS", "content_filter: PROHIBITED_CONTENT", "abort", "weird")]
    ['stop', 'length', 'content_filter', 'error', 'error']
    """
    word = str(value).strip().lower().removeprefix("finish_reason_")
    if word in _EXACT:
        return _EXACT[word]
    return next(
        (finish_reason for pattern, finish_reason in _PATTERNS if re.search(pattern, word)),
        FinishReason.FAILED,
    )


def parse(content: bytes) -> Reply:
    """Read the body of a 200; ``detail`` still holds what the server said, secrets included."""
    try:
        received = _loads(content)
    except (ValueError, RecursionError):
        return _broken(_excerpt(content))
    error = received.get("error") if isinstance(received, Mapping) else None
    try:
        choice = received["choices"][0]
        text, ended = text_of(choice["message"]), choice.get("finish_reason", "unknown")
        native = choice.get("native_finish_reason") or ended
    except (KeyError, IndexError, TypeError, AttributeError):
        return _told(error) if error else _broken(_excerpt(content))
    error = error or choice.get("error")
    finish_reason = finish_reason_of(ended)
    if finish_reason is FinishReason.STOP and finish_reason_of(native) in (
        FinishReason.BLOCKED,
        FinishReason.LENGTH,
    ):
        finish_reason = finish_reason_of(native)  # a gateway's "stop" may stand for anything
    counts = _usage(received.get("usage"))
    if finish_reason is FinishReason.BLOCKED:
        return Reply(text, finish_reason, Failure.BLOCKED, f"finish_reason {ended}", *counts, status=200)
    if error:
        return _told(error)
    if ended is None:
        return _cut(Failure.BROKEN_REPLY, "the generation was cut off (finish_reason null)")
    if finish_reason is FinishReason.FAILED:
        return _cut(Failure.SERVER_ERROR, f"the generation did not end well (finish_reason {ended})")
    return Reply(text, finish_reason, None, "", *counts, choice, status=200)


def failure_of(status: int, text: str) -> Failure:
    """Name a response that is not 200.

    >>> failure_of(429, ""), failure_of(400, '{"error": {"code": "content_filter"}}')
    (<Failure.RATE_LIMITED: 'rate_limited'>, <Failure.BLOCKED: 'blocked_by_provider'>)
    """
    folded = text.lower()
    if status == 402 or "insufficient_quota" in folded:
        return Failure.OUT_OF_QUOTA
    if status in (400, 403, 422) and is_filtered(folded):
        return Failure.BLOCKED
    if status in (401, 403):
        return Failure.KEY_REFUSED
    if status == 429:
        return Failure.RATE_LIMITED
    if status >= 500 or status in (408, 409, 425):
        return Failure.SERVER_ERROR
    return Failure.REJECTED


def is_filtered(text: str) -> bool:
    """Whether an error's text tells of a provider's filter."""
    folded = text.lower()
    return any(word in folded for word in FILTER_WORDS)


def retry_after(headers: Mapping[str, str], text: str = "") -> float | None:
    """Seconds that a server asks to wait, a minute at most; None if it does not say.

    ``Retry-After`` in seconds or as a date, ``retry-after-ms``, and Google's ``retryDelay`` in the body.

    >>> retry_after({"retry-after": "3"}), retry_after({}, '{"retryDelay": "2s"}'), retry_after({})
    (3.0, 2.0, None)
    """
    given = {name.lower(): value for name, value in headers.items()}
    told = re.search(r'"retryDelay"\s*:\s*"([\d.]+)s"', text)
    try:
        if "retry-after-ms" in given:
            seconds = float(given["retry-after-ms"]) / 1000
        elif "retry-after" in given:
            seconds = _seconds(given["retry-after"])
        elif told:
            seconds = float(told[1])
        else:
            return None
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT_S) if seconds == seconds else None


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message: content, or the refusal in its place; reasoning that came apart is put before it.

    Raises:
        TypeError: it has neither text nor None if text belongs.

    >>> text_of({"content": "No.", "reasoning_content": "Unsafe."})
    '<think>Unsafe.</think>No.'
    >>> text_of({"content": None, "refusal": "I can't help with that."})
    "I can't help with that."
    >>> text_of({"content": [{"type": "thinking", "thinking": [{"text": "Hm."}]}, {"type": "text", "text": "No."}]})
    '<think>Hm.</think>No.'
    """
    content = message.get("content")
    reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    if isinstance(content, list):
        thoughts = "".join(_parts(part.get("thinking")) for part in content)
        reasoning = reasoning or thoughts
        content = _parts(content)
    content = content or message.get("refusal") or ""
    if not isinstance(content, str) or not isinstance(reasoning, str):
        raise TypeError("not text")
    return f"<think>{reasoning}</think>{content}" if reasoning else content


def sentence_of(text: str) -> str:
    """The sentence that a server gives with an error: JSON's ``message`` or ``detail``, a page without its tags."""
    try:
        found = _loads(text.encode())
    except (ValueError, RecursionError):
        found = None
    for _ in range(4):
        if isinstance(found, list) and found:
            found = found[0]
        if isinstance(found, Mapping):
            found = next(
                (found[name] for name in ("error", "message", "detail", "msg") if found.get(name)), None
            )
    plain = found if isinstance(found, str) else re.sub(r"<[^>]*>", " ", text)
    return " ".join(plain.split())


def parameters_of(text: str) -> list[str]:
    """The parameters that an error names apart from its sentence: OpenAI's ``param``, FastAPI's ``loc``.

    >>> parameters_of('{"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}')
    ['seed']
    """
    try:
        found = _loads(text.encode())
    except (ValueError, RecursionError):
        return []
    found = found[0] if isinstance(found, list) and found else found
    if not isinstance(found, Mapping):
        return []
    error, details = found.get("error", found), found.get("detail")
    named = [error.get("param")] if isinstance(error, Mapping) else []
    for detail in details if isinstance(details, list) else []:
        place = detail.get("loc") if isinstance(detail, Mapping) else None
        named += place[-1:] if isinstance(place, list) else []
    return [name for name in named if isinstance(name, str)]


def _parts(value: Any) -> str:
    if isinstance(value, list):
        return "".join(_parts(part.get("text")) for part in value)
    return value if isinstance(value, str) else ""


def _loads(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return json.loads(content)  # NaN among log probabilities


def _told(error: Any) -> Reply:
    """An error in a reply with status 200; its code is the status it should have had."""
    code = str(error.get("code")) if isinstance(error, Mapping) else ""
    status = int(code) if re.fullmatch(r"[45]\d\d", code) else 0
    text = json.dumps(error) if isinstance(error, Mapping) else str(error)
    failure = failure_of(status, text) if status else Failure.BROKEN_REPLY
    if is_filtered(text) and failure is Failure.BROKEN_REPLY:
        failure = Failure.BLOCKED
    return Reply(failure=failure, detail=f"an error in a reply: {sentence_of(text)}", status=status or 200)


def _cut(failure: Failure, detail: str) -> Reply:
    return Reply(finish_reason=FinishReason.FAILED, failure=failure, detail=detail, status=200)


def _broken(detail: str) -> Reply:
    return Reply(failure=Failure.BROKEN_REPLY, detail=detail, status=200)


def _excerpt(content: bytes) -> str:
    return content[:4096].decode("utf-8", errors="replace")


def _seconds(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return parsedate_to_datetime(value).timestamp() - time.time()


def _usage(usage: Any) -> tuple[int | None, int | None, int | None]:
    if not isinstance(usage, Mapping):
        return None, None, None
    details = usage.get("completion_tokens_details")
    found = [
        usage.get("prompt_tokens"),
        usage.get("completion_tokens"),
        details.get("reasoning_tokens") if isinstance(details, Mapping) else None,
    ]
    first, second, third = (
        v if isinstance(v, int) and not isinstance(v, bool) and v >= 0 else None for v in found
    )
    return first, second, third
