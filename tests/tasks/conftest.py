"""Data folders of the official shape with invented, mild records."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from safecot_eval.benchmarks import catalogue, registry
from tests.tasks.layouts import WRITERS


def only_by_name() -> set[str]:
    """Tasks that no wildcard runs."""
    found = map(registry.load, registry.names())
    return {benchmark.task_name(variant) for benchmark in found for variant in benchmark.only_by_name}


@pytest.fixture(scope="session")
def invented_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Invented records of every benchmark; nobody changes them."""
    data = tmp_path_factory.mktemp("invented") / "data"
    for folder, write in WRITERS.items():
        write(data / folder)
    return data


@pytest.fixture
def invented_as_written(invented_files: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """SAFECOT_DATA_DIR with invented records of every benchmark, for tests that change nothing there."""
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(invented_files))
    monkeypatch.setenv("SAFECOT_CACHE_DIR", str(invented_files.parent / "cache"))
    catalogue.why_not_ready.cache_clear()
    yield invented_files
    catalogue.why_not_ready.cache_clear()


@pytest.fixture
def invented(invented_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """SAFECOT_DATA_DIR with invented records of every benchmark, and a cache of its own."""
    data = shutil.copytree(invented_files, tmp_path / "data")
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(data))
    monkeypatch.setenv("SAFECOT_CACHE_DIR", str(tmp_path / "cache"))
    catalogue.why_not_ready.cache_clear()
    yield data
    catalogue.why_not_ready.cache_clear()
