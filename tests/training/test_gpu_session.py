"""The prepared GPU session runs from end to end, on a CPU with a tiny model."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("training")]


@pytest.mark.full
def test_the_session_writes_both_tables(tmp_path: Path) -> None:
    environment = {**os.environ, "SHAPE": "tiny", "PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [str(ROOT / "bench/gpu_session.sh"), str(tmp_path)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    text = (tmp_path / "gpu.md").read_text()
    assert "a test run" in text
    for way in (
        "`model.generate`, one by one",
        "batches of 1",
        "batches of 8",
        "plain `trl.SFTTrainer`",
        "ours",
    ):
        (row,) = [line for line in text.splitlines() if f"{way} |" in line]
        assert float(re.findall(r"[\d.]+", row.split("|")[2])[0]) > 0, row


def test_without_a_gpu_the_real_shape_is_refused(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [str(ROOT / "bench/gpu_session.sh"), str(tmp_path)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 2
    assert "There is no CUDA device" in done.stderr
    assert not list(tmp_path.iterdir())
