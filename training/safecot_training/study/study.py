"""The study from its first picture to its last evaluated answer."""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import resource
import subprocess
import time
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from safecot_eval.util.files import write_json
from safecot_training.study import base, evaluation, runs
from safecot_training.study.plan import Plan


class Progress:
    """Prints what happens, with minutes of wall clock and of CPU so far."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def __call__(self, text: str) -> None:
        """Print one line."""
        print(f"[{self.wall_minutes:5.1f} min, {cpu_minutes():5.1f} CPU] {text}", flush=True)

    @property
    def wall_minutes(self) -> float:
        """Minutes since the start."""
        return (time.monotonic() - self.started) / 60


def cpu_minutes() -> float:
    """CPU minutes of this process and its children, user and system."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total / 60


def run(plan: Plan, out: Path, answers: Path) -> None:
    """Train and evaluate everything of a plan that is not there yet.

    Args:
        plan: What to run.
        out: Study folder: data, checkpoints, logs.
        answers: Folder of the evaluated runs.
    """
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "started.json").is_file():
        write_json(out / "started.json", {"commit": commit(), "date": _today()})
    tell = Progress()
    evaluation_set = cache(lambda: base.evaluation_set(plan))
    tasks = f"{plan.task},{evaluation.CAPABILITY_TASK}"
    log = out / "logs" / "lmms-eval.log"
    with _quiet_libraries():
        trained = base.train_base(plan, out, tell)
        tell("base: evaluating through lmms-eval")
        evaluation.evaluate(trained, "mini-base", tasks, answers, log)
        todo = plan.runs()
        for number, each in enumerate(todo, start=1):
            if evaluation.finished(answers / each.name, tasks):
                continue
            data = runs.build_data(plan, each.mixture, each.seed, out, evaluation_set)
            tell(f"{each.name} ({number} of {len(todo)})")
            checkpoint = runs.fine_tune(plan, each, trained, data, out)
            evaluation.evaluate(checkpoint, each.name, tasks, answers, log)
            _add_spending(out)
    tell("all runs are trained and evaluated")


def commit() -> str:
    """Short hash of the checkout's commit; ``unknown`` outside a checkout."""
    here = Path(__file__).parent
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _today() -> str:
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()


def _add_spending(out: Path) -> None:
    """Keep the CPU minutes of every process that worked on the study."""
    write_json(out / "spending" / f"{os.getpid()}.json", {"cpu_minutes": round(cpu_minutes(), 2)})


@contextlib.contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Keep progress bars and advice of the libraries off the terminal."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    logging.getLogger("safecot_training").setLevel(logging.INFO)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    transformers_logging.set_verbosity(before)
