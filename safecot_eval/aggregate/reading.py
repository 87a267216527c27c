"""Read a run into compact columns: one pass over the file, no text kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from safecot_eval.aggregate.columns import (
    EXPECTATIONS,
    STATUSES,
    TEMPLATE_LABELS,
    Columns,
    CompactRun,
    Labels,
)
from safecot_eval.records.json_files import MAX_LINE_BYTES
from safecot_eval.records.run import Run, RunCheck
from safecot_eval.records.samples import Status
from safecot_eval.scoring import refusal
from safecot_eval.util.errors import SafecotError

_EXPECTATION = {value.value: index for index, value in enumerate(EXPECTATIONS)}
_STATUS = {value.value: index for index, value in enumerate(STATUSES)}
_POOL_FROM_BYTES = 8 * 2**20


class Codes(dict[Any, int]):
    """Numbers values in the order in which they are first seen."""

    def __missing__(self, value: Any) -> int:
        self[value] = len(self)
        return self[value]


def read_all(runs: Sequence[Run], *, lists: Sequence[str] = (), workers: int = 2) -> list[Columns]:
    """Read runs, two files at a time where they are large.

    Args:
        runs: What to read; the result has their order.
        lists: Phrase lists that every answer is matched against as well.
        workers: Processes.

    Raises:
        SafecotError: a file is damaged (file and line are named).
    """
    size = sum(run.samples_path.stat().st_size for run in runs)
    if workers < 2 or len(runs) < 2 or size < _POOL_FROM_BYTES:
        return in_one_column([read(run, lists=lists) for run in runs])
    with ProcessPoolExecutor(workers) as pool:
        return in_one_column(list(pool.map(_read_task, [(run, tuple(lists)) for run in runs])))


def in_one_column(tables: list[Columns]) -> list[Columns]:
    """Give runs of earlier versions the id that their phrase list has now, where newer runs have been matched with it."""
    used = {name for table in tables for name in table.evaluators}
    for old, new in refusal.RENAMED.items():
        before, now = f"template:{old}", f"template:{new}"
        for table in tables if now in used else ():
            if before in table.evaluators:
                labels = table.evaluators.pop(before)
                table.evaluators = {now: replace(labels, judge=now), **table.evaluators}
    return tables


def _read_task(task: tuple[Run, tuple[str, ...]]) -> Columns:
    return read(task[0], lists=task[1])


def read(run: Run, *, lists: Sequence[str] = ()) -> Columns:
    """Read one run and the verdict sidecars beside it; a submission holds its columns ready.

    Raises:
        SafecotError: a line is not a JSON object or has no record (file and line are named).
    """
    if isinstance(run, CompactRun):
        return run.columns()
    categories, clusters, pairs, keys = Codes(), Codes(), Codes(), Codes()
    ids, offsets, tokens = [], [], []
    category, cluster, pair, core, expectation, status, consistent = [], [], [], [], [], [], []
    template: dict[str, list[tuple[int, int]]] = {}
    inner: list[tuple[int, dict[str, Any]]] = []
    matchers = {name: refusal.load_list(name) for name in lists}
    shadow: dict[str, list[int]] = {name: [] for name in lists}
    limit = run.max_new_tokens
    own: dict[str, refusal.RefusalList] = {}
    ok, truncated = _STATUS[Status.OK.value], _STATUS[Status.TRUNCATED.value]
    position: dict[int, int] = {}
    check = RunCheck(run)
    for row, (number, offset, line) in enumerate(_lines(run.samples_path, check.digest)):
        check.line(number, line)
        try:
            record = line["safecot"]
            found = record["refusal"]
            state = _STATUS[record["status"]]
            used = _tokens(line)
            if state == ok and limit and used >= limit:
                state = truncated
            identity = int(record["sample_id"], 16)
            ids.append(identity)
            expectation.append(_EXPECTATION[record["expectation"]])
            category.append(categories[record["category"]])
            cluster.append(clusters[record["cluster_id"]])
            pair.append(-1 if record["pair_id"] is None else pairs[record["pair_id"]])
            core.append(-1 if record["core"] is None else int(record["core"]))
            keys[record["benchmark_version"], record["data_revision"], record["image_source"]]
            verdicts = record["verdicts"]
        except (KeyError, TypeError, ValueError) as error:
            raise SafecotError(
                f"{run.samples_path}, line {number}: no complete 'safecot' record ({error!r}); rerun the task with "
                "this version, or leave the file out."
            ) from error
        status.append(state)
        tokens.append(used)
        offsets.append(offset)
        position[identity] = row
        matched = found["matched"] if state == ok else None
        listed = found["list"]
        template.setdefault(listed, []).append((row, -1 if matched is None else int(matched)))
        consistent.append(-1)
        if matched is not None and record["reasoning"]:
            phrases = own.get(listed) or _list_of(listed)
            if phrases is not None:
                own[listed] = phrases
                said = matched
                if phrases.where is refusal.Where.GENERATION:  # the match may be the reasoning's own
                    said = phrases.match(record["answer"]) is not None
                consistent[-1] = int((phrases.match(record["reasoning"]) is not None) == said)
        for name, matcher in matchers.items():
            hit = matcher.match_in(answer=record["answer"], generation=record["raw"]) if state == ok else None
            shadow[name].append(-1 if state != ok else int(hit is not None))
        inner.extend((row, verdict) for verdict in verdicts)
    check.end()
    size = len(ids)
    columns = Columns(
        run.model,
        run.task,
        _key_of(keys),
        np.array(ids, dtype=np.uint64),
        np.array(category, dtype=np.int16),
        tuple(str(name) for name in categories),
        np.array(cluster, dtype=np.int32),
        np.array(pair, dtype=np.int32),
        np.array(core, dtype=np.int8),
        np.array(expectation, dtype=np.int8),
        np.array(status, dtype=np.int8),
        np.array(tokens, dtype=np.int32),
        np.array(consistent, dtype=np.int8),
        np.array(offsets, dtype=np.int64),
    )
    for listed, marks in template.items():
        codes = np.full(size, -1, dtype=np.int8)
        rows, values = np.array(marks, dtype=np.int64).T
        codes[rows] = values
        name = f"template:{listed}"
        columns.evaluators[name] = Labels("template", name, TEMPLATE_LABELS, codes)
    for listed, values in shadow.items():
        name = f"template:{matchers[listed].id}"
        if matchers[listed].id not in map(refusal.current_id, template):
            columns.evaluators["shadow " + name] = Labels(
                "shadow", name, TEMPLATE_LABELS, np.array(values, dtype=np.int8)
            )
    _add_verdicts(columns, run, inner, position)
    return columns


def _add_verdicts(
    columns: Columns, run: Run, inner: list[tuple[int, dict[str, Any]]], position: Mapping[int, int]
) -> None:
    """In-run verdicts first, so that a sidecar's later opinion of the same judge and rubric replaces them."""
    found: dict[str, tuple[str, str, Codes, np.ndarray[Any, np.dtype[np.int8]]]] = {}
    weights: dict[str, np.ndarray[Any, np.dtype[np.float32]]] = {}
    sidecar = ((position.get(_identity(v["sample_id"]), -1), v) for v in run.verdicts())
    for verdicts in (inner, sidecar):
        for row, verdict in verdicts:
            if row < 0:
                continue
            stamp = verdict.get("rubric_hash")
            name = f"{verdict['judge']}/{verdict['rubric']}" + (f"@{str(stamp)[:8]}" if stamp else "")
            if name not in found:
                empty = np.full(len(columns), -1, dtype=np.int8)
                found[name] = (str(verdict["rubric"]), str(verdict["judge"]), Codes(), empty)
            _, _, names, codes = found[name]
            codes[row] = names[str(verdict["label"])]
            if "weight" in verdict:
                weights.setdefault(name, np.ones(len(columns), dtype=np.float32))[row] = float(
                    verdict["weight"]
                )
    for name, (rubric, judge, names, codes) in found.items():
        columns.evaluators[name] = Labels(rubric, judge, tuple(names), codes, weights.get(name))


