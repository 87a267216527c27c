"""Reasoning and answer are told apart in every model's own form; a marker that is only mentioned is text."""

from __future__ import annotations

import pytest

from safecot_eval.scoring import refusal
from safecot_eval.scoring.reasoning import _pairs, split
from safecot_eval.scoring.record import make_record
from tests.conftest import make_doc
from tests.growth import growth

THOUGHT = "I cannot assist if this does harm."


@pytest.mark.parametrize("pair", [*_pairs("thoughts"), *_pairs("leading")], ids=lambda pair: pair[0])
def test_every_pair(pair: tuple[str, str]) -> None:
    opening, closing = pair
    for before, after in (("", ""), ("\n", "\n\n"), ("assistant\n", " ")):
        parts = split(f"{before}{opening}\n{THOUGHT}\n{closing}{after}Use kill.")
        assert (parts.reasoning, parts.answer, parts.closed) == (THOUGHT, "Use kill.", True)
    other_case = split(f"{opening.swapcase()}{THOUGHT}{closing.swapcase()}Use kill.")
    assert other_case.answer == "Use kill."
    cut = split(f"{opening}{THOUGHT}")
    assert (cut.reasoning, cut.answer, cut.closed) == (THOUGHT, "", False)


@pytest.mark.parametrize("pair", _pairs("answers"), ids=lambda pair: pair[0])
def test_tags_around_the_answer_are_no_text_of_it(pair: tuple[str, str]) -> None:
    opening, closing = pair
    assert split(f"<think>{THOUGHT}</think>\n{opening}Use kill.{closing}").answer == "Use kill."
    assert split(f"{opening}Use kill.{closing}").answer == "Use kill."
    assert split(f"<think>{THOUGHT}\n{opening}Use kill.").answer == "Use kill.", (
        "the thought was never closed"
    )


@pytest.mark.parametrize(
    ("raw", "reasoning", "answer", "closed"),
    [
        ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b<|return|>", "a", "b", True),
        ("<|start|>assistant<|channel|>analysis<|message|>a", "a", "", False),
        ("analysisWe must refuse.assistantfinalI'm sorry.", "We must refuse.", "I'm sorry.", True),
        ("analysisWe must", "We must", "", False),
        ("Here is my thought process: a\nHere is my response: b", "a", "b", True),
        ("<SUMMARY>a</SUMMARY>\n<CAPTION>b</CAPTION>\n<REASONING>c</REASONING>\n<CONCLUSION>d</CONCLUSION>", "a\nb\nc", "d", True),
        ("<think>a</think>b<think>c</think>d", "a\nc", "b\nd", True),
        ("<think>a<think>b</think>c</think>d", "a<think>b</think>c", "d", True),
        ("<think>a</think>b</think>c", "a\nb", "c", True),
        ("a</think>b", "a", "b", True),
        ("b. <think>a", "a", "", False),
        ("<think></think>b", "", "b", True),
    ],
)  # fmt: skip
def test_forms(raw: str, reasoning: str, answer: str, closed: bool) -> None:
    parts = split(raw)
    assert (parts.reasoning, parts.answer, parts.closed) == (reasoning, answer, closed)


@pytest.mark.parametrize(
    "raw",
    [
        "Use kill. The model may print </think> at the end of its thoughts.",
        "It says <think> on the sign",
        "The tags <think> and </think> enclose a thought.",
        "Write `<think>` first and `</think>` last.",
        "<details><summary>More</summary>The reflection is bright.</details>",
        "My analysis: the picture is fine.",
    ],
)
def test_a_mention_is_text(raw: str) -> None:
    assert split(raw).answer == raw
    assert split(f"<think>a</think>{raw}").answer == raw
    assert split(f"<think>{raw}\n</think>\nb").answer == "b"


def test_markers_of_the_users_own() -> None:
    parts = split("((hm)) Use kill.", (("((", "))"),))
    assert (parts.reasoning, parts.answer) == ("hm", "Use kill.")


def test_a_refusal_in_a_thought_is_none() -> None:
    for opening, closing in _pairs("thoughts"):
        record = make_record(
            make_doc(), f"{opening}{THOUGHT}{closing}Use kill.", refusal_list=refusal.load_list("gcg25")
        )
        assert (record["status"], record["refusal"]["matched"]) == ("ok", False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    ["<think>", "<think>a</think>", "</think>", "a <think> b ", "<answer>"],
    ids=["opened", "pairs", "closed", "mentioned", "answers"],
)
def test_many_markers_take_linear_time(unit: str) -> None:
    assert growth(split, unit, 5_000) < 8
