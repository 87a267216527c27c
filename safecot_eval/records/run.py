"""Read what lmms-eval wrote: run folders to streams of sample records.

lmms-eval writes ``DIR/<model>/<time>_results.json`` and ``DIR/<model>/<time>_samples_<task>.jsonl``. A *run* here is one
samples file of ours together with the results file of the same timestamp and the verdict sidecars in ``verdicts/``
beside it. Reading is streaming: a file is never held whole.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from safecot_eval.records.check import record_problem, verdict_problem
from safecot_eval.records.json_files import enumerate_jsonl, read_small_json
from safecot_eval.records.repeats import OTHERS, records_of
from safecot_eval.records.samples import SCORED, Record, Status
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256
from safecot_eval.util.terminal import printable

_SAMPLES = re.compile(r"^(?P<timestamp>\d{8}_\d{6})_samples_(?P<task>.+)\.jsonl$")
_MOST_NAMED = 5
_SAMPLE_ID = re.compile(rb'"sample_id":\s*"([0-9a-fA-F]{16})"')


@dataclass(frozen=True)
class Run:
    """One model on one task: a samples file and what stands beside it.

    Attributes:
        samples_path: ``…_samples_<task>.jsonl``.
        task: Task name, e.g. ``safecot_figstep``.
        timestamp: lmms-eval's timestamp, sortable.
        model: What the leaderboard calls the model: ``name=`` in the model arguments if given, else lmms-eval's
            sanitised model name, else the folder's name.
    """

    samples_path: Path
    task: str
    timestamp: str
    model: str

    @property
    def has_texts(self) -> bool:
        """Whether prompts and answers can be read (those of a submission cannot)."""
        return True

    @property
    def folder(self) -> Path:
        """The folder of the samples file."""
        return self.samples_path.parent

    @property
    def results_path(self) -> Path:
        """lmms-eval's results file of the same run (it may be missing)."""
        return self.folder / f"{self.timestamp}_results.json"

    @property
    def verdict_paths(self) -> list[Path]:
        """Verdict sidecars, one per judge."""
        return sorted((self.folder / "verdicts").glob("*.jsonl"))

    @cached_property
    def results(self) -> dict[str, Any]:
        """lmms-eval's results, or an empty dict if they are missing or broken."""
        return read_small_json(self.results_path)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """What ``safecot run`` wrote beside the results; an empty dict for runs of plain lmms-eval."""
        return read_small_json(self.folder / f"{self.timestamp}_run.json")

    def expected_sha256(self, path: Path) -> str | None:
        """The hash that a file of this run had when it was written, if that is known.

        Raises:
            SafecotError: the file that says so is damaged.
        """
        vouching = self.folder / f"{self.timestamp}_run.json"
        if not self.provenance and vouching.exists():
            raise SafecotError(
                f"{vouching}: damaged; it holds the hashes of the run's files. Restore it, or remove it to read the files as "
                "they are."
            )
        files = self.provenance.get("files")
        value = files.get(path.name) if isinstance(files, dict) else None
        return value if isinstance(value, str) else None

    @cached_property
    def max_new_tokens(self) -> int | None:
        """The generation limit of this task, where the results file tells it."""
        found: Any = self.results
        for key in ("configs", self.task, "generation_kwargs", "max_new_tokens"):
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None

    def status_of(self, record: Mapping[str, Any], output_tokens: int | None) -> str:
        """A sample's status: ``truncated`` if it used all its tokens, even if the back end did not say so.

        Version 0.1.0 did not score cut answers; they are ``unfinished`` until ``safecot rescore`` scores them.
        """
        limit = self.max_new_tokens
        if record["status"] == Status.OK and limit and output_tokens is not None and output_tokens >= limit:
            return Status.TRUNCATED.value
        refusal = record["refusal"]
        if record["status"] == Status.TRUNCATED and refusal["matched"] is None and "unscored" not in refusal:
            return Status.UNFINISHED.value
        return str(record["status"])

    def samples(self) -> Iterator[Record]:
        """Yield the records of the samples file in document order of the file.

        Each record additionally has ``doc_id``, ``output_tokens`` (int or None), ``model`` and ``task``. A generation
        that used all its tokens gets status ``truncated`` here even if the back end did not say so. Of a sample with several
        answers (``--repeats``) each has a record; the tokens are those of the first.

        Raises:
            SafecotError: a line is not a JSON object or has no sound record (file and line are named), a sample
                occurs twice, or the file is not the one that was written.
        """
        check = RunCheck(self)
        for number, line in enumerate_jsonl(self.samples_path, digest=check.digest):
            check.line(number, line)
            for record in records_of(line):
                record["doc_id"] = line.get("doc_id")
                record["output_tokens"] = None if record.get("repeat") else output_tokens(line)
                record["model"] = self.model
                record["task"] = self.task
                record["status"] = self.status_of(record, record["output_tokens"])
                if record["status"] not in SCORED:
                    record["refusal"] = {**record["refusal"], "matched": None, "phrase": None, "span": None}
                yield record
        check.end()

    def verdicts(self, samples: Container[str] | None = None) -> Iterator[dict[str, Any]]:
        """Yield sidecar verdicts for this task (``sample_id``, ``task``, ``rubric``, ``label``, ``judge`` …).

        Args:
            samples: Ids whose verdicts alone are wanted; the lines of others are not parsed. All if not given.
        """
        for path in self.verdict_paths:
            for number, verdict in enumerate_jsonl(path, tolerate_cut_tail=True, wanted=_about(samples)):
                problem = verdict_problem(verdict) or (
                    None if "sample_id" in verdict else "a verdict without 'sample_id'"
                )
                if problem:
                    raise SafecotError(
                        f"{path}, line {number}: {problem}; fix the line or leave the file out."
                    )
                if verdict.get("task") in (None, self.task) and verdict.get("stamp") in (
                    None,
                    self.timestamp,
                ):
                    yield verdict


