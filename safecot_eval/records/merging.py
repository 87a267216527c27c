"""Join run folders of many jobs (one model × task each, say) into one folder that reads as if one job had written it."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from safecot_eval.records.json_files import enumerate_jsonl, read_small_json
from safecot_eval.records.run import Run, RunCheck, find_runs
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import content_hash, replacing, write_bytes
from safecot_eval.util.paths import CHECKPOINT_CARD, folder_name


@dataclass
class Merged:
    """What was joined.

    Attributes:
        runs: How many runs.
        samples: How many samples.
        verdicts: How many verdicts.
        notes: What a reader should know, one sentence each.
    """

    runs: int = 0
    samples: int = 0
    verdicts: int = 0
    notes: list[str] = field(default_factory=list)


def merge(sources: Sequence[str | Path], output: Path) -> Merged:
    """Join the newest run of every model and task.

    Every samples file is checked line by line before anything is written. Files are hard links where the file system
    allows, so that a merge costs no space. Merging again into the same folder adds what is new.

    Args:
        sources: Run folders.
        output: Where to put the joined folder; one subfolder per model.

    Raises:
        SafecotError: nothing to join, a damaged file, or an output folder that cannot be written to.
    """
    every = find_runs(sources, newest_only=False)
    newest = {(run.model, run.task): run for run in every}
    runs = [newest[name] for name in sorted(newest)]
    done = Merged(runs=len(runs))
    done.notes += [
        f"{run.model} on {run.task}: the run of {run.timestamp} in {run.folder} is left out; a newer one exists"
        for run in every
        if newest[run.model, run.task] is not run
    ]
    done.samples = sum(_check(run) for run in runs)
    done.notes += _differing_models(runs)
    try:
        for (model, folder, timestamp), group in _jobs(runs).items():
            target = output / folder_name(model)
            target.mkdir(parents=True, exist_ok=True)
            done.verdicts += _place(folder, timestamp, group, target)
    except OSError as error:
        raise SafecotError(f"{output}: cannot be written to ({error.strerror}).") from error
    return done


def _jobs(runs: Sequence[Run]) -> dict[tuple[str, Path, str], list[Run]]:
    """Runs by the results file that they share."""
    jobs: defaultdict[tuple[str, Path, str], list[Run]] = defaultdict(list)
    for run in runs:
        jobs[run.model, run.folder, run.timestamp].append(run)
    return dict(jobs)


def _check(run: Run) -> int:
    check, count = RunCheck(run), 0
    for number, line in enumerate_jsonl(run.samples_path, digest=check.digest):
        check.line(number, line)
        count += 1
    check.end()
    return count


def _differing_models(runs: Sequence[Run]) -> list[str]:
    """Models whose runs were made with different checkpoints or settings, as far as their provenance tells."""
    identities: defaultdict[str, set[str]] = defaultdict(set)
    for run in runs:
        if identity := run.provenance.get("model_identity"):
            identities[run.model].add(str(identity))
    return [
        f"{model}: its tasks were run with different checkpoints, arguments or versions ({len(found)} of them)"
        for model, found in sorted(identities.items())
        if len(found) > 1
    ]


def _place(folder: Path, timestamp: str, runs: Sequence[Run], target: Path) -> int:
    """Put the files of one job into the target folder; returns the number of new verdicts."""
    free = _timestamp_for(timestamp, runs, target)
    names = {run.samples_path.name: f"{free}_samples_{run.task}.jsonl" for run in runs}
    for old, new in names.items():
        _link(folder / old, target / new)
    provenance = read_small_json(folder / f"{timestamp}_run.json")
    if provenance:
        renamed = {f"{timestamp}_results.json": f"{free}_results.json", **names}
        files = provenance.get("files")
        if isinstance(files, dict):
            provenance["files"] = {renamed[name]: value for name, value in files.items() if name in renamed}
        write_bytes(target / f"{free}_run.json", (json.dumps(provenance, indent=1) + "\n").encode())
    if (folder / CHECKPOINT_CARD).is_file() and not (target / CHECKPOINT_CARD).exists():
        _link(folder / CHECKPOINT_CARD, target / CHECKPOINT_CARD)
    count = _join_verdicts(runs, target, free)
    if runs[0].results_path.is_file():
        _link(runs[0].results_path, target / f"{free}_results.json")
    return count


def _timestamp_for(timestamp: str, runs: Sequence[Run], target: Path) -> str:
    """The job's own timestamp where it is free (or is this very job, merged before), else the next free second."""
    moment = datetime.strptime(timestamp, "%Y%m%d_%H%M%S")
    while not all(
        not (target / f"{timestamp}_{rest}").exists() or _same(target / f"{timestamp}_{rest}", source)
        for rest, source in (
            ("results.json", runs[0].results_path),
            *((f"samples_{run.task}.jsonl", run.samples_path) for run in runs),
        )
    ):
        moment += timedelta(seconds=1)
        timestamp = moment.strftime("%Y%m%d_%H%M%S")
    return timestamp


def _same(first: Path, second: Path) -> bool:
    return second.exists() and (first.samefile(second) or filecmp.cmp(first, second, shallow=False))


def _join_verdicts(runs: Sequence[Run], target: Path, timestamp: str) -> int:
    """Add the runs' verdicts to the sidecars of the target; a verdict that is there already is not doubled."""
    count = 0
    for path in runs[0].verdict_paths:
        if path.is_symlink():
            raise SafecotError(f"{path} is a symbolic link; verdict files are plain files. Remove it.")
        mine = target / "verdicts" / path.name
        # Parsed and written anew: a line ends at "\n" only, and what an interrupted judge left half written is dropped.
        before = (
            [verdict for _, verdict in enumerate_jsonl(mine, tolerate_cut_tail=True)] if mine.exists() else []
        )
        lines = [json.dumps(verdict) for verdict in before]
        known = {content_hash(verdict) for verdict in before}
        for _, verdict in enumerate_jsonl(path, tolerate_cut_tail=True):
            for run in runs:
                if verdict.get("task") in (None, run.task) and verdict.get("stamp") in (None, run.timestamp):
                    placed = {**verdict, "task": run.task, "stamp": timestamp}
                    if (digest := content_hash(placed)) not in known:
                        known.add(digest)
                        lines.append(json.dumps(placed))
        if added := len(lines) - len(before):
            mine.parent.mkdir(exist_ok=True)
            write_bytes(mine, ("\n".join(lines) + "\n").encode())
            count += added
    return count


def _link(source: Path, target: Path) -> None:
    with replacing(target) as scratch:
        scratch.unlink()
        try:
            os.link(source.resolve(), scratch)
        except OSError:
            shutil.copyfile(source, scratch)
    scratch.unlink(missing_ok=True)  # replacing a link by a link to the same file leaves both
