"""Start-up cost, side by side: `safecot --help` against `python -m lmms_eval --help`, and `safecot run` against lmms-eval.

Both evaluate the same two samples with the same baseline model. Runs alternate, so that a slow moment hits both.

    python benchmarks/bench_startup.py [--rounds 3]
"""

from __future__ import annotations

import argparse
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


def seconds(command: list[str]) -> float:
    """Wall time of a command that must succeed."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def compare(ours: list[str], theirs: list[str], rounds: int) -> tuple[float, float]:
    """Median wall times over alternating runs, after one warm-up each."""
    seconds(ours)
    seconds(theirs)
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


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
    print("| what | safecot (s) | lmms-eval (s) | ratio | target |\n|---|---|---|---|---|")
    for name, target, (ours, theirs) in rows:
        print(f"| {name} | {ours:.2f} | {theirs:.2f} | {ours / theirs:.3f} | ≤ {target} |")


if __name__ == "__main__":
    main()
