"""Judge existing runs: nothing is generated, only what is missing is judged, and every batch is safe on the disk."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safecot_eval.judge.replies import ParsedJudgement
from safecot_eval.judge.rubric import RubricSet
from safecot_eval.judge.sidecar import Place, Sidecar, count_lines
from safecot_eval.judge.work import Judge, JudgeRequest, verdict_of, work_of
from safecot_eval.records.run import Run
from safecot_eval.records.samples import Record
from safecot_eval.records.verdicts import Unscored
from safecot_eval.util.progress import Progress

BATCH = 512
BATCH_S = 1.0


@dataclass
class Outcome:
    """What a pass over runs came to.

    Attributes:
        labels: Rubric to label to count, of the verdicts written by this pass.
        before: Verdicts that were there before.
        cut: Replies that were cut off; they are asked for again by the next pass.
        unread: Rubric to the first reply that names no label.
        seconds: How long it took.
    """

    labels: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    before: int = 0
    cut: int = 0
    unread: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def written(self) -> int:
        """Verdicts written by this pass, failures included."""
        return sum(sum(counts.values()) for counts in self.labels.values())

    @property
    def missing(self) -> int:
        """Items the judge gave no reply for."""
        return sum(counts[Unscored.MISSING] for counts in self.labels.values())


def judge_runs(
    runs: Sequence[Run],
    judge: Judge,
    sets: Mapping[str, RubricSet],
    *,
    judge_id: str,
    every_rubric: bool = False,
    quiet: bool = False,
) -> Outcome:
    """Judge runs and write ``verdicts/<judge id>.jsonl`` beside them.

    Args:
        runs: Finished runs.
        judge: Who judges.
        sets: Rubrics; of them those that a record names, or all where ``every_rubric``.
        judge_id: What the verdicts carry.
        every_rubric: Judge also by rubrics that the benchmark does not name.
        quiet: Show no progress.

    Returns:
        Counts.

    Raises:
        SafecotError: a file is damaged or in use, or the judge does not answer at all.
    """
    outcome, started = Outcome(), time.monotonic()
    hashes = {name: rubrics.hash for name, rubrics in sets.items()}
    with ExitStack() as stack:
        files = {
            folder: _Batches(stack.enter_context(Sidecar(folder, judge_id, hashes)), judge_id)
            for folder in dict.fromkeys(run.folder for run in runs)
        }
        outcome.before = sum(len(file.sidecar.done) for file in files.values())
        total = _expected(runs, sets, every_rubric)
        done = min(outcome.before, total)
        with Progress("judge", total, done=done, unit="verdicts", quiet=quiet) as progress:

            def emit(work: JudgeRequest, reading: ParsedJudgement, cut: int) -> None:
                run: Run = work.owner
                files[run.folder].add(work, verdict_of(work, reading, judge_id, cut))
                outcome.labels[work.set.id][str(reading.label)] += 1
                outcome.cut += reading.cut
                if reading.label == Unscored.UNPARSEABLE:
                    outcome.unread.setdefault(work.set.id, reading.raw)
                progress.advance(failed=outcome.missing)

            try:
                judge.judge(_missing_work(runs, files, sets, judge_id, every_rubric), emit)
                progress.complete()
            finally:
                for file in files.values():
                    file.flush()
    outcome.seconds = time.monotonic() - started
    return outcome


class _Batches:
    """Verdicts on their way to one sidecar."""

    def __init__(self, sidecar: Sidecar, judge_id: str) -> None:
        self.sidecar, self.judge_id = sidecar, judge_id
        self._waiting: list[dict[str, Any]] = []
        self._written = time.monotonic()

    def add(self, work: JudgeRequest, verdict: dict[str, Any]) -> None:
        run: Run = work.owner
        place = {"sample_id": work.record["sample_id"], "task": run.task, "stamp": run.timestamp}
        self._waiting.append(place | verdict)
        if len(self._waiting) >= BATCH or time.monotonic() - self._written > BATCH_S:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            self.sidecar.append(self._waiting)
            self._waiting.clear()
        self._written = time.monotonic()


def _missing_work(
    runs: Sequence[Run],
    files: Mapping[Path, _Batches],
    sets: Mapping[str, RubricSet],
    judge_id: str,
    every_rubric: bool,
) -> Iterator[JudgeRequest]:
    for run in runs:
        done = files[run.folder].sidecar.done
        for record in run.samples():
            # What is done is left out before anything is worked out for it: a second pass is mostly this line.
            wanted = {
                name: rubrics
                for name, rubrics in _applicable(record, sets, every_rubric).items()
                if Place(run.task, run.timestamp, record["sample_id"], rubrics.id) not in done
            }
            if not wanted:
                continue
            for verdict in record["verdicts"]:
                rubrics = wanted.get(verdict["rubric"])
                if (
                    rubrics is not None
                    and verdict["judge"] == judge_id
                    and verdict["label"] != Unscored.MISSING
                    and verdict.get("rubric_hash") == rubrics.hash
                ):
                    del wanted[verdict["rubric"]]
            for work in work_of(record, wanted, run):
                done.add(Place(run.task, run.timestamp, record["sample_id"], work.set.id))
                yield work


def _applicable(record: Record, sets: Mapping[str, RubricSet], every_rubric: bool) -> Mapping[str, RubricSet]:
    if every_rubric:
        return sets
    return {name: sets[name] for name in record.get("rubrics") or () if name in sets}


def _expected(runs: Sequence[Run], sets: Mapping[str, RubricSet], every_rubric: bool) -> int:
    """How many verdicts the runs can have at most: lines (also of answers that nobody judges) times the first one's rubrics."""
    total = 0
    for run in runs:
        first = next(run.samples(), None)
        if first is not None:
            total += count_lines([run.samples_path]) * len(_applicable(first, sets, every_rubric))
    return total
