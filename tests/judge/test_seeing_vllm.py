"""A judge that sees, for real: a tiny random VLM behind the real vLLM server judges answers with their pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from safecot_eval.judge import pictures
from safecot_eval.judge.endpoint.endpoint import Endpoint
from safecot_eval.judge.endpoint.remote import RemoteJudge
from safecot_eval.judge.judge_runs import judge_runs
from safecot_eval.judge.rubrics import own
from tests.judge.test_seeing import mini_run, verdicts
from tests.training.test_chain import served

pytestmark = [pytest.mark.full, pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_tiny_vlm_judges_with_pictures(tmp_path: Path) -> None:
    from safecot_eval.generate.models import tiny

    model = tiny.build("llava", tmp_path / "vlm")
    run = mini_run(tmp_path / "runs")
    with served(model, tmp_path / "vllm.log", "--max-model-len", "4096") as server:
        judge = RemoteJudge(Endpoint(f"{server.url}/v1", "whole"))
        judge_runs(
            [run], judge, pictures.with_pictures({"harm": own()["harm"]}), judge_id="tiny+image", quiet=True
        )
    found = verdicts(run)
    assert len(found) == 4
    assert {verdict["label"] for verdict in found} <= {"safe", "unsafe", "unsure"}
    assert {verdict["decoding"] for verdict in found} == {"choice"}
    assert judge.counts.input_tokens > 4 * 1000, "pictures and texts are tokens of the prompt"
