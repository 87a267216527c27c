"""The fuzzer: mutate, run, keep what leads somewhere new. ``python -m tests.fuzz.engine --seconds 900`` (``make fuzz``).

An input is new where the target's outcome (its own description, or the place and kind of the sentence it raised) has
not been seen. A crash is any exception other than SafecotError, or a call of over ten seconds; the input is written to
``tests/fuzz/crashes/`` and the exit status is 1. Inputs that once crashed are kept in ``tests/fuzz/corpus/``.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from safecot_eval.errors import SafecotError
from tests.fuzz import targets
from tests.fuzz.mutate import mutate

HERE = Path(__file__).parent
SLOW_S = 10.0


@dataclass
class Result:
    """What fuzzing one target found."""

    name: str
    runs: int = 0
    outcomes: set[str] = field(default_factory=set)
    crashes: list[tuple[str, bytes]] = field(default_factory=list)
    seconds: float = 0.0

    def line(self) -> str:
        """One line for people."""
        return (
            f"{self.name:<18} {self.runs:>8,} inputs {self.runs / max(self.seconds, 1e-9):>8,.0f}/s "
            f"{len(self.outcomes):>5} outcomes {len(self.crashes):>3} crashes in {self.seconds:,.0f} s"
        )


def one(target: targets.Target, data: bytes, scratch: Path) -> tuple[str, str | None]:
    """Run one input; returns its outcome, and the traceback of a crash."""
    for path in scratch.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    started = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome = "fine: " + target(data, scratch)
    except SafecotError as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        outcome = (
            f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {re.sub(r'[0-9/].*', '', str(error))[:30]}"
        )
    except Exception:  # everything else is what we look for
        return "crash", traceback.format_exc(limit=-6)
    if time.monotonic() - started > SLOW_S:
        return "crash", f"over {SLOW_S} s"
    return outcome, None


def fuzz(name: str, *, seconds: float | None = None, runs: int | None = None, seed: int = 0) -> Result:
    """Fuzz one target for a time or for a number of inputs; the corpus runs first."""
    target, first = targets.seeds()[name]
    kept = [*first, *(path.read_bytes() for path in sorted((HERE / "corpus").glob(f"{name}-*")))]
    draw, result = random.Random(f"{name} {seed}"), Result(name)
    queue = list(kept)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        while queue or _goes_on(result, started, seconds, runs):
            data = queue.pop(0) if queue else mutate(draw.choice(kept), draw, kept)
            outcome, crash = one(target, data, Path(folder))
            result.runs += 1
            if crash is not None and _place(crash) not in {_place(trace) for trace, _ in result.crashes}:
                result.crashes.append((crash, data))
            if outcome not in result.outcomes:
                result.outcomes.add(outcome)
                if len(kept) < 5000 and len(data) < 100_000:
                    kept.append(data)
    result.seconds = time.monotonic() - started
    return result


def _place(trace: str) -> str:
    """Where a crash happened: the last line of ours in its traceback, and the kind of exception."""
    lines = [
        line.strip() for line in trace.splitlines() if line.strip().startswith('File "') and "safecot" in line
    ]
    return f"{lines[-1:]} {trace.strip().splitlines()[-1].split(':')[0]}"


def _goes_on(result: Result, started: float, seconds: float | None, runs: int | None) -> bool:
    if seconds is not None and time.monotonic() - started >= seconds:
        return False
    return runs is None or result.runs < runs


def main() -> int:
    """Fuzz the targets one after the other; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=900.0, help="for each target")
    parser.add_argument("--target", action="append", choices=sorted(targets.seeds()))
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    crashed = False
    for name in arguments.target or targets.seeds():
        result = fuzz(name, seconds=arguments.seconds, seed=arguments.seed)
        print(result.line(), flush=True)
        for trace, data in result.crashes:
            crashed = True
            path = HERE / "crashes" / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
            print(f"  {path}\n{trace}", flush=True)
    return int(crashed)


if __name__ == "__main__":
    sys.exit(main())
