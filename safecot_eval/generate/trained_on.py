"""How many of a task's items a checkpoint was trained on, by the source questions that its card names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks import catalogue, item_list
from safecot_eval.benchmarks.registry import task_parts
from safecot_eval.records.json_files import read_small_json
from safecot_eval.util.paths import CHECKPOINT_CARD


def trained_on(arguments: Mapping[str, str], task_names: Iterable[str]) -> dict[str, Any]:
    """What goes into ``<timestamp>_run.json``: ``trained_items``, task to [items trained on, items of the run].

    Empty for a model that is no checkpoint of ours, or one whose card does not name them.
    """
    places = [Path(arguments[key]) / CHECKPOINT_CARD for key in ("peft", "pretrained") if arguments.get(key)]
    card = next((found for place in places if (found := read_small_json(place))), None)
    clusters = card.get("trained_clusters") if card else None
    if not isinstance(clusters, dict) or not clusters:
        return {}
    found = {}
    for task_name in task_names:
        benchmark = task_parts(task_name)[0].name
        known = set(clusters.get(benchmark) or ())
        items = item_list.chosen(task_name, catalogue.items_of(task_name))
        found[task_name] = [sum((item.cluster_id or item.item_id) in known for item in items), len(items)]
    return {"trained_items": found}
