"""``safecot train reproduce``: from a recipe and a data folder to a page, in one command."""

from __future__ import annotations

from pathlib import Path

import click

from safecot_eval.util.errors import SafecotError


@click.command("reproduce")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "--data", "folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="Data folder."
)
@click.option(
    "--variants", default="v0,v1,v2", show_default=True, help="Which to train, separated by commas."
)
@click.option(
    "--in-distribution",
    "inside",
    default="",
    help="Tasks of what is trained on; asks held-out questions only.",
)
@click.option(
    "--out-of-distribution",
    "outside",
    default="safecot_core",
    show_default=True,
    help="Tasks of other benchmarks.",
)
@click.option(
    "--base-url", default="", help="Endpoint that writes v2's thoughts, if they are not written yet."
)
@click.option("--model", "writer", default="", help="Its model.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any recipe value.")
@click.option("--dry-run", is_flag=True, help="Print the steps; do nothing.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for checkpoints, runs, page.",
)
def reproduce(
    recipe: Path,
    folder: Path,
    variants: str,
    inside: str,
    outside: str,
    base_url: str,
    writer: str,
    settings: tuple[str, ...],
    dry_run: bool,
    out: Path,
) -> None:
    """Write, train and evaluate v0, v1 and v2, and write the page; the same command goes on after an interruption."""
    from safecot_eval.cli.train_sft import overrides_from
    from safecot_training import reproduce as steps
    from safecot_training.sft.recipe import load_recipe
    from safecot_training.sft.recipe_files import find_recipe

    chosen = tuple(part.strip() for part in variants.split(",") if part.strip())
    if not chosen or set(chosen) - {"v0", "v1", "v2"}:
        raise SafecotError(f"--variants {variants}: write v0, v1 and v2 with commas between them.")
    if not inside and not outside:
        raise SafecotError("Give tasks with --in-distribution or --out-of-distribution.")
    recipe = find_recipe(recipe)
    order = steps.Order(recipe, folder, out, chosen, inside, outside, base_url, writer, settings)
    loaded = load_recipe(recipe, overrides_from(settings))
    if dry_run:
        for step in steps.plan(order, loaded):
            click.echo(str(step))
        return
    steps.reproduce(order, loaded, click.echo)
