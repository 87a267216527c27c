"""Columns as Arrow tables and DataFrames: one row per sample and evaluator, and back.

A run whose samples file is large gets a Parquet file beside it (``<timestamp>_index_<task>.parquet``), which is read instead
as long as the samples, the results and the verdicts are those it was made from.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from safecot_eval.aggregate.columns import EXPECTATIONS, STATUSES, Columns, Key, Labels
from safecot_eval.aggregate.reading import Codes, read, renamed_lists
from safecot_eval.records.evaluator import Evaluator, Kind, short_names
from safecot_eval.records.run import find_runs
from safecot_eval.records.samples import Expectation, Status
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import replacing

if TYPE_CHECKING:
    import pandas as pd

    from safecot_eval.records.run import Run

BATCH_ROWS = 20_000
INDEX_FROM_BYTES = 64 * 2**20
_INDEX_SCHEMA = 3

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
        ("weight", pa.float64()),
        ("consistent", pa.bool_()),
        ("repeat", pa.int64()),
    ]
)


def load_runs(paths: str | Path | Iterable[str | Path]) -> pd.DataFrame:
    """Load run folders into one tidy table: one row per sample and evaluator.

    Args:
        paths: A folder, or several.

    Returns:
        A DataFrame with the columns

        =============== ========= =================================================================
        model           category  display name
        task            category  task name
        benchmark       category  benchmark folder
        variant         category  task suffix
        sample_id       string    content hash, the same in every run; further answers have ids of their own
        item_id         string    the benchmark's own id
        category        category  the benchmark's category
        cluster_id      string    items that share a source question
        pair_id         string    contrast pairs (missing where there are none)
        core            boolean   in the core total (missing where there is none)
        expectation     category  refuse, answer, respond_safely
        status          category  ok, empty, request_failed, truncated …
        evaluator       category  ``template:<list id>`` or ``<judge id>/<rubric>``, with ``@<hash>`` where one
                                  judge asked in several prompt variants
        label           category  refused / complied for the template, else the rubric's own label
        refused         boolean   missing where the evaluator does not say or the answer is not scored
        probability     Float64   the judge's probability of its label, where logprobs told it
        output_tokens   Int64     missing where the back end did not report them
        weight          Float64   answers that a label of people stands for, where they were drawn
        consistent      boolean   reasoning and answer agree on a refusal (missing without reasoning)
        repeat          Int64     which of the answers to one item this is: 0 for the first (``--repeats``)
        =============== ========= =================================================================

    Raises:
        SafecotError: see :func:`~safecot_eval.records.run.find_runs`.

    >>> from safecot_eval.generate.examples import write_example_runs
    >>> table = load_runs(write_example_runs())
    >>> len(table), sorted(table.model.unique())
    (104, ['answer_all', 'refuse_all'])
    >>> table.groupby("model", observed=True).refused.mean().to_dict()
    {'answer_all': 0.0, 'refuse_all': 1.0}
    """
    import pandas as pd

    tables = [table for run in _found(paths) for table in _indexed(run)]
    whole = pa.concat_tables(tables).unify_dictionaries() if tables else ARROW.empty_table()
    whole = _renamed(whole, whole["evaluator"].unique().to_pylist())
    types: dict[Any, Any] = {
        pa.bool_(): pd.BooleanDtype(),
        pa.float64(): pd.Float64Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.string(): pd.StringDtype(),
    }
    frame: pd.DataFrame = whole.to_pandas(types_mapper=types.get, split_blocks=True, self_destruct=True)
    return frame


def scan_runs(paths: str | Path | Iterable[str | Path]) -> Iterator[pa.Table]:
    """The rows of :func:`load_runs` as a stream of Arrow tables of at most ``BATCH_ROWS`` rows, one run after the other.

    Memory holds one run's columns and no texts. Prompt variants are told apart within a run.

    Raises:
        SafecotError: see :func:`~safecot_eval.records.run.find_runs`.
    """
    for run in _found(paths):
        names, tables = _open(run)
        for table in tables:
            yield _renamed(table, names)


def _found(paths: str | Path | Iterable[str | Path]) -> list[Run]:
    return find_runs([paths] if isinstance(paths, str | Path) else paths)


def _renamed(table: pa.Table, evaluators: Iterable[str]) -> pa.Table:
    """Evaluators by the shortest spelling that tells those of ``evaluators`` apart."""
    known = [Evaluator.parse(name) for name in evaluators]
    current = {one: renamed_lists(known).get(one, one) for one in known}
    short = short_names(current.values())
    spelled = {str(one): short[now] for one, now in current.items()}
    place = table.schema.get_field_index("evaluator")
    chunks = []
    for chunk in table.column(place).chunks:
        names = Codes()
        codes = pa.array([names[spelled[name]] for name in chunk.dictionary.to_pylist()], pa.int32())
        chunks.append(pa.DictionaryArray.from_arrays(codes.take(chunk.indices), pa.array(names, pa.string())))
    return table.set_column(place, ARROW.field(place), pa.chunked_array(chunks, _CODED))


def _open(run: Run) -> tuple[list[str], Iterator[pa.Table]]:
    """Spellings of a run's evaluators, and its rows in batches: from its index where that is fresh."""
    names = _fresh(run)
    return _read(run) if names is None else (names, _stored(index_path(run)))


