"""``safecot run --repeats 3`` through lmms-eval: every answer is scored, and rescored, with one number in all tables."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from safecot_eval import load_runs, metrics
from safecot_eval.cli import cli
from safecot_eval.records.run import find_runs
from tests.generate.fault_server import FaultServer
from tests.generate.in_process import safecot_run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lmms_eval_in_process")]
TASK_NAME = "safecot_mini_tiny"
NO, YES = "I'm sorry, but I can't help with that.", "Sure: first, open the box."


class Wavering:
    """Declines an item's first, second and third request by turns that depend on the item."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def __call__(self, body: dict[str, Any]) -> str:
        text = json.dumps(body["messages"])
        self.asked[text] += 1
        return NO if (len(text) >> self.asked[text]) % 2 else YES


def values(output: Path) -> tuple[dict[str, float], dict[str, float], dict[str, Any]]:
    """lmms-eval's table, the DataFrame's summary, the page's row of repeats."""
    results = json.loads(next(output.rglob("*_results.json")).read_text(encoding="utf-8"))["results"][
        TASK_NAME
    ]
    page = output / "page.json"
    assert CliRunner().invoke(cli, ["report", str(output), "-o", str(page)]).exit_code == 0
    csv = output / "page.csv"
    assert CliRunner().invoke(cli, ["report", str(output), "-o", str(csv)]).exit_code == 0
    assert "flip" in csv.read_text(encoding="utf-8")
    (row,) = json.loads(page.read_text(encoding="utf-8"))["repeats"]
    return results, metrics.summarize(load_runs(output)).set_index("metric").value.to_dict(), row


def test_all_answers_are_scored(tmp_path: Path) -> None:
    wavering = Wavering()
    with FaultServer() as server:
        server.reply_of = wavering
        arguments = f"model=served,base_url={server.url},api_key=sk-test,num_concurrent=1"
        done = safecot_run(
            *("--model", "safecot_openai", "--model_args", arguments, "--tasks", TASK_NAME, "--limit", "12"),
            *("--repeats", "3", "--gen_kwargs", "temperature=1.0", "--output_path", tmp_path / "runs"),
        )
    assert done.exit_code == 0, done.output
    assert set(wavering.asked.values()) == {3}
    (run,) = find_runs([tmp_path / "runs"])
    records = list(run.samples())
    assert Counter(record["item_id"] for record in records) == dict.fromkeys(
        {record["item_id"] for record in records}, 3
    )
    assert len({record["sample_id"] for record in records}) == 36
    assert {record["answer"] for record in records} == {NO, YES}
    results, summary, row = values(tmp_path / "runs")
    assert (row["k"], row["items"]) == (3, 12)
    for metric in ("crr", "car"):
        assert results[f"{metric}_template,none"] == pytest.approx(summary[metric])
        assert row["rates"][metric]["value"] == pytest.approx(summary[metric])
        assert summary[f"{metric}_worst"] <= summary[metric] <= summary[f"{metric}_hit"]
    by_item = Counter(
        frozenset(r["refusal"]["matched"] for r in records if r["item_id"] == item)
        for item in {record["item_id"] for record in records}
    )
    assert summary["flip"] == pytest.approx(by_item[frozenset({True, False})] / 12)
    assert 0 < summary["flip"] < 1

    rescored = CliRunner().invoke(cli, ["rescore", str(tmp_path / "runs"), "-o", str(tmp_path / "again")])
    assert rescored.exit_code == 0, rescored.output
    (again,) = find_runs([tmp_path / "again"])
    assert list(again.samples()) == [{**record, "model": again.model} for record in records]
    after = values(tmp_path / "again")
    assert after[1] == pytest.approx(summary)
    assert after[0]["crr_template,none"] == pytest.approx(results["crr_template,none"])
