"""Recorded training examples of v0, v1 and v2, and the templates of v1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.reading import read_json
from safecot_eval.benchmarks.data.safecot_history.layout import Files, asked, file
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import write_bytes

TRAINING = {
    "v0": "data_v0",
    "v1": "cot_data_v1",
    "v2_llama_mmsafetybench": "cot_data_v2",
    "v2_llama_multitrust_nsfw": "cot_data_v2_risk",
    "v2_llama_multitrust_risk": "cot_data_v2_risk_1",
    "v2_llavaguard": "cot_data_v2_llava_guard",
    "v2_qwenvl": "cot_data_v2_qwen_vl",
}
"""Our files of training examples to the upstream ones in ``logs/cot_training_data/``."""
TEMPLATES = {
    "cot_templates.yaml": "logs/cot_training_data/cot_template_1.yaml",
    "cot_templates_final.yaml": "config/cot_prompt_llm.yaml",
}


def convert_training(files: Files, target: Path) -> list[Path]:
    """Write the recorded training examples of v0, v1 and v2, and the templates of v1.

    Returns:
        The files.

    Raises:
        SafecotError: one of them is missing or has another form.
    """
    written = []
    for ours, theirs in TRAINING.items():
        path = file(files, f"logs/cot_training_data/{theirs}.json")
        lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in examples(path))
        written.append(target / f"{ours}.jsonl")
        write_bytes(written[-1], lines.encode("utf-8", "surrogatepass"))
    for ours, theirs in TEMPLATES.items():
        written.append(target / ours)
        write_bytes(written[-1], file(files, theirs).read_bytes())
    return written


def examples(path: Path) -> Iterator[dict[str, Any]]:
    """Examples of an upstream file in our layout.

    Raises:
        SafecotError: it has another form.
    """
    content = read_json(path)
    if not isinstance(content, list):
        raise SafecotError(f"{path}: a list of examples was expected, not {type(content).__name__}.")
    for number, item in enumerate(content):
        where = f"{path}, example {number}"
        keys = ("question", "image_path", "label")
        if not isinstance(item, dict) or not all(isinstance(item.get(key), str) for key in keys):
            raise SafecotError(f"{where}: question, image_path and label were expected.")
        line = {
            **asked(item["question"], where),
            "image": item["image_path"].partition("/datasets/")[2] or item["image_path"],
            "target": item["label"],
        }
        category = item.get("category") or item.get("catagory")  # upstream spells it both ways
        if category is not None and "prompt_question" in item:
            line |= {"category": category, "writer_prompt": item["prompt_question"]}
        yield line
