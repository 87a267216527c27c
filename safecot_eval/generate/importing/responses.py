"""What a cell or field of answers holds: text, a list of one text, or an endpoint's reply as an object.

Tools keep answers as lists (``resps`` of lm-eval and lmms-eval, SIUO's ``responses``) or keep the whole reply of an endpoint.
A text is taken out if there is exactly one; anything else is refused by name, because the text of an object or list
(``{'error': …}``) would be scored as an answer.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from safecot_eval.records.samples import Status

_TEXTS = (
    "content",
    "text",
    "response",
    "output_text",
    "output",
    "answer",
    "completion",
    "generated_text",
    "generation",
)
_DEEPER = (
    "body",  # of a batch of requests
    "message",
    "choices",
    "candidates",
    "parts",
    "resps",
    "filtered_resps",
    "responses",
    "outputs",
    "generations",
)
_REASONING = ("reasoning_content", "reasoning", "thinking")
_ENDED = ("finish_reason", "finishReason", "stop_reason", "done_reason")
_LENGTH = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
_BLOCKED = frozenset(
    {
        "content_filter",
        "safety",
        "prohibited_content",
        "blocklist",
        "spii",
        "recitation",
        "sensitive",
        "refusal_filter",
    }
)
_FAILED = frozenset({"error", "abort", "cancelled"})
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Response:
    """An answer taken out of a cell.

    Attributes:
        text: The generation, reasoning in ``<think>`` tags if it was kept apart.
        status: What the object says about the generation; None if it says nothing.
        error: The message of an error object.
    """

    text: str
    status: Status | None = None
    error: str = ""


class NotAnAnswer(ValueError):
    """A cell that holds no single answer; says what it holds instead."""


def read_response(cell: Any) -> Response:
    """Take the answer out of a cell.

    Args:
        cell: Any value that a table or JSON file can hold.

    Raises:
        NotAnAnswer: an object without a text, several texts, or nested too deep.

    >>> read_response(["No."]).text, read_response({"message": {"content": "Yes."}}).text
    ('No.', 'Yes.')
    >>> read_response({"error": {"code": 429}}).status
    <Status.REQUEST_FAILED: 'request_failed'>
    """
    if isinstance(cell, str):
        return _written(cell)
    if isinstance(cell, Mapping):
        return _object(cell, 0)
    if isinstance(cell, Sequence):
        return _list(cell, 0)
    return Response(as_text(cell))


def message_of(error: Any) -> str:
    """What an error says: its message, or the whole of it.

    >>> message_of({"code": 429, "message": "Too many requests"})
    'Too many requests'
    """
    message = error.get("message") if isinstance(error, Mapping) else None
    return as_text(message or error).strip()


def as_text(value: Any) -> str:
    """A cell as text; missing cells (None, NaN) are empty.

    >>> as_text(7.0), as_text(None), as_text(float("nan"))
    ('7', '', '')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _written(text: str) -> Response:
    """A text; or a list of one text, or an error, that a tool wrote out as JSON or as Python's repr."""
    bare = text.strip()
    if not (bare[:1] == "[" and bare[-1:] == "]") and not (bare[:1] == "{" and bare[-1:] == "}"):
        return Response(text)
    value = _parsed(bare)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return Response(value[0])
    # An answer may be JSON itself; only what is plainly a failed request is taken for one.
    if isinstance(value, dict) and _is_error(value):
        return Response(text, Status.REQUEST_FAILED)
    return Response(text)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text) if len(text) < 200_000 else None
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


def _is_error(value: Mapping[str, Any]) -> bool:
    error = value.get("error")
    if isinstance(error, Mapping):
        return bool(set(error) & {"code", "message", "type", "status"})
    return value.get("object") == "error" or value.get("type") == "error"


def _list(values: Sequence[Any], depth: int) -> Response:
    if depth > _DEEPEST:
        raise NotAnAnswer("a list nested too deep")
    if not values:
        return Response("")
    if all(isinstance(part, Mapping) and isinstance(part.get("type"), str) for part in values):
        return _parts(values)
    if len(values) > 1:
        raise NotAnAnswer(f"a list of {len(values)} answers")
    (only,) = values
    if isinstance(only, Mapping):
        return _object(only, depth + 1)
    if isinstance(only, Sequence) and not isinstance(only, str):
        return _list(only, depth + 1)
    return Response(as_text(only))


def _parts(parts: Sequence[Any]) -> Response:
    """Content in typed parts, as in the APIs of OpenAI and Anthropic."""
    said = "".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    thoughts = [part.get("thinking") or part.get("reasoning") or "" for part in parts]
    thought = "\n".join(text for text in thoughts if isinstance(text, str) and text)
    if not said and not thought and not any("text" in part for part in parts):
        raise NotAnAnswer("a list of parts without a text")
    return Response(_with_thought(thought, said))


def _object(value: Mapping[str, Any], depth: int) -> Response:
    if depth > _DEEPEST:
        raise NotAnAnswer("an object nested too deep")
    found = _text_in(value, depth)
    if value.get("error"):
        # A text beside an error is what came before the connection broke.
        return Response(found.text if found else "", Status.REQUEST_FAILED, message_of(value["error"]))
    feedback = value.get("promptFeedback") or value.get("prompt_feedback")
    if isinstance(feedback, Mapping) and (feedback.get("blockReason") or feedback.get("block_reason")):
        return Response(found.text if found else "", Status.BLOCKED_BY_PROVIDER)
    if found is None:
        raise NotAnAnswer(f"an object with {', '.join(map(str, list(value)[:6])) or 'nothing in it'}")
    ended = next((str(value[key]).lower() for key in _ENDED if value.get(key)), "")
    word = ended.rpartition(".")[2].split(":")[0]
    status = found.status
    if word in _LENGTH:
        status = Status.TRUNCATED
    elif word in _BLOCKED:
        status = Status.BLOCKED_BY_PROVIDER
    elif word in _FAILED:
        status = Status.REQUEST_FAILED
    return replace(found, status=status)


def _text_in(value: Mapping[str, Any], depth: int) -> Response | None:
    thought = next((value[key] for key in _REASONING if isinstance(value.get(key), str)), "")
    for key in _TEXTS:
        inner = value.get(key)
        if isinstance(inner, str):
            return Response(_with_thought(thought, inner))
        if isinstance(inner, Mapping):
            return _object(inner, depth + 1)
        if isinstance(inner, Sequence) and inner:
            found = _list(inner, depth + 1)
            return replace(found, text=_with_thought(thought, found.text))
    if isinstance(value.get("refusal"), str) and value["refusal"]:
        return Response(_with_thought(thought, value["refusal"]))
    for key in _DEEPER:
        inner = value.get(key)
        if isinstance(inner, Mapping):
            return _object(inner, depth + 1)
        if isinstance(inner, Sequence) and not isinstance(inner, str) and inner:
            if key == "parts":
                return Response("".join(str(p.get("text") or "") for p in inner if isinstance(p, Mapping)))
            return _list(inner, depth + 1)
    if "content" in value or any(value.get(key) for key in _ENDED):
        return Response(_with_thought(thought, ""))
    return None


def _with_thought(thought: str, said: str) -> str:
    return f"<think>{thought}</think>\n{said}" if thought else said
