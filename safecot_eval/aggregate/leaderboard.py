"""The leaderboard's cells: one per model, task, evaluator and metric, pooled where tasks may be pooled."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from safecot_eval.aggregate.columns import Columns
from safecot_eval.aggregate.metrics import run_metrics
from safecot_eval.benchmarks import registry
from safecot_eval.stats import Estimate, IntervalMethod, macro_mean
from safecot_eval.util.errors import SafecotError

POOLED = "pooled"


_POOLABLE = ("crr", "car", "balanced", "asr")


def conflicts_of(table: Columns, tables: Sequence[Columns]) -> str:
    """What sets a run's columns apart from other runs of its task: empty where all of them are comparable."""
    keys = {other.key for other in tables if other.task == table.task}
    if len(keys) < 2:
        return ""
    differing = [i for i in range(3) if len({key[i] for key in keys}) > 1]
    return ", ".join(f"{('version', 'data', 'images')[i]} {table.key[i]}" for i in differing)


def _conflicts(tables: Sequence[Columns]) -> list[str]:
    """One sentence per task and way in which its runs cannot be compared."""
    found = []
    for task in sorted({table.task for table in tables}):
        same = [table for table in tables if table.task == task]
        for index, what in enumerate(("task version", "data revision", "image source")):
            values = sorted({table.key[index] for table in same})
            if len(values) > 1:
                found.append(f"{task} has more than one {what}: {', '.join(values)}")
        for what, template in (("phrase list", True), ("set of judges", False)):
            sets = {
                tuple(sorted(n for n in table.evaluators if _is_list(n) is template and _counts(n)))
                for table in same
            }
            if len(sets) > 1:
                named = sorted(", ".join(names) or "none" for names in sets)
                found.append(f"{task} has more than one {what}: {'; '.join(named)}")
    return found


def _is_list(name: str) -> bool:
    return name.startswith("template:")


def _counts(name: str) -> bool:
    return not name.startswith(("shadow ", "human:"))


def _cells(table: Columns, apart: str, interval: IntervalMethod) -> list[dict[str, Any]]:
    return [
        {"model": table.model, "task": table.task, "apart": apart, "metric": metric, "evaluator": evaluator}
        | numbers(e)
        for (metric, evaluator), e in run_metrics(table, method=interval).items()
    ]


def numbers(e: Estimate) -> dict[str, Any]:
    """An estimate as JSON: NaN becomes None, ``worst`` is the range if all unscored items went one way."""
    value = None if math.isnan(e.value) else e.value
    return {
        "value": value,
        "low": e.low,
        "high": e.high,
        "n": e.n,
        "n_total": e.n_total,
        "n_eff": None if math.isinf(e.n_eff) else e.n_eff,
        "worst": [e.worst_low, e.worst_high],
        "method": e.method,
    }


def _pooled(cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean over the tasks (each counts the same) for models that ran every task that has the metric."""
    groups: defaultdict[tuple[str, str], dict[str, dict[str, dict[str, Any]]]] = defaultdict(dict)
    for cell in cells:
        if registry.also_refuse(
            cell["task"]
        ):  # a second reading of its items; not for a mean over benchmarks
            continue
        if cell["metric"] in _POOLABLE and cell["value"] is not None and not cell["apart"]:
            groups[cell["metric"], cell["evaluator"]].setdefault(cell["model"], {})[cell["task"]] = cell
    found = []
    for (metric, evaluator), by_model in sorted(groups.items()):
        tasks = {task for of_model in by_model.values() for task in of_model}
        if len(tasks) < 2:
            continue
        for model, of_model in sorted(by_model.items()):
            if of_model.keys() == tasks:
                mean = macro_mean([_estimate(of_model[task]) for task in sorted(tasks)])
                head = {"model": model, "task": POOLED, "apart": "", "metric": metric, "evaluator": evaluator}
                found.append(head | numbers(mean))
    return found


def _estimate(cell: dict[str, Any]) -> Estimate:
    n_eff = math.inf if cell["n_eff"] is None else cell["n_eff"]
    value, low, high, n, n_total = (cell[name] for name in ("value", "low", "high", "n", "n_total"))
    return Estimate(value, low, high, n, n_total, n_eff, cell["method"], cell["worst"][0], cell["worst"][1])


def _category_cells(
    table: Columns, tables: Sequence[Columns], interval: IntervalMethod
) -> list[dict[str, Any]]:
    apart = conflicts_of(table, tables)
    skipped = ("coverage", "consistency", "tokens", "invalid", "partial")
    found = []
    for code, category in enumerate(table.categories):
        for (metric, evaluator), e in run_metrics(table, table.category == code, method=interval).items():
            if (
                metric not in skipped
                and not metric.startswith("pair_")
                and not evaluator.startswith("shadow ")
            ):
                head = {"model": table.model, "task": table.task, "apart": apart, "category": category}
                found.append(head | {"metric": metric, "evaluator": evaluator} | numbers(e))
    return found


def _tasks(tables: Sequence[Columns]) -> list[dict[str, Any]]:
    found = []
    for task in sorted({table.task for table in tables}):
        try:
            benchmark, variant = registry.leaf_parts(task)
            title, name = benchmark.title, benchmark.name
            line, licence = benchmark.variants[variant], benchmark.licence
            source = benchmark.source
        except SafecotError:
            title = name = task.removeprefix(registry.LEAF_PREFIX)
            variant, line, licence, source = "", "", "", ""
        title = f"{title} ({variant})" if variant else title
        categories = sorted({c for table in tables if table.task == task for c in table.categories})
        found.append(
            {
                "task": task,
                "benchmark": name,
                "title": title,
                "about": line,
                "licence": licence,
                "source": source,
            }
            | {"categories": categories, "n": max(len(table) for table in tables if table.task == task)}
        )
    return found


def _left_out(table: Columns) -> dict[str, Any]:
    from safecot_eval.aggregate.columns import STATUSES

    counts = {str(s): int((table.status == i).sum()) for i, s in enumerate(STATUSES)}
    return {
        "n": len(table),
        "status": {name: count for name, count in counts.items() if count},
        "key": list(table.key),
        "evaluators": [name for name in table.evaluators if not name.startswith("shadow ")],
    }
