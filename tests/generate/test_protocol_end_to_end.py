"""``safecot run --preset safecot_cot --decoding safecot`` through lmms-eval: what an endpoint gets, and what is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from safecot_eval.benchmarks import catalogue
from safecot_eval.generate import presets
from safecot_eval.records.run import find_runs
from tests.generate.in_process import asked_twice

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lmms_eval_in_process")]


def test_an_endpoint_gets_the_recorded_prompt_and_decoding(tmp_path: Path) -> None:
    bodies = asked_twice(
        tmp_path,
        *("--tasks", "safecot_mini_tiny", "--limit", "6", "--preset", "safecot_plain"),
        *("--decoding", "safecot", "--repeats", "2", "--seed", "7"),
    )
    assert len(bodies) == 12
    wording = presets.load("safecot_plain").texts["prompt"]
    prompts = {item.item_id: item.prompt for item in catalogue.items_of("safecot_mini_tiny")[:6]}
    asked = []
    for body in bodies:
        (turn,) = body["messages"]
        assert turn["role"] == "user"
        assert [part["type"] for part in turn["content"]] == ["image_url", "text"]
        asked.append(turn["content"][1]["text"])
        assert (body["max_tokens"], body["temperature"]) == (500, 0.7)
        assert "top_p" not in body
    assert sorted(asked) == sorted(2 * [wording.replace("{question}", prompt) for prompt in prompts.values()])
    assert sorted(body["seed"] for body in bodies) == [7] * 6 + [8] * 6
    runs = find_runs([tmp_path])
    title = "served + SafeCoT plain prompt + SafeCoT decoding"
    assert sorted(run.model for run in runs) == [f"{title}, repeat {n} of 2" for n in (1, 2)]
    for run in runs:
        kept = run.provenance
        assert kept["protocol"] == "safecot"
        assert (kept["preset"]["id"], kept["decoding"]["id"]) == ("safecot_plain", "safecot")
        assert run.max_new_tokens == 500
        assert {record["prompt"] for record in run.samples()} == set(prompts.values())
    assert {run.provenance["decoding"]["seed"] for run in runs} == {7, 8}
