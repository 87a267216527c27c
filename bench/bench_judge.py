"""Speed of the judge, side by side on the same server: ours, a raw client that saturates it, and lmms-eval's own path.

``python bench/bench_judge.py [--requests N] [--real] [--out FILE]``. The emulated server takes 200 ms for a request
and 256 requests at once; ``--real`` also starts vLLM's CPU build on a tiny Llama. The raw client keeps plain
sockets busy with our own request bodies, as many as the server has room for and twice as many, and does nothing with the
replies. Passes of the raw client and of ours alternate, each with texts that the server has not seen, and medians count:
the real server's speed varies by a tenth from pass to pass. lmms-eval's path is its ``OpenAIProvider``, called
from as many threads as lmms-eval scores documents with by default (4).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from safecot_eval.judge.endpoint.dialect import Dialect
from safecot_eval.judge.endpoint.endpoint import Endpoint
from safecot_eval.judge.endpoint.remote import RemoteJudge
from safecot_eval.judge.endpoint.server import Plan, Server
from safecot_eval.judge.judge_runs import judge_runs
from safecot_eval.judge.prompts import build
from safecot_eval.judge.rubric_files import own
from safecot_eval.records.run import Run, find_runs
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.model_lists import served_models
from tests.judge.conftest import free_port, make_run

LATENCY_S, SLOTS = 0.2, 256


def bodies(run: Run, model: str, count: int) -> list[bytes]:
    """The requests that a pass over the run sends."""
    dialect, made = Dialect(), []
    for record in run.samples():
        for name in record["rubrics"]:
            rubric = own()[name].general
            # Another salt than ours: the server must not know these prompts from our pass.
            body = dialect.body(model, build(rubric, record, salt="raw"))
            made.append(json.dumps(body).encode())
            if len(made) == count:
                return made
    return made


async def raw(url: str, requests: list[bytes], sockets: int) -> float:
    """Requests per second of a client that only keeps the sockets busy."""
    place = urlsplit(url)
    head = f"POST {place.path}/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
    remaining = iter(requests)

    async def work() -> None:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
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


def measure(
    url: str, model: str, count: int, sockets: int, folder: Path, rounds: int, builtin_count: int
) -> list[str]:
    """All figures for one server: passes of the raw client and of ours in turn, each with texts of its own."""
    template = make_run(folder / "template", count // 2)
    requests = bodies(template, model, count)
    raws: dict[int, list[float]] = {sockets: [], 2 * sockets: []}
    ours: list[float] = []

    def one_pass(run: Run, cache: Path) -> float:
        judge = RemoteJudge(Endpoint(url, model), cache, most_in_flight=2 * sockets)
        started = time.perf_counter()
        judge_runs([run], judge, own(), judge_id="bench", quiet=True)
        return time.perf_counter() - started

    for number in range(rounds):
        for held, speeds in raws.items():
            text = f"What, {number} and {held}, about".encode()
            changed = [body.replace(b"What about", text) for body in requests]
            speeds.append(asyncio.run(raw(url, changed, held)))
        shutil.copytree(template.folder, folder / f"run{number}")
        run = find_runs([folder / f"run{number}"])[0]
        text_of_run = run.samples_path.read_text(encoding="utf-8")
        run.samples_path.write_text(
            text_of_run.replace("What about", f"What, {number} and ours, about"), encoding="utf-8"
        )
        ours.append(one_pass(run, folder / f"cache{number}.jsonl"))
    again = one_pass(run, folder / f"cache{number}.jsonl")
    shutil.rmtree(run.folder / "verdicts")
    cached = one_pass(run, folder / f"cache{number}.jsonl")
    speeds_of_ours = [len(requests) / seconds for seconds in ours]
    best = max(statistics.median(speeds) for speeds in raws.values())
    speed, first = statistics.median(speeds_of_ours), ours[-1]
    lines = [
        f"| raw client, {held} sockets | {_listed(speeds)} requests/s |" for held, speeds in raws.items()
    ]
    lines += [
        f"| ours, {len(requests)} verdicts, files and cache written | {_listed(speeds_of_ours)} judged/s |",
        f"| **ours / raw** (medians; the better number of sockets) | **{speed / best:.3f}** |",
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


def _listed(speeds: list[float]) -> str:
    return ", ".join(f"{speed:.0f}" for speed in speeds)


def emulated(count: int, folder: Path) -> list[str]:
    """Figures on the emulated server, which runs in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "tests.judge.emulated", str(port), str(LATENCY_S), str(SLOTS)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1])
    url = f"http://127.0.0.1:{port}/v1"
    try:
        for _ in range(200):
            try:
                served_models(url, None, "bench")
                break
            except SafecotError:
                time.sleep(0.05)
        return measure(url, "emulated-judge", count, SLOTS, folder, 3, 200)
    finally:
        process.terminate()
        process.wait()


def real(count: int, folder: Path, *, apart: bool) -> list[str]:
    """Figures on vLLM's CPU build with a tiny Llama.

    ``apart``: the last core is the client's, the others are the server's. Otherwise they compete for all of them, and what a
    client takes the server lacks, as it never does with a server on a GPU.
    """
    from tests.judge.tiny_llama import build as build_model

    model = build_model(folder / "tiny-llama-3")
    extra = ("--dtype", "float32", "--enforce-eager", "--max-model-len", "4096", "--max-num-seqs", "64")
    plan = Plan(str(model), port=free_port(), extra=extra)
    cores = sorted(os.sched_getaffinity(0))
    try:
        if apart:
            os.sched_setaffinity(0, cores[:-1])  # the server inherits it
        with Server(plan, folder / "vllm.log", timeout_s=600) as server:
            if apart:
                os.sched_setaffinity(0, cores[-1:])
            url, name = server.plan.url, server.plan.served_names[0]
            warm = make_run(folder / "warm", 20)
            judge_runs([warm], RemoteJudge(Endpoint(url, name)), own(), judge_id="warm", quiet=True)
            return measure(url, name, count, 64, folder, 5, 0)
    finally:
        os.sched_setaffinity(0, cores)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="verdicts on the emulated server")
    parser.add_argument("--real-requests", type=int, default=2_000, help="verdicts on the real server")
    parser.add_argument("--real", action="store_true", help="also measure on vLLM's CPU build")
    parser.add_argument("--out", type=Path, help="also write the tables to this file")
    options = parser.parse_args()
    lines = [
        "# Speed of the judge",
        "",
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, `python bench/bench_judge.py`.",
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
            for title, apart in (("one core for the client", True), ("all cores shared", False)):
                lines += ["", f"## vLLM, CPU build, tiny Llama: {title}", "", "| | |", "|---|---|"]
                lines += real(options.real_requests, Path(name) / title, apart=apart)
    print("\n".join(lines))
    if options.out is not None:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
