"""Each reward on its own, who reads the answers, and that nobody's failure counts as a reward of 0."""

from __future__ import annotations

import json
from typing import Any

import pytest

from safecot_eval.util.errors import SafecotError
from safecot_training.cot.targets import Marker
from safecot_training.preference.reward_reader import ENOUGH, RewardReader, reader_of
from safecot_training.preference.rewards import (
    Sampled,
    expectation_met,
    sampled,
    useful_acceptance,
    well_formed,
)
from safecot_training.sft.objectives import RewardSettings
from tests.stand_in import JsonHandler, StandIn

THOUGHT = "<safety_reasoning>The mark is harmless.</safety_reasoning>\n"
CUP = "It is a red cup on a table."
REFUSAL = "I'm sorry, but I cannot help with that."


def answer(
    text: str, expectation: str = "answer", *, target: str = THOUGHT + CUP, ended: bool = True
) -> Sampled:
    row = {
        "id": "x",
        "expectation": expectation,
        "prompt": [{"role": "user", "content": "What is this?"}],
        "completion": [{"role": "assistant", "content": target}],
    }
    return sampled(row, text, ended=ended, marker=Marker.SAFETY_REASONING.pair)


@pytest.mark.parametrize(
    ("text", "expectation", "reward"),
    [
        (THOUGHT + REFUSAL, "refuse", 1.0),
        (THOUGHT + CUP, "refuse", 0.0),
        (THOUGHT + CUP, "answer", 1.0),
        (REFUSAL, "answer", 0.0),
        ("<safety_reasoning>I cannot help.</safety_reasoning>" + CUP, "answer", 1.0),  # the answer decides
        ("", "refuse", 0.0),
        ("<safety_reasoning>It never ends", "refuse", 0.0),
        (
            "Das ist eine rote Tasse, die auf dem Tisch neben dem Fenster in der Küche steht.",
            "answer",
            None,
        ),  # the phrases read English
        ("抱歉，我无法协助处理这个请求。", "refuse", None),
    ],
)
def test_expectation_met(text: str, expectation: str, reward: float | None) -> None:
    assert expectation_met(answer(text, expectation)) == reward


@pytest.mark.parametrize(
    ("text", "ended", "reward"),
    [
        (THOUGHT + CUP, True, 1.0),
        (THOUGHT + CUP, False, 0.0),  # cut off
        (CUP, True, 0.0),
        (THOUGHT, True, 0.0),
        ("<safety_reasoning>" + CUP, True, 0.0),
        ("<safety_reasoning></safety_reasoning>" + CUP, True, 0.0),
        (THOUGHT + THOUGHT + CUP, True, 0.0),
        ("Well. " + THOUGHT + CUP, True, 0.0),
        ("<think>The mark is harmless.</think>" + CUP, True, 0.0),  # other markers than the data's
        ("", True, 0.0),
    ],
)
def test_well_formed(text: str, ended: bool, reward: float) -> None:
    assert well_formed(answer(text, ended=ended)) == reward


def test_well_formed_where_the_data_do_not_think() -> None:
    assert well_formed(answer(CUP, target=CUP)) == 1.0
    assert well_formed(answer(THOUGHT + CUP, target=CUP)) == 0.0


@pytest.mark.parametrize(
    ("text", "expectation", "reward"),
    [
        (THOUGHT + CUP, "answer", 1.0),
        (THOUGHT + "It is a cup.", "answer", 2 / 3),
        (THOUGHT + REFUSAL, "answer", 0.0),
        ("", "answer", 0.0),
        ("抱歉，我无法协助处理这个请求。", "answer", None),
        (THOUGHT + REFUSAL, "refuse", None),  # it does not apply
        (THOUGHT + CUP, "refuse", None),
    ],
)
def test_useful_acceptance(text: str, expectation: str, reward: float | None) -> None:
    found = useful_acceptance(answer(text, expectation))
    assert found == (reward if reward is None else pytest.approx(reward))


def test_lite_reads_refusals() -> None:
    reader = reader_of(RewardSettings(by="lite"))
    texts = (REFUSAL, CUP, "抱歉，我无法协助处理这个请求。")
    assert [found.refused for found in reader.read([answer(text) for text in texts])] == [True, False, None]


class Judge(JsonHandler):
    """Answers by what the judged text holds; fails where it says "broken"."""

    broken = False

    def do_GET(self) -> None:
        self.send(200, {"data": [{"id": "judge"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = " ".join(str(message["content"]) for message in body["messages"])
        if self.broken or "broken" in text:
            self.send(400, {"error": {"message": "no"}})
            return
        useful = "complies or unsure" in text or "describes_only" in text
        if "mumble" in text or ("half" in text and useful):
            label = "hm"
        elif useful:
            label = "deflects" if "do you mean" in text else "complies"
        else:
            label = "full" if "cannot help" in text else "none"
        message = {"role": "assistant", "content": label}
        self.send(200, {"choices": [{"message": message, "finish_reason": "stop"}], "usage": {}})


@pytest.mark.slow
def test_a_judge_reads_refusals_and_use_and_its_failure_is_no_reward() -> None:
    with StandIn(Judge) as server:
        reader = reader_of(RewardSettings(by="judge", judge_url=server.url, judge_model="judge"))
        reader.judge.backoff_s = 0.01
        texts = (REFUSAL, CUP, "What do you mean?", "broken")
        read = reader.read([answer(THOUGHT + text) for text in texts])
        assert [found.refused for found in read] == [True, False, False, None]
        assert [expectation_met(found) for found in read] == [0.0, 1.0, 1.0, None]
        assert [useful_acceptance(found) for found in read] == [0.0, 1.0, 0.0, None]
        with pytest.raises(SafecotError, match="read none of 1 sampled answer "):
            reader.read([answer("broken")])
        # One reply that is no verdict is an answer without a reward; nothing but such replies is no judge.
        mumbled = [answer(THOUGHT + "mumble") for _ in range(ENOUGH)]
        assert reader.read(mumbled[:1])[0].refused is None
        with pytest.raises(
            SafecotError, match=r"no verdict \(refusal\) in its last 16 replies \(the last: 'hm'\)"
        ):
            reader.read(mumbled)
        fresh = reader_of(RewardSettings(by="judge", judge_url=server.url, judge_model="judge"))
        with pytest.raises(
            SafecotError, match=r"no verdict \(outcome\)"
        ):  # the other question's verdicts do not hide it
            fresh.read([answer(THOUGHT + "half") for _ in range(ENOUGH)])


def test_a_judge_needs_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAFECOT_JUDGE_URL", raising=False)
    with pytest.raises(SafecotError, match="by: judge needs an endpoint"):
        reader_of(RewardSettings(by="judge"))


def test_without_a_judge_the_phrases_stand() -> None:
    read: list[Any] = RewardReader(None, ()).read([answer(REFUSAL)])
    assert read[0].refused is True
