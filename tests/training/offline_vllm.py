"""vLLM's engine without its server: each checkpoint in a process of its own, forked from one that has imported vLLM.

A server takes more than a minute to start, nearly all of it imports; chat templates, processors and the engine are the same.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

SETTINGS = {
    "dtype": "float32", "enforce_eager": True, "max_model_len": 1024, "max_num_seqs": 4, "limit_mm_per_prompt": {"image": 2},
    "skip_mm_profiling": True, "distributed_executor_backend": "uni", "disable_log_stats": True,
}  # fmt: skip
_ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
}


class OfflineVLLM:
    """Starts at the first question; what vLLM logs is in ``log``."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._process: subprocess.Popen[str] | None = None

    def ask(self, folder: Path, rows: Sequence[dict[str, Any]], tokens: int) -> list[str]:
        """Greedy answers of a checkpoint, one per row.

        Args:
            folder: Model and processor.
            rows: ``images`` (paths) and ``text`` of one user turn each.
            tokens: Answers end here, or at an end token.

        Raises:
            RuntimeError: vLLM's own message, if it does not load the checkpoint or does not answer.
        """
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.log.open("ab"),
                env={**os.environ, **_ENVIRONMENT},
                cwd=Path(__file__).parents[2],
                text=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        question = {"folder": str(folder), "rows": list(rows), "tokens": tokens}
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        reply = json.loads(self._process.stdout.readline() or '{"error": "vLLM could not be imported"}')
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply["answers"]

    def close(self) -> None:
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait(timeout=60)


def _answers(question: dict[str, Any]) -> list[str]:
    from PIL import Image
    from vllm import LLM, SamplingParams

    llm = LLM(model=question["folder"], **SETTINGS)
    turns = []
    for row in question["rows"]:
        parts = [
            *({"type": "image_pil", "image_pil": Image.open(path).convert("RGB")} for path in row["images"]),
            {"type": "text", "text": row["text"]},
        ]
        turns.append([{"role": "user", "content": parts}])
    sampling = SamplingParams(temperature=0, max_tokens=question["tokens"])
    return [told.outputs[0].text for told in llm.chat(turns, sampling, use_tqdm=False)]


def _reply(question: dict[str, Any], receiver: Connection) -> None:
    import traceback

    try:
        receiver.send({"answers": _answers(question)})
    except Exception as error:
        traceback.print_exc()
        receiver.send({"error": f"{type(error).__name__}: {error}"})


def _main() -> None:
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # vLLM logs to stdout
    import vllm.entrypoints.llm
    import vllm.v1.worker.cpu_worker  # noqa: F401
    from vllm.model_executor.models import registry

    # It looks at a model's class in a new process, to keep CUDA untouched, which imports everything again.
    registry._run_in_subprocess = lambda look: look()
    forked = multiprocessing.get_context("fork")
    for line in sys.stdin:
        here, there = forked.Pipe(duplex=False)
        process = forked.Process(target=_reply, args=(json.loads(line), there))
        process.start()
        there.close()
        try:
            reply = here.recv()
        except EOFError:
            process.join()
            reply = {"error": f"vLLM's process ended with status {process.exitcode}"}
        process.join()
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    _main()
