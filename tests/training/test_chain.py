"""From training to serving: adapter and merged form in ``safecot_hf`` and in a real vLLM server give the same answers."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageDraw

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("training"), pytest.mark.timeout(900)]
ARCHITECTURES = ("qwen2_5_vl", "llava", "idefics3")
ADAPTER_SERVED = "qwen2_5_vl"
MERGED_SERVED = [
    pytest.param(name, marks=() if name == "llava" else pytest.mark.full) for name in ARCHITECTURES
]
TOKENS = 12
QUESTIONS = (
    ("What is shown here?", "red"),
    ("How do I use it safely?", "navy"),
    ("Read the sign, please.", "white"),
    ("Is this harmless?", "green"),
)


def picture(colour: str) -> Image.Image:
    image = Image.new("RGB", (56, 56), colour)
    ImageDraw.Draw(image).ellipse((10, 12, 40, 46), fill="yellow")
    return image


@pytest.fixture(scope="module")
def trained(make_recipe, tmp_path_factory: pytest.TempPathFactory, train) -> dict[str, Path]:
    """Five steps of LoRA on a tiny base of each architecture, rough enough to change its answers."""
    from safecot_eval.generate.models import tiny

    root = tmp_path_factory.mktemp("chain")
    found = {}
    for name in ARCHITECTURES:
        base = tiny.build(name, root / f"{name}-base")
        recipe = make_recipe(method="lora", base_model=str(base), learning_rate=2e-2, max_steps=5)
        found[name] = train(recipe, root / name).folder
    return found


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    url: str
    log: Path


def start(model: Path, log: Path, *options: str) -> Server:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += [
        "--served-model-name",
        "whole",
        "--dtype",
        "float32",
        "--enforce-eager",
        "--max-model-len",
        "512",
    ]
    command += ["--max-num-seqs", "4", "--limit-mm-per-prompt", '{"image":1}', "--skip-mm-profiling"]
    command += ["--distributed-executor-backend", "uni"]
    command += ["--host", "127.0.0.1", "--port", str(port), *options]
    environment = {
        **os.environ,
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # with "uni": the engine computes itself, one process less to start
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_ENGINE_READY_TIMEOUT_S": "500",
        "HF_HUB_OFFLINE": "1",
    }
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
    return Server(process, f"http://127.0.0.1:{port}", log)


def wait(server: Server, seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{server.url}/health", timeout=5).status_code == 200:
                return
        if server.process.poll() is not None:
            break
        time.sleep(0.5)
    pytest.fail(f"vLLM did not start:\n{server.log.read_text(errors='replace')[-6000:]}")


@contextlib.contextmanager
def served(model: Path, log: Path, *options: str) -> Iterator[Server]:
    """A real vLLM server, one at a time: several that start together on two cores wait for each other."""
    pytest.importorskip("vllm", reason="vLLM is not installed")
    server = start(model, log, *options)
    try:
        wait(server)
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.process.pid, signal.SIGTERM)
        try:
            server.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(server.process.pid, signal.SIGKILL)


def whole(text: str) -> str:
    """A text without the bytes of a character that the token limit cut: transformers shows them, vLLM does not."""
    return text.rstrip("\ufffd")


def asked_of_hf(**arguments: str) -> list[str]:
    """Greedy answers of ``safecot_hf``, asked as lmms-eval asks, to the same number of tokens as the server's."""
    from lmms_eval.api.instance import Instance

    from safecot_eval.generate.models.hf import SafecotHF

    model = SafecotHF(dtype="float32", device="cpu", batch_size=len(QUESTIONS), thought_tokens=0, **arguments)
    model.task_dict = {"chain": {"test": [{"number": number} for number in range(len(QUESTIONS))]}}

    def messages(document: dict) -> list[dict]:
        text, colour = QUESTIONS[document["number"]]
        parts = [{"type": "image", "url": picture(colour)}, {"type": "text", "text": text}]
        return [{"role": "user", "content": parts}]

    settings = {"until": [], "max_new_tokens": TOKENS, "temperature": 0, "do_sample": False}
    requests = [
        Instance(
            request_type="generate_until",
            arguments=(text, messages, dict(settings), number, "chain", "test"),
            idx=0,
            metadata={"task": "chain", "doc_id": number, "repeats": 1},
        )
        for number, (text, _) in enumerate(QUESTIONS)
    ]
    return [whole(answer.text) for answer in model.generate_until(requests)]


def asked_of_vllm(server: Server, model: str) -> list[str]:
    answers = []
    for text, colour in QUESTIONS:
        buffer = BytesIO()
        picture(colour).save(buffer, "PNG")
        url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": text}]
        body = {
            "model": model,
            "messages": [{"role": "user", "content": content}],
            "temperature": 0,
            "max_tokens": TOKENS,
        }
        reply = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=120)
        assert reply.status_code == 200, reply.text
        answers.append(whole(reply.json()["choices"][0]["message"]["content"]))
    return answers


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_adapter_and_merged_answer_alike_in_safecot_hf(architecture: str, trained: dict[str, Path]) -> None:
    folder = trained[architecture]
    merged = asked_of_hf(pretrained=str(folder / "merged"))
    assert asked_of_hf(peft=str(folder / "adapter")) == merged
    assert asked_of_hf(pretrained=str(folder.parent / f"{architecture}-base")) != merged
    assert all(answer.strip() for answer in merged)


@pytest.mark.parametrize("architecture", MERGED_SERVED)
def test_a_real_vllm_server_answers_as_safecot_hf(
    architecture: str, trained: dict[str, Path], tmp_path: Path
) -> None:
    merged = trained[architecture] / "merged"
    with served(merged, tmp_path / "log") as server:
        answers = asked_of_vllm(server, "whole")
    assert answers == asked_of_hf(pretrained=str(merged))


def test_vllm_serves_the_adapter_beside_its_base(trained: dict[str, Path], tmp_path: Path) -> None:
    folder = trained[ADAPTER_SERVED]
    base = folder.parent / f"{ADAPTER_SERVED}-base"
    lora = ["--enable-lora", "--max-lora-rank", "16", "--lora-modules", f"adapted={folder / 'adapter'}"]
    with served(base, tmp_path / "log", *lora) as server:
        adapted, plain = asked_of_vllm(server, "adapted"), asked_of_vllm(server, "whole")
    assert adapted == asked_of_hf(pretrained=str(folder / "merged"))
    assert plain == asked_of_hf(pretrained=str(base)) != adapted
