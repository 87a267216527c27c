"""Replay files from published answers: one per benchmark and model, read by ``safecot_replay``."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

from safecot_eval.benchmarks.registry import Benchmark
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import cache_dir


def write_replays(benchmark: Benchmark, root: Path) -> list[Path]:
    """Write ``replay/<benchmark>/<model>.jsonl`` below the cache, one line ``{task, id, response}`` per item.

    Args:
        benchmark: A benchmark; one without recorded answers has no replay files.
        root: Its data folder.

    Returns:
        The files, by model name.

    Raises:
        SafecotError: the recorded answers do not fit the items: an id is unknown or occurs twice.
    """
    if benchmark.recorded is None:
        return []
    known = {item.item_id for item in benchmark.items("", root)}
    answers: dict[str, dict[str, str]] = defaultdict(dict)
    for model, item_id, response in benchmark.recorded(root):
        if item_id not in known:
            raise SafecotError(f"{benchmark.name}: {model} has an answer to the unknown item {item_id!r}.")
        if item_id in answers[model]:
            raise SafecotError(f"{benchmark.name}: {model} has two answers to item {item_id!r}.")
        answers[model][item_id] = response
    folder = cache_dir() / "replay" / benchmark.name
    folder.mkdir(parents=True, exist_ok=True)
    task = benchmark.leaf("")
    return [_write(folder / f"{model}.jsonl", task, answers[model]) for model in sorted(answers)]


def _write(path: Path, task: str, answers: dict[str, str]) -> Path:
    partial = path.with_suffix(f".{os.getpid()}.part")
    with partial.open("w", encoding="utf-8") as stream:
        for item_id, response in answers.items():
            line = {"task": task, "id": item_id, "response": response}
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
    partial.replace(path)
    return path
