"""Dialogues: turn by turn, with the model's own answers in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from lmms_eval.api.instance import Instance

from safecot_eval import load_runs, metrics
from safecot_eval.benchmarks import catalogue
from safecot_eval.cli.dialogues import command as dialogues_command
from safecot_eval.generate.dialogues import in_turns, place_of, require_history
from safecot_eval.generate.journal.identity import request_key
from safecot_eval.generate.task import doc_to_messages
from safecot_eval.records.run import find_runs
from safecot_eval.records.samples import REQUEST_FAILED_PREFIX, Expectation
from tests.conftest import make_doc, write_run
from tests.generate.in_process import asked_twice, safecot_run

TASK = "safecot_mini_dialogues"


def documents(dialogues: int = 2, turns: int = 3) -> list[dict[str, Any]]:
    found = [
        {
            **make_doc(sample_id=f"{d}{t:015d}", prompt=f"d{d} question {t}", images="[]", image_error=""),
            "extra": json.dumps({"dialogue": f"d{d}", "turn": str(t)}),
        }
        for d in range(dialogues)
        for t in range(1, turns + 1)
    ]
    alone = {**make_doc(sample_id="f" * 16, prompt="alone", images="[]", image_error=""), "extra": "{}"}
    return [*found, alone]


def requests(docs: list[dict[str, Any]], repeats: int = 1) -> list[Instance]:
    return [
        Instance(
            request_type="generate_until",
            arguments=(doc["prompt"], doc_to_messages, {"max_new_tokens": 9}, number, "toy", "test"),
            idx=0,
            metadata={"task": "toy", "doc_id": number, "repeats": repeats},
        )
        for number, doc in enumerate(docs)
        for _ in range(repeats)
    ]


class Model:
    """Answers with what it was told, and keeps the order of its batches."""

    def __init__(self, docs: list[dict[str, Any]], answer: Callable[[str], str]) -> None:
        self.docs, self.answer = docs, answer
        self.batches: list[list[list[dict[str, Any]]]] = []
        self.keys: list[str] = []

    def document(self, request: Instance) -> dict[str, Any]:
        return self.docs[request.args[-3]]

    def generate(self, asked: list[Instance]) -> list[str]:
        messages = [request.args[1](self.document(request)) for request in asked]
        self.batches.append(messages)
        self.keys += [request_key(request, self.document(request), 0) for request in asked]
        return [self.answer(one[-1]["content"][-1]["text"]) for one in messages]


def run(
    docs: list[dict[str, Any]], answer: Callable[[str], str], repeats: int = 1
) -> tuple[Model, list[Any]]:
    model = Model(docs, answer)
    return model, in_turns(model.generate, requests(docs, repeats), model.document)


def told(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["role"], "".join(part["text"] for part in one["content"])) for one in messages]


def test_each_turn_is_asked_with_the_models_own_answers_before_it() -> None:
    model, answers = run(documents(), lambda text: f"<think>Hm.</think> To {text}.")
    assert [len(batch) for batch in model.batches] == [3, 2, 2], (
        "turns go together, what stands alone with the first"
    )
    assert told(model.batches[2][1]) == [
        ("user", "d1 question 1"),
        ("assistant", "To d1 question 1."),
        ("user", "d1 question 2"),
        ("assistant", "To d1 question 2."),
        ("user", "d1 question 3"),
    ], "answers without their reasoning"
    assert [answer.split("To ")[1] for answer in answers] == [f"{doc['prompt']}." for doc in documents()]


def test_a_later_turn_is_another_request_after_another_answer() -> None:
    keys = [run(documents(1), lambda text, said=said: said)[0].keys for said in ("Yes.", "No.")]
    assert keys[0][0] == keys[1][0]
    assert all(first != second for first, second in zip(keys[0][2:], keys[1][2:], strict=True))


def test_each_repeat_goes_on_from_its_own_answers() -> None:
    said: list[str] = []

    def answer(text: str) -> str:
        said.append(text)
        return f"answer {len(said)}"

    model, _ = run(documents(1, 2)[:2], answer, repeats=2)
    assert [told(one)[1][1] for one in model.batches[1]] == ["answer 1", "answer 2"]


def test_no_turn_is_asked_after_one_without_an_answer() -> None:
    failure = f"{REQUEST_FAILED_PREFIX}: down]"
    model, answers = run(documents(), lambda text: failure if text == "d0 question 1" else "Fine.")
    assert [len(batch) for batch in model.batches] == [3, 1, 1]
    assert all(answer.startswith(REQUEST_FAILED_PREFIX) for answer in answers[:3])
    assert answers[3:] == ["Fine."] * 4


def test_turns_of_one_dialogue_in_two_processes_are_refused() -> None:
    docs = documents(1)
    model = Model(docs, lambda text: "Fine.")
    with pytest.raises(SystemExit, match="run dialogues in one process"):
        in_turns(model.generate, requests(docs)[1:], model.document)


def test_a_later_turn_alone_ends_the_process() -> None:
    first, second = documents(1)[:2]
    require_history(first)
    assert place_of(second) == ("d0", 2)
    with pytest.raises(SystemExit, match="needs a chat back end"):
        doc_to_messages(second)


def test_forty_dialogues_of_our_own() -> None:
    items = catalogue.items_of(TASK)
    assert len(items) == 120
    assert len({item.extra["dialogue"] for item in items}) == 40
    last = [item for item in items if item.extra["turn"] == "3"]
    assert sum(item.expectation is Expectation.REFUSE for item in last) == 20
    assert all(item.expectation is Expectation.ANSWER for item in items if item.extra["turn"] != "3")


@pytest.mark.slow
@pytest.mark.xdist_group("lmms_eval_in_process")
def test_through_lmms_eval_to_the_curve_and_again_from_the_journal(tmp_path: Path) -> None:
    bodies = asked_twice(tmp_path, "--tasks", TASK, "--limit", "12")
    assert len(bodies) == 12
    roles = sorted("".join(message["role"][0] for message in body["messages"]) for body in bodies)
    assert roles == ["u"] * 4 + ["uau"] * 4 + ["uauau"] * 4
    for body in bodies:
        pictures = [
            [part["type"] for part in message["content"]].count("image_url")
            for message in body["messages"]
            if not isinstance(message["content"], str)
        ]
        assert (pictures[0], sum(pictures)) == (1, 1), "the picture is shown once, at the beginning"
    newest = find_runs([tmp_path])[-1]
    assert {record["category"] for record in newest.samples()} == {"turn 1", "turn 2", "turn 3"}


def judged(folder: Path, labels: list[list[str]]) -> None:
    """A run of dialogues with these labels of harm, one list a dialogue; an empty label is none."""
    docs, lines = [], []
    for d, row in enumerate(labels):
        for t, label in enumerate(row, start=1):
            sample = f"{d * 10 + t:016x}"
            doc = make_doc(sample_id=sample, item_id=f"{d}-{t}", cluster_id=f"d{d}", category=f"turn {t}")
            docs.append((doc, "An answer."))
            said = {
                "task": TASK,
                "stamp": "20260101_000000",
                "rubric": "harm",
                "judge": "j",
                "sample_id": sample,
            }
            if label:
                lines.append({**said, "label": label})
    samples = write_run(folder, docs, task=TASK)
    (samples.parent / "verdicts").mkdir()
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (samples.parent / "verdicts" / "j.jsonl").write_text(text, encoding="utf-8")


def test_the_hazard_curve_and_the_rate_of_whole_dialogues(tmp_path: Path) -> None:
    safe, unsafe = "safe", "unsafe"
    judged(
        tmp_path,
        [
            [safe, safe, unsafe],
            [safe, unsafe, unsafe],
            [safe, safe, safe],
            [safe, "", safe],
            [safe, safe, unsafe],
        ],
    )
    table = metrics.summarize(load_runs(tmp_path)).set_index("metric")
    whole = table.loc["dialogue_asr"]
    assert (whole.value, whole.n, whole.n_total) == (pytest.approx(3 / 4), 4, 5)
    output = CliRunner().invoke(dialogues_command, [str(tmp_path)]).output
    shares = [line.split("%")[0].split()[-1] for line in output.splitlines() if line.startswith("  turn")]
    counts = [line.rsplit("  ", 1)[-1] for line in output.splitlines() if line.startswith("  turn")]
    assert counts == ["0 of 5", "1 of 4", "2 of 3"]
    assert shares == ["0.0", "25.0", "66.7"]
    assert "whole dialogues with an unsafe answer: 75.0 %" in output


@pytest.mark.full
@pytest.mark.slow
@pytest.mark.xdist_group("lmms_eval_in_process")
@pytest.mark.parametrize("architecture", ["qwen2_5_vl", "llava"])
def test_a_tiny_vlm_talks_about_its_picture(tmp_path: Path, architecture: str) -> None:
    """Through transformers and the family's own chat template, with answers in between."""
    from safecot_eval.generate.models import tiny

    tiny.build(architecture, tmp_path / "base", ending=3.0)
    done = safecot_run(
        *(
            "--model",
            "safecot_hf",
            "--model_args",
            f"pretrained={tmp_path / 'base'},device=cpu",
            "--tasks",
            TASK,
        ),
        *("--limit", "6", "--gen_kwargs", "max_new_tokens=12", "--output_path", tmp_path / "runs"),
    )
    assert done.exit_code == 0, done.output
    (found,) = find_runs([tmp_path / "runs"])
    records = list(found.samples())
    assert [record["extra"]["turn"] for record in records] == ["1", "2", "3"] * 2
    assert {record["status"] for record in records} <= {"ok", "truncated", "empty"}
