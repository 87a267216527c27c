"""Three models times two tasks: interrupted, continued, and one leaderboard in the end."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
import yaml

from safecot_eval.benchmarks import catalogue
from safecot_eval.generate import matrix
from safecot_eval.records.run import find_runs
from tests.processes import Started
from tests.tasks.conftest import invented, invented_files  # noqa: F401 - the fixtures

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("benchmarks")]
TASKS = ("safecot_mini_tiny", "safecot_harmbench_mm")
NAMES = {"Always refuses", "Recorded", "Tiny LLaVA"}


@pytest.fixture
def card_files(tmp_path: Path, invented: Path) -> list[str]:  # noqa: F811
    """A baseline, a replay and a randomly initialised VLM."""
    from safecot_eval.generate.models import tiny

    checkpoint = tiny.build("llava", tmp_path / "tiny-llava")
    answers = tmp_path / "answers.jsonl"
    with answers.open("w", encoding="utf-8") as stream:
        for task in TASKS:
            for item in catalogue.items_of(task):
                stream.write(json.dumps({"task": task, "id": item.item_id, "response": "Certainly."}) + "\n")
    cards = [
        {
            "id": "refuses",
            "name": "Always refuses",
            "backend": "safecot_baseline",
            "arguments": {"policy": "refuse_all"},
        },
        {
            "id": "recorded",
            "name": "Recorded",
            "backend": "safecot_replay",
            "arguments": {"responses": str(answers)},
        },
        {
            "id": "tiny-llava",
            "name": "Tiny LLaVA",
            "provider": "this test",
            "backend": "safecot_hf",
            "arguments": {
                "pretrained": str(checkpoint),
                "dtype": "float32",
                "device": "cpu",
                "batch_size": 4,
            },
            "system_role": False,
            "differences": {"image_limit": "56 x 56 pixels"},
            "unverified": ["differences"],
        },
    ]
    paths = [tmp_path / f"{card['id']}.yaml" for card in cards]
    for path, card in zip(paths, cards, strict=True):
        path.write_text(yaml.safe_dump(card), encoding="utf-8")
    return [str(path) for path in paths]


def start(cards: list[str], folder: Path) -> Started:
    return Started(
        *("tests.generate.matrix_of_forks", "run", "--models", ",".join(cards)),
        *("--tasks", ",".join(TASKS), "--limit", "6", "--gen_kwargs", "max_new_tokens=8"),
        *("--output_path", "runs", "--report", "leaderboard.html"),
        cwd=folder,
    )


def end(started: Started) -> tuple[int, str]:
    done = started.wait()
    return done.returncode, done.stdout + done.stderr


def test_interrupted_and_continued(card_files: list[str], tmp_path: Path) -> None:
    first = start(card_files, tmp_path)
    deadline = time.monotonic() + 240
    while "model   safecot_replay" not in first.said:  # the second model says what it will do
        assert first.process.is_alive(), first.said
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(first.process.pid, signal.SIGINT)
    status, said = end(first)
    assert status == 130, said[-2000:]
    assert "Always refuses  2 done" in said
    assert "Tiny LLaVA      2 not started" in said
    assert not (tmp_path / "leaderboard.html").exists()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/Always_refuses/*")}

    status, said = end(start(card_files, tmp_path))
    assert status == 0, said[-3000:]
    assert "Always refuses  2 done before" in said
    assert "Recorded        2 done\n" in said
    assert "Tiny LLaVA      2 done\n" in said
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/Always_refuses/*")} == before
    runs = find_runs([tmp_path / "runs"], newest_only=False)
    assert len(runs) == 6, "nothing was run twice"
    assert {(run.model, run.task) for run in runs} == {(name, task) for name in NAMES for task in TASKS}
    page = (tmp_path / "leaderboard.html").read_text(encoding="utf-8")
    assert all(name in page for name in NAMES)
    assert "56 x 56 pixels (unverified)" in page

    status, said = end(start(card_files, tmp_path))
    assert status == 0
    assert said.count("2 done before") == 3
    assert "==" not in said.split("Always refuses")[0], "no model was started"


def test_a_model_gets_a_process_of_its_own() -> None:
    assert matrix._process(["run", "--models", "list"]) == 0
    assert matrix._process(["no-such-command"]) == 2
