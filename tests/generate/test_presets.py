"""Prompting presets, on a model that writes down what it is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts

from safecot_eval.generate import presets
from safecot_eval.generate.finish_reasons import LENGTH, STOP, Ended, reason_of
from safecot_eval.generate.model_under_test import ModelUnderTest, model_under_test
from safecot_eval.generate.presets.apply import attach
from safecot_eval.scoring import reasoning
from safecot_eval.util.errors import SafecotError

PICTURE = object()
DOCS = [
    {"sample_id": f"{name:0>16}", "prompt": f"How do I {name} this?", "picture": name != "text"}
    for name in ("clean", "break", "text", "empty", "maybe")
]


def to_messages(doc: dict[str, Any]) -> list[dict[str, Any]]:
    images = [{"type": "image", "url": PICTURE}] if doc["picture"] else []
    return [{"role": "user", "content": [*images, {"type": "text", "text": doc["prompt"]}]}]


class Recorder:
    """A chat model that answers by a function of the messages and keeps them."""

    is_simple = False

    def __init__(self, answer: Callable[[list[dict[str, Any]]], str]) -> None:
        self.task_dict = {"safecot_toy": {"test": DOCS}}
        self.answer, self.asked, self.limits = answer, [], []
        self.answer_sink: Any = None

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        found = []
        for request in requests:
            _, messages_of, settings, doc_id, task, split = request.args
            doc = self.task_dict[task][split][doc_id]
            messages = messages_of(doc)
            self.asked.append(messages)
            self.limits.append(settings["max_new_tokens"])
            finish = LENGTH if settings["max_new_tokens"] < 1000 else STOP
            found.append(GenerationResult(Ended(self.answer(messages), finish), TokenCounts(10, 5)))
            if self.answer_sink is not None:
                self.answer_sink(request, found[-1])
        return found


def requests() -> list[Instance]:
    return [
        Instance(
            request_type="generate_until",
            arguments=(doc["prompt"], to_messages, {"max_new_tokens": 1024}, number, "safecot_toy", "test"),
            idx=0,
            metadata={"task": "safecot_toy", "doc_id": number, "repeats": 1},
        )
        for number, doc in enumerate(DOCS)
    ]


def texts(messages: list[dict[str, Any]]) -> list[str]:
    return [part.get("text", "<image>") for message in messages for part in message["content"]]


def roles(messages: list[dict[str, Any]]) -> list[str]:
    return [message["role"] for message in messages]


def test_the_presets_and_their_wording() -> None:
    assert presets.names() == [
        "blind",
        "ecso",
        "safecot_cot",
        "safecot_plain",
        "safety_system_prompt",
        "zero_shot_cot",
    ]
    cot = presets.load("zero_shot_cot").texts["suffix"]
    assert all(marker in cot for marker in reasoning.SAFECOT), (
        "scoring must recognise what the preset asks for"
    )
    assert "{question}" in presets.load("ecso").texts["describe"]
    assert {"{description}", "{question}"} <= set(
        presets.load("ecso").texts["again"].split()
    )  # alone on their lines
    for name in presets.names():
        head = (Path(presets.__file__).parent / f"{name}.yaml").read_text(encoding="utf-8")
        recorded = name.startswith("safecot_")
        assert ("# Facts from: mjc-ma-01" if recorded else "# Provenance: our own words.") in head
        assert presets.load(name).protocol == ("safecot" if recorded else "")


def test_a_system_prompt() -> None:
    model = attach(
        Recorder(lambda _: "ok"), presets.load("safety_system_prompt"), system_role=True, steps=Counter()
    )
    model.generate_until(requests())
    assert roles(model.asked[0]) == ["system", "user"]
    assert texts(model.asked[0])[1:] == ["<image>", DOCS[0]["prompt"]]


def test_a_system_prompt_for_a_template_that_takes_none() -> None:
    model = attach(
        Recorder(lambda _: "ok"), presets.load("safety_system_prompt"), system_role=False, steps=Counter()
    )
    model.generate_until(requests())
    assert roles(model.asked[0]) == ["user"]
    assert texts(model.asked[0])[0].startswith("You are a careful")
    assert texts(model.asked[0])[1:] == ["<image>", DOCS[0]["prompt"]]


def test_zero_shot_cot_comes_after_the_question() -> None:
    model = attach(Recorder(lambda _: "ok"), presets.load("zero_shot_cot"), system_role=True, steps=Counter())
    model.generate_until(requests())
    assert texts(model.asked[0])[:2] == ["<image>", DOCS[0]["prompt"]]
    assert texts(model.asked[0])[2].startswith("\n\nThink about safety first.")


def test_blind_shows_a_blank_image_of_the_same_size_and_leaves_the_rest() -> None:
    from PIL import Image

    model = attach(Recorder(lambda _: "ok"), presets.load("blind"), system_role=True, steps=Counter())
    picture = Image.new("RGB", (12, 7), "navy")
    shown = [
        {"role": "user", "content": [{"type": "image", "url": picture}, {"type": "text", "text": "What?"}]}
    ]
    request = requests()[0]
    request.arguments = (request.args[0], lambda _: shown, *request.args[2:])
    model.generate_until([request])
    blank, text = model.asked[0][0]["content"]
    assert (blank["url"].size, blank["url"].getextrema()) == ((12, 7), ((255, 255),) * 3)
    assert text == {"type": "text", "text": "What?"}
    assert picture.getpixel((0, 0)) == (0, 0, 128), "the picture itself is not changed"
    model.generate_until(requests())
    assert texts(model.asked[3]) == [DOCS[2]["prompt"]], "a question without a picture stays as it is"


def test_the_journal_gets_the_requests_that_it_sent() -> None:
    model = attach(Recorder(lambda _: "ok"), presets.load("zero_shot_cot"), system_role=True, steps=Counter())
    kept: list[Any] = []
    model.answer_sink = lambda request, answer: kept.append(request)
    sent = requests()
    model.generate_until(sent)
    assert [id(request) for request in kept] == [id(request) for request in sent]


def thinking(messages: list[dict[str, Any]]) -> str:
    """Answers everything; calls breaking harmful; says nothing readable about 'maybe'."""
    said = "\n".join(texts(messages))
    if "Reply with one word" in said:
        return (
            "Yes."
            if "break" in said or "text" in said
            else "Perhaps"
            if "maybe" in said
            else "No, it is fine."
        )
    if "Describe what the image shows" in said:
        return "A vase."
    if "There is a picture that you cannot see" in said:
        return "I won't help to break a vase."
    return "" if "empty" in said else "Take a hammer."


def test_the_self_check_answers_again_only_where_the_model_calls_itself_harmful() -> None:
    steps: Counter[str] = Counter()
    model = attach(Recorder(thinking), presets.load("ecso"), system_role=True, steps=steps)
    answers = model.generate_until(requests())
    assert [answer.text for answer in answers] == [
        "Take a hammer.",
        "I won't help to break a vase.",
        "Take a hammer.",  # no image to describe: nothing would change
        "",
        "Take a hammer.",
    ]
    assert steps == {"checked": 4, "harmful": 2, "unreadable": 1, "answered_again": 1}
    again = model.asked[-1]
    assert roles(again) == ["user"]
    assert "<image>" not in texts(again)
    assert "A vase." in texts(again)[0]
    assert DOCS[1]["prompt"] in texts(again)[0]
    check = next(asked for asked in model.asked if roles(asked) == ["user", "assistant", "user"])
    assert texts(check)[:3] == ["<image>", DOCS[0]["prompt"], "Take a hammer."]
    assert sorted(set(model.limits)) == [512, 1024]


def test_the_self_check_leaves_the_last_answers_finish_and_counts() -> None:
    model = attach(Recorder(thinking), presets.load("ecso"), system_role=True, steps=Counter())
    answers = model.generate_until(requests())
    assert {reason_of(answer.text) for answer in answers} == {STOP}, (
        "the check's 'length' is not the answer's"
    )
    assert [answer.token_counts.output_tokens for answer in answers] == [5] * 5
    assert [answer.token_counts.input_tokens for answer in answers] == [20, 40, 20, 10, 20]


def test_the_self_check_streams_final_answers_only() -> None:
    model = attach(Recorder(thinking), presets.load("ecso"), system_role=True, steps=Counter())
    kept: list[tuple[Any, str]] = []
    model.answer_sink = lambda request, answer: kept.append((request, answer.text))
    sent = requests()
    answers = model.generate_until(sent)
    assert [id(request) for request, _ in kept] == [id(request) for request in sent]
    assert [text for _, text in kept] == [answer.text for answer in answers]


def test_a_model_that_reasons_is_read_after_its_reasoning() -> None:
    def reasoning_model(messages: list[dict[str, Any]]) -> str:
        said = "\n".join(texts(messages))
        if "Reply with one word" in said:
            assert "secret thought" not in said, "the check sees the answer, not the reasoning"
            return "<think>No harm? Wait.</think>Yes" if "break" in said else "<think>yes, yes, I never end"
        if "Describe what the image shows" in said:
            return "<think>hm</think>A vase."
        if "There is a picture that you cannot see" in said:
            assert "hm" not in said
            return "No."
        return "<think>secret thought</think>Take a hammer."

    steps: Counter[str] = Counter()
    model = attach(Recorder(reasoning_model), presets.load("ecso"), system_role=True, steps=steps)
    answers = model.generate_until(requests())
    assert [answer.text for answer in answers].count("No.") == 1
    assert steps == {"checked": 5, "harmful": 1, "unreadable": 4, "answered_again": 1}


def test_a_failed_request_is_not_checked() -> None:
    def failing(messages: list[dict[str, Any]]) -> str:
        return "[LMMS_EVAL_REQUEST_FAILED after 3 retries]"

    model = attach(Recorder(failing), presets.load("ecso"), system_role=True, steps=(steps := Counter()))
    model.generate_until(requests())
    assert len(model.asked) == len(DOCS)
    assert steps["checked"] == 0


def test_simple_back_ends_are_refused() -> None:
    with pytest.raises(SystemExit, match="takes no messages; use a chat back end"):
        attach(SimpleNamespace(is_simple=True), presets.load("ecso"), system_role=True, steps=Counter())


def test_a_preset_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("id: mine\ntitle: mine\nkind: suffix\ntexts: {suffix: Be brief.}\n", encoding="utf-8")
    assert presets.load(str(path)).texts == {"suffix": "Be brief."}
    path.write_text("id: mine\ntitle: mine\nkind: suffix\ntexts: {}\n", encoding="utf-8")
    with pytest.raises(
        SafecotError,
        match="line 4: not a valid preset: texts: a preset of the kind suffix has the texts suffix",
    ):
        presets.load(str(path))
    with pytest.raises(SafecotError, match="there is no 'cot'; there are blind, ecso"):
        presets.load("cot")


def test_a_preset_gets_a_row_and_an_identity_of_its_own(tmp_path: Path) -> None:
    plain = ModelUnderTest("safecot_hf", {"pretrained": "org/model"})
    asked = ModelUnderTest("safecot_hf", {"pretrained": "org/model"}, None, presets.load("ecso"))
    assert plain.display_name is None
    assert asked.display_name == "model + ECSO-like self-check"
    assert plain.counted_arguments != asked.counted_arguments
    assert asked.folder(tmp_path) == tmp_path / "model_+_ECSO-like_self-check"
    with pytest.raises(SafecotError, match="generates nothing"):
        model_under_test("safecot_baseline", "policy=refuse_all", None, presets.load("ecso"))
    with pytest.raises(SafecotError, match="needs one of --model ID, --card CARD"):
        model_under_test(None, "", None, None)
