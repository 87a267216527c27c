"""All recorded answers end in one leaderboard, with the judges' labels that came with them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from safecot_eval.cli import demo_recorded
from safecot_eval.records.run import find_runs
from safecot_reports.build import Options, build

ROWS = 14_169
LEFT = 8
"""VLSBench's questions that several of its items ask, recorded without the id or the picture."""


def test_every_recorded_file_is_somebodys(data_dir: Path) -> None:
    folder = data_dir / demo_recorded.FOLDER
    taken = Counter(path for pattern, _, _ in demo_recorded.FILES for path in folder.glob(pattern))
    assert taken == Counter(folder.glob("*/*.jsonl"))


@pytest.mark.full
def test_one_leaderboard(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(data_dir))
    files = demo_recorded.import_answers(data_dir / demo_recorded.FOLDER, tmp_path / "runs")
    assert files == len(list((data_dir / demo_recorded.FOLDER).glob("*/*.jsonl")))
    data = build([str(tmp_path / "runs")], Options())
    assert (len(data["models"]), len(data["tasks"])) == (10, 13)
    runs = find_runs([tmp_path / "runs"])
    statuses = Counter(record["status"] for run in runs for record in run.samples())
    assert sum(statuses.values()) - statuses["not_run"] == ROWS - LEFT
    rows = data["labels"]  # what the page shows
    (file,) = (data_dir / demo_recorded.FOLDER / "reference_totals").glob("*.json")
    totals = json.loads(file.read_text())
    for name, key in (("rules", "eval_results_shortpipe"), ("rationale", "eval_results_longpipe")):
        found = {
            row["category"]: row["labels"]
            for row in rows
            if row["model"] == f"Llama 3.2 Vision + {name}" and "gpt-4o" in row["evaluator"]
        }
        for scenario, models in totals[key].items():
            (figures,) = models.values()
            assert {k: found[scenario].get(k, 0) for k in ("safe", "unsafe")}.items() <= figures.items()
    unparseable = sum(row["labels"].get("unparseable", 0) for row in rows if "gpt-4o" in row["evaluator"])
    assert unparseable == 4
    revisions = {
        r["data_revision"] for run in runs if run.task.endswith("holisafe_usu") for r in run.samples()
    }
    assert len(revisions) == 1  # two files with the same questions are one task