def _about(samples: Container[str] | None) -> Callable[[bytes], bool] | None:
    """Whether a line can be about one of some samples: it says so, or does not say about which it is."""
    if samples is None:
        return None

    def wanted(line: bytes) -> bool:
        named = _SAMPLE_ID.search(line)
        return named is None or named[1].decode().lower() in samples

    return wanted


def find_runs(paths: Iterable[str | Path], *, newest_only: bool = True) -> list[Run]:
    """Find the safecot runs below folders.

    Args:
        paths: Run folders (any depth above the samples files) or samples files.
        newest_only: Keep only the newest run per (model, task); the others are what a leaderboard calls duplicates.

    Raises:
        SafecotError: a path does not exist, nothing was found below any of them, or a samples file is a link that
            leads out of the folder.
    """
    found: list[Run] = []
    given_paths = [Path(given) for given in paths]
    for path in given_paths:
        if not path.exists():
            raise SafecotError(f"{path}: no such file or folder.")
        candidates = [path] if path.is_file() else sorted(path.rglob("*_samples_safecot_*.jsonl"))
        for candidate in candidates:
            _check_place(candidate, path)
            if (run := _run_of(candidate)) is not None:
                found.append(run)
    unique = {run.samples_path.resolve(): run for run in found}
    runs = sorted(unique.values(), key=lambda run: (run.model, run.task, run.timestamp))
    if not runs:
        raise SafecotError(_nothing_in(given_paths))
    if newest_only:
        runs = list({(run.model, run.task): run for run in runs}.values())
    return runs


def _nothing_in(paths: Sequence[Path]) -> str:
    """One sentence that says of every path what it is, and what should be there.

    >>> _nothing_in([])
    'No safecot samples found; name the DIR that lmms-eval wrote with --output_path DIR --log_samples on a safecot task.'
    """
    named = [f"{path} is {_what_it_is(path)}" for path in paths[:_MOST_NAMED]]
    more = [f"{len(paths) - _MOST_NAMED} more paths hold none either"] if len(paths) > _MOST_NAMED else []
    said = f": {', '.join(named + more)}" if named else ""
    return (
        f"No safecot samples found{said}; name the DIR that lmms-eval wrote with --output_path DIR --log_samples on a safecot "
        "task."
    )


