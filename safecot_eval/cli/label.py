"""``safecot label``: draw a sample of answers for people to label, and read their labels back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from safecot_eval.cli.groups import Group
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.wording import agreeing, counted

if TYPE_CHECKING:
    from safecot_eval.judge.people import Adjudicated, Key
    from safecot_eval.stats import Agreement, Estimate

_STRATA = ("verdict", "model", "category")
_RUBRICS = ("refusal", "harm")


@click.group(cls=Group)
def command() -> None:
    """Draw samples for human labelling and read the labels back (docs/methods.md, section 5)."""


@command.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option(
    "-n",
    "count",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Answers to draw in total.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the draw.")
@click.option(
    "--stratify",
    type=click.Choice(_STRATA),
    multiple=True,
    help="Draw as many from each verdict, model or category; repeat to combine. Weights go into the key.",
)
@click.option(
    "--evaluator", help="Judge id whose label is the verdict of --stratify verdict (default: phrase match)."
)
@click.option(
    "--rubric",
    type=click.Choice(_RUBRICS),
    default="refusal",
    show_default=True,
    help="What people are asked about each answer.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("labels.csv"),
    show_default=True,
    help="File to write.",
)
@click.option(
    "--page",
    type=click.Path(path_type=Path),
    help="Also write an offline HTML page to label with the keyboard.",
)
@click.option(
    "--images",
    is_flag=True,
    help="Copy the pictures into a folder beside the sheet (and into the page, concealed until asked for).",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing sheet (labels in it are lost).")
def export(
    runs: tuple[str, ...],
    count: int,
    seed: int,
    stratify: tuple[str, ...],
    evaluator: str | None,
    rubric: str,
    output: Path,
    page: Path | None,
    images: bool,
    overwrite: bool,
) -> None:
    """Draw answers from RUNS into a blind sheet (and page), with a key that annotators must not see.

    Give each annotator a copy of the sheet (or the page). Empty, failed and unfinished answers are not drawn.
    """
    from safecot_eval.judge.people import (
        Stratum,
        blind_sample,
        candidates,
        draw,
        page_html,
        question,
        sheet_text,
        write_key,
    )
    from safecot_eval.records.run import find_runs
    from safecot_eval.util.files import write_text

    asked = question(rubric)
    key_path = _key_path(output)
    for path in (output, key_path):
        if path.exists() and not overwrite:
            raise SafecotError(f"{path}: exists already; choose another name or give --overwrite.")
    found = find_runs(runs)
    pool = candidates(found, tuple(dict.fromkeys(Stratum(name) for name in stratify)), evaluator)
    if not pool:
        raise SafecotError(
            "The runs hold no scored answer to label; see `safecot report` for what went wrong in them."
        )
    folder = output.with_name(f"{output.stem}_images") if images else None
    rows, key = blind_sample(found, draw(pool, count, seed), rubric, seed, folder)
    write_key(key_path, key)
    write_text(output, "\ufeff" + sheet_text(rows))
    click.echo(
        f"{len(rows)} of {len(pool):,} scored answers of {counted(len({c.model for c in pool}), 'model')}: {output}"
    )
    if page is not None:
        write_text(page, page_html(asked, rows, output.parent))
        click.echo(f"The same as a page: {page}")
    click.echo(f"Key, not for annotators: {key_path}")
    click.echo(f"Labels: {', '.join(asked.labels)}. {asked.text}")


@command.command(name="import")
@click.argument("sheets", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--key",
    "key_path",
    type=click.Path(path_type=Path),
    help="Key of the sample (default: the one beside the sheet).",
)
@click.option("--decisions", type=click.Path(path_type=Path), help="Sheet of whoever settles the conflicts.")
@click.option("--name", default="consensus", show_default=True, help="The verdicts' judge id is human:NAME.")
@click.option(
    "-o",
    "--output",
    "runs",
    type=click.Path(),
    multiple=True,
    help="Run folders that the verdicts are written beside (default: those they were drawn from).",
)
def import_(
    sheets: tuple[Path, ...], key_path: Path | None, decisions: Path | None, name: str, runs: tuple[str, ...]
) -> None:
    """Read one or two annotators' SHEETS; report agreement and conflicts; write verdicts beside the runs."""
    from safecot_eval.judge.people import adjudicate, question, read_key, read_sheet, verdicts, write_verdicts
    from safecot_eval.records.evaluator import people_id
    from safecot_eval.records.run import find_runs

    if len(sheets) > 2:
        raise SafecotError("Give one or two sheets; a third person's sheet goes to --decisions.")
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
        raise SafecotError("--name may hold letters, digits, '_', '.' and '-' only (at most 64).")
    for path in sheets:
        if not path.is_file():
            raise SafecotError(f"{path}: no such file.")
    key_path = key_path or _find_key(sheets[0])
    key = read_key(key_path)
    asked = question(key.rubric)
    read = [read_sheet(path, asked, key.rows) for path in sheets]
    decided = read_sheet(decisions, asked, key.rows) if decisions else None
    result = adjudicate(list(key.rows), read, decided)
    if len(read) == 2:
        _print_agreement(list(key.rows), read[0], read[1])
    _print_open(result, key, key_path, sheets)
    if not result.labels:
        raise SafecotError("No row has a final label; nothing was written.")
    groups = verdicts(key, result.labels, people_id(name))
    places = find_runs(runs, newest_only=False) if runs else None
    for path, written in write_verdicts(groups, people_id(name), places).items():
        click.echo(f"{counted(written, 'label')}: {path}")


