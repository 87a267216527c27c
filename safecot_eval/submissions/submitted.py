"""Submission files as runs: numbers and outcomes without texts, for a leaderboard that collects them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safecot_eval.aggregate.columns import Columns
from safecot_eval.records.run import Run, find_runs
from safecot_eval.submissions import SUFFIX, columns_of, load, validate
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.terminal import printable


@dataclass(frozen=True)
class SubmittedRun(Run):
    """One task of a submission; ``samples_path`` is the submission file.

    Attributes:
        block: The task's block.
        codes: The submission's names of expectations and statuses.
        submitter: Its submitter.
    """

    block: Mapping[str, Any] = field(default_factory=dict, compare=False)
    codes: Mapping[str, Sequence[str]] = field(default_factory=dict, compare=False)
    submitter: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def has_texts(self) -> bool:
        """A submission holds no prompts and no answers."""
        return False

    def columns(self) -> Columns:
        """The run as arrays."""
        return columns_of(self.model, self.block, self.codes)

    def sealed(self) -> tuple[str, dict[str, Any]]:
        """Hash of the samples file that it was made from, and its provenance as it was submitted."""
        return self.block["samples_sha256"], dict(self.block["provenance"])

    def described(self) -> dict[str, Any]:
        """Its provenance in the form of :func:`safecot_eval.aggregate.provenance.provenance`."""
        source = self.block["provenance"]
        who = f"{self.submitter['name'] or 'anonymous'} ({self.submitter['relationship'].replace('_', ' ')})"
        file = f"{self.samples_path.name}; samples file sha256 {self.block['samples_sha256'][:16]}…"
        return {
            "model": self.model,
            "task": self.task,
            "stamp": self.timestamp,
            "file": self.samples_path.name,
            "command": source["command"],
            "limit": source["limit"],
            "lmms_eval": source["lmms_eval"],
            "task_version": self.block["version"],
            "date": None,
            "max_new_tokens": source["max_new_tokens"],
            "results_file": True,
            "training": source["training"],
            "described": [
                ["Submitted by", printable(who)],
                ["Submission", printable(file)],
                *source["described"],
            ],
        }


def gather(paths: Iterable[str | Path]) -> list[Run]:
    """Runs and submissions below some paths, all of them.

    Args:
        paths: Run folders, samples files, submission files, or folders that hold any of these.

    Raises:
        SafecotError: nothing found, a damaged file, or a submission that is not sound.
    """
    found: list[Run] = []
    rest: list[str | Path] = []
    for given in paths:
        path = Path(given)
        if path.is_file() and path.name.endswith(SUFFIX):
            found += submitted(path)
            continue
        below = sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else []
        for entry in below:
            found += submitted(entry)
        if not below or next(path.rglob("*_samples_safecot_*.jsonl"), None) is not None:
            rest.append(given)
    if rest or not found:
        found += find_runs(rest, newest_only=False)
    return sorted(found, key=lambda run: (run.model, run.task, run.timestamp))


def newest(paths: Iterable[str | Path]) -> list[Run]:
    """The newest run of every model and task; see :func:`gather`."""
    return list({(run.model, run.task): run for run in gather(paths)}.values())


def submitted(path: Path) -> list[SubmittedRun]:
    """The runs of one submission file.

    Raises:
        SafecotError: the file is not sound (the first reason is named).
    """
    if path.is_symlink():
        raise SafecotError(f"{path} is a symbolic link; submissions are plain files. Remove it.")
    document = load(path)
    if errors := validate(document, data=False).errors:
        raise SafecotError(
            f"{path}: not a sound submission: {errors[0]} (`safecot validate` shows all reasons)."
        )
    return [
        SubmittedRun(
            path,
            block["task"],
            block["stamp"],
            document["model"],
            block,
            document["codes"],
            document["submitter"],
        )
        for block in document["tasks"]
    ]
