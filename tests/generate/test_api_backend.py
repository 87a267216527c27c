"""The model under test behind an endpoint that misbehaves: nothing failed is scored, all of it is asked again."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from tests.generate.fault_server import FAULTS, FaultServer, answer_to
from tests.generate.in_process import provenance_of, records_of, safecot_run, samples_bytes

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lmms_eval_in_process")]

KEY = "sk-test-0123456789abcdef"
UNSCORED = {
    "429": "request_failed",
    "500": "request_failed",
    "slow": "request_failed",
    "cut": "request_failed",
    "garbage": "request_failed",
    "null_finish": "request_failed",
    "filter_400": "blocked_by_provider",
    "filter_finish": "blocked_by_provider",
    "empty": "empty",
    "length": "truncated",
}


def run(server: FaultServer, output: Path, *more: str, model: str = "safecot_openai", fast: str = ""):
    quick = fast or "num_concurrent=8,timeout=1,max_retries=1,retry_backoff_s=0.01"
    return safecot_run(
        *("--model", model, "--model_args", f"model=served,base_url={server.url},api_key={KEY},{quick}"),
        *("--tasks", "safecot_mini_tiny", "--output_path", output, *more),
    )


def fault_by_hash(prompt: str, before: int) -> str | None:
    """About half of the prompts fail, always in the same way."""
    number = hashlib.sha256(prompt.encode()).digest()[1]
    return FAULTS[number % len(FAULTS)] if number % 2 else None


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    with FaultServer() as server:
        done = run(server, folder)
    assert done.exit_code == 0, done.output
    return folder


def test_no_failed_request_is_scored_and_all_are_asked_again(tmp_path: Path, undisturbed: Path) -> None:
    with FaultServer(fault_by_hash) as server:
        done = run(server, tmp_path)
        assert done.exit_code == 3, done.output
        records = records_of(tmp_path)
        expected = Counter()
        for record in records.values():
            prompt = record["prompt"]
            fault = fault_by_hash(prompt, 0)
            status = UNSCORED[fault] if fault else "ok"
            expected[status] += 1
            assert record["status"] == status, (fault, record["raw"])
            assert (record["refusal"]["matched"] is None) == (status not in ("ok", "truncated"))
            if status == "ok":
                assert record["raw"] == answer_to(prompt)
        assert len(expected) >= 4
        passed = provenance_of(tmp_path)["passes"]["generate"]
        assert passed["failed"] == expected["request_failed"]
        assert passed["blocked_by_provider"] == expected["blocked_by_provider"]

        healed = Counter(server.answered)
        server.fault_of = lambda prompt, before: None
        server.asked.clear()
        done = run(server, tmp_path)
        assert done.exit_code == 0, done.output
        unanswered = {
            name for name in records if records[name]["status"] in ("request_failed", "blocked_by_provider")
        }
        assert sum(server.asked.values()) == len(unanswered)
        assert set(server.asked) == {records[name]["prompt"] for name in unanswered}
        assert set(healed).isdisjoint(server.asked)
        assert "came from the journal" in done.output
    assert all(record["status"] in ("ok", "empty", "truncated") for record in records_of(tmp_path).values())
    truth = records_of(undisturbed)
    for name, record in records_of(tmp_path).items():
        assert record == truth[name] or records[name]["status"] in ("empty", "truncated")


def test_faults_that_pass_leave_no_trace(tmp_path: Path, undisturbed: Path) -> None:
    """Each prompt fails once in its own way and is answered at the second attempt: byte-equal samples."""
    passing = ("429", "500", "slow", "cut", "garbage", "null_finish")

    def once(prompt: str, before: int) -> str | None:
        return passing[hashlib.sha256(prompt.encode()).digest()[2] % len(passing)] if before == 0 else None

    with FaultServer(once) as server:
        patient = "num_concurrent=16,timeout=1,max_retries=6,retry_backoff_s=0.01"
        done = run(server, tmp_path, fast=patient)
    assert done.exit_code == 0, done.output
    assert samples_bytes(tmp_path) == samples_bytes(undisturbed)


def test_a_key_that_expires_in_the_middle(tmp_path: Path, undisturbed: Path) -> None:
    with FaultServer() as server:
        server.valid_for = 20
        done = run(server, tmp_path)
        assert done.exit_code == 3
        assert sum(server.asked.values()) <= 20 + 2 * 8
        records = records_of(tmp_path)
        failed = [record["prompt"] for record in records.values() if record["status"] == "request_failed"]
        assert 20 <= len(records) - len(failed) < 30
        server.valid_for = None
        server.asked.clear()
        assert run(server, tmp_path).exit_code == 0
        assert server.asked == Counter(failed)
    assert samples_bytes(tmp_path) == samples_bytes(undisturbed)


def test_lmms_evals_own_openai_back_end_is_journalled_too(tmp_path: Path) -> None:
    """Its failures arrive as texts and as None; neither is scored, both are asked again."""

    def fails(prompt: str, before: int) -> str | None:
        return ("500", "filter_400", "filter_finish", None)[hashlib.sha256(prompt.encode()).digest()[3] % 4]

    own = "num_concurrent=8,max_retries=1,retry_backoff_s=0.01"
    with FaultServer(fails) as server:
        done = run(server, tmp_path, "--limit", "24", model="openai", fast=own)
        assert done.exit_code == 3, done.output
        records = records_of(tmp_path)
        for record in records.values():
            fault = fails(record["prompt"], 0)
            assert (record["status"] == "ok") == (fault is None)
            if fault == "filter_400":
                assert record["status"] == "blocked_by_provider"
            if fault is not None:
                assert record["refusal"]["matched"] is None
        server.fault_of = lambda prompt, before: None
        server.asked.clear()
        assert run(server, tmp_path, "--limit", "24", model="openai", fast=own).exit_code == 0
        assert set(server.asked) == {r["prompt"] for r in records.values() if fails(r["prompt"], 0)}
    assert all(record["raw"] == answer_to(record["prompt"]) for record in records_of(tmp_path).values())


def test_limits_and_estimate(tmp_path: Path) -> None:
    with FaultServer() as server:
        done = run(server, tmp_path, "--max-requests", "10", "--prices", "1,2", "--limit", "15")
        assert done.exit_code == 3, done.output
        assert "output tokens: $0.0" in done.output
        assert sum(server.asked.values()) == 10
        assert Counter(r["status"] for r in records_of(tmp_path).values()) == {"ok": 10, "budget_exceeded": 5}
        assert run(server, tmp_path, "--max-requests", "10", "--limit", "15").exit_code == 0
        assert sum(server.asked.values()) == 15


def test_the_key_is_nowhere_on_disk_or_in_the_output(tmp_path: Path) -> None:
    with FaultServer() as server:
        server.key = KEY
        done = run(server, tmp_path, "--limit", "4")
        assert done.exit_code == 0, done.output
        assert all(headers["Authorization"] == f"Bearer {KEY}" for headers in server.headers)
        server.key = "another"
        refused = run(server, tmp_path, "--limit", "6", "--fresh")
    assert KEY not in done.output + refused.output
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) >= 4
    assert not [path for path in written if KEY.encode() in path.read_bytes()]
    command = provenance_of(tmp_path)["command"]
    assert not any("sk-" in part for part in command)


def test_a_body_carries_image_prompt_and_settings(tmp_path: Path) -> None:
    with FaultServer() as server:
        run(server, tmp_path, "--limit", "3", "--gen_kwargs", "max_new_tokens=33")
        body = next(
            b for b in server.bodies if any(p["type"] == "image_url" for p in b["messages"][-1]["content"])
        )
    assert body["max_tokens"] == 33
    assert body["temperature"] == 0
    kinds = [part["type"] for part in body["messages"][-1]["content"]]
    assert kinds == ["image_url", "text"]
    assert body["messages"][-1]["content"][0]["image_url"]["url"].startswith("data:image/png;base64,")
    json.dumps(body)
