"""The client against a server that misbehaves: every question ends with a verdict or a named failure, exactly once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from safecot_eval.judge.endpoint.cache import VerdictCache
from safecot_eval.judge.endpoint.remote import RemoteJudge
from safecot_eval.judge.judge_runs import judge_runs
from safecot_eval.judge.replies import ParsedJudgement
from safecot_eval.judge.rubric_files import own
from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.util.errors import SafecotError
from tests.judge.conftest import make_run
from tests.judge.emulated import EmulatedServer, label_for

FAULTS = (
    "429",
    "500",
    "cut",
    "drop",
    "garbage",
    "no_choices",
    "wrong_label",
    "cut_label",
    "refuse",
    "empty",
    None,
)
LASTING = {
    "wrong_label": "unparseable",
    "cut_label": "unparseable",
    "refuse": "judge_refused",
    "empty": "unparseable",
}


def lines(path: Path) -> list[dict[str, object]]:
    return [line for _, line in enumerate_jsonl(path)]


def fault_for(message: str) -> str | None:
    return FAULTS[hashlib.sha256(b"fault" + message.encode()).digest()[0] % len(FAULTS)]


@pytest.mark.slow
def test_faults_lose_nothing_and_double_nothing(tmp_path: Path, judge_of: Callable[..., RemoteJudge]) -> None:
    """Passing faults are overcome, lasting ones are named; the 60 hardest questions fail for good."""
    run = make_run(tmp_path / "runs", 300)

    def fault(message: str, before: int) -> str | None:
        kind = fault_for(message)
        return kind if kind in LASTING or before < 2 else None

    with EmulatedServer(fault) as server:
        judge = judge_of(server, retries=4)
        outcome = judge_runs([run], judge, own(), judge_id="j", quiet=True)
    found = lines(run.folder / "verdicts" / "j.jsonl")
    assert len(found) == 600 == outcome.written
    assert len({(v["sample_id"], v["rubric"]) for v in found}) == 600
    expected: Counter[str] = Counter()
    for body in {body["messages"][0]["content"]: body for body in server.bodies}.values():
        message = body["messages"][0]["content"]
        right = label_for(message, body["structured_outputs"]["choice"])
        expected[LASTING.get(str(fault_for(message)), right)] += 1
    assert Counter(str(v["label"]) for v in found) == expected
    assert all(v.get("failure") for v in found if v["label"] in ("unparseable", "judge_refused", "missing"))
    assert {v["probability"] for v in found if v.get("decoding") == "choice"} == {0.75}


@pytest.mark.slow
def test_hangs_become_named_failures_and_are_asked_again(
    tmp_path: Path, judge_of: Callable[..., RemoteJudge]
) -> None:
    run = make_run(tmp_path / "runs", 40, rubrics=("harm",))
    hanging = {True}
    with EmulatedServer(lambda m, n: "hang" if hanging and "number 7?" in m else None) as server:
        judge = judge_of(server, timeout_s=0.3, retries=1)
        first = judge_runs([run], judge, own(), judge_id="j", quiet=True)
        assert first.missing == 1
        path = run.folder / "verdicts" / "j.jsonl"
        missing = next(v for v in lines(path) if v["label"] == "missing")
        assert str(missing["failure"]).startswith("timeout")
        hanging.clear()
        asked = server.judged
        second = judge_runs([run], judge, own(), judge_id="j", quiet=True)
        assert (second.written, second.missing, server.judged - asked) == (1, 0, 1)
    assert len({v["sample_id"] for v in lines(path)}) == len(lines(path)) == 40


@pytest.mark.slow
def test_a_dead_server_ends_the_pass_soon(tmp_path: Path, judge_of: Callable[..., RemoteJudge]) -> None:
    run = make_run(tmp_path / "runs", 400, rubrics=("harm",))
    with EmulatedServer(lambda m, n: "500") as server:
        outcome = judge_runs(
            [run], judge_of(server, retries=1, most_in_flight=16), own(), judge_id="j", quiet=True
        )
    assert outcome.missing == 400
    # 272 requests are begun at most before the first is given up, each with one retry: far from all 800.
    assert server.judged < 600, "after 32 requests without a reply nothing more is sent"


def test_nothing_listens(tmp_path: Path, judge_of: Callable[..., RemoteJudge]) -> None:
    run = make_run(tmp_path / "runs", 3)
    server = EmulatedServer()
    server.port = 1
    with pytest.raises(SafecotError, match="does not answer"):
        judge_runs([run], judge_of(server, retries=0), own(), judge_id="j", quiet=True)
    assert not (run.folder / "verdicts" / "j.jsonl").exists()


def test_identical_questions_are_asked_once(
    tmp_path: Path, emulated: EmulatedServer, judge_of: Callable[..., RemoteJudge]
) -> None:
    run = make_run(tmp_path / "runs", 20, repeat=30, rubrics=("refusal",))
    outcome = judge_runs([run], judge_of(emulated), own(), judge_id="j", quiet=True)
    assert outcome.written == 50
    assert emulated.judged == 20
    labels = [v["label"] for v in lines(run.folder / "verdicts" / "j.jsonl")]
    assert len(set(labels[20:])) == 1


def test_the_cache_serves_other_runs_of_the_same_content(
    tmp_path: Path, emulated: EmulatedServer, judge_of: Callable[..., RemoteJudge]
) -> None:
    first, second = make_run(tmp_path / "a", 30), make_run(tmp_path / "b", 30)
    judge_runs([first], judge_of(emulated), own(), judge_id="j", quiet=True)
    asked = emulated.judged
    judge_runs([second], judge_of(emulated), own(), judge_id="j", quiet=True)
    assert emulated.judged == asked == 60
    names = [run.folder / "verdicts" / "j.jsonl" for run in (first, second)]
    assert names[0].read_bytes() == names[1].read_bytes()


@pytest.mark.slow
def test_concurrency_rises_with_the_throughput(tmp_path: Path, judge_of: Callable[..., RemoteJudge]) -> None:
    run = make_run(tmp_path / "runs", 700, rubrics=("harm",))
    with EmulatedServer(latency_s=0.1) as server:
        judge_runs([run], judge_of(server), own(), judge_id="j", quiet=True)
    assert 128 <= server.most_at_once <= 512


def test_a_server_without_constrained_decoding(tmp_path: Path, judge_of: Callable[..., RemoteJudge]) -> None:
    """It accepts the field and ignores it, as vLLM does with the older name: the probe notices."""
    run = make_run(tmp_path / "runs", 10, rubrics=("refusal",))
    with EmulatedServer(constrains=False) as server:
        judge_runs([run], judge_of(server), own(), judge_id="j", quiet=True)
        assert all("structured_outputs" not in body for body in server.bodies)
    found = lines(run.folder / "verdicts" / "j.jsonl")
    assert {(v["label"], v["decoding"]) for v in found} == {("none", "parsed")}
    assert all("probability" not in v for v in found)


def test_the_key_is_never_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from safecot_eval.judge.endpoint.endpoint import Endpoint

    run = make_run(tmp_path / "runs", 3)
    with EmulatedServer() as server:
        server.key = "right-key-4711"
        wrong = RemoteJudge(
            Endpoint(server.url, "m", "wrong-key-0815"), tmp_path / "c.sqlite", backoff_s=0.01
        )
        with pytest.raises(SafecotError) as caught:
            judge_runs([run], wrong, own(), judge_id="j")
        right = RemoteJudge(Endpoint(server.url, "m", "right-key-4711"), tmp_path / "c.sqlite")
        judge_runs([run], right, own(), judge_id="j")
    said = str(caught.value) + repr(wrong) + repr(right) + "".join(capfd.readouterr())
    said += "".join(p.read_bytes().decode("latin-1") for p in tmp_path.rglob("*") if p.is_file())
    assert "0815" not in said
    assert "4711" not in said


def test_a_cache_that_is_none_is_one_sentence(tmp_path: Path, judge_of: Callable[..., RemoteJudge]) -> None:
    path = tmp_path / "cache.jsonl"
    path.mkdir()
    run = make_run(tmp_path / "runs", 3)
    with EmulatedServer() as server, pytest.raises(SafecotError, match="--no-cache"):
        judge_runs([run], judge_of(server, cache_path=path), own(), judge_id="j", quiet=True)


def test_processes_share_a_cache(tmp_path: Path) -> None:
    path, reading = tmp_path / "cache.jsonl", ParsedJudgement("safe", 0.5, "safe", decoding="choice")
    with VerdictCache(path) as first, VerdictCache(path) as second:
        first.put("a", reading)
        first.commit()
        assert second.get_many(["a", "b"]) == {"a": reading}
        second.put("b", reading)
        second.commit()
        assert first.get_many(["a", "b"]) == {"a": reading, "b": reading}
