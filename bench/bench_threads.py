"""How threads should wait on a CPU: spinning, for a moment or not, alone and where other work has the cores.

``safecot`` sets ``GOMP_SPINCOUNT`` (safecot_eval/util/environment.py): threads that wait spin for a moment, then sleep. This
measures what that costs alone and saves in company. One round is forward and backward passes of a tiny LLaVA over four texts of 600
tokens, in a process of its own, for each policy, once with the machine to itself and once beside as many busy
processes as there are cores.

    python bench/bench_threads.py --out bench/results
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from safecot_eval.util.environment import DEFAULTS

POLICIES = {
    "spin (the default)": {},
    "spin for a moment (ours)": {"GOMP_SPINCOUNT": DEFAULTS["GOMP_SPINCOUNT"]},
    "sleep": {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
WARM_UP = 2


def passes(folder: Path, steps: int) -> float:
    """Seconds for forward and backward passes, in this process."""
    import torch
    from transformers import AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_pretrained(folder)
    tokens = torch.randint(
        3, model.config.text_config.vocab_size - 8, (4, 600), generator=torch.Generator().manual_seed(0)
    )
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            started = time.perf_counter()
        model(input_ids=tokens, labels=tokens).loss.backward()
    return time.perf_counter() - started


@contextlib.contextmanager
def company(count: int) -> Iterator[None]:
    """Processes that keep a core busy each."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def measured(folder: Path, steps: int, policy: dict[str, str]) -> float:
    """Seconds in a process of its own under a policy."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_"))}
    command = [sys.executable, __file__, "--inside", str(folder), "--steps", str(steps)]
    done = subprocess.run(command, env={**kept, **policy}, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measure, print, and write a dated file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        print(passes(arguments.inside, arguments.steps))
        return
    from safecot_eval.generate.models import tiny

    cores = len(os.sched_getaffinity(0))
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = tiny.build("llava", Path(name) / "llava", spread=0.02)
        for _ in range(arguments.rounds):
            for place, others in (("alone", 0), ("in company", cores)):
                for title, policy in POLICIES.items():
                    with company(others):
                        found.setdefault((title, place), []).append(measured(folder, arguments.steps, policy))
    base = {place: statistics.median(found["spin (the default)", place]) for place in ("alone", "in company")}
    lines = [
        "# Threads that wait",
        "",
        f"Made on {datetime.date.today()} by `bench/bench_threads.py`: {arguments.steps} forward and backward "
        f"passes of a tiny LLaVA, medians of {arguments.rounds} rounds in turn; {cores} CPUs, {platform.machine()}. "
        "In company: beside as many busy processes as there are CPUs.",
        "",
        "| waiting | alone | ratio to spinning | in company | ratio to spinning |",
        "|---|---|---|---|---|",
    ]
    for title in POLICIES:
        seconds = {place: statistics.median(found[title, place]) for place in base}
        cells = " | ".join(f"{seconds[place]:.2f} s | {seconds[place] / base[place]:.2f}" for place in base)
        lines.append(f"| {title} | {cells} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.out:
        (arguments.out / "threads.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
