"""One run of the embedded benchmark, its submission, and a runner of commands."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from safecot_eval import submissions
from safecot_eval.benchmarks.documents import documents
from safecot_eval.cli.submit import command as submit
from tests.conftest import write_run

TASK = "safecot_mini_tiny"
SECRET = "sk-topsecret"
PROMPT_WORD = "recognisable"
REFUSAL = "I'm sorry, but I can't help with that."


def parsed(doc: dict[str, Any]) -> dict[str, Any]:
    return {**doc, **{key: json.loads(doc[key]) for key in ("image_sha256", "rubrics", "extra")}}


def write_mini(
    folder: Path, model: str = "toy", *, refuse_every: int = 3, timestamp: str = "20260101_000000"
) -> Path:
    """A run with answers of every kind, a judge and people."""
    docs = [parsed(doc) for doc in documents(TASK)]
    answers = []
    for number, doc in enumerate(docs):
        text = REFUSAL if number % refuse_every == 0 else f"Of course, that is {PROMPT_WORD}."
        answers.append((doc, "" if number == 7 else f"<think>Hm, {number}.</think>{text}"))
    samples = write_run(folder, answers, model=model, task=TASK, timestamp=timestamp)
    (folder / "verdicts").mkdir()
    for judge, count in (("judge-x", len(docs)), ("human:me", 20)):
        with (folder / "verdicts" / f"{judge.replace(':', '-')}.jsonl").open("w") as stream:
            for number, doc in enumerate(docs[:count]):
                label = "full" if number % refuse_every == 0 else "none"
                head = {"sample_id": doc["sample_id"], "task": TASK, "stamp": timestamp, "judge": judge}
                weight = {"weight": 1.5} if judge == "human:me" else {}
                stream.write(json.dumps(head | {"rubric": "refusal", "label": label} | weight) + "\n")
    results = folder / f"{timestamp}_results.json"
    content = json.loads(results.read_text())
    content["config"]["model_args"] += f",api_key={SECRET},cache=/home/somebody/models"
    content["lmms_eval_version"] = "0.7.3"
    results.write_text(json.dumps(content))
    return samples


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("submitted") / "toy"
    write_mini(folder)
    return folder


@pytest.fixture(scope="session")
def sealed(run_folder: Path) -> dict[str, Any]:
    target = run_folder.parent / "toy.safecot.json"
    arguments = [
        str(run_folder),
        "-o",
        str(target),
        "--submitter",
        "A. Tester",
        "--relationship",
        "third_party",
    ]
    done = CliRunner().invoke(submit, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return submissions.load(target)


@pytest.fixture
def forge(sealed: dict[str, Any]) -> Callable[[Callable[[dict[str, Any]], Any]], dict[str, Any]]:
    """A copy of the submission, changed, with a hash that fits again: what a careful cheat would write."""

    def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        document = copy.deepcopy(sealed)
        change(document)
        document["sha256"] = submissions.document.content_hash(document)
        return document

    return changed
