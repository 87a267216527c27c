"""Start-up cost, side by side: `safecot --help` against `python -m lmms_eval --help`, and `safecot run` against lmms-eval.

Both evaluate the same two samples with the same baseline model. Runs alternate, so that a slow moment hits both.

    python bench/bench_startup.py [--rounds 3]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PYTHON = sys.executable
RUN = [
    "--model",
    "safecot_baseline",
    "--model_args",
    "policy=refuse_all",
    "--tasks",
    "safecot_mini_tiny",
    "--limit",
    "2",
]


Cost = tuple[float, float]


def cost(command: list[str]) -> Cost:
    """Wall and CPU seconds of a command that must succeed; CPU seconds tell on a busy machine too."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(ours: list[str], theirs: list[str], rounds: int) -> tuple[Cost, Cost]:
    """Median costs over alternating runs, after one warm-up each."""
    cost(ours)
    cost(theirs)
    pairs = [(cost(ours), cost(theirs)) for _ in range(rounds)]
    return _median([a for a, _ in pairs]), _median([b for _, b in pairs])


def _median(costs: list[Cost]) -> Cost:
    return statistics.median(wall for wall, _ in costs), statistics.median(cpu for _, cpu in costs)


def main() -> None:
    """Print a table with the two ratios and their targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        output = ["--output_path", str(Path(folder) / "runs"), "--log_samples"]
        rows = [
            (
                "--help",
                0.1,
                compare(
                    [PYTHON, "-m", "safecot_eval", "--help"],
                    [PYTHON, "-m", "lmms_eval", "eval", "--help"],
                    rounds,
                ),
            ),
            (
                "2-sample task",
                0.7,
                compare(
                    [PYTHON, "-m", "safecot_eval", "run", *RUN, *output[:2]],
                    [PYTHON, "-m", "lmms_eval", "eval", *RUN, *output],
                    rounds,
                ),
            ),
        ]
    print(
        "| what | safecot (s) | lmms-eval (s) | ratio | ratio of CPU time | target |\n|---|---|---|---|---|---|"
    )
    for name, target, (ours, theirs) in rows:
        walls = f"| {name} | {ours[0]:.2f} | {theirs[0]:.2f} | {ours[0] / theirs[0]:.3f}"
        print(f"{walls} | {ours[1] / theirs[1]:.3f} | ≤ {target} |")


if __name__ == "__main__":
    main()
