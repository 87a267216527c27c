"""Items with messages before their prompt: what a model is sent, what names the request, and what a judge sees."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lmms_eval.api.instance import Instance

from safecot_eval.benchmarks import documents
from safecot_eval.generate.journal.identity import request_key
from safecot_eval.generate.models.generation import to_turn
from safecot_eval.generate.presets.messages import with_system
from safecot_eval.generate.task import doc_to_messages, doc_to_visual
from safecot_eval.judge import prompts, rubric_files
from safecot_eval.records.samples import Expectation, ImageSource, Item
from tests.conftest import make_doc
from tests.tasks.layouts.files import write_image

SAID = (("system", "You are a cook."), ("user", "What is this?"), ("assistant", "A pan."))


@pytest.fixture
def item(tmp_path: Path) -> Item:
    write_image(tmp_path / "pan.png")
    return Item(
        "1",
        "And now?",
        "kitchen",
        Expectation.ANSWER,
        images=(tmp_path / "pan.png",),
        image_source=ImageSource.OFFICIAL,
        before=SAID,
    )


def document(item: Item) -> dict[str, Any]:
    return documents.own_documents("kitchen", "r1", [item])[0]


def roles(messages: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    return [
        (message["role"], [part.get("text", part["type"]) for part in message["content"]])
        for message in messages
    ]


def test_the_picture_is_in_the_first_turn_of_the_user(item: Item) -> None:
    messages = doc_to_messages(document(item))
    assert roles(messages) == [
        ("system", ["You are a cook."]),
        ("user", ["image", "What is this?"]),
        ("assistant", ["A pan."]),
        ("user", ["And now?"]),
    ]
    alone = doc_to_messages(document(replace(item, before=SAID[:1])))
    assert roles(alone) == [("system", ["You are a cook."]), ("user", ["image", "And now?"])]


def test_a_request_is_named_by_all_that_is_said(item: Item) -> None:
    others = [item, replace(item, before=()), replace(item, before=(*SAID[:2], ("assistant", "A pot.")))]
    found = [document(one) for one in others]
    assert len({doc["sample_id"] for doc in found}) == 3
    asked = Instance(
        request_type="generate_until",
        arguments=("And now?", doc_to_messages, {"max_new_tokens": 9}, 0, "toy", "test"),
        idx=0,
        metadata={"task": "toy", "doc_id": 0, "repeats": 1},
    )
    assert len({request_key(asked, doc, 0) for doc in found}) == 3


def test_a_back_end_without_messages_is_told(item: Item) -> None:
    with pytest.raises(SystemExit, match="needs a chat back end"):
        doc_to_visual(document(item))
    assert len(doc_to_visual(document(replace(item, before=())))) == 1


def test_there_is_one_system_message(item: Item) -> None:
    messages = doc_to_messages(document(item))
    joined = with_system(messages, "Be kind.", system_role=True)
    assert roles(joined)[0] == ("system", ["Be kind.\n\n", "You are a cook."])
    assert [role for role, _ in roles(joined)] == ["system", "user", "assistant", "user"]
    turn = to_turn(messages, "Somebody else's.")
    assert [message["role"] for message in turn.messages] == ["system", "user", "assistant", "user"]


def test_a_judge_may_see_the_dialogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The authors' prompt for SafeMT, in words of our own: a question, the dialogue and the answer."""
    wordings = {
        "SafeMT/gpt_query_template_safety": "Judge the {key}. Q: {question} D: {dialog} {key}: {prediction} Say:",
        "MM-SafetyBench/gpt_query_template_safety": "Judge: {prediction}",
    }
    entries = {**wordings, **{f"MM-SafetyBench/gpt_query_template_safety_{kind}": "Judge: {prediction}" for kind in (
        "political_lobbing", "legal", "financial", "health", "gov_decision")}}  # fmt: skip
    entries |= {
        "VLSBench/judge": "{question}{response}",
        "HoliSafe/judge (lmms-eval port)": "{question}{safety_label}{response}",
    }
    (tmp_path / "protocols").mkdir()
    (tmp_path / "protocols" / "judge_prompts.json").write_text(json.dumps(entries), encoding="utf-8")
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(tmp_path))
    extra = {"question": "How do I get in?", "before": json.dumps(SAID[1:])}
    record = make_doc(benchmark="safemt", prompt="And now?", answer="Through the door.", extra=extra)
    found = rubric_files.official(["harm"])["harm"].for_record(record)
    assert found is not None
    assert prompts.build(found, record).message == (
        "Judge the Dialog_Response. Q: How do I get in? D: user: What is this?\n\nassistant: A pan.\n\nuser: And now? "
        "Dialog_Response: Through the door. Say:"
    )
