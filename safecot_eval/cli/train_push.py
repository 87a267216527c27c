"""``safecot train push``: upload a checkpoint to the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("push")
@click.argument("checkpoint", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--repo", "repository", required=True, metavar="OWNER/NAME", help="Created if it is not there.")
@click.option(
    "--form",
    type=click.Choice(["merged", "adapter"]),
    default="merged",
    show_default=True,
    help="Upload the merged model, or the adapter alone.",
)
@click.option("--license", "licence", default="", help="The base's licence, if its model card states none.")
@click.option("--public", is_flag=True, help="Make the repository public; it is private otherwise.")
def push(checkpoint: Path, repository: str, form: str, licence: str, public: bool) -> None:
    """Upload a checkpoint with its card, under the licence of its base.

    To the hub that HF_ENDPOINT names, as the user who is logged in (`hf auth login`).
    """
    from safecot_training.evaluate import find_checkpoint
    from safecot_training.sft.push import push as upload

    found = find_checkpoint(checkpoint, form)
    click.echo(f"{upload(found.folder, repository, licence=licence, public=public)}: uploaded.")
