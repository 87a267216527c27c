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
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from safecot_eval.util.files import locked, write_json
from safecot_training.data.contamination import EvalSet
from safecot_training.study import base, cost, evaluation, runs
from safecot_training.study import trained as asked
from safecot_training.study.journal import Journal
from safecot_training.study.plan import Plan, Run


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

    The same command goes on after an interruption, and may be given in several processes at once: each takes the next run
    that is neither finished nor in another's hands, until none is left.

    Args:
        plan: What to run.
        out: Study folder: data, checkpoints, logs.
        answers: Folder of the evaluated runs.
    """
    (out / "locks").mkdir(parents=True, exist_ok=True)
    journal = Journal(out)
    tell = Progress()
    tell(cost.told(plan, journal, answers))
    code = commit()
    if not (out / "started.json").is_file():
        write_json(out / "started.json", {"commit": code, "date": _today()})
    with _quiet_libraries():
        trained = _base(plan, out, answers, tell)
        evaluation_set = cache(lambda: base.evaluation_set(plan))
        todo = plan.runs()
        for number, each in enumerate(todo, start=1):
            if _is_finished(plan, each, journal, answers):
                continue
            try:
                with locked(out / "locks" / f"{each.name}.lock"):
                    if not _is_finished(plan, each, journal, answers):
                        tell(f"{each.name} ({number} of {len(todo)})")
                        journal.add(each, code, **_one(plan, each, trained, out, answers, evaluation_set))
            except BlockingIOError:
                continue  # another process has it
    tell("no run is left to begin")


def _base(plan: Plan, out: Path, answers: Path, tell: Progress) -> Path:
    with locked(out / "locks" / "base.lock", wait_s=runs.WAIT_S):
        trained = base.train_base(plan, out, tell)
        tasks = f"{plan.task},{evaluation.CAPABILITY_TASK}"
        if not evaluation.finished(answers / "mini-base", tasks):
            tell("base: evaluating through lmms-eval")
            evaluation.evaluate(trained, "mini-base", tasks, answers, _log(out))
    return trained


def _is_finished(plan: Plan, each: Run, journal: Journal, answers: Path) -> bool:
    return journal.has(each) and evaluation.finished(answers / each.name, plan.task)


def _one(
    plan: Plan, each: Run, trained: Path, out: Path, answers: Path, evaluation_set: Callable[[], EvalSet]
) -> dict[str, float]:
    """Train and evaluate one run; CPU seconds of the parts."""
    times = [cpu_minutes()]
    data = runs.build_data(plan, each, out, evaluation_set)
    times.append(cpu_minutes())
    checkpoint = runs.fine_tune(plan, each, trained, data, out)
    times.append(cpu_minutes())
    tasks = f"{plan.task},{evaluation.CAPABILITY_TASK}"
    if plan.trained:
        tasks += f",{asked.TASK}"
    with asked.asked_of(data, each.setting.size, plan.trained):
        evaluation.evaluate(checkpoint, each.name, tasks, answers, _log(out))
    times.append(cpu_minutes())
    parts = ("data_s", "train_s", "evaluate_s")
    return {
        name: round(60 * (end - start), 1) for name, start, end in zip(parts, times, times[1:], strict=False)
    }


def _log(out: Path) -> Path:
    return out / "logs" / f"lmms-eval-{os.getpid()}.log"


def commit() -> str:
    """Short hash of the checkout's commit; ``unknown`` outside a checkout."""
    here = Path(__file__).parent
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _today() -> str:
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()


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
