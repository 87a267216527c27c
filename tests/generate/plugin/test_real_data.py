"""Real answers and real images through the commands that a user types."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import safecot_eval
from safecot_eval.aggregate import metrics
from safecot_eval.benchmarks import registry
from safecot_eval.benchmarks.data.replays import write_replays
from safecot_eval.records.run import find_runs
from tests.processes import python_m

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("models")]


def run(command: list[str], folder: Path, data: Path) -> subprocess.CompletedProcess[str]:
    done = python_m(*command, cwd=folder, env={**os.environ, "SAFECOT_DATA_DIR": str(data)})
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_both_sides_of_one_recorded_vlm(data_dir: Path, tmp_path: Path) -> None:
    """GPT-4o's published answers to MSTS and to MOSSBench, in one file, through `lmms-eval eval`."""
    lines = ""
    for name in ("msts", "mossbench"):
        files = write_replays(registry.load(name), data_dir / name)
        lines += next(path for path in files if path.stem == "gpt-4o").read_text(encoding="utf-8")
    (tmp_path / "gpt-4o.jsonl").write_text(lines, encoding="utf-8")
    arguments = ["--model", "safecot_replay", "--model_args", "name=GPT-4o,responses=gpt-4o.jsonl"]
    tasks = ["--tasks", "safecot_msts,safecot_mossbench", "--output_path", "runs", "--log_samples"]
    run(["lmms_eval", "eval", *arguments, *tasks], tmp_path, data_dir)
    table = safecot_eval.load_runs(tmp_path / "runs")
    assert set(table.model) == {"GPT-4o"}
    assert table.groupby("task", observed=True).size().to_dict() == {
        "safecot_msts": 400,
        "safecot_mossbench": 300,
    }
    summary = metrics.summarize(table)
    assert {"crr", "car"} <= set(summary.metric)
    run(["safecot_eval", "report", "runs", "-o", "page.csv"], tmp_path, data_dir)
    assert "GPT-4o" in (tmp_path / "page.csv").read_text(encoding="utf-8")


def test_real_and_rendered_images(tiny_checkpoint, data_dir: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """FigStep's own images and MM-SafetyBench's rendered ones reach a model of a real architecture."""
    checkpoint = tiny_checkpoint("qwen2_5_vl")
    arguments = ["--model_args", f"pretrained={checkpoint},dtype=float32,device=cpu,batch_size=10"]
    tasks = ["--tasks", "safecot_figstep,safecot_mmsafetybench_typo", "--limit", "20"]
    more = ["--gen_kwargs", "max_new_tokens=8", "--output_path", "runs"]
    run(["safecot_eval", "run", "--model", "safecot_hf", *arguments, *tasks, *more], tmp_path, data_dir)
    shown = {found.task: list(found.samples()) for found in find_runs([tmp_path / "runs"])}
    assert {task: len(records) for task, records in shown.items()} == {
        "safecot_figstep": 20,
        "safecot_mmsafetybench_typo": 20,
    }
    for task, source in (("safecot_figstep", "official"), ("safecot_mmsafetybench_typo", "rendered")):
        records = shown[task]
        assert {record["image_source"] for record in records} == {source}
        assert len({record["image_sha256"][0] for record in records}) == 20
        assert {record["status"] for record in records} <= {"ok", "truncated", "empty"}
        assert all(record["output_tokens"] <= 8 for record in records)
        assert len({record["raw"] for record in records}) > 1, "the answers depend on the images and words"
