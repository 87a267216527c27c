"""Pure functions on chat messages: lists of ``{"role", "content": [{"type": "image" | "text", …}]}``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Message = dict[str, Any]
QUESTION = "{question}"
BLANK_SIZE = (336, 336)


def with_system(messages: Sequence[Message], text: str, *, system_role: bool) -> list[Message]:
    r"""Put a system message first; where the template takes none, put the text at the start of the user's turn.

    >>> with_system([user("Hi")], "Be kind.", system_role=False)[0]["content"][0]["text"]
    'Be kind.\n\n'
    """
    if (
        messages and messages[0]["role"] == "system"
    ):  # the benchmark's own: one message, since many templates take one only
        joined = {**messages[0], "content": [_text(f"{text}\n\n"), *_parts(messages[0])]}
        return [joined, *messages[1:]]
    if system_role:
        return [{"role": "system", "content": [_text(text)]}, *messages]
    first = next((number for number, message in enumerate(messages) if message["role"] == "user"), None)
    if first is None:
        return [user(text), *messages]
    changed = {**messages[first], "content": [_text(f"{text}\n\n"), *_parts(messages[first])]}
    return [*messages[:first], changed, *messages[first + 1 :]]


def with_suffix(messages: Sequence[Message], text: str) -> list[Message]:
    r"""Add a paragraph to the last turn.

    >>> with_suffix([user("Hi")], "Think.")[0]["content"][-1]["text"]
    '\n\nThink.'
    """
    last = messages[-1]
    return [*messages[:-1], {**last, "content": [*_parts(last), _text(f"\n\n{text}")]}]


def with_prompt(messages: Sequence[Message], prompt: str) -> list[Message]:
    r"""Put the words of the user's last turn into a prompt; its images come first, in their order.

    >>> with_prompt([user("Why? ")], "Be kind. {question}\n\n")[0]["content"][0]["text"]
    'Be kind. Why? \n\n'
    """
    last = max((n for n, message in enumerate(messages) if message["role"] == "user"), default=-1)
    turn = messages[last] if last >= 0 else user("")
    question = words([turn])
    shown = [part for part in _parts(turn) if part["type"] != "text"]
    changed = {**turn, "content": [*shown, _text(prompt.replace(QUESTION, question, 1))]}
    return [*messages[: max(last, 0)], changed, *messages[last + 1 :]]


def with_blank_images(messages: Sequence[Message]) -> list[Message]:
    """Replace every image by a white one of its size; what is not an opened image, by one of 336 x 336 pixels."""
    from PIL import Image

    def blank(part: dict[str, Any]) -> dict[str, Any]:
        if part["type"] == "text":
            return part
        shown = part.get("url")
        size = shown.size if isinstance(shown, Image.Image) else BLANK_SIZE
        return {"type": "image", "url": Image.new("RGB", size, "white")}

    return [{**message, "content": [blank(part) for part in _parts(message)]} for message in messages]


def follow_up(messages: Sequence[Message], answer: str, question: str) -> list[Message]:
    """The conversation so far, the model's answer, and a further question."""
    return [*messages, {"role": "assistant", "content": [_text(answer)]}, user(question)]


def only_images(messages: Sequence[Message], text: str) -> list[Message]:
    """One user's turn with all images of a conversation and another text."""
    images = [part for message in messages for part in _parts(message) if part["type"] != "text"]
    return [{"role": "user", "content": [*images, _text(text)]}]


def user(text: str) -> Message:
    """A user's turn of text alone."""
    return {"role": "user", "content": [_text(text)]}


def words(messages: Sequence[Message]) -> str:
    r"""All texts of the user's turns, joined.

    >>> words([user("What is"), user("this?")])
    'What is\nthis?'
    """
    return "\n".join(
        str(part["text"])
        for message in messages
        if message["role"] == "user"
        for part in _parts(message)
        if part["type"] == "text"
    )


def has_images(messages: Sequence[Message]) -> bool:
    """Whether anything but text is shown."""
    return any(part["type"] != "text" for message in messages for part in _parts(message))


def _parts(message: Message) -> list[dict[str, Any]]:
    content = message["content"]
    return [_text(content)] if isinstance(content, str) else list(content)


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
