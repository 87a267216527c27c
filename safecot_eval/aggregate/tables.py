"""Rows of :func:`safecot_eval.aggregate.tables.load_runs` as Arrow tables: one row per sample and evaluator, read in batches.

A run whose samples file is large gets a Parquet file beside it (``<stamp>_index_<task>.parquet``), which is read instead
as long as the samples, the results and the verdicts are those it was made from.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from safecot_eval.records.run import find_runs
from safecot_eval.records.verdicts import REFUSED_BY_LABEL

if TYPE_CHECKING:
    import pandas as pd

    from safecot_eval.records.run import Run

BATCH_ROWS = 20_000
INDEX_FROM_BYTES = 64 * 2**20
_INDEX_SCHEMA = 1

_CODED = pa.dictionary(pa.int32(), pa.string())
ARROW = pa.schema(
    [
        ("model", _CODED),
        ("task", _CODED),
        ("benchmark", _CODED),
        ("variant", _CODED),
        ("sample_id", pa.string()),
        ("item_id", pa.string()),
        ("category", _CODED),
        ("cluster_id", pa.string()),
        ("pair_id", pa.string()),
        ("core", pa.bool_()),
        ("expectation", _CODED),
        ("status", _CODED),
        ("evaluator", _CODED),
        ("label", _CODED),
        ("refused", pa.bool_()),
        ("probability", pa.float64()),
        ("output_tokens", pa.int64()),
    ]
)

COLUMN_TYPES = {
    field.name: {"bool": "boolean", "double": "Float64", "int64": "Int64", "string": "string"}.get(
        str(field.type), "category"
    )
    for field in ARROW
}

_COPIED = tuple(name for name in ARROW.names if name not in ("evaluator", "label", "refused", "probability"))


def rows_of(run: Run) -> Iterator[dict[str, Any]]:
    """Yield the template row of every sample, then one row per verdict (in-run and sidecar)."""
    sidecar: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for verdict in run.verdicts():
        sidecar[verdict["sample_id"]].append(_slim(verdict))
    for record in run.samples():
        base = {key: record.get(key) for key in _COPIED}
        matched = record["refusal"]["matched"]
        label = None if matched is None else ("refused" if matched else "complied")
        evaluator = f"template:{record['refusal']['list']}"
        yield {**base, "evaluator": evaluator, "label": label, "refused": matched, "probability": None}
        seen: set[tuple[str, str]] = set()
        for judge, rubric, label, probability in (
            *sidecar.get(record["sample_id"], ()),
            *map(_slim, record["verdicts"]),
        ):
            if (judge, rubric) in seen:
                continue
            seen.add((judge, rubric))
            yield {
                **base,
                "evaluator": f"{judge}/{rubric}",
                "label": label,
                "refused": REFUSED_BY_LABEL.get(rubric, {}).get(label),
                "probability": probability,
            }


def _slim(verdict: dict[str, Any]) -> tuple[str, str, str, float | None]:
    """A verdict without the judge's words: what is held in memory of a run's sidecars."""
    return verdict["judge"], verdict["rubric"], verdict["label"], verdict.get("probability")


def scan(run: Run) -> Iterator[pa.Table]:
    """Yield a run's rows as Arrow tables of at most ``BATCH_ROWS`` rows; memory does not grow with the run's texts.

    Raises:
        SafecotError: see :meth:`safecot_eval.records.run.Run.samples`.
    """
    index = index_path(run)
    if _fresh(run, index):
        with pq.ParquetFile(index) as stored:
            for batch in stored.iter_batches(BATCH_ROWS):
                yield pa.Table.from_batches([batch]).cast(ARROW)
        return
    yield from _read(run)


def _read(run: Run) -> Iterator[pa.Table]:
    rows = rows_of(run)
    while part := list(islice(rows, BATCH_ROWS)):
        yield pa.Table.from_pylist([_encodable(row) for row in part], schema=ARROW)


def _encodable(row: dict[str, Any]) -> dict[str, Any]:
    """Lone surrogates, which JSON can hold and Arrow cannot, become question marks."""
    for key, value in row.items():
        if value.__class__ is str and not value.isascii():
            row[key] = value.encode("utf-8", "replace").decode()
    return row


def frame_of(runs: Iterable[Run]) -> pd.DataFrame:
    """All rows of some runs as a DataFrame with the types of ``COLUMN_TYPES``."""
    import pandas as pd

    tables = [table for run in runs for table in _indexed(run)]
    whole = pa.concat_tables(tables).unify_dictionaries() if tables else ARROW.empty_table()
    types: dict[Any, Any] = {
        pa.bool_(): pd.BooleanDtype(),
        pa.float64(): pd.Float64Dtype(),
        pa.int64(): pd.Int64Dtype(),
    }
    types[pa.string()] = pd.StringDtype()
    frame: pd.DataFrame = whole.to_pandas(types_mapper=types.get, split_blocks=True, self_destruct=True)
    return frame


def _indexed(run: Run) -> Iterator[pa.Table]:
    """Scan a run; one that is large leaves an index behind, where its folder can be written to."""
    index = index_path(run)
    if run.samples_path.stat().st_size < INDEX_FROM_BYTES or _fresh(run, index):
        yield from scan(run)
        return
    tables = list(_read(run))
    with contextlib.suppress(OSError):
        _write(run, tables, index)
    yield from tables


def write_index(run: Run) -> Path:
    """Write the index of a run, whatever its size; returns its path.

    Raises:
        SafecotError: the run is damaged.
        OSError: the folder cannot be written to.
    """
    path = index_path(run)
    if not _fresh(run, path):
        _write(run, _read(run), path)
    return path


def index_path(run: Run) -> Path:
    """Where the index of a run is."""
    return run.folder / f"{run.stamp}_index_{run.task}.parquet"


def _write(run: Run, tables: Iterable[pa.Table], path: Path) -> None:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    schema = ARROW.with_metadata({b"safecot": json.dumps(_state(run)).encode()})
    try:
        with pq.ParquetWriter(scratch, schema, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table.cast(ARROW).replace_schema_metadata(schema.metadata))
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def _fresh(run: Run, index: Path) -> bool:
    if index.is_symlink() or not index.is_file():
        return False
    try:
        metadata = pq.read_schema(index).metadata or {}
        return bool(json.loads(metadata.get(b"safecot", b"null")) == _state(run))
    except (OSError, ValueError, pa.ArrowException):
        return False


def _state(run: Run) -> list[Any]:
    """Sizes and times of the files that an index is made from."""
    files = [run.samples_path, run.results_path, *run.verdict_paths]
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files if path.exists()]
    return [_INDEX_SCHEMA, run.model, [list(entry) for entry in stats]]


def load_runs(paths: str | Path | Iterable[str | Path]) -> pd.DataFrame:
    """Load run folders into one tidy table: one row per sample and evaluator.

    Args:
        paths: A folder, or several.

    Returns:
        A DataFrame with the columns

        =============== ========= =================================================================
        model           category  display name
        task            category  leaf name
        benchmark       category  benchmark folder
        variant         category  leaf suffix
        sample_id       string    content hash, the same in every run
        item_id         string    the benchmark's own id
        category        category  the benchmark's category
        cluster_id      string    items that share a source question
        pair_id         string    twins (missing where there are none)
        core            boolean   in the core total (missing where there is none)
        expectation     category  refuse, answer, respond_safely
        status          category  ok, empty, request_failed, truncated …
        evaluator       category  ``template:<list id>`` or ``<judge id>/<rubric>``
        label           category  refused / complied for the template, else the rubric's own label
        refused         boolean   missing where the evaluator does not say
        probability     Float64   the judge's probability of its label, where logprobs told it
        output_tokens   Int64     missing where the back end did not report them
        =============== ========= =================================================================

    Raises:
        SafecotError: see :func:`find_runs`.

    >>> from safecot_eval.generate.examples import write_example_runs
    >>> table = load_runs(write_example_runs())
    >>> len(table), sorted(table.model.unique())
    (104, ['answer_all', 'refuse_all'])
    >>> table.groupby("model", observed=True).refused.mean().to_dict()
    {'answer_all': 0.0, 'refuse_all': 1.0}
    """
    from safecot_eval.aggregate.tables import frame_of

    chosen = [paths] if isinstance(paths, str | Path) else paths
    return frame_of(find_runs(chosen))


def scan_runs(paths: str | Path | Iterable[str | Path]) -> Iterator[pa.Table]:
    """The rows of :func:`load_runs` as a stream of Arrow tables, in constant memory.

    Raises:
        SafecotError: see :func:`find_runs`.
    """
    from safecot_eval.aggregate.tables import scan

    chosen = [paths] if isinstance(paths, str | Path) else paths
    for run in find_runs(chosen):
        yield from scan(run)
