"""Endpoints as people have them, through `safecot run`: what they refuse, how they end, and Ollama from model to leaderboard."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from safecot_eval.cli import cli
from safecot_eval.util.errors import SafecotError
from tests.docs.blocks import ROOT
from tests.generate.fault_server import answer_to
from tests.generate.in_process import provenance_of, records_of, safecot_run
from tests.generate.ollama_server import TEXT, OllamaServer
from tests.util.test_chat_dialects import Accent, no, o1, whole

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lmms_eval_in_process")]


def run(url: str, output: Path, *more: str, model: str = "m", limit: str = "4") -> Any:
    arguments = f"model={model},base_url={url},max_retries=1,retry_backoff_s=0.01,timeout=10"
    return safecot_run(
        *("--model", "safecot_openai", "--model_args", arguments),
        *("--tasks", "safecot_mini_tiny", "--limit", limit, "--output_path", output, *more),
    )


def test_a_remedy_is_applied_and_recorded(tmp_path: Path) -> None:
    with Accent(o1) as accent:
        done = run(f"{accent.url}?api-version=2024-10-21", tmp_path, "--gen_kwargs", "top_p=1.0")
        assert done.exit_code == 0, done.output
        assert set(accent.paths) == {"/v1/chat/completions?api-version=2024-10-21"}
        assert not any("top_p" in body for body in accent.bodies)
    adapted = provenance_of(tmp_path)["passes"]["generate"]["adapted"]
    changes = [entry["change"] for entry in adapted]
    assert changes == ["sent max_completion_tokens instead of max_tokens", "did not send temperature"]
    assert "Only the default (1) is supported." in adapted[1]["reason"]


def test_a_server_that_refuses_everything_is_asked_three_times(tmp_path: Path) -> None:
    with Accent(lambda body, size: no("The model `m` does not exist.", 404)) as accent:
        done = run(accent.url, tmp_path, limit="40")
        assert len(accent.bodies) < 40  # those in flight, not all
    assert isinstance(done.exception, SafecotError)
    told = str(done.exception)
    assert (
        "refuses every request: status 404: The model `m` does not exist. Remedy: --model_args model=" in told
    )
    assert not list(tmp_path.rglob("*_samples_*"))


def test_no_failed_end_is_scored(tmp_path: Path) -> None:
    ends = [
        "stop",
        "error",
        "SAFETY",
        "length",
        "content_filter: PROHIBITED_CONTENT",
        "MAX_TOKENS",
        "",
        "sensitive",
    ]
    seen: Counter[str] = Counter()

    def behaviour(body: dict[str, Any], size: int) -> tuple[int, Any]:
        prompt = body["messages"][-1]["content"][-1]["text"]
        if prompt not in seen:
            seen[prompt] = len(seen)
        return whole("I'm sorry, I can't help. The picture sh", ends[seen[prompt] % len(ends)])

    with Accent(behaviour) as accent:
        done = run(accent.url, tmp_path, "--chunk", "1", limit="24")
    assert done.exit_code == 3, done.output
    scored = {
        "stop": "ok",
        "": "ok",
        "error": "request_failed",
        "length": "truncated",
        "MAX_TOKENS": "truncated",
    }
    assert len(seen) >= len(ends)  # some items share their prompt
    for record in records_of(tmp_path).values():
        end = ends[seen[record["prompt"]] % len(ends)]
        assert record["status"] == scored.get(end, "blocked_by_provider"), (end, record)
        assert (record["refusal"]["matched"] is None) == (record["status"] not in ("ok", "truncated"))
    assert "server_error, the generation did not end well (finish_reason error)" in done.output


def test_from_ollama_to_a_leaderboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe's three commands, with the stand-in's address."""
    recipe = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8").partition("Ollama")[2]
    block = recipe.partition("```bash\n")[2].partition("```")[0].strip().splitlines()
    assert [line.split()[1] for line in block] == ["run", "judge", "report"]

    def answer(model: str, prompt: str) -> str:
        return "none" if model == TEXT else answer_to(prompt)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with OllamaServer(answer, queue=3) as server:
        for line in block:
            words = (
                line.replace("http://localhost:11434/v1", server.url)
                .replace("safecot_core", "safecot_mini_tiny")
                .split()
            )
            done = safecot_run(*words[2:]) if words[1] == "run" else CliRunner().invoke(cli, words[1:])
            assert done.exit_code == 0, (line, done.output, done.exception)
        assert server.asked["llava"] == 52
        assert 20 < server.asked["llama3.1"] <= 53  # equal questions are asked once
        assert server.busy > 0
    verdicts = [json.loads(line) for path in tmp_path.rglob("verdicts/*.jsonl") for line in path.open()]
    assert {verdict["label"] for verdict in verdicts} == {"none"}
    assert {verdict["decoding"] for verdict in verdicts} == {"parsed"}
    page = (tmp_path / "leaderboard.html").read_text(encoding="utf-8")
    assert "llava" in page
    assert "llama3.1" in page
