"""How long do 100,000 answers take? safecot-lite (at most 60 s) and the phrase lists (at most 5 s each), on two cores.

    SAFECOT_DATA_DIR=… python bench/bench_lite_speed.py

The answers are XSTest's and MSTS's (559 characters on average), over and over, or invented ones if there are no data.
Writes ``bench/results/lite_speed.md``. One process; numpy may use both cores.
"""

from __future__ import annotations

import datetime
import platform
import time
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from safecot_eval.judge import lite
from safecot_eval.judge.lite.data import load_msts, load_xstest
from safecot_eval.judge.lite.styles import invent
from safecot_eval.scoring import refusal
from safecot_eval.util import paths

OUTPUT = Path(__file__).parent / "results" / "lite_speed.md"
ANSWERS = 100_000
BATCH = 1_000


class Clock:
    """Seconds since it was made, by the clock and of this process's processor time (others may share the machine)."""

    def __init__(self) -> None:
        self.wall, self.processor = time.perf_counter(), time.process_time()

    def __str__(self) -> str:
        return f"{time.perf_counter() - self.wall:.1f} | {time.process_time() - self.processor:.1f}"


def main() -> None:
    """Time everything and write the results file."""
    root = paths.data_dir()
    real = [*load_xstest(root), *load_msts(root)] if root else invent(2000)
    rows = list(islice(cycle(real), ANSWERS))
    answers, prompts = [row.answer for row in rows], [row.prompt for row in rows]
    clock = Clock()
    model = lite.load()
    model.predict(["warm"])
    lines = [
        "# Speed of the embedded evaluators",
        "",
        f"Written by `python bench/bench_lite_speed.py` on {datetime.datetime.now(tz=datetime.UTC).date()}; do not edit.",
        f"{ANSWERS:,} answers of {np.mean([len(a) for a in answers]):.0f} characters on average; one process on a machine of "
        f"two cores, Python {platform.python_version()}.",
        "",
        "| evaluator | seconds | of processor time | allowed |",
        "|---|--:|--:|--:|",
        f"| lite: loading the file | {clock} | |",
    ]
    clock = Clock()
    for begin in range(0, ANSWERS, BATCH):
        model.predict(answers[begin : begin + BATCH], prompts[begin : begin + BATCH])
    lines.append(f"| {model.judge_id} | {clock} | 60 |")
    for name in refusal.available_lists():
        phrases = refusal.load_list(name)
        clock = Clock()
        for answer in answers:
            phrases.match(answer)
        lines.append(f"| phrases {name} ({len(phrases.phrases)}) | {clock} | 5 |")
    OUTPUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
