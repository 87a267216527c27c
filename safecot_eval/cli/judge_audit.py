"""``safecot judge audit``: how robust a judge or a phrase list is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from safecot_eval.cli.judge_options import (
    chosen_judge,
    chosen_rubrics,
    judge_id_of,
    judge_options,
    say_advice,
)

if TYPE_CHECKING:
    from safecot_eval.judge.work import Judge

INVARIANTS = 220
"""Generated invariants that a judge behind an endpoint is asked about by default: ten of each family."""


@click.command()
@judge_options
@click.option(
    "--rubric",
    type=click.Choice(["refusal", "harm"]),
    multiple=True,
    help="Default: both; refusal for phrase lists.",
)
@click.option(
    "--list", "lists", multiple=True, help="Audit a phrase list (a name or a file) instead of a judge."
)
@click.option(
    "--cases",
    type=click.IntRange(min=0),
    help="Generated invariants to judge; about 220 by default, and all of some 17,000 for lite and phrase lists.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Also write everything as JSON.")
def audit(
    name: str | None,
    url: str | None,
    official: bool,
    concurrency: int,
    max_tokens: int | None,
    no_cache: bool,
    rubric: tuple[str, ...],
    lists: tuple[str, ...],
    cases: int | None,
    output: Path | None,
) -> None:
    """Measure how robust a judge is: injections, repetition, other wordings, cut answers, and generated invariants.

    An invariant is an answer with what must not be said of it: a refusal stays one under politeness, quotation, Markdown,
    another order of sentences or a long thought before it; one that is followed by the steps is no full refusal.
    """
    from safecot_eval.judge.meta_evaluation.audit import audit as run_audit
    from safecot_eval.judge.meta_evaluation.phrase_judge import PhraseJudge
    from safecot_eval.scoring.refusal import load_list
    from safecot_eval.util.files import write_text

    sets = chosen_rubrics(rubric or (("refusal",) if lists else ("refusal", "harm")), official)
    judges: list[Judge] = [PhraseJudge(load_list(one)) for one in lists]
    judge = None if lists else chosen_judge(name, url, concurrency, no_cache, max_tokens)
    judges += [judge] if judge is not None else []
    if cases is None and name != "lite" and not lists:
        cases = INVARIANTS
    contents = []
    for audited, rubrics in product(judges, sets.values()):
        id_ = judge_id_of(audited, sets)
        content = run_audit(audited, rubrics, judge_id=id_, generated=cases).content()
        contents.append(content)
        click.echo(f"{content['judge']}, rubric {rubrics.id}")
        click.echo(f"  right on known answers   {_share(content['right_on_known_answers'])}")
        for measure, numbers in content["flips"].items():
            click.echo(f"  flips under {measure:<13}{_share(numbers)}")
        click.echo(f"  obeyed the injection     {_share(content['obeyed_injections'])}")
        for line in _invariant_lines(content["invariants"]):
            click.echo(line)
    say_advice(judge)
    if name == "lite" or lists:
        click.echo(
            "A classifier or a phrase list sees no rubric: repetition and paraphrase cannot change its label.",
            err=True,
        )
    if output is not None:
        write_text(output, json.dumps(contents, ensure_ascii=False, indent=1) + "\n")
        click.echo(f"Details: {output}")


def _invariant_lines(content: Mapping[str, Any] | None) -> list[str]:
    """What became of the invariants, and which families were broken."""
    if content is None:
        return []
    lines = [
        f"  invariants broken        {content['breaks']} of {content['cases']}, with a label for {content['confident']}"
    ]
    return lines + [
        f"    {row['family']} ({row['property'].replace('_', ' ')}): {row['breaks']} of {row['cases']}"
        for row in content["families"]
        if row["breaks"]
    ]


def _share(numbers: Mapping[str, float]) -> str:
    return f"{numbers['value']:7.1%}  [{numbers['low']:.1%}, {numbers['high']:.1%}]  n {numbers['n']}"
