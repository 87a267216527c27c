"""A task folder with one toy benchmark, so that planning is tested without the real data."""

from __future__ import annotations

from pathlib import Path

import pytest

from safecot_eval.benchmarks import catalogue, registry

TOY = """
from safecot_eval.util.errors import SafecotError
from safecot_eval.records.samples import Expectation, ImageSource, Item

TITLE, VERSION, REVISION, LICENCE, SOURCE = "Toy", "1.0", "r1", "own", "own"
VARIANTS = {"": "all", "gone": "data missing", "urls": "images are addresses"}
RUBRICS = ("refusal",)
DATA = None


def items(variant, root):
    if variant == "gone":
        raise SafecotError("the toy data are missing; ask at the toy shop.")
    source = ImageSource.ABSENT if variant == "urls" else ImageSource.NONE
    for i in range(3):
        yield Item(str(i), f"question {i}", "c", Expectation.REFUSE, image_source=source)
"""


@pytest.fixture
def toy_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tasks"
    (folder / "toy").mkdir(parents=True)
    (folder / "toy" / "benchmark.py").write_text(TOY, encoding="utf-8")
    monkeypatch.setattr(registry, "tasks_dir", lambda: folder)
    monkeypatch.setattr(catalogue, "root", lambda name: tmp_path)
    registry.load.cache_clear()
    catalogue.why_not_ready.cache_clear()
    yield folder
    registry.load.cache_clear()
    catalogue.why_not_ready.cache_clear()
