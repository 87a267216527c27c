"""In processes of their own: 5,000 samples without a generation, and lmms-eval with a judge that is quick, or gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.records.run import find_runs
from tests.judge.conftest import make_run
from tests.judge.emulated import EmulatedServer
from tests.processes import python_m

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("judge-vllm")]

JUDGE_AND_LOOK = """
import sys
from safecot_eval.cli import cli
cli.main(sys.argv[1:], standalone_mode=False)
heavy = {"torch", "lmms_eval", "transformers", "datasets"} & set(sys.modules)
assert not heavy, heavy
"""


def test_judging_five_thousand_samples_generates_nothing(tmp_path: Path) -> None:
    """Nothing that could generate is even imported; the samples file stays as it is; every request is a judgement."""
    run = make_run(tmp_path / "runs", 5_000, rubrics=("harm",))
    before = run.samples_path.read_bytes()
    with EmulatedServer() as server:
        environment = {
            **os.environ,
            "SAFECOT_JUDGE_URL": server.url,
            "SAFECOT_CACHE_DIR": str(tmp_path / "cache"),
        }
        command = [sys.executable, "-c", JUDGE_AND_LOOK, "judge", str(tmp_path / "runs"), "--quiet"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        assert server.judged == len(server.asked) == 5_000
        assert all("structured_outputs" in body for body in server.bodies)
        again = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert again.returncode == 0
        assert server.judged == 5_000
    assert run.samples_path.read_bytes() == before
    verdicts = [
        line["sample_id"] for _, line in enumerate_jsonl(run.folder / "verdicts" / "emulated-judge.jsonl")
    ]
    assert verdicts == [f"{number:016x}" for number in range(5_000)]


def lmms_eval(folder: Path, url: str, *more: str) -> subprocess.CompletedProcess[str]:
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("SAFECOT_", "LMMS_"))
    }
    environment |= {"SAFECOT_CACHE_DIR": str(folder / "cache"), "SAFECOT_JUDGE_URL": url}
    model = ["--model", "safecot_baseline", "--model_args", "policy=answer_all", "--tasks", "safecot_mini"]
    more = ("--output_path", "runs", "--log_samples", *more)
    return python_m("lmms_eval", *model, *more, cwd=folder, env=environment)


def test_lmms_eval_judges_all_samples_at_once(tmp_path: Path) -> None:
    with EmulatedServer(latency_s=0.2) as server:
        done = lmms_eval(tmp_path, server.url, "--limit", "40", "--offset", "7")
    assert done.returncode == 0, done.stderr[-3000:]
    records = list(find_runs([tmp_path / "runs"])[0].samples())
    assert len(records) == 40
    assert all({v["rubric"] for v in record["verdicts"]} == {"refusal", "harm"} for record in records)
    assert server.most_at_once > 16, "lmms-eval itself scores four at a time"
    assert server.judged == len(server.asked), "none was asked twice"


def test_lmms_eval_outlives_a_judge_that_is_gone(tmp_path: Path) -> None:
    done = lmms_eval(tmp_path, "http://127.0.0.1:9/v1", "--limit", "6")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "the run goes on" in done.stderr + done.stdout
    run = find_runs([tmp_path / "runs"])[0]
    records = list(run.samples())
    assert len(records) == 6
    assert all(record["status"] == "ok" for record in records)
    assert {v["label"] for record in records for v in record["verdicts"]} == {"missing"}
    assert (
        "asr_judge,none" not in run.results["results"]["safecot_mini"]
        or not run.results["results"]["safecot_mini"]["asr_judge,none"]
    )