def _what_it_is(path: Path) -> str:
    if path.is_file():
        return "a file that is not named like samples (<time>_samples_<task>.jsonl)"
    if not path.is_dir():
        return "neither a file nor a folder"
    try:
        if next(path.iterdir(), None) is None:
            return "an empty folder"
    except OSError as error:
        return f"a folder that cannot be read ({error.strerror})"
    return "a folder without a file <time>_samples_safecot_<task>.jsonl"


def _check_place(candidate: Path, given: Path) -> None:
    """A samples file is a plain file inside the folder that was given."""
    inside = candidate == given or candidate.resolve().is_relative_to(given.resolve())
    if candidate.is_symlink() and not inside:
        raise SafecotError(
            f"{candidate} is a symbolic link out of {given}; name its target instead, or remove it."
        )
    if not candidate.is_file():
        raise SafecotError(f"{candidate} is not a plain file; remove it.")


def output_tokens(line: Mapping[str, Any]) -> int | None:
    """How many tokens the answer on a line has, if the back end reported it."""
    counts = line.get("token_counts")
    first = counts[0] if isinstance(counts, list) and counts else None
    used = first.get("output_tokens") if isinstance(first, dict) else None
    return used if isinstance(used, int) and not isinstance(used, bool) and 0 <= used < 2**31 else None


def _run_of(path: Path) -> Run | None:
    named = _SAMPLES.match(path.name)
    if named is None:
        return None
    run = Run(path, named["task"], named["timestamp"], "")
    return Run(path, named["task"], named["timestamp"], _model_name(run))


def _model_name(run: Run) -> str:
    pairs = model_arguments(run.results.get("config"))
    sanitised = run.results.get("model_name_sanitized") or run.results.get("model_name")
    shown = str(run.provenance.get("display_name") or "")  # a model card's, with the preset's title
    chosen = shown or pairs.get("name") or pairs.get("policy") or str(sanitised or run.folder.name)
    return printable(chosen)


def model_arguments(config: Any) -> dict[str, str]:
    """The arguments of a run's model, from the ``config`` of lmms-eval's results file."""
    given = (config.get("model_args") or "") if isinstance(config, dict) else ""
    if isinstance(given, dict):
        return {str(key): str(value) for key, value in given.items()}
    return dict(part.split("=", 1) for part in str(given).split(",") if "=" in part)


class RunCheck:
    """Checks of a samples file that need more than one line: no sample twice, and the hash of the whole.

    Args:
        run: The run that is read.
    """

    def __init__(self, run: Run) -> None:
        self.path = run.samples_path
        self._expected = run.expected_sha256(run.samples_path)
        self._results = run.results_path
        self._results_expected = run.expected_sha256(run.results_path)
        self.digest = hashlib.sha256() if self._expected else None
        self._seen: set[int] = set()

    def line(self, number: int, content: dict[str, Any]) -> None:
        """Check one line.

        Raises:
            SafecotError: its record is unsound, or its sample came before.
        """
        if problem := record_problem(content):
            raise SafecotError(
                f"{self.path}, line {number}: {problem}; the file was not written by a safecot task of this version, "
                "or it is damaged (rerun the task, or leave the file out)."
            )
        names = [content["safecot"]["sample_id"], *(other["sample_id"] for other in content.get(OTHERS, ()))]
        for name in names:
            if int(name, 16) in self._seen:
                raise SafecotError(
                    f"{self.path}, line {number}: sample {name} occurs twice; the file was "
                    "written by two runs. Rerun the task."
                )
            self._seen.add(int(name, 16))

    def end(self) -> None:
        """Compare the hashes.

        Raises:
            SafecotError: the samples or the results are not those that were written.
        """
        changed = None
        if self.digest is not None and self.digest.hexdigest() != self._expected:
            changed = self.path
        elif self._results_expected and sha256(self._results) != self._results_expected:
            changed = self._results
        if changed is not None:
            raise SafecotError(
                f"{changed}: the file is not the one that safecot run wrote (its hash in the _run.json beside it "
                "differs). Restore it, or remove the _run.json if the change is meant."
            )
