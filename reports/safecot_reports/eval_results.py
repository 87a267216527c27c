"""``.eval_results`` files: a model's results as the Hugging Face Hub shows them on model and benchmark pages.

One YAML file per task, a list with one entry: ``dataset`` (``id``, ``task_id``, ``revision``), ``value``, ``date``,
``notes`` (https://huggingface.co/docs/hub/eval-results). Benchmarks that are no data set of the Hub have none.
"""

from __future__ import annotations

import re
from typing import Any

from safecot_eval import __version__
from safecot_eval.benchmarks import registry
from safecot_eval.records.evaluator import Evaluator, Kind
from safecot_eval.util.errors import SafecotError
from safecot_reports.export import plain

MAIN = ("balanced", "crr", "car", "asr", "siuo_both", "siuo_safe")
"""The value of a task is the first of these that it has; the others stand in the notes."""
_HUB_SOURCE = re.compile(r"^https://huggingface\.co/datasets/([\w.-]+/[\w.-]+)/?$")
_HUB_REVISION = re.compile(r"^hub ([\w.-]+/[\w.-]+)(?: ([0-9a-f]{6,40}))?\b")
_ORDER = {Kind.JUDGE: 0, Kind.PHRASES: 1, Kind.PEOPLE: 2}


def eval_results(data: dict[str, Any], model: str) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """Files of a model by name, and the titles of the tasks that the Hub has no data set for.

    Args:
        data: What :func:`safecot_reports.build.build` returned.
        model: Name of the model.

    Raises:
        SafecotError: the model is not among the runs.
    """
    cells = [c for c in data["cells"] if c["model"] == model and c["value"] is not None]
    if not cells:
        names = ", ".join(plain(entry["name"]) for entry in data["models"])
        raise SafecotError(f"There is no model {plain(model)!r} in these runs; there are: {names}.")
    dates = {run["task"]: run["stamp"] for run in data["runs"] if run["model"] == model}
    files: dict[str, list[dict[str, Any]]] = {}
    elsewhere = []
    for task in data["tasks"]:
        name = task["task"]
        own = [c for c in cells if c["task"] == name and c["metric"] in MAIN]
        if not own:
            continue
        dataset = hub_dataset(name)
        if dataset is None:
            elsewhere.append(plain(task["title"]))
            continue
        own.sort(key=lambda c: (MAIN.index(c["metric"]), _ORDER.get(Evaluator.parse(c["evaluator"]).kind, 3)))
        head = own[0]
        entry = {"dataset": dataset, "value": round(100 * head["value"], 2)}
        if re.match(r"\d{8}", dates.get(name, "")):
            day = dates[name]
            entry["date"] = f"{day[:4]}-{day[4:6]}-{day[6:8]}"
        entry["notes"] = _notes(data, own)
        files[f"{name}.yaml"] = [entry]
    return files, elsewhere


def hub_dataset(task: str) -> dict[str, str] | None:
    """``id``, ``task_id`` and where known ``revision`` of a task's data on the Hub."""
    try:
        benchmark, variant = registry.task_parts(task)
    except SafecotError:
        return None
    revision = _HUB_REVISION.match(benchmark.revision)
    source = _HUB_SOURCE.match(benchmark.source)
    if revision is None and source is None:
        return None
    found = {"id": revision[1] if revision else source[1] if source else "", "task_id": variant or "default"}
    if revision and revision[2]:
        found["revision"] = revision[2]
    return found


def _notes(data: dict[str, Any], cells: list[dict[str, Any]]) -> str:
    """Which number the value is, by whom, and the other main numbers."""
    head = cells[0]
    said: dict[str, str] = {}
    for cell in cells:
        if cell["evaluator"] == head["evaluator"] or cell["metric"] == "asr":
            interval = f"{100 * cell['low']:.1f}-{100 * cell['high']:.1f}"
            title = data["metrics"][cell["metric"]]["title"]
            said.setdefault(cell["metric"], f"{title} {100 * cell['value']:.1f} [{interval}], n {cell['n']}")
    return plain(f"{'; '.join(said.values())}; by {head['evaluator']}; safecot-eval {__version__}")
