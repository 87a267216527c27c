"""Conversations in LLaVA's format: who speaks decides what is the question, not the place of the turn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from safecot_eval.util.errors import SafecotError
from safecot_training.data.examples import Kind
from safecot_training.data.hub_rows import turns_of
from safecot_training.data.sources import read_source

ASKED = [{"from": "human", "value": "What is on the table?"}, {"from": "gpt", "value": "A cup."}]
SYSTEM = {"from": "system", "value": "You are a careful assistant."}


@pytest.mark.parametrize(
    "turns",
    [
        ASKED,
        [SYSTEM, *ASKED],
        [{"role": "system", "value": "Be brief."}, {"role": "user", "value": ASKED[0]["value"]}, ASKED[1]],
        [{"from": "gpt", "value": "Hello!"}, *ASKED],
        [*ASKED, {"from": "human", "value": "And under it?"}],
        [{"value": turn["value"]} for turn in ASKED],
    ],
    ids=["plain", "system", "roles", "greeting", "unanswered end", "no speakers"],
)
def test_the_question_is_the_users(tmp_path: Path, turns: list[dict[str, str]]) -> None:
    file = tmp_path / "talk.json"
    file.write_text(json.dumps([{"id": "1", "conversations": turns}]), encoding="utf-8")
    (example,) = read_source(f"llava={file}", Kind.GENERAL, tmp_path)
    assert (example.query, example.answer) == ("What is on the table?", "A cup.")
    assert turns_of({"conversations": turns}, "here") == [("What is on the table?", "A cup.")]


@pytest.mark.parametrize(
    "turns", [[SYSTEM], [SYSTEM, ASKED[0]], [SYSTEM, {"from": "gpt", "value": "Hi."}], []]
)
def test_nobody_asked_or_nobody_answered(tmp_path: Path, turns: list[dict[str, str]]) -> None:
    file = tmp_path / "talk.json"
    file.write_text(json.dumps([{"id": "1", "conversations": turns}]), encoding="utf-8")
    with pytest.raises(SafecotError, match="record 1: 'conversations' needs a question and an answer"):
        read_source(f"llava={file}", Kind.GENERAL, tmp_path)


def test_an_unknown_speaker_is_named(tmp_path: Path) -> None:
    file = tmp_path / "talk.json"
    file.write_text(
        json.dumps([{"conversations": [{"from": "narrator", "value": "x"}, *ASKED]}]), encoding="utf-8"
    )
    with pytest.raises(SafecotError, match="turn 1: unknown speaker 'narrator'"):
        read_source(f"llava={file}", Kind.GENERAL, tmp_path)


def test_messages_of_a_hub_set_have_roles() -> None:
    parts = [{"type": "image"}, {"type": "text", "text": "What is on the table?"}]
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": [{"type": "text", "text": "A cup."}]},
    ]
    assert turns_of({"messages": messages}, "here") == [("What is on the table?", "A cup.")]
