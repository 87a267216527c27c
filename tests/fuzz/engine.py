"""Coverage-guided fuzzing with atheris, a quarter of an hour for each target: ``make fuzz``.

A crash is any exception but SafecotError, a call of over ten seconds, or over 4 GiB of memory. Its input is written to
``tests/fuzz/crashes/``, and the exit status is 1; once mended, it is put into ``tests/fuzz/corpus/TARGET/`` by hand,
under a name that says what was wrong. What reached new code is kept in ``tests/fuzz/corpus/TARGET.zip``, reduced to
the inputs that together reach as much. The tests run the whole corpus.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz import one, targets

CRASHES = Path(__file__).parent / "crashes"
LIMITS = ("-timeout=10", "-rss_limit_mb=4096", "-max_len=65536", f"-artifact_prefix={CRASHES}/")


def fuzz(name: str, seconds: int, seed: int) -> tuple[str, str | None]:
    """Fuzz one target and keep what reached new code; returns a line for people, and the report of a crash."""
    CRASHES.mkdir(exist_ok=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        reached, reduced = Path(folder) / "reached", Path(folder) / "reduced"
        reached.mkdir()
        reduced.mkdir()
        for number, data in enumerate(one.kept(name)):
            (reached / f"kept-{number}").write_bytes(data)
        limits = [f"-max_total_time={seconds}", f"-seed={seed}", "-print_final_stats=1"]
        ran = _guided(name, folder, *limits, str(reached))
        crashed = ran.returncode != 0
        spent = time.monotonic() - started
        if not crashed and _guided(name, folder, "-merge=1", str(reduced), str(reached)).returncode == 0:
            one.keep(name, reduced)
    inputs = re.findall(r"stat::number_of_executed_units: (\d+)", ran.stderr) or ["0"]
    edges = re.findall(r"cov: (\d+)", ran.stderr) or ["0"]
    line = (
        f"{name:<18} {int(inputs[-1]):>10,} inputs, {edges[-1]:>4} edges, {len(one.found(name)):>4} kept, "
        f"{'A CRASH' if crashed else 'no crash'} in {spent:,.0f} s"
    )
    # The traceback is on standard output, libFuzzer's own words are on standard error.
    return line, f"{ran.stdout[-3000:]}\n{ran.stderr[-1500:]}" if crashed else None


def _guided(name: str, folder: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.guided", name, *LIMITS, *arguments]
    environment = {**os.environ, "TMPDIR": folder}  # libFuzzer leaves by _exit, and tidies nothing
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", env=environment, check=False
    )


def main() -> int:
    """Fuzz the targets one after the other; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=900, help="for each target")
    parser.add_argument("--target", action="append", choices=sorted(targets.seeds()))
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    crashed = False
    for name in arguments.target or targets.seeds():
        line, report = fuzz(name, arguments.seconds, arguments.seed)
        print(line, flush=True)
        if report is not None:
            crashed = True
            print(report, flush=True)
    return int(crashed)


if __name__ == "__main__":
    sys.exit(main())
