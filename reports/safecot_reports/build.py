"""From run folders to the data of the page: every number that the page or an export shows is made here, once."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from safecot_eval import __version__
from safecot_eval.benchmarks import registry
from safecot_eval.metrics import METRICS, Columns, run_metrics
from safecot_eval.records.run import Run
from safecot_eval.scoring.refusal import available_lists
from safecot_eval.stats import Estimate, IntervalMethod, macro_mean
from safecot_eval.util.errors import SafecotError
from safecot_reports.columns import read_all
from safecot_reports.judges import judge_views
from safecot_reports.pairs import pair_views
from safecot_reports.pictures import thumbnails
from safecot_reports.provenance import provenance
from safecot_reports.selection import select_samples
from safecot_reports.submitted import gather

SCHEMA = 1
LIST_SENSITIVITY_UP_TO = 200_000
"""Answers up to which every phrase list is matched against every answer (above, only the list of the run is shown)."""
POOLED = "pooled"
_BASELINES = ("refuse_all", "answer_all")
_POOLABLE = ("crr", "car", "balanced", "asr")


@dataclass(frozen=True, slots=True)
class Options:
    """What the user chose.

    Attributes:
        title: Heading of the page.
        baseline: Model that others are compared with where there are too many for all pairs; None for the first.
        samples: Samples per model and task that the page holds (0: none).
        images: Put small copies of the samples' images on the page.
        strict: Refuse runs that cannot be compared.
        workers: Processes that read.
        interval: Which interval rates have.
    """

    title: str = "Safety and over-refusal"
    baseline: str | None = None
    samples: int = 50
    images: bool = False
    strict: bool = False
    workers: int = 2
    interval: IntervalMethod = "wilson"


def build(paths: Sequence[str], options: Options) -> dict[str, Any]:
    """Read run folders and work out everything the page shows.

    Args:
        paths: Run folders, samples files or submissions.
        options: What the user chose.

    Returns:
        A JSON-ready dict (no NaN: a missing value is None); ``docs/leaderboard.md`` describes its keys.

    Raises:
        SafecotError: nothing found, damaged files, or with ``strict`` runs that cannot be compared.
    """
    every = gather(paths)
    newest = {(run.model, run.task): run for run in every}
    runs = [newest[name] for name in sorted(newest)]
    omitted = [
        f"{run.model} on {run.task}: the run of {run.stamp} is left out; a newer one exists"
        for run in every
        if newest[run.model, run.task] is not run
    ]
    lists = available_lists() if _count(runs) <= LIST_SENSITIVITY_UP_TO else []
    tables = read_all(runs, lists=lists, workers=options.workers)
    empty = [index for index, table in enumerate(tables) if not len(table)]
    omitted += [f"{runs[i].model} on {runs[i].task}: the samples file is empty" for i in empty]
    runs = [run for i, run in enumerate(runs) if i not in empty]
    tables = [table for table in tables if len(table)]
    if not tables:
        raise SafecotError("All samples files are empty; run the evaluation again.")
    conflicts = _conflicts(tables)
    if options.strict and conflicts:
        raise SafecotError(f"These runs cannot be put in one table: {conflicts[0]} (--strict).")
    cells = [
        cell for table in tables for cell in _cells(table, conflicts_of(table, tables), options.interval)
    ]
    cells += _pooled(cells)
    trained = {run.model: found for run in runs if (found := provenance(run)["training"])}
    models = sorted({table.model for table in tables})
    samples = select_samples(runs, tables, options.samples)
    if options.baseline is not None and options.baseline not in models:
        raise SafecotError(f"--baseline {options.baseline}: no such model; there are: {', '.join(models)}.")
    tasks = _tasks(tables)
    return {
        "schema": SCHEMA,
        "version": __version__,
        "title": options.title,
        "metrics": {name: asdict(metric) for name, metric in METRICS.items()},
        "models": [
            {
                "name": name,
                "reference": name in _BASELINES,
                "training": trained.get(name),
                "in_distribution": (trained.get(name) or {}).get("in_distribution_benchmarks") or [],
                "in_distribution_categories": (trained.get(name) or {}).get("in_distribution_categories")
                or [],
            }
            for name in models
        ],
        "tasks": tasks,
        "cells": cells,
        "categories": [cell for table in tables for cell in _category_cells(table, tables, options.interval)],
        **pair_views(tables, options.baseline),
        **judge_views(tables),
        "samples": samples,
        "pictures": thumbnails(samples) if options.images else {},
        "runs": [{**provenance(run), **_left_out(table)} for run, table in zip(runs, tables, strict=True)],
        "conflicts": conflicts,
        "omitted": omitted + ([] if lists else ["phrase lists were not compared: too many answers"]),
    }


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
    from safecot_eval.metrics import STATUSES

    counts = {str(s): int((table.status == i).sum()) for i, s in enumerate(STATUSES)}
    return {
        "n": len(table),
        "status": {name: count for name, count in counts.items() if count},
        "key": list(table.key),
        "evaluators": [name for name in table.evaluators if not name.startswith("shadow ")],
    }


def _count(runs: Sequence[Run]) -> int:
    """Roughly how many samples there are, from the results files (or from the sizes of the samples files)."""
    return sum(run.samples_path.stat().st_size // 1500 for run in runs)


def to_json(data: dict[str, Any]) -> str:
    """The data as JSON: no NaN, and lone surrogates kept as escapes."""
    return json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
