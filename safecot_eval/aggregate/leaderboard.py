"""The leaderboard's cells: one per model, task, evaluator and metric, pooled where tasks may be pooled."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from safecot_eval.aggregate.columns import KEY_TITLES, STATUSES, Columns
from safecot_eval.aggregate.metrics import PAIR_KINDS, measures, run_metrics
from safecot_eval.benchmarks import registry
from safecot_eval.records.evaluator import Kind
from safecot_eval.stats import Estimate, IntervalMethod, macro_mean
from safecot_eval.util.errors import SafecotError

POOLED = "pooled"
_RATES = ("crr", "car", "balanced", "asr")
_POOLABLE = (*_RATES, *(f"{rate}_corrected" for rate in _RATES))


def conflicts_of(table: Columns, tables: Sequence[Columns]) -> str:
    """What sets a run's columns apart from other runs of its task: empty if all of them are comparable."""
    others = [other.key for other in tables if other.task == table.task]
    return ", ".join(
        f"{KEY_TITLES[name][0]} {table.key.shown(name)}"
        for name, value in table.key._asdict().items()
        if any(getattr(other, name) != value for other in others)
    )


def conflicts(tables: Sequence[Columns]) -> list[str]:
    """One sentence per task and way in which its runs cannot be compared."""
    found = []
    for task in sorted({table.task for table in tables}):
        same = [table for table in tables if table.task == task]
        for name, (_, what) in KEY_TITLES.items():
            values = sorted({table.key.shown(name) for table in same})
            if len(values) > 1:
                found.append(f"{task} has more than one {what}: {', '.join(values)}")
        for what, kind in (("phrase list", Kind.PHRASES), ("set of judges", Kind.JUDGE)):
            sets = {tuple(sorted(str(one) for one in table.evaluators if one.kind is kind)) for table in same}
            if len(sets) > 1:
                named = sorted(", ".join(names) or "none" for names in sets)
                found.append(f"{task} has more than one {what}: {'; '.join(named)}")
    return found


def cells(table: Columns, apart: str, interval: IntervalMethod) -> list[dict[str, Any]]:
    """One cell per metric and evaluator of a run."""
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


def pooled(cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
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


def category_cells(table: Columns, apart: str, interval: IntervalMethod) -> list[dict[str, Any]]:
    """The rates of a run within each category."""
    chosen = [
        measure
        for measure in measures(table)
        if measure.evaluator is not None
        and measure.metric not in (*PAIR_KINDS, "coverage", "partial", "unread")
    ]
    found = []
    for code, category in enumerate(table.categories):
        for (metric, evaluator), e in run_metrics(
            table, table.category == code, method=interval, only=chosen
        ).items():
            if metric != "tokens":
                head = {"model": table.model, "task": table.task, "apart": apart, "category": category}
                found.append(head | {"metric": metric, "evaluator": evaluator} | numbers(e))
    return found


def label_counts(table: Columns) -> list[dict[str, Any]]:
    """How often each judge gave each label, by category, beside the category's official size.

    Benchmarks' own scripts report unsafe answers over all items of a scenario, whether they were asked or not;
    ``unsafe_of_all`` is that figure. The rates of the page are over judged answers.

    Returns:
        One dict per judge of harm and category: ``size`` (all items), ``not_run``, ``labels`` (label to count, unparseable
        ones among them) and ``unsafe_of_all``.
    """
    found = []
    for evaluator, labels in table.evaluators.items():
        if evaluator.is_list or evaluator.outcome != "unsafe":
            continue
        for code, category in enumerate(table.categories):
            of_category = table.category == code
            given = labels.codes[of_category]
            counted = {name: int((given == n).sum()) for n, name in enumerate(labels.names)}
            counted = {name: count for name, count in counted.items() if count}
            unsafe = sum(count for name, count in counted.items() if evaluator.by_label.get(name))
            size = int(of_category.sum())
            found.append(
                {"model": table.model, "task": table.task, "evaluator": str(evaluator), "category": category}
                | {"size": size, "not_run": int((of_category & ~table.asked).sum()), "labels": counted}
                | {"unsafe_of_all": unsafe / size}
            )
    return found


def tasks(tables: Sequence[Columns]) -> list[dict[str, Any]]:
    """What each task is, from its benchmark's own file; tasks that only imports make say what they are."""
    found = []
    for task in sorted({table.task for table in tables}):
        try:
            benchmark, variant = registry.task_parts(registry.base_task(task))
            title, name = benchmark.title, benchmark.name
            line, licence = benchmark.variants[variant], benchmark.licence
            source = benchmark.source
        except SafecotError:
            title = name = task.removeprefix(registry.TASK_PREFIX)
            variant, line, licence, source = "", "", "", ""
        title = f"{title} ({variant})" if variant else title
        if registry.OTHER_PROMPT in task:
            title += f", other wording {task.partition(registry.OTHER_PROMPT)[2]}"
            line = "Answers to another wording than the benchmark's; not comparable with the task of its own wording."
        if task.startswith(registry.OWN_QUESTIONS):
            title = f"Own questions: {task.removeprefix(registry.OWN_QUESTIONS)}"
            line = "Questions of an imported file; no benchmark of this project."
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


def counts(table: Columns) -> dict[str, Any]:
    """How many samples of a run have which status, what sets it apart, and who labelled it."""
    by_status = {str(status): int((table.status == code).sum()) for code, status in enumerate(STATUSES)}
    return {
        "n": len(table),
        "status": {name: count for name, count in by_status.items() if count},
        "key": list(filter(None, table.key)),
        "evaluators": [str(one) for one in table.evaluators if one.kind is not Kind.ALTERNATIVE],
    }
