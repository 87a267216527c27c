"""Recorded answers: what a file may hold, and what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from safecot_eval.benchmarks import catalogue, registry
from safecot_eval.benchmarks.documents import documents
from safecot_eval.generate import task
from safecot_eval.generate.models.responses import read_responses
from safecot_eval.scoring import refusal
from safecot_eval.util.errors import SafecotError
from tests.generate.models.conftest import requests_for

TASK_NAME = "safecot_mini_tiny"


def write(path: Path, lines: list[Any]) -> Path:
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path


def line(item_id: str, response: str = "Yes.", **more: Any) -> dict[str, Any]:
    return {"task": TASK_NAME, "id": item_id, "response": response, **more}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([line("a"), '{"task": "safecot_'], r"line 2: not a JSON object"),
        ([line("a"), "[1, 2]"], r"line 2: not a JSON object"),
        ([line("a"), line("b"), line("a")], r"line 3: .* id 'a' in line 1"),
        ([{"task": TASK_NAME, "response": "x"}], r"line 1: 'id' is missing"),
        ([{"id": "a", "response": "x"}], r"line 1: 'task' is missing"),
        ([{"task": TASK_NAME, "id": "a"}], r"line 1: 'response' must be text"),
        ([line("a", status="fine")], r"line 1: status 'fine' is none of ok, "),
        ([line("a", output_tokens=-1)], r"line 1: 'output_tokens'"),
        ([""], r"holds no answers"),
    ],
)
def test_a_bad_file_is_told_by_line(tmp_path: Path, lines: list[Any], says: str) -> None:
    path = write(tmp_path / "answers.jsonl", lines)
    with pytest.raises(SafecotError, match=says) as caught:
        read_responses(path)
    assert str(path) in str(caught.value)


def test_ids_may_be_numbers_and_tasks_share_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{**line("7"), "id": 7}, {**line("7"), "task": "safecot_other"}])
    assert {name: list(items) for name, items in read_responses(path).items()} == {
        TASK_NAME: ["7"],
        "safecot_other": ["7"],
    }


def replay(path: Path, task_name: str = TASK_NAME) -> tuple[Any, list[Any]]:
    from safecot_eval.generate.models.replay import SafecotReplay

    model = SafecotReplay(responses=str(path))
    return model, requests_for(model, documents(task_name), task_name=task_name)


def test_answers_come_back_in_order_with_their_status(tmp_path: Path) -> None:
    rows = documents(TASK_NAME)
    lines = [line(row["item_id"], f"answer {n}", output_tokens=n) for n, row in enumerate(rows)]
    lines[0] |= {"status": "blocked_by_provider", "response": ""}
    lines[1] |= {"status": "truncated"}
    lines[2] |= {"status": "request_failed", "response": ""}
    lines[3] |= {"response": ""}
    model, requests = replay(write(tmp_path / "gpt.jsonl", lines[::-1]))
    answers = model.answers(requests)
    assert model.name == "gpt"
    assert [answer.text for answer in answers[4:8]] == ["answer 4", "answer 5", "answer 6", "answer 7"]
    assert answers[5].token_counts.output_tokens == 5
    records = [
        task.process_results(row, [answer.text])["safecot"] for row, answer in zip(rows, answers, strict=True)
    ]
    assert [record["status"] for record in records[:5]] == [
        "blocked_by_provider",
        "truncated",
        "request_failed",
        "empty",
        "ok",
    ]
    assert [record["refusal"]["matched"] for record in records[:4]] == [None, False, None, None]
    assert records[4]["refusal"]["matched"] is False


def test_missing_and_unknown_ids(tmp_path: Path) -> None:
    ids = [row["item_id"] for row in documents(TASK_NAME)]
    model, requests = replay(write(tmp_path / "few.jsonl", [line(item_id) for item_id in ids[2:]]))
    with pytest.raises(SafecotError, match=rf"lacks 2 of {len(ids)} answers for {TASK_NAME}.*{ids[0]!r}"):
        model.answers(requests)
    assert len(model.answers(requests[2:10])) == 8, "with --limit only what is asked must be there"
    model, requests = replay(write(tmp_path / "more.jsonl", [*map(line, ids), line("nonsense")]))
    with pytest.raises(
        SafecotError, match=rf"line {len(ids) + 1}: {TASK_NAME} has no item with id 'nonsense'"
    ):
        model.answers(requests)
    other = write(tmp_path / "other.jsonl", [{**line("1"), "task": "safecot_other"}])
    model, requests = replay(other)
    with pytest.raises(SafecotError, match="has some for safecot_other"):
        model.answers(requests)
    with pytest.raises(SystemExit, match="^safecot: "):  # what lmms-eval calls: one sentence, not a traceback
        model.generate_until(requests)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("", "needs --model_args responses="),
        ("responses=gone.jsonl", "gone.jsonl is not a file"),
        ("reponses=x", "knows no argument 'reponses'; it takes responses, name"),
        ("responses", "is not key=value"),
    ],
)
def test_bad_arguments_are_one_sentence(arguments: str, says: str) -> None:
    from safecot_eval.generate.models.replay import SafecotReplay

    with pytest.raises(SystemExit, match=f"^safecot: .*{says}"):
        SafecotReplay.create_from_arg_string(arguments, {"batch_size": 1, "device": None})


@pytest.mark.slow
def test_recorded_answers_have_items(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All 16 published models: the template rate of lmms-eval's route equals one counted by hand from the sources."""
    from safecot_eval.benchmarks.data.replays import write_replays

    monkeypatch.setenv("SAFECOT_DATA_DIR", str(data_dir))
    catalogue.why_not_ready.cache_clear()
    phrases = [entry.lower() for entry in refusal.load_list("gcg25").phrases]
    counted = {}
    for name in ("msts", "mossbench", "xstest"):
        benchmark, task_name = registry.load(name), registry.load(name).task_name("")
        published: dict[str, list[str]] = {}
        for model_name, _, response in benchmark.recorded(data_dir / name):
            published.setdefault(model_name, []).append(response)
        rows = documents(task_name)
        for path in write_replays(benchmark, data_dir / name):
            model, requests = replay(path, task_name)
            metrics = [
                task.process_results(row, [answer.text])
                for row, answer in zip(rows, model.answers(requests), strict=True)
            ]
            ours = [
                found["safecot"]["refusal"]["matched"]
                for found in metrics
                if found["safecot"]["status"] == "ok"
            ]
            theirs = [
                any(phrase in _plain(text) for phrase in phrases)
                for text in published[path.stem]
                if text.strip()
            ]
            # An answer in a language that the list does not read is neither; those are few.
            both = [pair for pair in zip(ours, theirs, strict=True) if pair[0] is not None]
            assert len(both) >= 0.99 * len(ours)
            assert sum(mine for mine, _ in both) == sum(other for _, other in both), path.stem
            counted[path.stem, name] = sum(mine for mine, _ in both) / len(both)
    assert len(counted) == 16
    assert 0 < min(counted.values()) < max(counted.values()) < 1


def _plain(text: str) -> str:
    """Lower case, straight apostrophes, single spaces: written here again, independently of the matcher."""
    for curly in "’‘ʼ`´":
        text = text.replace(curly, "'")
    return " ".join(text.lower().split())


@pytest.mark.parametrize("list_name", refusal.available_lists())
def test_the_baselines_are_the_two_ends_by_every_list(list_name: str) -> None:
    from safecot_eval.generate.models.baseline import POLICIES, SafecotBaseline

    phrases = refusal.load_list(list_name)
    assert phrases.match(POLICIES["refuse_all"]) is not None
    assert phrases.match(POLICIES["answer_all"]) is None
    model = SafecotBaseline(policy="answer_all")
    rows = documents(TASK_NAME)[:3]
    answers = model.answers(requests_for(model, rows))
    assert [
        task.process_results(row, [a.text])["safecot"]["status"] for row, a in zip(rows, answers, strict=True)
    ] == ["ok"] * 3
    with pytest.raises(SafecotError, match="refuse_all, answer_all"):
        SafecotBaseline(policy="perhaps")
