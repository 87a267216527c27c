"""``safecot train export-data``: the training file of a variant for other trainers."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("export-data")
@click.option(
    "--data", "folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="Data folder."
)
@click.option(
    "--variant", type=click.Choice(["v0", "v1", "v2"]), required=True, help="Whose training file to write."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["llamafactory", "ms-swift", "axolotl", "sharegpt"]),
    required=True,
    help="Format to write.",
)
@click.option("--max-samples", type=click.IntRange(min=1), help="The first N examples.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write."
)
def export_data(folder: Path, variant: str, form: str, max_samples: int | None, out: Path) -> None:
    """Write a variant's training file for LLaMA-Factory, ms-swift, axolotl, or in LLaVA's format."""
    from safecot_training.data import exchange
    from safecot_training.data.dataset import read_manifest

    if not read_manifest(folder)["contamination"].get("checked"):
        click.echo(
            f"{folder}: checked against no evaluation set; build the data with --eval-set TASK=DIR before you evaluate what "
            "is trained on them.",
            err=True,
        )
    for path in exchange.export_data(folder, variant, exchange.Format(form), out, count=max_samples):
        click.echo(f"{path} written.")
