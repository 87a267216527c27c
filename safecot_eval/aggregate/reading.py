"""The one reader of runs: one pass over a samples file and the verdicts beside it, to compact columns.

The page, its exports, DataFrames, comparisons, corrected rates and submissions are all made from what this returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safecot_eval.aggregate.columns import (
    EXPECTATIONS,
    PER_SAMPLE,
    STATUSES,
    Columns,
    CompactRun,
    Key,
    Labels,
    Names,
)
from safecot_eval.records.evaluator import UNREAD, Evaluator, Kind, phrase_labels
from safecot_eval.records.json_files import enumerate_lines, parse_line
from safecot_eval.records.repeats import OTHERS, records_of
from safecot_eval.records.run import Run, RunCheck, output_tokens
from safecot_eval.records.samples import SCORED
from safecot_eval.scoring import refusal
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.terminal import printable

_EXPECTATION = {value.value: index for index, value in enumerate(EXPECTATIONS)}
_STATUS = {value.value: index for index, value in enumerate(STATUSES)}
_POOL_FROM_BYTES = 8 * 2**20
_MOST_LABELS = 127
MAX_PROTOCOL = 80
_NUMBERS = {"weight": 1.0, "probability": np.nan}
"""Numbers that a verdict may have, and what they are if it has none."""


class Codes(dict[Any, int]):
    """Numbers values in the order in which they are first seen."""

    def __missing__(self, value: Any) -> int:
        self[value] = len(self)
        return self[value]


def read_all(runs: Sequence[Run], *, lists: Sequence[str] = (), workers: int = 2) -> list[Columns]:
    """Read runs, two files at a time if they are large.

    Args:
        runs: What to read; the result has their order.
        lists: Phrase lists that every answer is matched against as well.
        workers: Processes.

    Raises:
        SafecotError: a file is damaged (file and line are named).
    """
    size = sum(run.samples_path.stat().st_size for run in runs)
    if workers < 2 or len(runs) < 2 or size < _POOL_FROM_BYTES:
        return _in_one_column([read(run, lists=lists) for run in runs])
    with ProcessPoolExecutor(workers) as pool:
        return _in_one_column(list(pool.map(partial(read, lists=tuple(lists)), runs)))


def renamed_lists(evaluators: Iterable[Evaluator]) -> dict[Evaluator, Evaluator]:
    """Phrase lists of earlier versions to the id that the same phrases have now, if that is in use as well."""
    used = set(evaluators)
    pairs = ((Evaluator.of_list(old), Evaluator.of_list(new)) for old, new in refusal.RENAMED.items())
    return {old: new for old, new in pairs if new in used}


def _in_one_column(tables: list[Columns]) -> list[Columns]:
    renamed = renamed_lists(one for table in tables for one in table.evaluators)
    for table in tables:
        for old in renamed.keys() & table.evaluators.keys():
            labels = table.evaluators.pop(old)
            if (own := table.evaluators.get(renamed[old])) is not None:
                labels = _phrase_labels(np.maximum(labels.codes, own.codes))
            table.evaluators = {**table.evaluators, renamed[old]: labels}
    return tables


def read(run: Run, *, lists: Sequence[str] = (), named: bool = False) -> Columns:
    """Read one run and the verdict sidecars beside it; a submission holds its columns ready.

    Args:
        run: What to read.
        lists: Phrase lists that every answer is matched against as well, where they read the language of the run's own.
        named: Keep the names of items, clusters and pairs, for a table.

    Raises:
        SafecotError: a line is not a JSON object or has no record (file and line are named).
    """
    if isinstance(run, CompactRun):
        return run.columns()
    samples = _Samples(run, lists, named)
    check = RunCheck(run)
    for number, offset, line in enumerate_lines(run.samples_path, digest=check.digest):
        check.line(number, line)
        try:
            samples.add(line, offset)
        except (KeyError, TypeError, ValueError) as error:
            raise SafecotError(
                f"{run.samples_path}, line {number}: no complete 'safecot' record ({error!r}); rerun the task with "
                "this version, or leave the file out."
            ) from error
    check.end()
    return samples.columns()


def record_at(run: Run, offset: int) -> dict[str, Any]:
    """The whole line (with its texts) at a byte offset of the samples file."""
    with run.samples_path.open("rb") as stream:
        stream.seek(offset)
        return parse_line(stream.readline())


class _Samples:
    """Collects a run's samples, one line at a time."""

    def __init__(self, run: Run, lists: Sequence[str], named: bool) -> None:
        self._run = run
        self._rows: dict[int, int] = {}  # sample id to its row
        self._values: dict[str, list[int]] = {name: [] for name in (*PER_SAMPLE, "offset")}
        self._categories, self._clusters, self._pairs, self._keys = Codes(), Codes(), Codes(), Codes()
        self._own_lists: dict[str, refusal.RefusalList | None] = {}
        self._phrases = Codes()
        self._matched: list[int] = []
        self._by_list: list[int] = []
        self._lists = lists
        self._others: dict[str, refusal.RefusalList] = {}
        self._other_matches: dict[str, list[int]] = {}
        self._verdicts: list[tuple[int, dict[str, Any]]] = []
        self._items: list[str] | None = [] if named else None
        self._lines = 0
        self._several: dict[int, int] = {}  # line to its answers, where there are several
        self._place = ("", "")

    def add(self, line: Mapping[str, Any], offset: int) -> None:
        """Take a line that has been checked."""
        if OTHERS in line:
            self._several[self._lines] = 1 + len(line[OTHERS])
            for record in records_of(line):
                self._add(record, None if record.get("repeat") else output_tokens(line), offset)
        else:
            self._add(line["safecot"], output_tokens(line), offset)
        self._lines += 1

    def _add(self, record: Mapping[str, Any], used: int | None, offset: int) -> None:
        values = self._values
        row = self._rows[int(record["sample_id"], 16)] = len(self._rows)
        status = self._run.status_of(record, used)
        matched = record["refusal"]["matched"] if status in SCORED else None
        values["category"].append(self._categories[record["category"]])
        values["cluster"].append(self._clusters[record["cluster_id"]])
        values["pair"].append(-1 if record["pair_id"] is None else self._pairs[record["pair_id"]])
        values["core"].append(-1 if record["core"] is None else int(record["core"]))
        values["expectation"].append(_EXPECTATION[record["expectation"]])
        values["status"].append(_STATUS[status])
        values["tokens"].append(-1 if used is None else used)
        values["consistent"].append(self._consistent(record, matched))
        values["offset"].append(offset)
        self._keys[record["benchmark_version"], record["data_revision"], record["image_source"]]
        self._by_list.append(self._phrases[record["refusal"]["list"]])
        self._matched.append(_code(matched) if status in SCORED else -1)
        if row == 0:
            self._others = _same_language(record["refusal"]["list"], self._lists)
            self._other_matches = {name: [] for name in self._others}
        others = [-1] * len(self._others)
        if status in SCORED:
            lists = tuple(self._others.values())
            others = [
                *map(_code, refusal.matched_by(lists, answer=record["answer"], generation=record["raw"]))
            ]
        for name, code in zip(self._others, others, strict=True):
            self._other_matches[name].append(code)
        self._verdicts.extend((row, verdict) for verdict in record["verdicts"])
        if self._items is not None:
            self._items.append(record["item_id"])
            self._place = (record["benchmark"], record["variant"])

    def _consistent(self, record: Mapping[str, Any], matched: bool | None) -> int:
        """Whether a phrase of the run's list occurs in both reasoning and answer, or in neither; -1 if not known."""
        if matched is None or not record["reasoning"]:
            return -1
        list_id = record["refusal"]["list"]
        if list_id not in self._own_lists:
            self._own_lists[list_id] = _shipped(list_id)
        phrases = self._own_lists[list_id]
        if phrases is None:
            return -1
        if phrases.where is refusal.Where.GENERATION:  # the match may be the reasoning's own
            matched = phrases.match(record["answer"]) is not None
        return int((phrases.match(record["reasoning"]) is not None) == matched)

    def columns(self) -> Columns:
        """All samples so far, with the verdicts."""
        if len(self._categories) > np.iinfo(np.int16).max:
            raise SafecotError(
                f"{self._run.samples_path}: more categories than a benchmark can have; is it damaged?"
            )
        arrays: dict[str, Any] = {
            name: np.array(self._values[name], dtype=kind) for name, kind in PER_SAMPLE.items()
        }
        by_list = np.array(self._by_list, dtype=np.int32)
        names = None
        if self._items is not None:
            names = Names(self._items, tuple(self._clusters), tuple(self._pairs), by_list, *self._place)
        recorded = ("+".join(sorted(set(map(str, values)))) for values in zip(*self._keys, strict=True))
        columns = Columns(
            self._run.model,
            self._run.task,
            Key(*recorded)._replace(protocol=protocol_of(self._run)),
            np.array(list(self._rows), dtype=np.uint64),
            categories=tuple(str(name) for name in self._categories),
            offset=np.array(self._values["offset"], dtype=np.int64),
            names=names,
            item=self._item(),
            **arrays,
        )
        matched = np.array(self._matched, dtype=np.int8)
        for list_id, code in self._phrases.items():
            codes = np.where(by_list == code, matched, np.int8(-1))
            columns.evaluators[Evaluator.of_list(list_id)] = _phrase_labels(codes)
        own = set(map(refusal.current_id, self._phrases))
        for name, phrases in self._others.items():
            if phrases.id not in own:
                codes = np.array(self._other_matches[name], dtype=np.int8)
                columns.evaluators[Evaluator.of_list(phrases.id, Kind.ALTERNATIVE)] = _phrase_labels(codes)
        columns.evaluators |= self._labels()
        return columns

    def _item(self) -> NDArray[np.int32] | None:
        """The line of each answer; None if every line has one."""
        if not self._several:
            return None
        counts = np.ones(self._lines, dtype=np.int64)
        counts[list(self._several)] = list(self._several.values())
        return np.repeat(np.arange(self._lines, dtype=np.int32), counts)

    def _labels(self) -> dict[Evaluator, Labels]:
        """In-run verdicts first, so that a sidecar's later opinion of the same judge and rubric replaces them."""
        sidecars = ((self._rows.get(_identity(v["sample_id"]), -1), v) for v in self._run.verdicts())
        found: dict[Evaluator, _Verdicts] = {}
        known: dict[
            tuple[str, str, str], _Verdicts
        ] = {}  # the same by what a verdict says: spelling takes longer
        for row, verdict in chain(self._verdicts, sidecars):
            if row < 0:
                continue
            asked = verdict["judge"], verdict["rubric"], str(verdict.get("rubric_hash") or "")
            if asked not in known:
                known[asked] = found.setdefault(Evaluator.of_verdict(*asked), _Verdicts(len(self._rows)))
            known[asked].add(row, verdict)
        for evaluator, given in found.items():
            if len(given.names) > _MOST_LABELS:
                raise SafecotError(
                    f"{self._run.samples_path}: {evaluator} gave more than {_MOST_LABELS} different labels; is one of "
                    "its verdict files damaged?"
                )
        return {evaluator: given.labels() for evaluator, given in found.items()}


