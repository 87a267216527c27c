"""Dialogues: items that come one after the other, each asked with the model's own answers to those before it.

A dialogue is a row of items, one a turn, that name it in ``extra``: ``dialogue`` and ``turn`` (from 1). All first turns are
asked, then all second turns with what came before as messages, and so on, so that a back end keeps its batches. Each turn is a
record of its own, with its own verdicts.

lmms-eval's ``generate_until_multi_round`` is for back ends without messages, and one request there is a whole dialogue; this
works with every chat back end, and each turn goes through the journal by itself.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from safecot_eval.records.samples import BEFORE, REQUEST_FAILED_PREFIX, said_before
from safecot_eval.scoring import failure_texts, reasoning

Document = Mapping[str, Any]
_NEEDS_CHAT = "safecot: a dialogue needs a chat back end: use `safecot run`, or safecot_hf or safecot_openai with lmms-eval."
_ready: ContextVar[bool] = ContextVar("dialogue_ready", default=False)


def place_of(document: Document) -> tuple[str, int] | None:
    """Dialogue and turn of a document; None for one that stands alone.

    >>> place_of({"extra": '{"dialogue": "d1", "turn": "2"}'}), place_of({"extra": "{}"})
    (('d1', 2), None)
    """
    extra = document.get("extra")
    if not extra or "dialogue" not in extra:
        return None
    found = json.loads(extra) if isinstance(extra, str) else extra
    try:
        return str(found["dialogue"]), int(found["turn"])
    except (KeyError, ValueError):
        return None


def before_of(document: Document) -> list[tuple[str, str]]:
    """What a document says before its prompt, as role and text."""
    extra = document.get("extra")
    if not extra or BEFORE not in extra:
        return []
    return said_before(json.loads(extra) if isinstance(extra, str) else extra)


def require_history(document: Document) -> None:
    """End the process where a later turn is about to be asked without what came before.

    Raises:
        SystemExit: the back end asks for single documents (one sentence).
    """
    place = place_of(document)
    if place is not None and place[1] > 1 and not _ready.get():
        raise SystemExit(_NEEDS_CHAT)


def require_messages(document: Document) -> None:
    """End the process where a document with earlier messages is about to be asked without them.

    Raises:
        SystemExit: the back end asks with a text and pictures (one sentence).
    """
    if before_of(document):
        raise SystemExit(_NEEDS_CHAT)


@dataclass(slots=True)
class _Dialogue:
    """One dialogue as far as it has come: its first request, and what was said.

    ``said`` has the texts of the turns so far and the answers to them.
    """

    first: Any = None
    said: list[tuple[str, str]] = field(default_factory=list)
    broken: bool = False


def in_turns(
    generate: Callable[[list[Any]], list[Any]],
    requests: Sequence[Any],
    document_of: Callable[[Any], Document],
) -> list[Any]:
    """Answer requests in their order; those of dialogues turn by turn.

    Args:
        generate: Answers requests that do not depend on one another.
        requests: lmms-eval's, of chat tasks.
        document_of: A request's document.

    Raises:
        SystemExit: a turn is here, and an earlier one of the same dialogue is not (one sentence).
    """
    places = [None if hasattr(r, "dialogue_ready") else place_of(document_of(r)) for r in requests]
    if not any(place is not None and place[1] > 1 for place in places):
        return generate(list(requests))
    by_turn: defaultdict[int, list[int]] = defaultdict(list)
    keys: list[Any] = []
    seen: Counter[Any] = Counter()
    for number, (request, place) in enumerate(zip(requests, places, strict=True)):
        by_turn[place[1] if place else 1].append(number)
        named = (request.args[-2], place)
        keys.append((request.args[-2], place[0], seen[named]) if place else None)  # --repeats asks again
        seen[named] += 1
    dialogues: defaultdict[Any, _Dialogue] = defaultdict(_Dialogue)
    answers: list[Any] = [None] * len(requests)
    for turn in sorted(by_turn):
        asked: dict[int, Any] = {}
        for number in by_turn[turn]:
            dialogue = dialogues[keys[number]] if keys[number] else None
            if dialogue is None or turn == 1:
                asked[number] = requests[number]
            elif dialogue.broken:
                answers[number] = f"{REQUEST_FAILED_PREFIX}: an earlier turn of the dialogue has no answer]"
            elif len(dialogue.said) != turn - 1:
                raise SystemExit(
                    f"safecot: turn {turn} of the dialogue {keys[number][1]} is to be asked in a process that has not the turns "
                    "before it: run dialogues in one process."
                )
            else:
                asked[number] = _continued(requests[number], dialogue, document_of)
        for number, answer in zip(asked, generate(list(asked.values())), strict=True):
            answers[number] = answer
            if keys[number]:
                _note(dialogues[keys[number]], requests[number], answer, document_of)
        for number in by_turn[turn]:
            if keys[number] and number not in asked:
                dialogues[keys[number]].broken = True
    return answers


def _note(dialogue: _Dialogue, request: Any, answer: Any, document_of: Callable[[Any], Document]) -> None:
    text = getattr(answer, "text", answer)
    if not isinstance(text, str) or failure_texts.active().find(text) is not None:
        dialogue.broken = True
        return
    dialogue.first = dialogue.first or request
    dialogue.said.append((str(document_of(request)["prompt"]), reasoning.split(text).answer))


def _continued(request: Any, dialogue: _Dialogue, document_of: Callable[[Any], Document]) -> Any:
    """A copy of a request whose messages begin with the dialogue so far; its context, too, so that the journal knows it."""
    said, first = list(dialogue.said), dialogue.first
    context, to_messages, settings, *rest = request.args

    def whole(document: Document) -> list[dict[str, Any]]:
        token = _ready.set(True)
        try:
            own = [part for part in to_messages(document)[-1]["content"] if part["type"] == "text"]
            found = list(first.args[1](document_of(first)))
        finally:
            _ready.reset(token)
        for number, (prompt, answer) in enumerate(said):
            if number:
                found.append({"role": "user", "content": [{"type": "text", "text": prompt}]})
            found.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
        return [*found, {"role": "user", "content": own}]

    spoken = "".join(f"{prompt}\n\n{answer}\n\n" for prompt, answer in said)
    other = copy(request)
    other.arguments = (spoken + str(context), whole, settings, *rest)
    other.dialogue_ready = True
    return other
