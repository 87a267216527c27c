"""One target under atheris, in this process: ``python -m tests.fuzz.guided TARGET [libFuzzer's arguments]``."""

from __future__ import annotations

import contextlib
import random
import sys
import tempfile
from pathlib import Path

import atheris


def main() -> None:
    """Fuzz one target; libFuzzer ends the process."""
    name, arguments = sys.argv[1], sys.argv[2:]
    scratch = Path(tempfile.mkdtemp(prefix="fuzz-"))
    with atheris.instrument_imports(include=["safecot_eval", "safecot_reports", "safecot_training"]):
        from tests.fuzz import one, targets
        from tests.fuzz.mutate import mutate

        target, start = targets.seeds()[name][0], one.kept(name)
        for data in start:  # what is imported on first use is instrumented, too
            with contextlib.suppress(Exception):
                one.run(target, data, scratch)

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        draw = random.Random(seed)
        if draw.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        return mutate(data, draw, start)[:most]

    def once(data: bytes) -> None:
        one.run(target, data, scratch)

    again = f"{sys.executable} -m tests.fuzz.guided {name}"  # how -merge=1 calls us, through a shell
    atheris.Setup([again, *arguments], once, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