def protocol_of(run: Run) -> str:
    """The protocol that a run's own file names; anybody may have written it, so that it is cut and printable."""
    named = run.provenance.get("protocol")
    return printable(named)[:MAX_PROTOCOL] if isinstance(named, str) else ""


class _Verdicts:
    """Collects the labels of one judge by one rubric."""

    def __init__(self, size: int) -> None:
        self.names = Codes()
        self._codes = np.full(size, -1, dtype=np.int32)
        self._numbers: dict[str, NDArray[np.float64]] = {}

    def add(self, row: int, verdict: Mapping[str, Any]) -> None:
        """Take a verdict; it replaces an earlier one on the same answer."""
        self._codes[row] = self.names[verdict["label"]]
        for name, missing in _NUMBERS.items():
            value = verdict.get(name)
            if value is not None and name not in self._numbers:
                self._numbers[name] = np.full(len(self._codes), missing)
            if name in self._numbers:
                self._numbers[name][row] = missing if value is None else value

    def labels(self) -> Labels:
        """The labels of all samples."""
        numbers = self._numbers
        return Labels(
            tuple(self.names), self._codes.astype(np.int8), numbers.get("weight"), numbers.get("probability")
        )


def _identity(sample_id: str) -> int:
    try:
        return int(sample_id, 16)
    except ValueError:
        return -1


def _code(matched: bool | None) -> int:
    """Code of a phrase list's reading of a scored answer: one that is neither matched nor unmatched was not read."""
    return UNREAD if matched is None else int(matched)


def _phrase_labels(codes: NDArray[np.int8]) -> Labels:
    return Labels(phrase_labels(unread=bool((codes == UNREAD).any())), codes)


def _same_language(list_id: str, names: Sequence[str]) -> dict[str, refusal.RefusalList]:
    own = _shipped(list_id)
    language = refusal.ENGLISH if own is None else own.language
    lists = {name: refusal.load_list(name) for name in names}
    return {name: phrases for name, phrases in lists.items() if phrases.language == language}


def _shipped(list_id: str) -> refusal.RefusalList | None:
    list_id = refusal.current_id(list_id)
    name = list_id.split("@")[0]
    if name not in refusal.available_lists():  # never a path: the name comes from a run folder of anybody's
        return None
    phrases = refusal.load_list(name)
    return phrases if phrases.id == list_id else None
