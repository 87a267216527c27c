"""A small made-up copy of both data sets: our own invented answers, under the sets' file and column names."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from safecot_eval.judge.lite.styles import invent

XSTEST_LABELS = {"none": "1_full_compliance", "full": "2_full_refusal", "partial": "3_partial_refusal"}


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    texts = invent(600, seed=7)
    for number in range(3):
        rows = []
        for text in texts[100 * number : 100 * (number + 1)]:
            label = XSTEST_LABELS[text.label]
            rows.append(
                {"prompt": text.prompt, "completion": text.answer, "final_label": label}
                | {"annotation_1": label, "annotation_2": label}
            )
        write_csv(root / "xstest" / f"completions_llm{number}.csv", rows)
    rows = []
    for index, text in enumerate(texts[300:]):
        kind = "1.2 - refusal only" if text.bare else "1.1 - rejection or rebuttal"
        rows.append(
            {"model": f"maker--vlm{index % 3}", "prompt_text": text.prompt, "response": text.answer}
            | {"annot1_label": kind, "annot2_label": kind, "final_taxonomy": kind}
        )
    write_csv(root / "msts" / "responses_english_multimodal.csv", rows)
    for number in range(3):
        _write_run(root / "safecot_runs" / f"base{number}__v2__ood.jsonl", number)
    return root


def _write_run(path: Path, seed: int) -> None:
    """A run of recorded answers: a description, and in every second answer a refusal after it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for index, text in enumerate(invent(240, seed=100 + seed)):
        if text.label != "partial":
            refused = text.label == "full"
            shown = f"The image shows {text.prompt.lower()} on a poster. The colours are muted. {text.answer}"
            record = {"question": text.prompt, "answer": shown, "image": f"{index}.jpg", "label": "safe"}
            lines.append(json.dumps(record | {"judge_accept_probability": 0.03 if refused else 0.99}))
    lines.append(json.dumps({"question": "q", "answer": "not judged", "judge_accept_probability": None}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
