"""The wrapper around a model, with models that count, fail and die."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts

from safecot_eval.generate.budget import SpendGuard
from safecot_eval.generate.finish_reasons import LENGTH, STOP, Ended, reason_of, status_of
from safecot_eval.generate.journal.generation import JournalledGeneration, Tally, chunk_size, is_answer
from safecot_eval.generate.journal.identity import fingerprint, model_identity
from safecot_eval.generate.journal.store import Journal
from safecot_eval.records.samples import Status
from safecot_eval.util.errors import SafecotError


class Fake:
    """A model that answers with its question, and can be told to fail or to die."""

    def __init__(self, count: int, *, prompt: str = "q") -> None:
        rows = [
            {"sample_id": f"{prompt}{n}", "image_source": "none", "image_error": ""} for n in range(count)
        ]
        self.task_dict = {"t": {"test": rows}}
        self.asked: list[int] = []
        self.failing: dict[int, Any] = {}
        self.dies_after: int | None = None

    def generate_until(self, requests: list[Instance]) -> list[Any]:
        found: list[Any] = []
        for request in requests:
            if self.dies_after is not None and len(self.asked) >= self.dies_after:
                raise KeyboardInterrupt
            number = request.doc_id
            self.asked.append(number)
            if number in self.failing:
                found.append(self.failing[number])
                continue
            finish = LENGTH if number % 2 else STOP
            text = Ended(f"answer {number}" if number % 3 else f"bare {number}", finish)
            found.append(GenerationResult(text, TokenCounts(10, number + 1)) if number % 3 else text)
        return found


def requests_of(count: int, *, repeats: int = 1, **settings: Any) -> list[Instance]:
    return [
        Instance(
            "generate_until",
            (f"question {n}", None, {"max_new_tokens": 8, **settings}, n, "t", "test"),
            0,
            {"task": "t", "doc_id": n, "repeats": repeats},
        )
        for n in range(count)
    ]


def run(
    model: Fake, requests: list[Instance], folder: Path, *, guard: SpendGuard | None = None, chunk: int = 4
) -> tuple[list[Any], Tally]:
    tally = Tally()
    with Journal(folder, "m") as journal:
        wrapped = JournalledGeneration(
            model, model.generate_until, journal, guard or SpendGuard(), chunk, tally
        )
        return wrapped(requests), tally


def test_a_rerun_asks_for_nothing_and_returns_the_same(tmp_path: Path) -> None:
    first, second = Fake(10), Fake(10)
    outputs, tally = run(first, requests_of(10), tmp_path)
    assert (tally.asked, tally.kept) == (10, 0)
    again, tally = run(second, requests_of(10), tmp_path)
    assert again == outputs
    assert second.asked == []
    assert (tally.asked, tally.kept, tally.failed) == (0, 10, 0)
    assert [reason_of(getattr(a, "text", a)) for a in again[:4]] == ["stop", "length", "stop", "length"]


@pytest.mark.parametrize("dies_after", [0, 1, 3, 4, 5, 9])
def test_death_repeats_less_than_a_chunk(tmp_path: Path, dies_after: int) -> None:
    model = Fake(10)
    model.dies_after = dies_after
    with pytest.raises(KeyboardInterrupt):
        run(model, requests_of(10), tmp_path)
    survivor = Fake(10)
    outputs, _ = run(survivor, requests_of(10), tmp_path)
    assert outputs == Fake(10).generate_until(requests_of(10))
    repeated = len(model.asked) + len(survivor.asked) - 10
    assert 0 <= repeated < 4


@pytest.mark.parametrize(
    "failure",
    [
        "[LMMS_EVAL_REQUEST_FAILED after 5 retries] timeout",
        "[LMMS_EVAL_BUDGET_EXCEEDED]",
        "",
        None,
        GenerationResult("", TokenCounts(0, 0, 0)),
        GenerationResult(None, TokenCounts()),  # type: ignore[arg-type]
    ],
)
def test_failures_are_not_stored_and_are_asked_again(tmp_path: Path, failure: Any) -> None:
    model = Fake(6)
    model.failing = {2: failure, 5: failure}
    _, tally = run(model, requests_of(6), tmp_path)
    assert tally.failed == 2
    recovered = Fake(6)
    outputs, tally = run(recovered, requests_of(6), tmp_path)
    assert recovered.asked == [2, 5]
    assert tally.failed == 0
    assert outputs == Fake(6).generate_until(requests_of(6))


def test_a_provider_filter_is_named_and_counted_apart(tmp_path: Path) -> None:
    model = Fake(3)
    model.failing = {1: "[LMMS_EVAL_REQUEST_FAILED after 5 retries] Error code: 400 'code': 'content_filter'"}
    outputs, tally = run(model, requests_of(3), tmp_path)
    assert (tally.blocked, tally.failed) == (1, 0)
    assert outputs[1] == ""
    assert status_of(outputs[1]) is Status.BLOCKED_BY_PROVIDER


def test_an_empty_answer_with_a_token_is_an_answer() -> None:
    assert is_answer("", (10, 1, None), None)
    assert is_answer("", None, "stop")
    assert not is_answer("", (10, 0, None), None)
    assert not is_answer("text", None, "blocked_by_provider")


def test_settings_prompt_and_checkpoint_make_new_entries(tmp_path: Path) -> None:
    run(Fake(4), requests_of(4), tmp_path)
    for model, requests in (
        (Fake(4), requests_of(4, temperature=1.0)),
        (Fake(4, prompt="other"), requests_of(4)),
    ):
        run(model, requests, tmp_path)
        assert model.asked == [0, 1, 2, 3]
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(b"one")
    arguments = {"pretrained": str(checkpoint)}
    before = model_identity("safecot_hf", arguments)
    assert model_identity("safecot_hf", arguments | {"batch_size": "8", "name": "x"}) == before
    assert model_identity("safecot_hf", arguments | {"dtype": "float16"}) != before
    assert model_identity("safecot_hf", arguments, ["--system_instruction", "Be kind."]) != before
    assert model_identity("safecot_hf", arguments, ["--verbosity", "DEBUG"]) == before
    weights.write_bytes(b"two")
    assert model_identity("safecot_hf", arguments) != before
    assert fingerprint("no such thing") is None


def test_repeats_are_kept_apart_and_padding_is_not_asked(tmp_path: Path) -> None:
    model = Fake(3)
    twice = [request for request in requests_of(3, repeats=2) for _ in range(2)]
    run(model, twice, tmp_path)
    assert model.asked == [0, 0, 1, 1, 2, 2]
    padded = Fake(3)
    requests = requests_of(3, temperature=0.5)
    outputs, tally = run(padded, [*requests, requests[-1], requests[-1]], tmp_path)
    assert padded.asked == [0, 1, 2]
    assert outputs[2:] == [outputs[2]] * 3
    assert tally.total == 3


def test_limits_stop_sending_and_the_next_run_goes_on(tmp_path: Path) -> None:
    model = Fake(10)
    outputs, tally = run(model, requests_of(10), tmp_path, guard=SpendGuard(max_requests=6))
    assert model.asked == list(range(6))
    assert (tally.budget, tally.failed) == (4, 4)
    assert outputs[6:] == ["[LMMS_EVAL_BUDGET_EXCEEDED]"] * 4
    assert status_of(outputs[7]) is Status.BUDGET_EXCEEDED
    model = Fake(10)
    _, tally = run(model, requests_of(10), tmp_path, guard=SpendGuard(max_requests=6))
    assert model.asked == list(range(6, 10))
    assert tally.failed == 0


def test_a_token_limit_is_hardly_passed(tmp_path: Path) -> None:
    class Counting(Fake):
        def generate_until(self, requests: list[Instance]) -> list[Any]:
            self.asked += [request.doc_id for request in requests]
            return [GenerationResult("text", TokenCounts(70, 30)) for _ in requests]

    model = Counting(50)
    guard = SpendGuard(max_tokens=1000)
    run(model, requests_of(50), tmp_path, guard=guard, chunk=16)
    assert 900 <= guard.tokens <= 1100
    with pytest.raises(SafecotError, match="does not count tokens"):
        run(Fake(3), requests_of(1), tmp_path / "b", guard=SpendGuard(max_tokens=10**6), chunk=1)


def test_answers_that_arrive_one_by_one_are_kept_one_by_one(tmp_path: Path) -> None:
    class Streaming(Fake):
        answer_sink: Any = None

        def generate_until(self, requests: list[Instance]) -> list[Any]:
            found = []
            for request in requests:
                (answer,) = super().generate_until([request])
                self.answer_sink(request, answer)
                found.append(answer)
            return found

    model = Streaming(10)
    model.dies_after = 7
    with pytest.raises(KeyboardInterrupt):
        run(model, requests_of(10), tmp_path, chunk=100)
    survivor = Streaming(10)
    outputs, tally = run(survivor, requests_of(10), tmp_path, chunk=100)
    assert survivor.asked == [7, 8, 9]
    assert tally.kept == 7
    assert outputs == Fake(10).generate_until(requests_of(10))


def test_chunk_size_follows_the_back_end() -> None:
    class Model:
        batch_size = 8
        num_concurrent = 32

    assert chunk_size(Model(), "openai", None) == 256
    assert chunk_size(Model(), "vllm", None) == 512
    assert chunk_size(object(), "llava_hf", None) == 16
    assert chunk_size(Model(), "openai", 3) == 3
