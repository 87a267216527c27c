"""The rubric ``safecot_reject``: the answer alone, two words, and the probabilities of their first tokens."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from safecot_eval.aggregate.metrics import run_metrics, summarize
from safecot_eval.aggregate.reading import read as read_run
from safecot_eval.aggregate.tables import load_runs
from safecot_eval.judge import rubric_files
from safecot_eval.judge.endpoint.dialect import Dialect
from safecot_eval.judge.prompts import build
from safecot_eval.judge.replies import first_tokens, read
from safecot_eval.records.run import find_runs
from safecot_eval.records.verdicts import PROBABILITY_OF_TWO
from safecot_eval.submissions.blocks import rates
from safecot_eval.util.chat_client import Reply
from safecot_eval.util.chat_remedies import Adaptations
from safecot_eval.util.errors import SafecotError
from tests.conftest import make_doc, write_run

RUBRIC = rubric_files.own()["safecot_reject"].general
PROTOCOL = {"judge": {"system": "Be a judge.", "user": "Is it no?\nStatement:{A}\n\n"}}


def record(answer: str, raw: str | None = None) -> dict[str, Any]:
    return {
        "prompt": "How?",
        "answer": answer,
        "raw": raw or answer,
        "extra": {},
        "category": "",
        "benchmark": "",
    }


def reply(text: str, told: dict[str, float] | None = None, finish: str = "stop") -> Reply:
    entries = [{"token": token, "logprob": value} for token, value in (told or {}).items()]
    choice: dict[str, Any] = (
        {"logprobs": {"content": [{"top_logprobs": entries}]}} if told is not None else {}
    )
    return Reply(text=text, finish_reason=finish, choice=choice)


def test_the_judge_sees_the_answer_alone_and_a_system_message() -> None:
    request = build(RUBRIC, record("I can't.", raw="<think>x</think>I can't."))
    message = request.message
    assert "I can't." in message
    assert "How?" not in message
    assert "<think>" not in message
    body = Dialect().body("judge", request)
    assert [turn["role"] for turn in body["messages"]] == ["system", "user"]
    assert body["messages"][0]["content"] == RUBRIC.system
    assert body["structured_outputs"] == {"choice": ["reject", "accept"]}
    assert (body["logprobs"], body["top_logprobs"], body["temperature"]) == (True, 20, 0)
    other = Dialect().body("judge", build(rubric_files.own()["refusal"].general, record("m")))
    assert [turn["role"] for turn in other["messages"]] == ["user"]
    assert "top_logprobs" not in other


def test_the_probability_is_a_softmax_over_the_two_first_tokens() -> None:
    told = {"re": -0.1, "reject": -2.0, "a": -3.0, "accept": -5.0, "Reject": 0.0, " reject": 0.0, "": 0.0}
    shares = first_tokens(reply("", told).choice, RUBRIC)
    assert shares is not None
    assert shares["reject"] == pytest.approx(math.exp(-2) / (math.exp(-2) + math.exp(-5)))
    assert sum(shares.values()) == pytest.approx(1)
    same = first_tokens(reply("", {"reject": -9.0, "accept": -9.0}).choice, RUBRIC)
    assert same == {"reject": 0.5, "accept": 0.5}
    assert first_tokens(reply("", {"reject": -0.1, "no": -3.0}).choice, RUBRIC) is None
    assert first_tokens(reply("", {"reject": -9999.0, "accept": -9999.0}).choice, RUBRIC) is None
    assert first_tokens(reply("", {"reject": -0.5, "accept": -9999.0}).choice, RUBRIC) == {
        "reject": 1.0,
        "accept": 0.0,
    }


@pytest.mark.parametrize(
    "choice", [{}, {"logprobs": None}, {"logprobs": {"content": []}}, {"logprobs": {"content": [{}]}}]
)
def test_without_probabilities_the_word_counts(choice: dict[str, Any]) -> None:
    found = read(Reply(text="accept", finish_reason="stop", choice=choice), RUBRIC, constrained=True)
    assert (found.label, found.probability, found.decoding) == ("accept", None, "choice")


def test_the_label_is_the_more_probable_word_whatever_was_written() -> None:
    """Greedy decoding may begin with another spelling: ``r`` + ``eject`` where ``accept`` is the likelier entry."""
    found = read(reply("reject", {"r": -0.1, "reject": -7.0, "accept": -3.0}), RUBRIC, constrained=True)
    assert (found.label, found.decoding, found.raw) == ("accept", "first_token", "reject")
    assert found.probability == pytest.approx(1 / (1 + math.exp(-4)), abs=1e-6)
    cut = read(reply("reje", {"reject": -0.1, "accept": -3.0}, finish="length"), RUBRIC, constrained=True)
    assert cut.label == "reject", "the first token is enough"
    free = read(reply("Well, reject", {"Well": -0.1, "reject": -2.0}), RUBRIC, constrained=False)
    assert free.decoding != "first_token", "one of the words was not told"


def test_a_server_that_takes_no_log_probabilities_is_not_asked_for_alternatives() -> None:
    learned = Adaptations()
    body = {"messages": [], "logprobs": True, "top_logprobs": 20}
    assert learned.learn(400, json.dumps({"error": {"message": "top_logprobs is not supported"}}), body, 10)
    assert learned.applied(body) == {"messages": [], "logprobs": True}
    assert learned.learn(400, json.dumps({"error": {"message": "logprobs is not supported"}}), body, 10)
    assert learned.applied(body) == {"messages": []}


@pytest.fixture
def protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "data" / "safecot_runs" / "protocol.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(PROTOCOL), encoding="utf-8")
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SAFECOT_CACHE_DIR", str(tmp_path / "cache"))
    return path


def test_the_official_twin_is_read_from_the_prepared_protocol(protocol: Path) -> None:
    twins = rubric_files.choose(["safecot_reject"], wording="official")
    twin = twins["safecot_reject"].general
    assert twin.system == "Be a judge."
    assert (
        build(twin, record("a", raw="First b, then a {A}")).message
        == "Is it no?\nStatement:First b, then a {A}\n\n"
    )
    assert (twin.by_first_token, twin.sees, twin.labels) == (True, ("generation",), ("reject", "accept"))
    assert rubric_files.wording_of(twins) == "+official"
    assert set(rubric_files.official()) == {"safecot_reject"}, "the others' file is not in this folder"
    with pytest.raises(SafecotError, match="safecot data prepare protocols"):
        rubric_files.choose(["harm"], wording="official")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"judge": {"user": "no place"}}, "has no prompt 'judge.system'"),
        ({"judge": {"system": "s"}}, "has no prompt 'judge.user'"),
        ({"judge": {"system": "s", "user": "no place"}}, "has no {A}"),
        ([], "has no prompt 'judge.user'"),
    ],
)
def test_a_protocol_without_its_judge_is_named(protocol: Path, content: Any, says: str) -> None:
    protocol.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(SafecotError, match=says):
        rubric_files.official(["safecot_reject"])


def test_without_the_protocol_the_remedy_is_named(protocol: Path) -> None:
    protocol.unlink()
    with pytest.raises(SafecotError, match="safecot data prepare safecot_runs"):
        rubric_files.choose(["safecot_reject"], wording="official")


def test_our_words_are_not_the_recorded_ones(data_dir: Path) -> None:
    path = data_dir / "safecot_runs" / "protocol.json"
    if not path.is_file():
        pytest.skip("the data folder has no safecot_runs")
    recorded = json.loads(path.read_text(encoding="utf-8"))["judge"]["user"].lower().split()
    ours = f"{RUBRIC.system} {RUBRIC.text} {RUBRIC.ask}".lower().split()
    theirs = {tuple(recorded[i : i + 6]) for i in range(len(recorded) - 5)}
    assert not theirs & {tuple(ours[i : i + 6]) for i in range(len(ours) - 5)}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"labels": "reject, accept, unsure"}, "needs two labels that begin differently"),
        ({"labels": "refused, replied"}, "needs two labels that begin differently"),
        ({"probability": "yes"}, "'probability' is 'first token' or left out"),
    ],
)
def test_a_rubric_of_two_words_is_checked(tmp_path: Path, change: dict[str, str], says: str) -> None:
    header = {"id": "x", "version": "1", "title": "t", "source": "s", "sees": "answer", "labels": "yes, no"}
    header |= {"ask": "Which?", "probability": "first token", **change}
    path = tmp_path / "x.txt"
    path.write_text("".join(f"{k}: {v}\n" for k, v in header.items()) + "---\nText.\n", encoding="utf-8")
    with pytest.raises(SafecotError, match=says):
        rubric_files.read_rubric(path)


def test_a_run_has_a_mean_probability_beside_the_hard_share(tmp_path: Path) -> None:
    """Soft scores of four items to refuse (one not judged) and two to answer, by hand; the DataFrame says the same."""
    said = [("reject", 0.9), ("reject", 0.6), ("accept", 0.8), None, ("accept", 0.7), ("reject", 0.55)]
    docs = [
        make_doc(
            sample_id=f"{n:016x}",
            item_id=str(n),
            cluster_id=str(n),
            expectation="refuse" if n < 4 else "answer",
        )
        for n in range(6)
    ]
    write_run(tmp_path / "m", [(doc, "Well.") for doc in docs], model="m")
    (run,) = find_runs([tmp_path])
    folder = run.folder / "verdicts"
    folder.mkdir()
    head = {
        "task": run.task,
        "stamp": run.timestamp,
        "rubric": "safecot_reject",
        "rubric_hash": "ab" * 8,
        "judge": "j",
    }
    lines = [
        json.dumps({"sample_id": doc["sample_id"], **head, "label": one[0], "probability": one[1]})
        for doc, one in zip(docs, said, strict=True)
        if one is not None
    ]
    (folder / "j.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    table = read_run(run)
    found = {name[0]: e for name, e in run_metrics(table).items() if name[1].startswith("j/")}
    assert found["crr_soft"].value == pytest.approx((0.9 + 0.6 + 0.2) / 3)
    assert (found["crr_soft"].n, found["crr_soft"].n_total) == (3, 4)
    assert found["car_soft"].value == pytest.approx((0.7 + 0.45) / 2)
    assert found["crr"].value == pytest.approx(2 / 3)
    assert found["car"].value == pytest.approx(1 / 2)
    assert found["crr_soft"].low < found["crr_soft"].value < found["crr_soft"].high
    summary = summarize(load_runs(tmp_path))
    soft = summary[summary.metric == "crr_soft"].iloc[0]
    assert (soft.value, soft.n) == (pytest.approx(found["crr_soft"].value), 3)
    assert not {rate["metric"] for rate in rates(table)} & {"crr_soft", "car_soft"}
    assert {"safecot_reject"} == PROBABILITY_OF_TWO
