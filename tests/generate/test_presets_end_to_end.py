"""Prompting presets and real images through lmms-eval: our two back ends and its own OpenAI client."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from safecot_eval.benchmarks import catalogue
from safecot_eval.generate import presets
from safecot_eval.generate.presets import self_check
from safecot_eval.records.run import find_runs
from tests.generate.fault_server import FaultServer
from tests.generate.in_process import provenance_of, records_of, safecot_run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lmms_eval_in_process")]
REAL = "safecot_mossbench,safecot_mossbench_contrast,safecot_harmbench_mm,safecot_mm_harmfulbench"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from safecot_eval.generate.models import tiny

    return tiny.build("qwen2_5_vl", tmp_path_factory.mktemp("tiny") / "tiny-qwen")


def ask_endpoint(server: FaultServer, output: Path, preset: str, back_end: str = "safecot_openai") -> Any:
    arguments = f"model=served,base_url={server.url},api_key=sk-test,num_concurrent=4"
    return safecot_run(
        *("--model", back_end, "--model_args", arguments, "--tasks", "safecot_mini_tiny", "--limit", "6"),
        *("--output_path", output, "--preset", preset, "--no-journal"),
    )


def roles(body: dict[str, Any]) -> list[str]:
    return [message["role"] for message in body["messages"]]


def said(body: dict[str, Any]) -> str:
    parts = [part for message in body["messages"] for part in _content(message)]
    return "\n".join(part.get("text", "<image>") for part in parts)


def _content(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


@pytest.mark.parametrize("back_end", ["safecot_openai", "openai"])
def test_a_system_prompt_reaches_an_endpoint(back_end: str, tmp_path: Path) -> None:
    with FaultServer() as server:
        done = ask_endpoint(server, tmp_path, "safety_system_prompt", back_end)
        assert done.exit_code == 0, done.output
        asked = [body for body in server.bodies if len(body["messages"]) > 1]
    assert len(asked) == 6
    assert all(roles(body) == ["system", "user"] for body in asked)
    wording = presets.load("safety_system_prompt").texts["system"]
    assert all(said(body).startswith(wording) and "<image>" in said(body) for body in asked)
    (run,) = find_runs([tmp_path])
    assert run.model == "served + safety system prompt"
    assert provenance_of(tmp_path)["preset"]["id"] == "safety_system_prompt"


def test_zero_shot_cot_reaches_an_endpoint(tmp_path: Path) -> None:
    with FaultServer() as server:
        assert ask_endpoint(server, tmp_path, "zero_shot_cot").exit_code == 0
        assert len(server.bodies) == 6
        assert all(
            said(body).endswith(presets.load("zero_shot_cot").texts["suffix"]) for body in server.bodies
        )
    (run,) = find_runs([tmp_path])
    assert run.model == "served + zero-shot CoT"


def test_the_self_check_of_an_endpoint_answers_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def thinking(prompt: str) -> str:
        if "Reply with one word" in prompt:
            return "yes"
        if "Describe what the image shows" in prompt:
            return "A sign."
        return "I'm sorry, I won't." if "There is a picture that you cannot see" in prompt else "Here is how."

    monkeypatch.setattr("tests.generate.fault_server.answer_to", thinking)
    with FaultServer() as server:
        done = ask_endpoint(server, tmp_path, "ecso")
        assert done.exit_code == 0, done.output
        assert len(server.bodies) == 4 * 6
        blind = [body for body in server.bodies if "cannot see" in said(body)]
        assert len(blind) == 6
        assert not any("<image>" in said(body) for body in blind)
        assert sum(roles(body) == ["user", "assistant", "user"] for body in server.bodies) == 6
    assert {record["raw"] for record in records_of(tmp_path).values()} == {"I'm sorry, I won't."}
    kept = provenance_of(tmp_path)["preset"]
    assert kept["steps"] == {"checked": 6, "harmful": 6, "answered_again": 6}


@pytest.mark.parametrize("preset", ["ecso", "safety_system_prompt", "zero_shot_cot"])
def test_presets_of_a_checkpoint(
    preset: str, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("CHECK_TOKENS", "DESCRIPTION_TOKENS"):  # random weights never stop by themselves
        monkeypatch.setattr(self_check, limit, 8)
    done = safecot_run(
        *(
            "--model",
            "safecot_hf",
            "--model_args",
            f"pretrained={checkpoint},dtype=float32,device=cpu,batch_size=4",
        ),
        *("--tasks", "safecot_mini_tiny", "--limit", "4", "--gen_kwargs", "max_new_tokens=8"),
        *("--output_path", tmp_path, "--preset", preset),
    )
    assert done.exit_code == 0, done.output
    (run,) = find_runs([tmp_path])
    assert run.model == f"tiny-qwen + {presets.load(preset).title}"
    records = list(run.samples())
    assert len(records) == 4
    items = {item.item_id: item.prompt for item in catalogue.items_of("safecot_mini_tiny")}
    assert all(record["prompt"] == items[record["item_id"]] for record in records)
    steps = provenance_of(tmp_path)["preset"]["steps"]
    assert steps.get("checked", 0) == (
        sum(bool(r["raw"].strip()) for r in records) if preset == "ecso" else 0
    )


def test_real_images_of_mossbench_reach_a_checkpoint(
    checkpoint: Path, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(data_dir))
    catalogue.why_not_ready.cache_clear()
    done = safecot_run(
        *(
            "--model",
            "safecot_hf",
            "--model_args",
            f"pretrained={checkpoint},dtype=float32,device=cpu,batch_size=4",
        ),
        *("--tasks", REAL, "--limit", "4", "--gen_kwargs", "max_new_tokens=8", "--output_path", tmp_path),
    )
    assert done.exit_code == 0, done.output
    runs = find_runs([tmp_path])
    assert {run.task for run in runs} == set(REAL.split(","))
    for run in runs:
        items = {item.item_id: item for item in catalogue.items_of(run.task)}
        records = list(run.samples())
        assert len(records) == 4
        for record in records:
            (image,) = items[record["item_id"]].images
            assert record["image_sha256"] == [hashlib.sha256(image.read_bytes()).hexdigest()]
            assert record["image_source"] == "official"
            assert record["status"] in ("ok", "truncated", "empty")
        assert len({record["raw"] for record in records}) > 1, "another image gives another answer"
