"""Time and memory of ``safecot report`` on many models and samples.

``python bench/bench_report.py [--full]`` makes run folders of its own (hard links of four samples files, so that
the disk holds them once), writes the page in a process of its own and prints wall time and the largest resident memory of that
process and its children together, looked at every 0.1 s. ``--full`` adds 100 models x 50,000 samples.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.reports.make_runs import make_runs


def make(folder: Path, models: int, samples: int) -> None:
    """Four different runs with a judge and people beside them, and hard links of these under other model names."""
    rates = ((0.8, 0.2), (0.9, 0.3), (0.6, 0.1), (0.75, 0.15))
    make_runs(folder, models={f"model-{k:03d}": pair for k, pair in enumerate(rates)}, count=samples)
    for number in range(len(rates), models):
        source = number % len(rates)
        first = folder / f"m{source}"
        other = folder / f"m{number}"
        (other / "verdicts").mkdir(parents=True)
        for path in first.rglob("*"):
            target = other / path.relative_to(first)
            if path.name.endswith("_results.json"):
                target.write_text(path.read_text().replace(f"model-{source:03d}", f"model-{number:03d}"))
            elif path.is_file():
                os.link(path, target)


def resident(pid: int) -> int:
    """Bytes resident in a process and its children (shared pages count for each)."""
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total


def measure(models: int, samples: int) -> float:
    """Seconds for one page; prints them with the memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder / "runs", models, samples)
        size = sum(path.stat().st_size for path in (folder / "runs").rglob("*") if path.is_file()) / 2**20
        started = time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "safecot_eval",
            "report",
            str(folder / "runs"),
            "-o",
            str(folder / "a.html"),
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        peak = 0
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(0.1)
        if process.returncode:
            raise SystemExit(f"safecot report ended with status {process.returncode}")
        seconds = time.perf_counter() - started
        page = (folder / "a.html").stat().st_size / 2**20
    print(
        f"{models} models x {samples:,} samples ({size:,.0f} MiB read): {seconds:.1f} s, all processes together {peak / 2**20:.0f} MiB, "
        f"page {page:.1f} MiB",
        flush=True,
    )
    return seconds


def main() -> None:
    """Run the sizes of the acceptance list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="also 100 models x 50,000 samples")
    arguments = parser.parse_args()
    small, large = measure(20, 5_000), measure(20, 20_000)
    print(f"4 times the samples take {large / small:.2f} times as long")
    if arguments.full:
        measure(100, 50_000)


if __name__ == "__main__":
    main()
