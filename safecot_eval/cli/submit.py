"""``safecot submit``: one compact file per model for a public leaderboard."""

from __future__ import annotations

from pathlib import Path

import click

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import folder_name
from safecot_eval.util.wording import counted

RELATIONSHIPS = ("first_party", "third_party", "collaborative", "other")


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option("--model", help="Which model, where the runs are of several.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Default: <model>.safecot.json")
@click.option("--submitter", default="", help="Your name or your group's.")
@click.option(
    "--relationship",
    type=click.Choice(RELATIONSHIPS),
    default="other",
    show_default=True,
    help="To the model: first_party means that you made it.",
)
@click.option("--note", default="", help="What a reviewer should know.")
def command(
    runs: tuple[str, ...],
    model: str | None,
    output: Path | None,
    submitter: str,
    relationship: str,
    note: str,
) -> None:
    """Write the submission of one model from RUNS: rates, outcomes per sample, provenance, hashes; no prompt, no answer.

    Paths and keys are taken out of the command. `safecot validate` checks the file, `safecot report FOLDER` shows a folder
    of them.
    """
    from safecot_eval import submissions
    from safecot_eval.records.run import find_runs
    from safecot_eval.scoring.refusal import available_lists
    from safecot_eval.submissions.submitting import blocks_of
    from safecot_eval.util.terminal import printable

    found = find_runs(runs)
    models = sorted({run.model for run in found})
    if model is None and len(models) > 1:
        raise SafecotError(
            f"These runs are of {len(models)} models; choose one with --model: {', '.join(models)}."
        )
    chosen = [run for run in found if run.model == (model or models[0])]
    if not chosen:
        raise SafecotError(f"--model {model}: no such model in these runs; there are: {', '.join(models)}.")
    name = chosen[0].model
    blocks = blocks_of(chosen, lists=available_lists())
    document = submissions.seal(name, blocks, submitter=submitter, relationship=relationship, note=note)
    findings = submissions.validate(document)
    if findings.errors:
        raise SafecotError(f"This submission would not be accepted: {findings.errors[0]}.")
    target = output or Path(folder_name(name) + submissions.SUFFIX)
    if not target.name.endswith(submissions.SUFFIX):
        raise SafecotError(f"-o {target}: the name of a submission ends in {submissions.SUFFIX}.")
    submissions.save(document, target)
    for warning in findings.warnings:
        click.echo(f"note: {printable(warning, 500)}", err=True)
    samples = sum(len(block["columns"]["id"]) for block in blocks)
    size = target.stat().st_size
    click.echo(
        f"{target}: {printable(name)}, {counted(len(blocks), 'task')}, {counted(samples, 'sample')}, {size / 1000:.0f} kB"
    )
    click.echo(f"sha256 {document['sha256']}")
