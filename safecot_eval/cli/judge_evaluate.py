"""``safecot judge evaluate``: phrase lists and judges against people's labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from safecot_eval.cli.judge_options import (
    chosen_judge,
    chosen_rubrics,
    for_judge,
    judge_id_of,
    judge_options,
    say_advice,
)
from safecot_eval.util.errors import SafecotError

if TYPE_CHECKING:
    from safecot_eval.judge.meta_evaluation.against_people import Row
    from safecot_eval.judge.meta_evaluation.labelled import LabelSet
    from safecot_eval.judge.work import Judge
    from safecot_eval.records.scorecards import Card

_LITE_LEARNED = ("msts", "xstest", "safecot_runs", "pyrit_scorer_evals")
"""Data folders that safecot-lite learned from."""


@click.command()
@click.argument("runs", nargs=-1, type=click.Path())
@click.option(
    "--labels",
    required=True,
    help="A labelled set (xstest, msts, msts-refusal, harmbench …), several with commas, or `all`: a scorecard for each "
    "evaluator; or human:NAME, the labels beside RUNS.",
)
@judge_options
@click.option("--rubric", default="refusal", show_default=True, help="For human:NAME: what is compared.")
@click.option("--per-model", is_flag=True, help="Also show each model's answers apart.")
@click.option("--prices", help="IN,OUT: dollars per million tokens of the judge, for the scorecard.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Also write all rows (scorecards) as JSON."
)
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
    prices: str | None,
    output: Path | None,
) -> None:
    """Compare phrase lists, recorded judges and, where one is configured, a live judge with human labels.

    \b
    safecot judge evaluate --labels xstest                    one set, every evaluator
    safecot judge evaluate --labels all --judge lite          a scorecard for each evaluator
    safecot judge evaluate runs --labels human:ann            the labels beside runs
    """
    from safecot_eval.aggregate.evaluators import against_people
    from safecot_eval.aggregate.reading import read_all
    from safecot_eval.judge.in_run import configured_at_all
    from safecot_eval.judge.meta_evaluation.against_people import compare, evaluate_set
    from safecot_eval.judge.meta_evaluation.label_sets import SETS
    from safecot_eval.judge.meta_evaluation.scorecards import CLASSES
    from safecot_eval.records.evaluator import is_people
    from safecot_eval.records.run import find_runs
    from safecot_eval.records.verdicts import YES_OR_NO, outcome_of
    from safecot_eval.util.files import write_text

    judge = None
    named = [part for part in labels.split(",") if part]
    if not labels.startswith("human:") and (name or url or configured_at_all()):
        judge = chosen_judge(name, url, concurrency, no_cache, max_tokens)
    several = len(named) > 1 or any(part in SETS and SETS[part].rubric in CLASSES for part in named)
    if labels == "all" or (several and all(part in SETS for part in named)):
        cards = _scorecards(named, judge, official, prices)
        for line in [line for card in cards for line in _card_lines(card)]:
            click.echo(line)
        say_advice(judge)
        _keep(cards, judge, output)
        return
    if labels in SETS:
        if name == "lite" and SETS[labels].folder in _LITE_LEARNED:
            click.echo(
                "safecot-lite was trained on these answers, so that its figures here are too good; `safecot lite "
                "evaluate` leaves each model out in turn.",
                err=True,
            )
        rows = evaluate_set(
            SETS[labels],
            judge,
            for_judge(judge, chosen_rubrics((SETS[labels].rubric,), official), asked=True) if judge else None,
        )
        say_advice(judge)
    elif is_people(labels) and runs:
        if not outcome_of(rubric)[0]:
            raise SafecotError(
                f"--rubric {rubric}: not a yes-or-no question; compare {', '.join(YES_OR_NO)}."
            )
        rows = compare(*against_people(read_all(find_runs(runs)), labels, rubric))
    else:
        raise SafecotError(
            f"--labels {labels}: name all, {', '.join(SETS)}, or human:NAME together with RUNS."
        )
    for line in _table(rows, per_model):
        click.echo(line)
    if output is not None:
        write_text(output, json.dumps([_row_content(row) for row in rows], indent=1) + "\n")


def _scorecards(names: Sequence[str], judge: Judge | None, official: bool, prices: str | None) -> list[Card]:
    """Scorecards over the named sets, or over all that are on this machine."""
    from safecot_eval.judge.lite.judge import RUBRICS, LiteJudge
    from safecot_eval.judge.meta_evaluation.label_sets import SETS
    from safecot_eval.judge.meta_evaluation.scorecards import Live, measure

    sets = []
    for name, labels in SETS.items():
        if name not in names and names != ["all"]:
            continue
        try:
            labels.rows()
        except SafecotError as error:
            if names != ["all"]:
                raise
            click.echo(f"Left out: {name}. {error}", err=True)
            continue
        sets.append(labels)
    if not sets:
        raise SafecotError("None of the labelled sets is on this machine; see `safecot data prepare`.")
    live = None
    if isinstance(judge, LiteJudge):
        learned = frozenset(one.name for one in sets if one.folder in _LITE_LEARNED)
        asked = tuple(name for name in RUBRICS if name in {one.rubric for one in sets})
        live = Live(judge, chosen_rubrics(asked, False) if asked else {}, trained_on=learned)
    elif judge is not None:
        counts = getattr(judge, "counts", None)
        rubrics = for_judge(judge, chosen_rubrics(_worded(sets, official), official))
        live = Live(
            judge,
            rubrics,
            _prices(prices),
            (lambda: (counts.input_tokens, counts.output_tokens)) if counts is not None else None,
            id=judge_id_of(judge, rubrics),
        )
    return measure(sets, live, say=lambda line: click.echo(line, err=True))


def _worded(sets: Sequence[LabelSet], official: bool) -> tuple[str, ...]:
    """The rubrics of the sets; with ``official`` those that have an official wording."""
    from safecot_eval.judge.rubric_files import official as official_wordings

    asked = tuple(dict.fromkeys(one.rubric for one in sets))
    known = official_wordings() if official else asked
    if not (worded := tuple(name for name in asked if name in known)):
        raise SafecotError(f"No official wording of {asked[0]!r} is known; leave --official out.")
    return worded


def _prices(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        one, two = (float(part) for part in text.split(","))
    except ValueError as error:
        raise SafecotError(f"--prices {text}: write IN,OUT, dollars per million tokens.") from error
    return one, two


def _card_lines(card: Card) -> list[str]:
    def shown(values: Sequence[float | None]) -> str:
        value, low, high = values
        return f"{'-':^18}" if value is None else f"{value:6.3f} [{low or 0:.2f}, {high or 0:.2f}]"

    title = [str(card["evaluator"])]
    if "seconds_per_1000" in card:
        title.append(f"{card['seconds_per_1000']} s for 1,000 answers")
    if card.get("dollars_per_1000") is not None:
        title.append(f"{card['dollars_per_1000']} $")
    lines = ["", ", ".join(title)]
    lines.append(
        f"  {'set':<24} {'n':>6}  cover  {'kappa':^19}  {'sensitivity':^19}  {'specificity':^19}  worst model"
    )
    for row in card["rows"]:
        worst = f"{row['worst']['kappa']:.3f} {row['worst']['model']}" if "worst" in row else ""
        note = "  (learned from these answers)" if row.get("trained_on") else ""
        lines.append(
            f"  {row['set']:<24} {row['n']:>6}  {row['coverage'] or 0:.3f}  {shown(row['kappa'])}  "
            f"{shown(row['sensitivity'])}  {shown(row['specificity'])}  {worst}{note}"
        )
        if found := row.get("classes"):
            named = ", ".join(f"{name} {one['f1'] or 0:.2f} of {one['n']}" for name, one in found.items())
            lines.append(f"  {'':<24} F1: {named}; mean {row['macro_f1']:.2f}")
    return lines


def _keep(cards: Sequence[Card], judge: Judge | None, output: Path | None) -> None:
    """Write the cards to the file that was named; a live judge's also where pages look for them."""
    from safecot_eval.judge.lite.judge import LiteJudge
    from safecot_eval.records.scorecards import save

    if output is not None:
        click.echo(f"Wrote {save(cards, output)[0]}")
    if judge is not None and not isinstance(judge, LiteJudge):
        own = [card for card in cards if str(card["evaluator"]).startswith((f"{judge.id}/", f"{judge.id}+"))]
        for path in save(own):
            click.echo(f"Pages made on this machine will show it beside the judge's name: {path}")


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
