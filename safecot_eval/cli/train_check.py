"""``safecot train check``: is a base fit for tuning, asked before the first step."""

from __future__ import annotations

from pathlib import Path

import click

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.exit_status import ExitStatus


@click.command("check")
@click.argument("base", required=False)
@click.option(
    "--recipe",
    "path",
    type=click.Path(path_type=Path),
    help="Check this recipe's base with its method and its processor's options.",
)
@click.option("--revision", default="main", show_default=True, help="Hub revision of BASE.")
@click.option("--full", is_flag=True, help="For full fine-tuning instead of adapters.")
@click.option(
    "--fix",
    is_flag=True,
    help="Write the fixed chat template beside BASE, for other programs; ours fix it as they go.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="With --fix: write the processor here instead.",
)
@click.pass_context
def check(
    ctx: click.Context,
    base: str | None,
    path: Path | None,
    revision: str,
    full: bool,
    fix: bool,
    out: Path | None,
) -> None:
    """Check a base: end of an answer, prompt, image tokens, loss, and what is tuned.

    BASE is a folder or a hub id. No weights are read. Exit status 1 where something fails; `fixed` lines are put right
    in every run. `safecot train sft` asks the same before its first step.
    """
    if base is not None and path is not None:
        raise SafecotError(
            "BASE and --recipe were both given; the recipe names its base, so give one of the two."
        )
    if base is None and path is None:
        raise SafecotError("Name a base model, or a recipe with --recipe.")
    if out is not None and not fix:
        raise SafecotError("--out belongs to --fix.")
    from safecot_eval.generate.models import weights
    from safecot_training.sft.recipe import Method, load_recipe, recipe_from
    from safecot_training.sft.recipe_files import find_recipe

    if path is not None:
        recipe = load_recipe(find_recipe(path))
    else:
        method = "full" if full else "lora"
        given = {
            "base_model": base,
            "base_revision": revision,
            "method": method,
            "data": "-",
            "variant": "v1",
        }
        recipe = recipe_from(given, "check")
    weights.require_whole_there(recipe.base_model, "Base model")

    from safecot_training.sft.check import check_base, write_processor
    from safecot_training.sft.families import family_of
    from safecot_training.sft.loading import load_processor, load_stops

    config, processor = load_processor(recipe)
    family = family_of(config.model_type, recipe.base_model, recipe.family)
    stops = load_stops(recipe, config, processor)
    before = processor.chat_template
    found = check_base(
        recipe.base_model,
        config,
        processor,
        stops,
        family,
        full=recipe.method is Method.FULL,
        targets=recipe.lora_targets,
        vision=recipe.freeze_vision,
        projector=recipe.freeze_projector,
    )
    click.echo(f"{recipe.base_model} ({config.model_type})")
    width = max(len(finding.question) for finding in found.findings)
    for finding in found.findings:
        click.echo(f"  {finding.question:<{width}}  {finding.status:<6}  {finding.sentence}")
    if found.fails:
        ctx.exit(ExitStatus.FAILED)
    if fix and processor.chat_template == before:
        click.echo("Nothing to write: the chat template is as it should be.")
    elif fix:
        click.echo(f"Written: {write_processor(processor, recipe.base_model, before, out)}")
