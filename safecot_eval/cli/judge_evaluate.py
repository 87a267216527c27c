"""``safecot judge evaluate``: phrase lists and judges against people's labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from safecot_eval.cli.judge_options import chosen_judge, chosen_rubrics, judge_options, say_advice
from safecot_eval.util.errors import SafecotError

if TYPE_CHECKING:
    from safecot_eval.judge.meta_evaluation.against_people import Row


@click.command()
@click.argument("runs", nargs=-1, type=click.Path())
@click.option(
    "--labels",
    required=True,
    help="msts, msts-refusal, xstest or harmbench; or human:NAME, the labels beside RUNS.",
)
@judge_options
@click.option("--rubric", default="refusal", show_default=True, help="For human:NAME: what is compared.")
@click.option("--per-model", is_flag=True, help="Also show each model's answers apart.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Also write all rows as JSON.")
def evaluate(
    runs: tuple[str, ...],
    labels: str,
    name: str | None,
    url: str | None,
    official: bool,
    concurrency: int,
    max_tokens: int | None,
    no_cache: bool,
    rubric: str,
    per_model: bool,
    output: Path | None,
) -> None:
    """Compare phrase lists, recorded judges and, where one is configured, a live judge with human labels."""
    from safecot_eval.aggregate.evaluators import against_people
    from safecot_eval.aggregate.reading import read_all
    from safecot_eval.judge.in_run import configured_at_all
    from safecot_eval.judge.meta_evaluation.against_people import compare, evaluate_set
    from safecot_eval.judge.meta_evaluation.label_sets import SETS
    from safecot_eval.records.evaluator import is_people
    from safecot_eval.records.run import find_runs
    from safecot_eval.records.verdicts import YES_OR_NO, outcome_of
    from safecot_eval.util.files import write_text

    if labels in SETS:
        judge = (
            chosen_judge(name, url, concurrency, no_cache, max_tokens)
            if name or url or configured_at_all()
            else None
        )
        if name == "lite" and SETS[labels].folder in ("msts", "xstest"):
            click.echo(
                "safecot-lite was trained on these answers, so that its figures here are too good; `safecot lite "
                "evaluate` leaves each model out in turn.",
                err=True,
            )
        rows = evaluate_set(
            SETS[labels], judge, chosen_rubrics((SETS[labels].rubric,), official) if judge else None
        )
        say_advice(judge)
    elif is_people(labels) and runs:
        if not outcome_of(rubric)[0]:
            raise SafecotError(f"Nothing yes-or-no is known of {rubric!r}; compare {', '.join(YES_OR_NO)}.")
        rows = compare(*against_people(read_all(find_runs(runs)), labels, rubric))
    else:
        raise SafecotError(f"--labels {labels}: name {', '.join(SETS)}, or human:NAME together with RUNS.")
    for line in _table(rows, per_model):
        click.echo(line)
    if output is not None:
        write_text(output, json.dumps([_row_content(row) for row in rows], indent=1) + "\n")


def _table(rows: list[Row], per_model: bool) -> list[str]:
    from safecot_eval.judge.meta_evaluation.against_people import ALL_MODELS

    pooled = any(row.model == ALL_MODELS for row in rows)
    shown = [row for row in rows if per_model or not pooled or row.model == ALL_MODELS]
    width = max((len(row.evaluator) for row in shown), default=9)
    models = max((len(row.model) for row in shown), default=5)
    lines = [
        f"{'evaluator':<{width}}  {'model':<{models}}  {'n':>5}  cover  {'sensitivity':^18}  {'specificity':^18}  {'kappa':^19}"
    ]
    for row in shown:
        rates = "  ".join(
            f"{e.value:.3f} [{e.low:.2f}, {e.high:.2f}]" for e in (row.sensitivity, row.specificity)
        )
        kappa = f"{row.kappa.value:6.3f} [{row.kappa.low:.2f}, {row.kappa.high:.2f}]"
        lines.append(
            f"{row.evaluator:<{width}}  {row.model:<{models}}  {row.coverage.n_total:>5}  {row.coverage.value:.3f}  "
            f"{rates}  {kappa}"
        )
    return lines


def _row_content(row: Row) -> dict[str, object]:
    def numbers(value: object) -> list[float]:
        return [getattr(value, name) for name in ("value", "low", "high")]

    return {
        "evaluator": row.evaluator,
        "model": row.model,
        "n": row.coverage.n_total,
        "coverage": row.coverage.value,
        "sensitivity": numbers(row.sensitivity),
        "specificity": numbers(row.specificity),
        "kappa": numbers(row.kappa),
        "counts": list(row.counts),
    }
