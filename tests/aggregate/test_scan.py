"""Streaming, the Parquet index, and folders that are damaged, doubled or made by others."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest

import safecot_eval
from safecot_eval.aggregate import tables
from safecot_eval.aggregate.tables import scan_runs
from safecot_eval.records.run import find_runs
from safecot_eval.util.errors import SafecotError
from tests.reports.make_runs import make_runs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_runs(tmp_path / "runs", models={"a": (0.8, 0.2), "b": (0.5, 0.1)}, count=60)


def test_batches_and_index_say_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = safecot_eval.load_runs(folder)
    coded = {"bool": "boolean", "double": "Float64", "int64": "Int64", "string": "string"}
    assert plain.dtypes.astype(str).to_dict() == {
        field.name: coded.get(str(field.type), "category") for field in tables.ARROW
    }
    monkeypatch.setattr(tables, "BATCH_ROWS", 7)
    batches = list(scan_runs(folder))
    assert max(len(batch) for batch in batches) == 7
    assert sum(len(batch) for batch in batches) == len(plain)
    for run in find_runs([folder]):
        assert tables.write_index(run).is_file()
    monkeypatch.setattr(tables, "_read", lambda run: pytest.fail("the index is not used"))
    indexed = safecot_eval.load_runs(folder)
    for column in plain:
        same = plain[column].astype(object).where(plain[column].notna(), None)
        assert same.tolist() == indexed[column].astype(object).where(indexed[column].notna(), None).tolist()


def test_a_large_run_leaves_an_index_that_follows_changes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "INDEX_FROM_BYTES", 1000)
    before = safecot_eval.load_runs(folder)
    run = find_runs([folder])[0]
    assert tables.index_path(run).is_file()
    sidecar = run.folder / "verdicts" / "late.jsonl"
    verdict = {"sample_id": before.sample_id.iloc[0], "rubric": "refusal", "judge": "late", "label": "none"}
    sidecar.write_text(json.dumps(verdict) + "\n")
    after = safecot_eval.load_runs(folder)
    assert len(after) == len(before) + 1
    tables.index_path(run).write_bytes(b"PAR1 damaged")
    pd.testing.assert_frame_equal(safecot_eval.load_runs(folder), after)


def test_a_folder_that_cannot_be_written_is_read_without_an_index(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "INDEX_FROM_BYTES", 1000)

    def refuse(*args: object) -> None:
        raise PermissionError(13, "read-only")

    monkeypatch.setattr(os, "replace", refuse)
    assert len(safecot_eval.load_runs(folder))
    assert not list(folder.rglob("*.parquet"))
    assert not list(folder.rglob(".*.parquet*"))


def test_a_sample_that_occurs_twice_is_reported(folder: Path) -> None:
    path = find_runs([folder])[0].samples_path
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, lines[3]]))
    with pytest.raises(SafecotError, match=f"line {len(lines) + 1}: sample .* occurs twice"):
        safecot_eval.load_runs(folder)


def test_links_out_of_the_folder_are_refused(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside_samples.jsonl"
    path = find_runs([folder])[0].samples_path
    path.rename(outside)
    path.symlink_to(outside)
    with pytest.raises(SafecotError, match="symbolic link out of"):
        find_runs([folder])
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(SafecotError, match="not a plain file"):
        find_runs([folder])
