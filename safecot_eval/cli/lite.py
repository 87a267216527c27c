"""``safecot lite``: train the embedded refusal classifier, and evaluate it on models that it has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from safecot_eval.cli.groups import Group
from safecot_eval.util.files import write_text

if TYPE_CHECKING:
    from safecot_eval.judge.lite.evaluate import Row

DATA_OPTION = click.option(
    "--data",
    "data",
    type=click.Path(path_type=Path),
    help="Folder with xstest/ and msts/ (default: SAFECOT_DATA_DIR).",
)


@click.group(cls=Group)
def command() -> None:
    """Train and evaluate the embedded refusal classifier (use it with: safecot judge RUNS --judge lite)."""


@command.command()
@DATA_OPTION
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("safecot-lite.json"),
    show_default=True,
    help="Where the trained file goes.",
)
def train(data: Path | None, output: Path) -> None:
    """Train on XSTest's and MSTS's human labels; about a minute on one core. Same data, same file."""
    from safecot_eval.judge.lite.data import load
    from safecot_eval.judge.lite.train import train as train_lite
    from safecot_eval.judge.lite.trained_file import dump
    from safecot_eval.judge.lite.trained_file import load as load_model

    rows = load(data)
    click.echo(f"{len(rows):,} labelled answers of {len({row.model for row in rows})} models")
    write_text(output, dump(train_lite(rows)))
    model = load_model(output)
    for name, settings in model.header["settings"].items():
        click.echo(
            f"{name}: left-out log loss {settings['left_out_log_loss']}, strength {settings['strength']}"
        )
    click.echo(f"wrote {output} ({output.stat().st_size / 1024:.0f} KiB), judge id {model.judge_id}")


@command.command()
@DATA_OPTION
@click.option(
    "--new-prompts",
    is_flag=True,
    help="Keep the tested questions out of training, too (all models were asked the same ones).",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the table to this file.",
)
def evaluate(data: Path | None, new_prompts: bool, output: Path | None) -> None:
    """Leave one model out at a time and compare with people; some three minutes on one core."""
    from safecot_eval.judge.lite.corpus import make_corpus
    from safecot_eval.judge.lite.data import Source, load
    from safecot_eval.judge.lite.evaluate import leave_one_model_out, table

    corpus = make_corpus(load(data))
    rows: list[Row] = []
    for source in (Source.XSTEST, Source.MSTS):
        if corpus.models_of(source):
            rows += table(corpus, source, leave_one_model_out(corpus, source, new_prompts=new_prompts))
    text = markdown(rows)
    click.echo(text, nl=False)
    if output:
        write_text(output, text)


def markdown(rows: list[Row]) -> str:
    """Rows of :func:`safecot_eval.judge.lite.evaluate.table` as a Markdown table."""
    lines = [
        "| set | left-out model | answers | positive | κ with people | κ where sure | coverage | κ of two people | calibration error |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        name = f"**{row.model}**" if row.model == "pooled" else row.model.rpartition("--")[2]
        lines.append(
            f"| {row.source} | {name} | {row.n:,} | {row.positive} | {row.kappa:.3f} | {row.kappa_decided:.3f} "
            f"| {100 * row.coverage:.1f} % | {row.annotators:.3f} | {row.ece:.3f} |"
        )
    return "\n".join(lines) + "\n"
