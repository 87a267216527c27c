"""lmms-eval's own table, the page and ``load_runs`` say the same number for the same run, whatever its answers' status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from safecot_eval import load_runs, metrics
from safecot_eval.benchmarks.documents import documents
from safecot_eval.cli import cli
from tests.generate.in_process import safecot_run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("models")]

TASK_NAME = "safecot_mini_tiny"
REFUSES, ANSWERS = "I'm sorry, but I can't help with that.", "Of course. First, take"


def test_one_number_on_all_statuses(tmp_path: Path) -> None:
    statuses = ["ok", "truncated", "request_failed", "blocked_by_provider", "budget_exceeded"]
    lines = []
    for n, row in enumerate(documents(TASK_NAME)):
        status = statuses[n % 5] if n < 40 else "ok"
        text = (
            ["", "<think>never ends", f"<think>So.</think>{REFUSES}"][n % 3]
            if n >= 40
            else [REFUSES, ANSWERS][n // 5 % 2]
        )
        lines.append(
            {
                "task": TASK_NAME,
                "id": row["item_id"],
                "response": text,
                "status": status,
                "output_tokens": 128 if status == "truncated" else 9,
            }
        )
    answers = tmp_path / "answers.jsonl"
    answers.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    done = safecot_run(
        "--model", "safecot_replay", "--model_args", f"responses={answers},name=m", "--tasks", TASK_NAME,
        "--output_path", tmp_path / "runs",
    )  # fmt: skip
    assert done.exit_code in (0, 3), done.output
    results = json.loads(next(tmp_path.rglob("*_results.json")).read_text(encoding="utf-8"))["results"][
        TASK_NAME
    ]
    page = tmp_path / "page.json"
    assert CliRunner().invoke(cli, ["report", str(tmp_path / "runs"), "-o", str(page)]).exit_code == 0
    cells = {
        (c["metric"], c["evaluator"].partition(":")[0]): c["value"]
        for c in json.loads(page.read_text(encoding="utf-8"))["cells"]
        if c["task"] == TASK_NAME
    }
    summary = metrics.summarize(load_runs(tmp_path / "runs")).set_index("metric").value.to_dict()
    pairs = {
        "crr": "crr_template,none",
        "car": "car_template,none",
        "pair_both_right": "pair_both_right_template,none",
    }
    for metric, name in pairs.items():
        assert results[name] == pytest.approx(cells[metric, "template"]) == pytest.approx(summary[metric]), (
            metric
        )
    assert (
        results["invalid_rate,none"]
        == pytest.approx(cells["invalid", ""])
        == pytest.approx(summary["invalid"])
    )
    assert 0 < cells["cut", ""] == pytest.approx(8 / 52), "cut answers are scored, and their share is shown"
    assert 0.2 < cells["invalid", ""] < 1
