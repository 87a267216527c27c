"""From run folders to the data of the page: every number that the page or an export shows is made here, once."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safecot_eval import __version__
from safecot_eval.aggregate.columns import Columns
from safecot_eval.aggregate.comparisons import pair_views
from safecot_eval.aggregate.definitions import METRICS
from safecot_eval.aggregate.dialogues import dialogue_views
from safecot_eval.aggregate.evaluators import evaluators, judge_views
from safecot_eval.aggregate.leaderboard import (
    category_cells,
    cells,
    conflicts,
    conflicts_of,
    counts,
    label_counts,
    pooled,
    tasks,
)
from safecot_eval.aggregate.outcome_classes import why_not_shown
from safecot_eval.aggregate.provenance import provenance
from safecot_eval.aggregate.reading import read_all
from safecot_eval.aggregate.repeats import repeat_views
from safecot_eval.aggregate.standings import rank_views
from safecot_eval.aggregate.thoughts import thought_views
from safecot_eval.records.run import Run
from safecot_eval.records.scorecards import scorecard
from safecot_eval.scoring.refusal import available_lists
from safecot_eval.stats import IntervalMethod
from safecot_eval.submissions.submitted import gather
from safecot_eval.util import safe_yaml
from safecot_eval.util.errors import SafecotError
from safecot_reports.families import chains, family, is_reference
from safecot_reports.pictures import thumbnails
from safecot_reports.selection import select_samples

SCHEMA = 1
WORDS = Path(__file__).parent / "templates" / "words.yaml"
"""Each metric in one plain sentence."""
LIST_SENSITIVITY_UP_TO = 200_000
"""Answers up to which every phrase list is matched against every answer (above, only the list of the run is shown)."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user chose.

    Attributes:
        title: Heading of the page.
        description: A sentence below it instead of the page's own; empty for that.
        baseline: Model that others are compared with if there are too many for all pairs; None for the first.
        samples: Samples per model and task that the page holds (0: none).
        images: Put small copies of the samples' images on the page.
        strict: Refuse runs that cannot be compared.
        workers: Processes that read.
        interval: Which interval rates have.
    """

    title: str = "Safety and over-refusal"
    description: str = ""
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
        f"{run.model} on {run.task}: the run of {run.timestamp} is left out; a newer one exists"
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
    disagreements = conflicts(tables)
    if options.strict and disagreements:
        raise SafecotError(f"These runs cannot be put in one table: {disagreements[0]} (--strict).")
    apart = [conflicts_of(table, tables) for table in tables]
    of_tasks = [cell for t, a in zip(tables, apart, strict=True) for cell in cells(t, a, options.interval)]
    of_categories = [
        cell for t, a in zip(tables, apart, strict=True) for cell in category_cells(t, a, options.interval)
    ]
    trained_items: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for run in runs:
        told = run.provenance.get("trained_items") if isinstance(run, Run) else None
        trained_items[run.model].update(told if isinstance(told, dict) else {})
    made = [provenance(run) for run in runs]
    trained = {run.model: found for run, one in zip(runs, made, strict=True) if (found := one["training"])}
    capable = {
        run.model: found for run, one in zip(runs, made, strict=True) if (found := one.get("capability"))
    }
    models = sorted({table.model for table in tables})
    samples = select_samples(runs, tables, options.samples)
    if options.baseline is not None and options.baseline not in models:
        raise SafecotError(f"--baseline {options.baseline}: no such model; there are: {', '.join(models)}.")
    trained_from = chains({name: trained.get(name) for name in models})
    always = [(name, base) for base, *others in trained_from for name in others]
    compared = pair_views(tables, options.baseline, always)
    ranked = rank_views(tables)
    words = safe_yaml.load(WORDS.read_text(encoding="utf-8"))
    return {
        "schema": SCHEMA,
        "version": __version__,
        "title": options.title,
        "description": options.description,
        "metrics": {
            name: {**asdict(metric), "plain": words.get(name, "")} for name, metric in METRICS.items()
        },
        "models": [
            {
                "name": name,
                "reference": is_reference(name),
                "family": family(name),
                "training": trained.get(name),
                "capability": capable.get(name),
                "in_distribution": (trained.get(name) or {}).get("in_distribution_benchmarks") or [],
                "trained_items": trained_items[name],
                "in_distribution_categories": (trained.get(name) or {}).get("in_distribution_categories")
                or [],
            }
            for name in models
        ],
        "chains": trained_from,
        "tasks": tasks(tables),
        "evaluators": evaluators(tables),
        "cells": of_tasks + pooled(of_tasks),
        "categories": of_categories,
        "pairs": compared["pairs"],
        "ranks": compared["ranks"] + ranked["ranks"],
        "spreads": ranked["spreads"],
        **judge_views(tables),
        "thoughts": thought_views(tables),
        "repeats": repeat_views(tables, of_tasks),
        "dialogues": dialogue_views(tables),
        "scorecards": _scorecards(tables),
        "labels": [row for table in tables for row in label_counts(table)],
        "samples": samples,
        "pictures": thumbnails(samples) if options.images else {},
        "runs": [{**one, **counts(table)} for one, table in zip(made, tables, strict=True)],
        "conflicts": disagreements,
        "omitted": omitted
        + _scored_before(runs)
        + why_not_shown(tables)
        + ([] if lists else ["phrase lists were not compared: too many answers"]),
    }


def _scored_before(runs: Sequence[Run]) -> list[str]:
    """One sentence if an older version scored some runs: it left answers out that count now."""
    older = {
        str(version)
        for run in runs
        if (version := (run.provenance.get("packages") or {}).get("safecot-eval"))
        and "rescored" not in run.provenance
        and _number(str(version)) < _number(__version__)
    }
    if not older:
        return []
    return [
        f"some runs were scored by version {', '.join(sorted(older))}: `safecot rescore RUNS -o OUT` scores their stored "
        "answers as this version does"
    ]


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _scorecards(tables: Sequence[Columns]) -> dict[str, Any]:
    """By an evaluator's spelling: its scorecard, where it has one."""
    everyone = {one for table in tables for one in table.evaluators}
    found = {str(one): scorecard(one) for one in sorted(everyone, key=str)}
    return {name: card for name, card in found.items() if card is not None}


def _count(runs: Sequence[Run]) -> int:
    """Roughly how many samples there are, from the results files (or from the sizes of the samples files)."""
    return sum(run.samples_path.stat().st_size // 1500 for run in runs)


def to_json(data: dict[str, Any]) -> str:
    """The data as JSON: no NaN, and lone surrogates kept as escapes."""
    return json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