@command.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option(
    "--rubric",
    type=click.Choice(_RUBRICS),
    default="refusal",
    show_default=True,
    help="Which rubric's labels to count.",
)
@click.option("--judge", help="Judge id to correct (default: the phrase list).")
@click.option("--name", default="consensus", show_default=True, help="Whose labels: human:NAME.")
def rates(runs: tuple[str, ...], rubric: str, judge: str | None, name: str) -> None:
    """Correct an evaluator's rates with the human labels beside RUNS, or say why that cannot be done."""
    from safecot_eval.aggregate.corrected import corrected_rates
    from safecot_eval.records.evaluator import people_id
    from safecot_eval.records.run import find_runs

    found_runs = find_runs(runs)
    outcome = {"refusal": "refused", "harm": "unsafe"}[rubric]
    click.echo(
        f"Rate of {outcome}: {judge or 'phrase list'} corrected with labels of human:{name} (95 % intervals)"
    )
    groups = corrected_rates(found_runs, rubric=rubric, evaluator=judge, human=people_id(name))
    several = len({group.evaluator for group in groups}) > 1
    for group in groups:
        found = group.correction
        who = f" · {group.evaluator}" if several else ""
        click.echo(f"{group.model} · {group.task} · expectation {group.expectation}{who}")
        click.echo(f"  evaluator says {_shown(group.raw)} of {group.raw.n:,} scored")
        if group.errors is not None:
            sensitivity, specificity = group.errors.sensitivity, group.errors.specificity
            click.echo(f"  its sensitivity {_shown(sensitivity)}, specificity {_shown(specificity)}")
        if found.labels_only is not None:
            click.echo(f"  people say     {_shown(found.labels_only)} in {counted(found.n_labels, 'label')}")
        if found.estimate is not None:
            click.echo(f"  corrected      {_shown(found.estimate)}  ({found.estimate.method})")
        else:
            click.echo(f"  not corrected: {found.refused}")
        for warning in found.warnings:
            click.echo(f"  note: {warning}")


def _shown(estimate: Estimate) -> str:
    return f"{100 * estimate.value:.1f} % [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def _key_path(sheet: Path) -> Path:
    return sheet.with_name(sheet.stem + ".key.json")


def _find_key(sheet: Path) -> Path:
    beside = sorted(sheet.parent.glob("*.key.json"))
    if len(beside) != 1:
        found = "none" if not beside else f"{len(beside)} of them"
        raise SafecotError(
            f"{sheet.parent}: expected one *.key.json beside the sheet, found {found}; give --key FILE."
        )
    return beside[0]


def _print_agreement(rows: list[str], first: dict[str, str], second: dict[str, str]) -> None:
    from safecot_eval.judge.people import agreement

    report = agreement(rows, first, second)
    click.echo(f"Agreement over {counted(report.percent.n, 'row')} that both labelled (95 % intervals):")
    measures: dict[str, Estimate | Agreement] = {
        "raw agreement": report.percent,
        "Cohen's kappa": report.kappa,
        "Krippendorff's alpha": report.alpha,
        "Gwet's AC1": report.ac1,
    }
    for title, found in measures.items():
        click.echo(f"  {title:<21} {found.value:6.3f}  [{found.low:.3f}, {found.high:.3f}]")


def _print_open(result: Adjudicated, key: Key, key_path: Path, sheets: tuple[Path, ...]) -> None:
    """Name what is not settled, and write the conflicts as a sheet for a third person."""
    from safecot_eval.judge.people.sheet import Row, read_texts, sheet_text
    from safecot_eval.util.files import write_text

    if result.unlabelled:
        click.echo(
            f"{counted(len(result.unlabelled), 'row')} {agreeing(len(result.unlabelled), 'lacks a label and was', 'lack a label and were')} left out."
        )
    if not result.conflicts:
        return
    click.echo(f"{counted(len(result.conflicts), 'conflict')}, left out until somebody decides:")
    for row, (first, second) in result.conflicts.items():
        click.echo(f"  row {row}: {first} / {second}")
    original = key_path.with_name(key_path.name.removesuffix(".key.json") + ".csv")
    texts = read_texts(original if original.is_file() else sheets[0], key.rows)
    path = key_path.with_name(key_path.name.removesuffix(".key.json") + ".conflicts.csv")
    write_text(path, "\ufeff" + sheet_text(texts.get(row, Row(row, "", "")) for row in result.conflicts))
    click.echo(f"Let a third person label {path}, then import again with --decisions {path}")
