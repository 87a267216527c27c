"""Speed of the judge, side by side on the same server: ours, a raw client that saturates it, and lmms-eval's own path.

``python benchmarks/bench_judge.py [--requests N] [--real] [--out FILE]``. The emulated server takes 200 ms for a request
and 256 requests at once; ``--real`` also starts vLLM's CPU build on a tiny Llama. The raw client keeps plain
sockets busy with our own request bodies, as many as the server has room for and twice as many, and does nothing with the
replies; the best of four passes counts, two before ours and two after. lmms-eval's path is its ``OpenAIProvider``, called
from as many threads as lmms-eval scores documents with by default (4).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx

from safecot_eval.judge.dialect import Dialect
from safecot_eval.judge.endpoint import Endpoint
from safecot_eval.judge.judging import judge_runs
from safecot_eval.judge.prompts import build
from safecot_eval.judge.remote import RemoteJudge
from safecot_eval.judge.rubrics import own
from safecot_eval.judge.server import Plan, Server
from safecot_eval.runs import Run
from tests.judge.conftest import free_port, make_run

LATENCY_S, SLOTS = 0.2, 256


def bodies(run: Run, model: str, count: int) -> list[bytes]:
    """The requests that a pass over the run sends."""
    dialect, made = Dialect(), []
    for record in run.samples():
        for name in record["rubrics"]:
            rubric = own()[name].general
            # Another salt than ours: the server must not know these prompts from our pass.
            body = dialect.body(model, build(rubric, record, salt="raw").message, rubric)
            made.append(json.dumps(body).encode())
            if len(made) == count:
                return made
    return made


async def raw(url: str, requests: list[bytes], sockets: int) -> float:
    """Requests per second of a client that only keeps the sockets busy."""
    place = httpx.URL(url)
    head = f"POST {place.path}/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
    remaining = iter(requests)

    async def work() -> None:
        reader, writer = await asyncio.open_connection(place.host, place.port)
        for body in remaining:
            writer.write(f"{head}{len(body)}\r\n\r\n".encode() + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert answer.startswith(b"http/1.1 200"), answer[:200]
            await reader.readexactly(int(answer.split(b"content-length:")[1].split(b"\r\n")[0]))
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(sockets)))
    return len(requests) / (time.perf_counter() - started)


def built_in(url: str, model: str, requests: list[bytes]) -> float:
    """Judged per second by lmms-eval's provider with its defaults."""
    os.environ.update(OPENAI_API_KEY="none", OPENAI_API_URL=url)
    from lmms_eval.llm_judge import ServerConfig, get_server
    from lmms_eval.llm_judge.protocol import Request

    server = get_server(server_name="openai", config=ServerConfig(model_name=model))
    asked = [Request(messages=json.loads(body)["messages"]) for body in requests]
    started = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(server.evaluate, asked))
    return len(asked) / (time.perf_counter() - started)


def measure(url: str, model: str, count: int, sockets: int, folder: Path, builtin_count: int) -> list[str]:
    """All figures for one server."""
    run = make_run(folder / "runs", count // 2)
    requests = bodies(run, model, count)
    raws: list[float] = []

    def saturate(*texts: bytes) -> None:
        """Each pass with a text of its own, so that no server knows its prompts."""
        for number, text in zip((sockets, 2 * sockets), texts, strict=True):
            raws.append(
                asyncio.run(raw(url, [body.replace(b"What about", text) for body in requests], number))
            )

    saturate(b"What about", b"What of")
    cache = folder / "cache.sqlite"

    def ours() -> float:
        judge = RemoteJudge(Endpoint(url, model), cache, most_in_flight=2 * sockets)
        started = time.perf_counter()
        judge_runs([run], judge, own(), judge_id="bench", quiet=True)
        return time.perf_counter() - started

    first = ours()
    saturate(b"And what about", b"And what of")
    again = ours()
    shutil.rmtree(run.folder / "verdicts")
    cached = ours()
    speed, best = len(requests) / first, max(raws)
    lines = [
        f"| raw client, {sockets} and {2 * sockets} sockets, before and after ours | "
        f"{', '.join(f'{speed:.0f}' for speed in raws)} requests/s |",
        f"| ours, {len(requests)} verdicts, files and cache written | {speed:.0f} judged/s |",
        f"| **ours / raw** (the best of the four) | **{speed / best:.3f}** |",
        f"| second pass over the same runs | {again:.2f} s against {first:.1f} s: **{first / again:.0f} x** |",
        f"| the same with the verdict files deleted: from the cache alone | {cached:.2f} s: **{first / cached:.0f} x** |",
    ]
    if builtin_count:
        theirs = built_in(url, model, requests[:builtin_count])
        lines.append(
            f"| lmms-eval's OpenAIProvider, its defaults, {builtin_count} requests | {theirs:.1f} judged/s |"
        )
        lines.append(f"| **ours / lmms-eval's** | **{speed / theirs:.0f}** |")
    return lines


def emulated(count: int, folder: Path) -> list[str]:
    """Figures on the emulated server, which runs in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "tests.judge.emulated", str(port), str(LATENCY_S), str(SLOTS)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1])
    url = f"http://127.0.0.1:{port}/v1"
    try:
        for _ in range(200):
            try:
                httpx.get(f"{url}/models", timeout=1)
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        return measure(url, "emulated-judge", count, SLOTS, folder, 200)
    finally:
        process.terminate()
        process.wait()


def real(count: int, folder: Path) -> list[str]:
    """Figures on vLLM's CPU build with a tiny Llama."""
    from tests.judge.tiny_llama import build as build_model

    model = build_model(folder / "tiny-llama-3")
    extra = ("--dtype", "float32", "--enforce-eager", "--max-model-len", "4096", "--max-num-seqs", "64")
    with Server(
        Plan(str(model), port=free_port(), extra=extra), folder / "vllm.log", timeout_s=600
    ) as server:
        url, name = server.plan.url, server.plan.served_names[0]
        warm = make_run(folder / "warm", 20)
        judge_runs([warm], RemoteJudge(Endpoint(url, name)), own(), judge_id="warm", quiet=True)
        return measure(url, name, count, 64, folder, 0)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="verdicts on the emulated server")
    parser.add_argument("--real-requests", type=int, default=1_000, help="verdicts on the real server")
    parser.add_argument("--real", action="store_true", help="also measure on vLLM's CPU build")
    parser.add_argument("--out", type=Path, help="also write the tables to this file")
    options = parser.parse_args()
    lines = [
        "# Speed of the judge",
        "",
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, `python benchmarks/bench_judge.py`.",
    ]
    with tempfile.TemporaryDirectory() as name:
        lines += [
            "",
            f"## Emulated server: {LATENCY_S * 1000:.0f} ms, {SLOTS} requests at once",
            "",
            "| | |",
            "|---|---|",
        ]
        lines += emulated(options.requests, Path(name) / "emulated")
        if options.real:
            lines += ["", "## vLLM, CPU build, tiny Llama", "", "| | |", "|---|---|"]
            lines += real(options.real_requests, Path(name) / "real")
    print("\n".join(lines))
    if options.out is not None:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