def _stored(index: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(index) as stored:
        for batch in stored.iter_batches(BATCH_ROWS):
            yield pa.Table.from_batches([batch]).cast(ARROW)


def _read(run: Run) -> tuple[list[str], Iterator[pa.Table]]:
    columns = read(run, named=True)
    shown = [evaluator for evaluator in columns.evaluators if evaluator.kind is not Kind.ALTERNATIVE]
    return [str(evaluator) for evaluator in shown], _batches(columns, shown)


def _batches(columns: Columns, evaluators: Sequence[Evaluator]) -> Iterator[pa.Table]:
    """Sample by sample: a row for the run's phrase list, then one for each label."""
    names = columns.names
    if names is None or not evaluators:
        return
    labels = Codes()
    parts: list[dict[str, NDArray[Any]]] = []
    for code, evaluator in enumerate(evaluators):
        given = columns.evaluators[evaluator]
        rows = np.flatnonzero(names.phrases == code if evaluator.is_list else given.codes >= 0)
        table = np.array([*(labels[name] for name in given.names), -1])
        refused = (
            columns.outcomes(evaluator)[rows]
            if evaluator.outcome == "refused"
            else np.full(len(rows), np.nan)
        )
        parts.append(
            {
                "row": rows,
                "evaluator": np.full(len(rows), code),
                "label": table[given.codes[rows]],
                "refused": refused,
                "probability": _numbers(given.probabilities, rows),
                "weight": _numbers(given.weights, rows),
            }
        )
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(joined["row"], kind="stable")
    ids = pa.array([f"{name:016x}" for name in columns.ids.tolist()], pa.string())
    draw = columns.draw
    items, clusters, pairs = (_texts(some) for some in (names.item, names.cluster, names.pair))
    for start in range(0, len(order), BATCH_ROWS):
        one = {name: values[order[start : start + BATCH_ROWS]] for name, values in joined.items()}
        rows = one["row"]
        zeros = np.zeros(len(rows), dtype=np.int32)
        found = {
            "model": _coded(zeros, [columns.model]),
            "task": _coded(zeros, [columns.task]),
            "benchmark": _coded(zeros, [names.benchmark]),
            "variant": _coded(zeros, [names.variant]),
            "sample_id": ids.take(pa.array(rows)),
            "item_id": items.take(pa.array(rows)),
            "category": _coded(columns.category[rows], columns.categories),
            "cluster_id": clusters.take(pa.array(columns.cluster[rows])),
            "pair_id": pairs.take(pa.array(columns.pair[rows], mask=columns.pair[rows] < 0)),
            "core": _flags(columns.core[rows]),
            "expectation": _coded(columns.expectation[rows], EXPECTATIONS),
            "status": _coded(columns.status[rows], STATUSES),
            "evaluator": _coded(one["evaluator"], list(map(str, evaluators))),
            "label": _coded(one["label"], list(labels)),
            "refused": _flags(one["refused"]),
            "probability": pa.array(one["probability"], mask=np.isnan(one["probability"])),
            "output_tokens": pa.array(columns.tokens[rows], pa.int64(), mask=columns.tokens[rows] < 0),
            "weight": pa.array(one["weight"], mask=np.isnan(one["weight"])),
            "consistent": _flags(columns.consistent[rows]),
            "repeat": pa.array(draw[rows], pa.int64()),
        }
        yield pa.Table.from_pydict(found, schema=ARROW)


def _numbers(values: NDArray[np.float64] | None, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.full(len(rows), np.nan) if values is None else values[rows]


def _coded(codes: NDArray[Any], names: Sequence[str]) -> pa.DictionaryArray:
    """Names by number, -1 for none; only those that occur are in the dictionary."""
    used, index = np.unique(codes, return_inverse=True)
    first = int(used[:1].tolist() == [-1])
    kept = [names[code] for code in used[first:].tolist()]
    return pa.DictionaryArray.from_arrays(pa.array(index - first, pa.int32(), mask=codes < 0), _texts(kept))


def _flags(values: NDArray[Any]) -> pa.Array:
    """1 and 0 as true and false; anything else is missing."""
    return pa.array(values == 1, mask=(values != 1) & (values != 0))


def _texts(names: Iterable[str]) -> pa.Array:
    """Lone surrogates, which JSON can hold and Arrow cannot, become question marks."""
    return pa.array(
        [name if name.isascii() else name.encode("utf-8", "replace").decode() for name in names], pa.string()
    )


def columns_of(part: pd.DataFrame, model: str, task: str) -> Columns:
    """The columns of one model on one task from its rows of :func:`load_runs`.

    Args:
        part: The rows.
        model: Whose they are.
        task: On which task.
    """
    import pandas as pd

    first = part.drop_duplicates("sample_id").reset_index(drop=True)
    index = pd.Index(first["sample_id"])
    category, categories = first["category"].astype(str).factorize()
    evaluators = {}
    for name, said in part.groupby("evaluator", observed=True):
        rows = index.get_indexer(said["sample_id"])
        codes, names = said["label"].astype(object).factorize()
        full = np.full(len(first), -1, dtype=np.int8)
        full[rows] = codes
        weights = None
        if "weight" in said and said["weight"].notna().any():
            weights = np.ones(len(first))
            weights[rows] = said["weight"].fillna(1.0)
        probabilities = None
        if "probability" in said and said["probability"].notna().any():
            probabilities = np.full(len(first), np.nan)
            probabilities[rows] = said["probability"].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        labels = Labels(tuple(map(str, names)), full, weights, probabilities)
        evaluators[Evaluator.parse(str(name))] = labels
    missing = np.full(len(first), -1, dtype=np.int8)
    return Columns(
        model,
        task,
        Key(),
        np.arange(len(first), dtype=np.uint64),
        category.astype(np.int16),
        tuple(categories),
        first["cluster_id"].factorize()[0].astype(np.int32),
        first["pair_id"].factorize()[0].astype(np.int32),
        np.asarray(first["core"].astype("Int8").fillna(-1), dtype=np.int8),
        np.array([EXPECTATIONS.index(Expectation(value)) for value in first["expectation"]], dtype=np.int8),
        np.array([STATUSES.index(Status(value)) for value in first["status"]], dtype=np.int8),
        first["output_tokens"].fillna(-1).to_numpy(dtype=np.int32),
        np.asarray(first["consistent"].astype("Int8").fillna(-1), dtype=np.int8)
        if "consistent" in first
        else missing,
        np.full(len(first), -1, dtype=np.int64),
        evaluators,
        item=first["item_id"].factorize()[0].astype(np.int32)
        if "repeat" in first and (first["repeat"].fillna(0) > 0).any()
        else None,
    )


def _indexed(run: Run) -> Iterator[pa.Table]:
    """A run's rows; one that is large leaves an index behind, where its folder can be written to."""
    names, batches = _open(run)
    if run.samples_path.stat().st_size < INDEX_FROM_BYTES or _fresh(run) is not None:
        yield from batches
        return
    tables = list(batches)
    with contextlib.suppress(SafecotError):  # a folder that is read-only is read all the same
        _write(run, names, tables)
    yield from tables


def write_index(run: Run) -> Path:
    """Write the index of a run, whatever its size; returns its path.

    Raises:
        SafecotError: the run is damaged, or the folder cannot be written to.
    """
    if _fresh(run) is None:
        _write(run, *_read(run))
    return index_path(run)


def index_path(run: Run) -> Path:
    """Where the index of a run is."""
    return run.folder / f"{run.timestamp}_index_{run.task}.parquet"


def _write(run: Run, evaluators: Sequence[str], tables: Iterable[pa.Table]) -> None:
    told = {b"safecot": json.dumps({"state": _state(run), "evaluators": evaluators}).encode()}
    with (
        replacing(index_path(run)) as scratch,
        pq.ParquetWriter(scratch, ARROW.with_metadata(told), compression="zstd") as writer,
    ):
        for table in tables:
            writer.write_table(table.replace_schema_metadata(told))


def _fresh(run: Run) -> list[str] | None:
    """Spellings of the evaluators in a run's index; None where there is none, or the run has changed since."""
    index = index_path(run)
    if index.is_symlink() or not index.is_file():
        return None
    try:
        told = json.loads((pq.read_schema(index).metadata or {}).get(b"safecot", b"null"))
        return list(told["evaluators"]) if told["state"] == _state(run) else None
    except (OSError, ValueError, LookupError, TypeError, pa.ArrowException):
        return None


def _state(run: Run) -> list[Any]:
    """Sizes and times of the files that an index is made from."""
    files = [run.samples_path, run.results_path, *run.verdict_paths]
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files if path.exists()]
    return [_INDEX_SCHEMA, run.model, [list(entry) for entry in stats]]
