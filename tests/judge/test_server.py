"""How vLLM is started, without starting it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from safecot_eval.judge.endpoint import server
from safecot_eval.judge.endpoint.endpoint import Endpoint, configured
from safecot_eval.judge.endpoint.server import Plan, Server, check_gpu, command, environment, weights_gib
from safecot_eval.util.errors import SafecotError
from tests.judge.conftest import free_port
from tests.judge.emulated import EmulatedServer


def test_commands_of_both_builds() -> None:
    plan = Plan(
        "org/m", "abc", tensor_parallel=2, data_parallel=4, ray=True, extra=("--max-model-len", "4096")
    )
    line = " ".join(command(plan, "vllm"))
    assert "serve org/m --served-model-name org/m@abc org/m --host 127.0.0.1" in line
    assert "--revision abc" in line
    assert "--tensor-parallel-size 2" in line
    assert "--data-parallel-size 4" in line
    assert "--distributed-executor-backend ray" in line
    assert "--enable-prefix-caching" in line
    assert line.endswith("--max-model-len 4096")
    assert command(plan, "vllm-cpu")[:3] == [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]


def test_the_servers_environment_holds_no_judge_key() -> None:
    found = environment("vllm-cpu", {"SAFECOT_JUDGE_KEY": "k", "PATH": "p", "VLLM_CPU_KVCACHE_SPACE": "4"})
    assert "SAFECOT_JUDGE_KEY" not in found
    assert found["VLLM_CPU_KVCACHE_SPACE"] == "4"
    assert found["VLLM_NO_USAGE_STATS"] == "1"


@pytest.mark.parametrize(
    ("plan", "gpus", "message"),
    [
        (Plan(), [8 * 1024], "needs about 18 GiB"),
        (Plan(tensor_parallel=2), [24 * 1024], "needs 2 GPUs"),
        (Plan(), [], "needs 1 GPU "),
    ],
)
def test_too_small_is_said_before_the_start(plan: Plan, gpus: list[int], message: str) -> None:
    with pytest.raises(SafecotError, match=message):
        check_gpu(plan, gpus)


def test_what_fits_or_cannot_be_known_is_started(tmp_path: Path) -> None:
    check_gpu(Plan(), [24 * 1024])
    check_gpu(Plan(tensor_parallel=2), [12 * 1024] * 2)
    check_gpu(Plan("org/Model-8B-AWQ"), [8 * 1024])
    check_gpu(Plan("org/unknown"), [8 * 1024])
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 2**20)
    assert weights_gib(str(tmp_path)) == 2**-10


def test_without_vllm_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "find_spec", lambda name: None)
    with pytest.raises(SafecotError, match="pip install vllm"):
        server.distribution()


def test_a_taken_port_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_healthy", lambda plan: True)
    with pytest.raises(SafecotError, match="choose another --port"), Server(Plan("m"), tmp_path / "log"):
        pass


def test_a_server_that_ends_says_where_its_output_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "print('CUDA out of memory'); raise SystemExit(7)"
    monkeypatch.setattr(server, "distribution", lambda: "vllm-cpu")
    monkeypatch.setattr(server, "command", lambda plan, installed: [sys.executable, "-c", code])
    with pytest.raises(SafecotError, match=r"status 7: the GPU has too little memory.*log"):
        Server(Plan("m", port=1), tmp_path / "log").__enter__()


def test_the_served_revision_is_in_the_judge_id() -> None:
    with EmulatedServer(models=["org/m", "org/m@0123456789abcdef"]) as emulated:
        endpoint = configured({"SAFECOT_JUDGE_URL": emulated.url})
    assert endpoint is not None
    assert endpoint.judge_id == "m@0123456789ab"
    assert not endpoint.leaves_machine
    assert Endpoint("https://api.example/v1", "x").leaves_machine


SERVE = """
import sys
from safecot_eval.judge.endpoint import server
server.distribution = lambda: "vllm-cpu"
server.command = lambda plan, installed: [sys.executable, "-m", "tests.judge.emulated", str(plan.port), "0", "8"]
from safecot_eval.cli import main
main(["judge", "serve", "--model", "org/m", "--port", sys.argv[1], "--log", sys.argv[2]])
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_stays_in_the_foreground_and_stops_its_server(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(port), str(tmp_path / "vllm.log")],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == (
        f"export SAFECOT_JUDGE_URL=http://127.0.0.1:{port}/v1 SAFECOT_JUDGE_MODEL=org/m\n"
    )
    assert httpx.get(f"http://127.0.0.1:{port}/v1/models", timeout=5).status_code == 200
    assert process.poll() is None
    process.send_signal(number)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Stopped." in error
    assert "Traceback" not in error
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/v1/models", timeout=5)
