"""One set of runs and its page for all tests of this room."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from safecot_reports.build import Options, build
from safecot_reports.page import page_html
from tests.reports.make_runs import make_runs

MODELS = {"refuse_all": (1.0, 1.0), "answer_all": (0.0, 0.0), "Alpha": (0.9, 0.3), "Beta": (0.6, 0.05)}


@pytest.fixture(scope="session")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_runs(tmp_path_factory.mktemp("runs"), models=MODELS)
    for number, samples in ((2, 100), (3, 400)):
        content = {
            "variant": "v2",
            "samples": samples,
            "train_loss": 0.5,
            "loss_history": [[1, 2.0], [9, 0.5]],
        }
        content |= {"in_distribution_benchmarks": ["mini"], "base_model": "base", "seed": 0}
        (folder / f"m{number}" / "safecot_checkpoint.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="session")
def data(runs_dir: Path) -> dict[str, Any]:
    return build([str(runs_dir)], Options())


@pytest.fixture(scope="session")
def page(data: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "leaderboard.html"
    path.write_text(page_html(data), encoding="utf-8")
    return path
