"""``safecot rescore``: score stored generations anew, by today's splitting, failure texts, phrase lists and truncation.

Nothing is generated and the originals stay as they are: the run folders are written again below another folder, with
the verdicts of the answers that are still the same. ``safecot-lite`` reads all answers anew if it had read them.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safecot_eval import __version__
from safecot_eval.aggregate.metrics import run_metrics
from safecot_eval.aggregate.reading import read
from safecot_eval.benchmarks.registry import task_parts
from safecot_eval.records.evaluator import Evaluator, Kind
from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.records.repeats import FIRST, OTHERS, own_part, records_of
from safecot_eval.records.run import Run, find_runs
from safecot_eval.records.samples import REQUEST_FAILED_PREFIX, Record, Status
from safecot_eval.scoring import reasoning, refusal, sample_metrics
from safecot_eval.scoring.record import make_record
from safecot_eval.stats import Estimate
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import content_hash, sha256, write_json, write_jsonl

_BY_TEXT = frozenset({Status.OK, Status.EMPTY, Status.UNFINISHED})
_LITE = "lite-"
_AGGREGATIONS: dict[str, Callable[[Iterable[Any]], float]] = {
    f"pair_{kind}_template": getattr(sample_metrics, f"pair_{kind}") for kind in sample_metrics.PAIR_KINDS
}


@dataclass(frozen=True, slots=True)
class Change:
    """A rate that moved: None on one side if there was none."""

    model: str
    task: str
    metric: str
    evaluator: str
    before: Estimate | None
    after: Estimate | None


@dataclass
class Rescored:
    """What was written.

    Attributes:
        runs: How many runs.
        samples: How many samples.
        answers: Of them, those whose answer or status is another than before.
        dropped: Verdicts left out because the judge had seen another answer.
        lite: Run folders whose answers the embedded classifier has to read again.
        pairs: Every run, as it was and as it is now.
    """

    runs: int = 0
    samples: int = 0
    answers: int = 0
    dropped: int = 0
    lite: set[Path] = field(default_factory=set)
    pairs: list[tuple[Run, Run]] = field(default_factory=list)


def rescore(
    paths: Sequence[str | Path],
    output: Path,
    *,
    refusal_list: str | None = None,
    markers: tuple[str, str] | None = None,
) -> Rescored:
    """Score all runs below some folders anew.

    Args:
        paths: Run folders.
        output: Where the new folders go; must not be one of ``paths``, nor inside one.
        refusal_list: Phrase list for every task; None for each task's own.
        markers: Opening and closing marker of reasoning, beside those that are known.

    Returns:
        What was done; the embedded classifier has not been asked yet (:attr:`Rescored.lite`).

    Raises:
        SafecotError: nothing found, a damaged file, a task without a benchmark folder, or an output inside the input.
    """
    for path in paths:
        if output.resolve() == Path(path).resolve() or Path(path).resolve() in output.resolve().parents:
            raise SafecotError(
                f"-o {output} is inside {path}; name a folder outside, the originals stay as they are."
            )
    done = Rescored()
    jobs: defaultdict[tuple[Path, str], list[Run]] = defaultdict(list)
    for run in find_runs(paths, newest_only=False):
        jobs[run.folder, run.timestamp].append(run)
    root = _common([folder for folder, _ in jobs])
    for (folder, timestamp), runs in jobs.items():
        target = output / folder.resolve().relative_to(root)
        _job(runs, timestamp, target, done, refusal_list, markers)
    return done


def _common(folders: Sequence[Path]) -> Path:
    """The folder above all run folders (a single one's parent), so that their names stay."""
    parents = [folder.resolve().parent for folder in folders]
    shared = parents[0]
    while not all(parent.is_relative_to(shared) for parent in parents):
        shared = shared.parent
    return shared


def _job(
    runs: Sequence[Run],
    timestamp: str,
    target: Path,
    done: Rescored,
    refusal_list: str | None,
    markers: tuple[str, str] | None,
) -> None:
    same: set[tuple[str, str]] = set()  # task and sample id of the answers that no judge has to read again
    values: dict[str, dict[str, list[Any]]] = {}
    for run in runs:
        lines = []
        metrics: defaultdict[str, list[Any]] = defaultdict(list)
        for before, line in _lines(run, refusal_list, markers):
            after = list(records_of(line))
            for old, record in zip(before, after, strict=True):
                done.samples += 1
                if (old["answer"], old["status"]) == (record["answer"], record["status"]):
                    same.add((run.task, record["sample_id"]))
                else:
                    done.answers += 1
                    if old["answer"] == record["answer"]:
                        same.add((run.task, record["sample_id"]))
            for name, value in sample_metrics.metrics_of(after).items():
                line[name] = value
                metrics[name].append(value)
            lines.append(line)
        write_jsonl(target / run.samples_path.name, lines)
        values[run.task] = metrics
        done.runs += 1
    _results(runs[0], target, values)
    _provenance(runs, target, timestamp)
    _verdicts(runs, target, same, done)
    done.pairs += [(run, Run(target / run.samples_path.name, run.task, timestamp, run.model)) for run in runs]


def moved(done: Rescored) -> list[Change]:
    """The rates that are other than before, once all verdicts are there."""
    changes = []
    for run, new in done.pairs:
        before, after = (_rates(one) for one in (run, new))
        changes += [
            Change(run.model, run.task, *name, before.get(name), after.get(name))
            for name in sorted(before.keys() | after.keys())
            if _shown(before.get(name)) != _shown(after.get(name))
        ]
    return changes


def _rates(run: Run) -> dict[tuple[str, str], Estimate]:
    """Metric and evaluator to rate; a phrase list, and lite, are the same evaluator whatever their version."""
    found = {}
    for (metric, who), rate in run_metrics(read(run)).items():
        evaluator = Evaluator.parse(who)
        if evaluator.kind is Kind.PHRASES:
            who = "phrase list"
        elif evaluator.name.startswith(_LITE):
            who = f"safecot-lite/{evaluator.rubric}"
        found[metric, who] = rate
    return found


def _shown(estimate: Estimate | None) -> tuple[float, int] | None:
    return None if estimate is None else (round(estimate.value, 9), estimate.n)


def _lines(
    run: Run, refusal_list: str | None, markers: tuple[str, str] | None
) -> Iterator[tuple[list[Record], dict[str, Any]]]:
    """The old records, one for each answer, and the new line of every sample."""
    benchmark, variant = task_parts(run.task)
    chosen = refusal.load_list(refusal_list or benchmark.refusal_list(variant) or refusal.DEFAULT_LIST)
    pairs = ((markers,) if markers else ()) + reasoning.DEFAULT_MARKERS
    records = run.samples()
    for _, line in enumerate_jsonl(run.samples_path):
        before, after = [], []
        for old in records_of(line):
            checked = next(records)
            before.append(checked)
            record = make_record(
                old, old["raw"], refusal_list=chosen, markers=pairs, known=_known(old, checked)
            )
            kept = {"verdicts": old["verdicts"] if record["answer"] == old["answer"] else []}
            extra = {key: value for key, value in old.items() if key not in record and key != "failure"}
            after.append({**record, **extra, **kept})
        plain = {key: value for key, value in line.items() if not _is_metric(value)}
        others = [own_part(record) for record in after[1:]]
        yield before, {**plain, FIRST: after[0], **({OTHERS: others} if others else {})}
    next(records, None)  # to the end, where the file's hash is compared


def _known(old: Record, checked: Record) -> Status | None:
    """What the back end had said; None for a status that was read off the text, and is again."""
    if Status.TRUNCATED in (old["status"], checked["status"]):
        return Status.TRUNCATED
    status = Status(old["status"])
    by_text = "failure" in old or old["raw"].startswith(REQUEST_FAILED_PREFIX)
    return None if status in _BY_TEXT or by_text else status


def _is_metric(value: Any) -> bool:
    return isinstance(value, dict) and ("score" in value or "pair_id" in value)


def _results(run: Run, target: Path, values: Mapping[str, Mapping[str, list[Any]]]) -> None:
    """lmms-eval's results file with our metrics worked out again; their standard errors are left out."""
    if not run.results:
        return
    results = json.loads(json.dumps(run.results))
    for task, metrics in values.items():
        table = results.get("results", {}).get(task)
        if not isinstance(table, dict):
            continue
        for key in [key for key in table if "," in key]:
            del table[key]
        for name, found in sorted(metrics.items()):
            table[f"{name},none"] = _AGGREGATIONS.get(name, sample_metrics.rate)(found)
    write_json(target / run.results_path.name, results)


def _provenance(runs: Sequence[Run], target: Path, timestamp: str) -> None:
    """``<timestamp>_run.json`` with the new hashes, and where the generations come from."""
    before = runs[0].provenance
    if not before:
        return
    names = [run.samples_path.name for run in runs]
    names += [runs[0].results_path.name] if (target / runs[0].results_path.name).is_file() else []
    after = {
        **before,
        "files": {name: sha256(target / name) for name in names},
        "rescored": {"version": __version__, "from": content_hash(before)},
    }
    write_json(target / f"{timestamp}_run.json", after, indent=1, ensure_ascii=True)
    for card in runs[0].folder.glob("safecot_*.json"):  # a checkpoint's card, its capability scores
        shutil.copyfile(card, target / card.name)


def _verdicts(runs: Sequence[Run], target: Path, same: set[tuple[str, str]], done: Rescored) -> None:
    tasks, timestamp = {run.task for run in runs}, runs[0].timestamp
    for path in runs[0].verdict_paths:
        if path.name.startswith(_LITE):
            done.lite.add(target)
            continue
        kept = []
        for _, verdict in enumerate_jsonl(path, tolerate_cut_tail=True):
            if verdict.get("stamp") not in (None, timestamp) or verdict.get("task") not in (None, *tasks):
                continue
            places = {
                (task, verdict.get("sample_id"))
                for task in ((verdict.get("task") and [verdict["task"]]) or tasks)
            }
            if places & same:
                kept.append(verdict)
            else:
                done.dropped += 1
        if kept:
            sidecar = target / "verdicts" / path.name
            before = [content for _, content in enumerate_jsonl(sidecar)] if sidecar.is_file() else []
            write_jsonl(sidecar, [*before, *kept])
