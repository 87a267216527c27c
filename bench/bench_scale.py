"""Time and peak memory of reading, aggregating and reporting, from 10,000 to 5,000,000 samples.

``python bench/bench_scale.py [--full]`` makes run folders of its own (as ``bench_report.py``: four different samples
files with a judge and people beside them, hard-linked under the other models' names), runs each pass in a process of its
own, and prints wall time, CPU time (which other work on the machine hardly changes), the largest resident
memory of that process and its children together, and the growth from one size to the next. ``--full`` goes on to 1,000,000 and 5,000,000 samples.

- read: ``safecot_eval.aggregate.tables.scan_runs``, every row of every sample and verdict as Arrow batches, one process;
- aggregate: ``safecot_eval.aggregate.reading.read_all`` and ``safecot_eval.aggregate.metrics.run_metrics``, two processes;
- report: ``safecot report``, the whole page;
- make index, read index, report index (``--index``): writing the index, reading from it, and ``safecot report --no-samples``
  from it.

``--largest`` measures the last size only, ``--passes`` only some of these, and ``--folder`` keeps the runs, so that the index
can be built in one call and the page written in the next.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.bench_report import make, resident

SIZES = ((2, 5_000), (20, 5_000), (20, 50_000), (100, 50_000))
READ = """
import sys
from safecot_eval.aggregate.tables import scan_runs
print(sum(len(table) for table in scan_runs(sys.argv[1])), "rows")
"""
INDEX = """
import sys
from safecot_eval.aggregate.tables import write_index
from safecot_eval.records.run import find_runs
for run in find_runs([sys.argv[1]]):
    write_index(run)
"""
AGGREGATE = """
import sys
from safecot_eval.aggregate.metrics import run_metrics
from safecot_eval.records.run import find_runs
from safecot_eval.aggregate.reading import read_all
print(sum(len(run_metrics(columns)) for columns in read_all(find_runs([sys.argv[1]]))), "estimates")
"""


@dataclass(frozen=True)
class Cost:
    """What a command took: wall seconds, CPU seconds of it and its children, and MiB."""

    wall: float
    cpu: float
    memory: float


def measure(command: list[str]) -> Cost:
    """Run a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    peak = 0
    while process.poll() is None:
        peak = max(peak, resident(process.pid))
        time.sleep(0.05)
    if process.returncode:
        said = process.stderr.read() if process.stderr is not None else ""
        raise SystemExit(f"{command[:4]} ended with status {process.returncode}: {said[-2000:]}")
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, peak / 2**20)


def commands(runs: Path) -> dict[str, list[str]]:
    """What each pass over a folder of runs runs."""
    python, report = [sys.executable, "-c"], [sys.executable, "-m", "safecot_eval", "report", str(runs)]
    page = ["-o", str(runs.parent / "page.html")]
    return {
        "read": [*python, READ, str(runs)],
        "aggregate": [*python, AGGREGATE, str(runs)],
        "report": [*report, *page],
        "make index": [*python, INDEX, str(runs)],
        "read index": [*python, READ, str(runs)],
        "report index": [*report, "--no-samples", *page],
    }


INDEXED = 3
"""The last so many passes are for --index."""


def measured(folder: Path, models: int, samples: int, names: list[str]) -> dict[str, Cost]:
    """Make the runs if the folder has none yet, and measure the passes over them."""
    runs = folder / "runs"
    if not runs.exists():
        make(runs, models, samples)
    return {name: measure(commands(runs)[name]) for name in names}


def main() -> None:
    """Run the sizes and print the growth."""
    names = list(commands(Path()))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="go on to 1,000,000 and 5,000,000 samples")
    parser.add_argument("--index", action="store_true", help="measure the Parquet index as well")
    parser.add_argument("--largest", action="store_true", help="the last size only")
    parser.add_argument("--passes", help=f"some of: {', '.join(names)}")
    parser.add_argument("--folder", type=Path, help="make the runs here and keep them (with --largest)")
    arguments = parser.parse_args()
    chosen = (
        arguments.passes.split(",") if arguments.passes else names if arguments.index else names[:-INDEXED]
    )
    if unknown := [name for name in chosen if name not in names]:
        parser.error(f"unknown passes: {', '.join(unknown)}")
    if arguments.folder and not arguments.largest:
        parser.error("--folder keeps the runs of one size: add --largest")
    sizes = SIZES if arguments.full else SIZES[:2]
    before: tuple[int, dict[str, Cost]] | None = None
    for models, samples in sizes[-1:] if arguments.largest else sizes:
        with tempfile.TemporaryDirectory() as name:
            found = measured(arguments.folder or Path(name), models, samples, chosen)
        count = models * samples
        for key, cost in found.items():
            line = f"{count:>9,} samples  {key:<12} {cost.wall:>7.1f} s  {cost.cpu:>7.1f} CPU s  {cost.memory:>6.0f} MiB"
            if before is not None and key in before[1]:
                earlier = before[1][key]
                line += (
                    f"   {count / before[0]:g} x the samples: {cost.cpu / earlier.cpu:.1f} x the CPU time, "
                )
                line += f"{cost.memory / earlier.memory:.2f} x the memory"
            print(line, flush=True)
        before = (count, found)


if __name__ == "__main__":
    main()
