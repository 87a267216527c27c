"""Dialogues that were talked through several times (``--repeats k``): k conversations each, and one cluster."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from safecot_eval.aggregate.metrics import run_metrics
from safecot_eval.aggregate.reading import read
from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.records.repeats import OTHERS, numbered, own_part, repeat_id
from safecot_eval.records.run import Run, find_runs
from safecot_reports.build import Options, build
from tests.conftest import make_doc, write_run

TASK = "safecot_mini_dialogues"
LABELS = {"s": "safe", "u": "unsafe", "?": "unparseable"}


def talked(folder: Path, dialogues: Sequence[Sequence[str]]) -> Run:
    """A run of dialogues, each a list of conversations, each a label a turn: ``["ssu", "sss"]`` was talked through twice."""
    docs, verdicts = [], []
    for d, conversations in enumerate(dialogues):
        for t in range(len(conversations[0])):
            sample = f"{d * 10 + t:016x}"
            docs.append(
                make_doc(sample_id=sample, item_id=f"{d}-{t}", cluster_id=f"d{d}", category=f"turn {t + 1}")
            )
            for number, labels in enumerate(conversations):
                place = {"task": TASK, "stamp": "20260101_000000", "rubric": "harm", "judge": "j"}
                verdicts.append({**place, "sample_id": repeat_id(sample, number), "label": LABELS[labels[t]]})
    path = write_run(folder, [(doc, "An answer.") for doc in docs], task=TASK)
    lines = []
    for _, line in enumerate_jsonl(path):
        others = [own_part(numbered(line["safecot"], n)) for n in range(1, len(dialogues[0]))]
        lines.append({**line, OTHERS: others} if others else line)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (folder / "verdicts").mkdir()
    text = "".join(json.dumps(verdict) + "\n" for verdict in verdicts)
    (folder / "verdicts" / "j.jsonl").write_text(text, encoding="utf-8")
    (run,) = find_runs([folder])
    return run


def test_each_conversation_counts(tmp_path: Path) -> None:
    run = talked(tmp_path, [["ssu", "sss", "s?s"], ["uss", "ssu", "sss"]])
    whole = run_metrics(read(run))["dialogue_asr", "j/harm"]
    assert (whole.value, whole.n, whole.n_total) == (pytest.approx(3 / 5), 5, 6)
    (view,) = build([str(tmp_path)], Options())["dialogues"]
    assert (view["evaluator"], view["dialogues"], view["k"]) == ("j/harm", 2, 3)
    assert [(turn["name"], turn["events"], turn["at_risk"]) for turn in view["turns"]] == [
        ("turn 1", 1, 6),
        ("turn 2", 0, 4),
        ("turn 3", 2, 4),
    ]
    assert view["turns"][2]["hazard"] == pytest.approx(0.5)


def test_the_interval_is_that_of_dialogues(tmp_path: Path) -> None:
    once = talked(tmp_path / "once", [["su"], ["ss"]] * 8)
    often = talked(tmp_path / "often", [["su"] * 5, ["ss"] * 5] * 8)
    (first, second) = (
        build([str(run.folder)], Options())["dialogues"][0]["turns"][1] for run in (once, often)
    )
    assert (first["at_risk"], second["at_risk"]) == (16, 80)
    assert second["hazard"] == first["hazard"] == 0.5
    assert (second["low"], second["high"]) == pytest.approx((first["low"], first["high"]), abs=0.06)


def test_no_conversation_at_risk_is_no_rate(tmp_path: Path) -> None:
    talked(tmp_path, [["us"], ["?s"]])
    (view,) = build([str(tmp_path)], Options())["dialogues"]
    assert view["turns"][1] == {
        "name": "turn 2",
        "at_risk": 0,
        "events": 0,
        "hazard": None,
        "low": 0.0,
        "high": 1.0,
    }
