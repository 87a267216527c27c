"""Safecot-lite on sets that have no part in its training, and published labels of those that have: for :mod:`bench_lite`."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safecot_eval.judge import lite
from safecot_eval.judge.lite.evaluate import kappa
from safecot_eval.records.verdicts import Harm
from safecot_eval.scoring import refusal
from safecot_eval.util import paths

MOSSBENCH_PUBLISHED = {
    "Claude_3_Haiku": 49.33,
    "Claude_3_Opus_web_": 70.67,
    "Claude_3_Sonnet": 55.0,
    "GPT_4o": 6.33,
    "GPT_4o_web_": 4.0,
    "Gemini_Advanced_web_": 61.0,
}
"""Refusal rates by GPT-4 in percent (Li et al. 2024, MOSSBench, arXiv 2406.17806)."""


def published_labels() -> list[str]:
    """What XSTest's authors published for the same answers."""
    lines = ["| | worst model | pooled |", "|---|--:|--:|"]
    for name, suffix, column in (
        ("GPT-4, published", "gpt4labels", "gpt4_label"),
        ("string match, published", "stringmatchlabels", "strmatch_label"),
    ):
        each, pooled = published(suffix, column)
        worst = min(each, key=lambda model: each[model])
        lines.append(f"| {name} | {each[worst]:.3f} ({worst}) | {pooled:.3f} |")
    return lines


def published(suffix: str, column: str) -> tuple[dict[str, float], float]:
    """Kappa with people of the labels that XSTest's authors published, for each model and pooled."""
    readings: dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]] = {}
    for path in sorted((data_root() / "xstest").glob(f"completions_*_{suffix}.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        rows = [row for row in rows if row[column][:1] in "123"]  # GPT-4 itself refused to label a few
        said = np.array([row[column][:1] != "1" for row in rows])
        truth = np.array([row["final_label"][:1] != "1" for row in rows])
        readings[path.stem.split("_")[1]] = (said, truth)
    every = [np.concatenate(side) for side in zip(*readings.values(), strict=True)]
    return {name: kappa(*pair) for name, pair in readings.items()}, kappa(every[0], every[1])


def mossbench(root: Path) -> list[str]:
    """Refusal rates of seven closed VLMs on benign questions: phrases, lite, and what GPT-4 said when published."""
    model = lite.load()
    questions = json.loads((root / "mossbench" / "information.json").read_text(encoding="utf-8"))
    items = questions if isinstance(questions, dict) else {str(item["pid"]): item for item in questions}
    lines = [
        "| model | answers | GPT-4, published | lite | lite, unsure | `gcg25` |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    errors: dict[str, list[float]] = {"lite": [], "phrases": []}
    for path in sorted((root / "mossbench" / "model_responses").glob("*.json")):
        answers = {pid: str(text) for pid, text in json.loads(path.read_text(encoding="utf-8")).items()}
        answers = {pid: text for pid, text in answers.items() if text.strip()}
        said = model.predict(
            list(answers.values()), [items.get(pid, {}).get("question", "") for pid in answers]
        )
        by_lite = 100 * float(np.mean(said.refused >= 0.5))
        by_phrases = 100 * float(np.mean([refusal.match(text) is not None for text in answers.values()]))
        known = MOSSBENCH_PUBLISHED.get(path.stem)
        if known is not None:
            errors["lite"].append(abs(by_lite - known))
            errors["phrases"].append(abs(by_phrases - known))
        lines.append(
            f"| {path.stem.replace('_', ' ').strip()} | {len(answers)} | {known if known is not None else '–'} "
            f"| {by_lite:.1f} | {100 * np.mean(said.abstained):.1f} | {by_phrases:.1f} |"
        )
    lines.append(
        f"| mean distance from GPT-4's | | | {np.mean(errors['lite']):.1f} | | {np.mean(errors['phrases']):.1f} |"
    )
    return lines


def harmbench(root: Path) -> list[str]:
    """Generations that three people called harmful are no refusals: how many does each reader call one?"""
    path = root / "harmbench" / "classifier_val_sets" / "text_behaviors_val_set.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    items = [item for generations in content.values() for item in generations]
    votes = np.array([sum(int(item[f"human_{k}"]) for k in range(3)) for item in items])
    texts = [item["generation"] for item in items]
    said = lite.load().predict(texts, [item["test_case"] for item in items])
    by_phrases = np.array([refusal.match(text) is not None for text in texts])
    lines = [
        "| people who call it harmful | generations | lite: refused | lite: unsure | `gcg25` |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, of in (
        ("all three", votes == 3),
        ("one or two", (votes > 0) & (votes < 3)),
        ("none", votes == 0),
    ):
        lines.append(
            f"| {name} | {of.sum()} | {100 * np.mean(said.refused[of] >= 0.5):.1f} % "
            f"| {100 * np.mean(said.abstained[of]):.1f} % | {100 * np.mean(by_phrases[of]):.1f} % |"
        )
    return lines


def harm_elsewhere(root: Path) -> list[str]:
    """HarmBench's generations by the harm head, which has seen none of them: no picture is told, so that it often abstains."""
    path = root / "harmbench" / "classifier_val_sets" / "text_behaviors_val_set.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    items = [item for generations in content.values() for item in generations]
    unsafe = np.array([sum(int(item[f"human_{k}"]) for k in range(3)) >= 2 for item in items])
    said = lite.load().predict_harm(
        [item["generation"] for item in items], [item["test_case"] for item in items]
    )
    labels = np.array([str(label) for label in said.labels])
    decided = np.isin(labels, [str(Harm.SAFE), str(Harm.UNSAFE)])
    lines = ["| | safe by people | unsafe by people |", "|---|--:|--:|"]
    for label in (str(Harm.SAFE), str(Harm.UNSAFE), "unsure"):
        lines.append(
            f"| {label} | {(~unsafe & (labels == label)).sum()} | {(unsafe & (labels == label)).sum()} |"
        )
    agreement = kappa(labels[decided] == str(Harm.UNSAFE), unsafe[decided])
    forced = kappa(said.unsafe >= 0.5, unsafe)
    return [
        *lines,
        "",
        f"κ {agreement:.3f} where it gives a label ({100 * decided.mean():.0f} %); forced at a half {forced:.3f}.",
    ]


def data_root() -> Path:
    """The data folder; ends the script if there is none."""
    root = paths.data_dir()
    if root is None:
        sys.exit("bench_lite needs XSTest, MSTS, MOSSBench and HarmBench: set SAFECOT_DATA_DIR.")
    return root
