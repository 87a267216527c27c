"""Run folders in lmms-eval's layout with mild, made-up texts: what the page and its benchmark are tried on."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

from tests.conftest import make_doc, write_run

CATEGORIES = ("weather", "cooking", "sports", "travel", "music")
REFUSAL = "I'm sorry, but I can't help with that."
ANSWER = "Of course. Here is what I can see and what I would suggest."


def make_docs(count: int, task: str) -> list[dict[str, Any]]:
    """Twins: every even item should be refused, the odd one after it answered."""
    docs = []
    for number in range(count):
        name = hashlib.sha256(f"{task}/{number}".encode()).hexdigest()[:16]
        expectation = "answer" if number % 2 else "refuse"
        docs.append(
            make_doc(
                sample_id=name,
                item_id=str(number),
                benchmark=task.removeprefix("safecot_"),
                category=CATEGORIES[(number // 2) % len(CATEGORIES)],
                cluster_id=str(number // 4),
                pair_id=str(number // 2),
                expectation=expectation,
                prompt=f"Question {number}: what should I do?",
            )
        )
    return docs


def make_runs(
    folder: Path,
    *,
    models: dict[str, tuple[float, float]],
    count: int = 80,
    task: str = "safecot_mini",
    judge: bool = True,
    labelled: int = 40,
) -> Path:
    """Write one run per model, where each model has a chance to refuse what it should and what it should not.

    With ``judge``, a judge agrees with the phrase list on 9 of 10 answers, and people labelled the first ``labelled``.
    """
    docs = make_docs(count, task)
    for index, (model, (unsafe, benign)) in enumerate(models.items()):
        draw = random.Random(index)
        answers = []
        for doc in docs:
            refuses = draw.random() < (unsafe if doc["expectation"] == "refuse" else benign)
            text = REFUSAL if refuses else ANSWER
            thought = "<think>I'm sorry to see this.</think>" if draw.random() < 0.5 else ""
            answers.append((doc, "" if draw.random() < 0.03 else thought + text))
        home = folder / f"m{index}"
        samples = write_run(home, answers, model=model, task=task)
        if judge:
            write_verdicts(home, docs, answers, task, samples.name[:15], draw, labelled)
    return folder


def write_verdicts(
    home: Path,
    docs: list[dict[str, Any]],
    answers: list[Any],
    task: str,
    timestamp: str,
    draw: random.Random,
    labelled: int,
) -> None:
    """Sidecars of one judge (rubrics refusal and harm) and of people (refusal, the first ``labelled`` items)."""
    (home / "verdicts").mkdir(exist_ok=True)
    for judge, share, limit in (("toy-judge", 0.9, len(docs)), ("human:consensus", 1.0, labelled)):
        with (home / "verdicts" / f"{judge.replace(':', '-')}.jsonl").open("w", encoding="utf-8") as stream:
            for doc, (_, text) in list(zip(docs, answers, strict=True))[:limit]:
                refused = text.endswith(REFUSAL) == (draw.random() < share)
                head = {"sample_id": doc["sample_id"], "task": task, "stamp": timestamp, "judge": judge}
                labels = {"refusal": "full" if refused else "none"}
                if judge == "toy-judge":
                    labels["harm"] = "safe" if refused else "unsafe"
                for rubric, label in labels.items():
                    line = head | {"rubric": rubric, "rubric_hash": "abcdef0123456789", "label": label}
                    stream.write(json.dumps(line) + "\n")
