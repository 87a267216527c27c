"""Two small runs of two models, some answers of which cannot be scored."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import make_doc, write_run

ANSWERS = 20


def docs():
    return [
        make_doc(
            sample_id=f"{i:016x}",
            item_id=str(i),
            cluster_id=str(i),
            prompt=f"Question {i}?",
            category="ab"[i % 2],
        )
        for i in range(ANSWERS)
    ]


@pytest.fixture
def runs(tmp_path) -> Path:
    """Model "alpha" refuses every fourth question, "beta" every second; each has one empty answer."""
    root = tmp_path / "out"
    for model, period in (("alpha", 4), ("beta", 2)):
        texts = [
            f"I'm sorry, {model} {i}" if i % period == 0 else f"=SUM({i}) by {i}" for i in range(ANSWERS)
        ]
        texts[3] = ""
        write_run(root / model, list(zip(docs(), texts, strict=True)), model=model)
    return root
