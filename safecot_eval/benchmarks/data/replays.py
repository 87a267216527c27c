"""Replay files from published answers: one per benchmark and model, read by ``safecot_replay``."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from safecot_eval.benchmarks.registry import Benchmark
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import write_jsonl
from safecot_eval.util.paths import cache_dir


def write_replays(benchmark: Benchmark, root: Path) -> list[Path]:
    """Write ``replay/<benchmark>/<model>.jsonl`` below the cache, one line ``{task, id, response}`` per item.

    Args:
        benchmark: A benchmark; one without recorded answers has no replay files.
        root: Its data folder.

    Returns:
        The files, by model name; a model's file holds its answers to all tasks.

    Raises:
        SafecotError: the recorded answers do not fit the items: an id is unknown or occurs twice.
    """
    lines: dict[str, list[dict[str, str]]] = defaultdict(list)
    for variant in benchmark.variants:
        for model, answers in _recorded(benchmark, variant, root).items():
            task = benchmark.task_name(variant)
            lines[model] += [{"task": task, "id": name, "response": said} for name, said in answers.items()]
    if not lines:
        return []
    folder = cache_dir() / "replay" / benchmark.name
    folder.mkdir(parents=True, exist_ok=True)
    paths = {model: folder / f"{model}.jsonl" for model in sorted(lines)}
    for model, path in paths.items():
        write_jsonl(path, lines[model])
    return list(paths.values())


def _recorded(benchmark: Benchmark, variant: str, root: Path) -> dict[str, dict[str, str]]:
    """Model to item id to response, for one task."""
    if variant:
        found = benchmark.recorded_in(variant, root) if benchmark.recorded_in else iter(())
    else:
        found = benchmark.recorded(root) if benchmark.recorded else iter(())
    answers: dict[str, dict[str, str]] = defaultdict(dict)
    known: set[str] | None = None
    for model, item_id, response in found:
        if known is None:
            known = {item.item_id for item in benchmark.items(variant, root)}
        if item_id not in known:
            raise SafecotError(f"{benchmark.name}: {model} has an answer to the unknown item {item_id!r}.")
        if item_id in answers[model]:
            raise SafecotError(f"{benchmark.name}: {model} has two answers to item {item_id!r}.")
        answers[model][item_id] = response
    return answers
