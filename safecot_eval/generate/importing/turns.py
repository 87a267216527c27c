"""Conversations as tools write them: question and pictures of a turn, whatever the names of its fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_SHAREGPT = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}


def turns(given: Any) -> list[Mapping[str, Any]]:
    """The turns of a conversation; ShareGPT and LLaVA write ``from`` and ``value``."""
    given_turns = [turn for turn in given if isinstance(turn, Mapping)] if isinstance(given, list) else []
    return [
        {"role": _SHAREGPT.get(str(turn["from"]), turn["from"]), "content": turn["value"]}
        if {"from", "value"} <= turn.keys()
        else turn
        for turn in given_turns
    ]


def is_conversation(messages: Any) -> bool:
    """Whether the assistant says something in it."""
    return any(turn.get("role") == "assistant" for turn in turns(messages))


def written_messages(raw: Any) -> tuple[str, list[Any]]:
    """A rendered prompt: text, or a conversation that was written as JSON."""
    if isinstance(raw, str) and raw.lstrip().startswith("["):
        try:
            messages = json.loads(raw)
        except (ValueError, RecursionError):
            return raw, []
        if isinstance(messages, list) and any(isinstance(m, Mapping) and m.get("role") for m in messages):
            return last_question(messages)
    return raw if isinstance(raw, str) else "", []


def last_question(messages: Any) -> tuple[str, list[Any]]:
    """Text and pictures of the last user message."""
    turns = [m for m in messages if isinstance(m, Mapping)] if isinstance(messages, list) else []
    content = next((turn.get("content") for turn in reversed(turns) if turn.get("role") == "user"), None)
    if isinstance(content, str):
        return content, []
    parts = [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    pictures = [found for part in parts if (found := _picture(part)) is not None]
    return "\n".join(texts), pictures


def _picture(part: Mapping[str, Any]) -> Any:
    given = part.get("image") or part.get("image_url")
    return given.get("url") if isinstance(given, Mapping) and "url" in given else given
