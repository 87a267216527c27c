"""Weights & Biases through lmms-eval's own switch: `safecot run` passes it on and still publishes the run whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from safecot_eval.records.run import find_runs
from tests.processes import python_m


@pytest.mark.slow
def test_wandb_offline(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    model = [
        "--model",
        "safecot_baseline",
        "--model_args",
        "policy=refuse_all",
        "--tasks",
        "safecot_mini_tiny",
    ]
    switch = ["--limit", "4", "--output_path", "runs", "--wandb_args", "project=safety,mode=offline"]
    done = python_m(
        "safecot_eval", "run", *model, *switch, cwd=tmp_path, env={**os.environ, "WANDB_SILENT": "true"}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (run,) = find_runs([tmp_path / "runs"])
    assert len(list(run.samples())) == 4
    kept = list((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len(kept) == 1
    content = kept[0].read_bytes()
    assert b"safecot_mini_tiny" in content
