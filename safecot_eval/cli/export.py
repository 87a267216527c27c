"""``safecot export``: results for other people's collections."""

from __future__ import annotations

from pathlib import Path

import click

from safecot_eval.cli.groups import Group
from safecot_eval.cli.submit import RELATIONSHIPS
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.wording import counted


@click.group(cls=Group)
def command() -> None:
    """Write results in the forms of other collections."""


@command.command("every-eval-ever")
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder to write below.")
@click.option("--submitter", default="", help="The organisation that ran the evaluation.")
@click.option(
    "--relationship",
    type=click.Choice(RELATIONSHIPS),
    default="other",
    show_default=True,
    help="To the models: first_party means that you made them.",
)
def every_eval_ever(runs: tuple[str, ...], output: Path, submitter: str, relationship: str) -> None:
    """RUNS as files of Every Eval Ever: data/<benchmark>/<developer>/<model>/<uuid>.json."""
    from safecot_eval.submissions.submitted import newest
    from safecot_eval.submissions.submitting import documents_of
    from safecot_reports.every_eval_ever import write

    documents = documents_of(newest(runs), submitter, relationship)
    written = [path for document in documents for path in write(document, output)]
    click.echo(f"{output}: {counted(len(written), 'file')} of {counted(len(documents), 'model')}")


@command.command("hub")
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder of the data set."
)
@click.option("--texts", is_flag=True, help="Include prompts and answers of items that should be answered.")
@click.option(
    "--include-harmful",
    is_flag=True,
    help="With --texts: those of all items. Readers must accept conditions.",
)
@click.option("--repo", help="OWNER/NAME: upload it to the hub (private unless --public).")
@click.option("--public", is_flag=True, help="Make the repository public.")
@click.option(
    "--title", default="Safety and over-refusal", show_default=True, help="Title on the data set's page."
)
def hub(
    runs: tuple[str, ...],
    output: Path,
    texts: bool,
    include_harmful: bool,
    repo: str | None,
    public: bool,
    title: str,
) -> None:
    """RUNS as a data set for the Hugging Face hub. Nothing is uploaded without --repo; no text goes in without --texts."""
    from safecot_eval.submissions.submitted import newest
    from safecot_eval.submissions.submitting import documents_of
    from safecot_reports import hub_dataset

    if include_harmful and not texts:
        raise SafecotError("--include-harmful belongs to --texts.")
    if public and repo is None:
        raise SafecotError("--public belongs to --repo.")
    found = newest(runs)
    with_texts = [run for run in found if texts and run.has_texts]
    documents = documents_of(found, "", "other")
    counts = hub_dataset.write(documents, output, runs=with_texts, harmful=include_harmful, title=title)
    said = ", ".join(counted(counts[f"{each}s"], each) for each in ("rate", "outcome", "text"))
    click.echo(f"{output}: {said}" + (f" ({counts['withheld']} withheld)" if counts["withheld"] else ""))
    if repo is not None:
        click.echo(f"Uploaded to {hub_dataset.upload(output, repo, public=public)}")