def _identity(sample_id: str) -> int:
    try:
        return int(sample_id, 16)
    except ValueError:
        return -1


def record_at(run: Run, offset: int) -> dict[str, Any]:
    """The whole line (with its texts) at a byte offset of the samples file."""
    with run.samples_path.open("rb") as stream:
        stream.seek(offset)
        return _parse(stream.readline())


def _lines(path: Path, digest: Any = None) -> Iterator[tuple[int, int, dict[str, Any]]]:
    offset = 0
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(MAX_LINE_BYTES + 1):
            number += 1
            if digest is not None:
                digest.update(line)
            if len(line) > MAX_LINE_BYTES:
                raise SafecotError(
                    f"{path}, line {number}: longer than 64 MiB; the file is damaged or hostile."
                )
            start, offset = offset, offset + len(line)
            if not line.strip():
                continue
            try:
                content = _parse(line)
            except (ValueError, RecursionError) as error:
                raise SafecotError(f"{path}, line {number}: not a JSON object ({error}).") from error
            yield number, start, content


def _parse(line: bytes) -> dict[str, Any]:
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError:
        content = json.loads(line)  # lone surrogates and NaN, which only Python's own parser takes
    if not isinstance(content, dict):
        raise ValueError("not a JSON object")
    return content


def _tokens(line: Mapping[str, Any]) -> int:
    counts = line.get("token_counts")
    first = counts[0] if isinstance(counts, list) and counts else None
    used = first.get("output_tokens") if isinstance(first, dict) else None
    return used if isinstance(used, int) and not isinstance(used, bool) and 0 <= used < 2**31 else -1


def _key_of(keys: Codes) -> tuple[str, ...]:
    parts: list[str] = []
    for values in zip(*keys, strict=True):
        parts.append("+".join(sorted({str(value) for value in values})))
    return tuple(parts)


def _list_of(listed: str) -> refusal.RefusalList | None:
    listed = refusal.current_id(listed)
    name = listed.split("@")[0]
    if name not in refusal.available_lists():  # never a path: the name comes from a run folder of anybody's
        return None
    phrases = refusal.load_list(name)
    return phrases if phrases.id == listed else None
