"""Conversations in LLaVA's format: who speaks decides what is the question, not the place of the turn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from safecot_eval.util.errors import SafecotError
from safecot_training.data.examples import Example, Kind
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
    assert turns_of({"messages": messages}, "here") == [("<image>\nWhat is on the table?", "A cup.")]


def _said(tmp_path: Path, record: dict[str, object]) -> list[Example]:
    file = tmp_path / "talk.json"
    file.write_text(json.dumps([{"id": "1", **record}]), encoding="utf-8")
    return read_source(f"llava={file}", Kind.GENERAL, tmp_path)


def test_what_one_speaker_says_in_several_turns_is_one(tmp_path: Path) -> None:
    """Nothing is lost, whichever names the keys have."""
    turns = [
        {"role": "user", "content": "Here is a riddle."},
        {"role": "user", "content": "What has keys and no locks?"},
        {"role": "assistant", "content": "A piano."},
        {"role": "assistant", "content": "Or a map."},
    ]
    for key in ("conversations", "messages"):
        (example,) = _said(tmp_path, {key: turns})
        assert example.query == "Here is a riddle.\nWhat has keys and no locks?"
        assert example.answer == "A piano.\nOr a map."


def test_a_tools_results_are_not_left_out_in_silence(tmp_path: Path) -> None:
    turns = [*ASKED, {"from": "tool", "value": "22 degrees"}, {"from": "gpt", "value": "It is warm."}]
    with pytest.raises(SafecotError, match=r"turn 3: unknown speaker 'tool'; known are human, user"):
        _said(tmp_path, {"conversations": turns})


def test_a_picture_is_not_shown_before_its_place(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "cup.png")
    later = [{"from": "human", "value": "<image>\nAnd here?"}, {"from": "gpt", "value": "A plate."}]
    first, second = _said(tmp_path, {"image": "cup.png", "conversations": [*ASKED, *later]})
    assert (first.images, [path.name for path in second.images]) == ((), ["cup.png"])
    assert second.query == "And here?"
    unplaced = [*ASKED, {**later[0], "value": "And here?"}, later[1]]
    assert [
        len(each.images) for each in _said(tmp_path, {"image": "cup.png", "conversations": unplaced})
    ] == [1, 1]


def test_a_picture_of_a_question_without_an_answer_is_not_shown_earlier(tmp_path: Path) -> None:
    for name in ("cup.png", "fork.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    placed = [{"from": "human", "value": "<image>\nWhat is it?"}, {"from": "gpt", "value": "A cup."}]
    ends = [*placed, {"from": "human", "value": "<image>\nAnd this?"}]
    (example,) = _said(tmp_path, {"image": ["cup.png", "fork.png"], "conversations": ends})
    assert [path.name for path in example.images] == ["cup.png"]
    (example,) = _said(tmp_path, {"image": "fork.png", "conversations": [*ASKED, ends[-1]]})
    assert example.images == ()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (["Half", "a list"], r"turn 2 must hold JSON objects"),
        ({"text": "A cup."}, r"turn 2 must be text, not dict"),
        (True, r"turn 2 must be text, not bool"),
        ("half \ud83d an emoji", r"record 1 \(sample talk:1:1\): holds half a character \(\\ud83d\)"),
    ],
)
def test_what_is_no_text_is_one_sentence(value: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(SafecotError, match=said):
        _said(tmp_path, {"conversations": [ASKED[0], {"from": "gpt", "value": value}]})
