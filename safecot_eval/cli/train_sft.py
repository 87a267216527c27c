"""``safecot train sft`` and ``safecot train merge``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.wording import counted


def recipe_options(function: click.decorators.FC) -> click.decorators.FC:
    """Add the options that name a recipe, and what to train instead of what it says."""
    for option in (
        click.option(
            "--world-size", type=click.IntRange(min=1), help="Processes that were started; checked."
        ),
        click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any other recipe value."),
        click.option("--max-samples", type=click.IntRange(min=1), help="Train on the first N examples."),
        click.option(
            "--variant", type=click.Choice(["v0", "v1", "v2"]), help="Variant instead of the recipe's."
        ),
        click.option("--data", help="Data folder instead of the recipe's."),
        click.option(
            "--out",
            type=click.Path(file_okay=False, path_type=Path),
            help="Output folder.  [default: checkpoints/NAME-OF-THE-RECIPE-FILE]",
        ),
        click.option(
            "--recipe",
            "path",
            type=click.Path(path_type=Path),
            required=True,
            help="Recipe: a YAML file, or the name of a shipped one.",
        ),
    ):
        function = option(function)
    return function


@click.command("sft")
@recipe_options
def sft(
    path: Path,
    out: Path | None,
    data: str | None,
    variant: str | None,
    max_samples: int | None,
    settings: tuple[str, ...],
    world_size: int | None,
) -> None:
    """Fine-tune from a recipe; the same command goes on after an interruption."""
    named = {"objective": "sft", "data": data, "variant": variant, "max_samples": max_samples}
    train_recipe(path, out, named, settings, world_size)


def train_recipe(
    path: Path, out: Path | None, named: dict[str, Any], settings: Iterable[str], world_size: int | None
) -> None:
    """Train what a recipe says, with other values where they are named; says how it went."""
    from safecot_eval.util import safe_yaml
    from safecot_training.sft.objectives import Objective
    from safecot_training.sft.prepared import prepare
    from safecot_training.sft.recipe import load_recipe
    from safecot_training.sft.recipe_files import find_recipe
    from safecot_training.sft.world import is_first_process, require_world_size

    require_world_size(world_size)
    path = find_recipe(path)
    overrides = overrides_from(settings)
    content = safe_yaml.read_mapping(path, "a recipe is a mapping of keys to values")
    written = content.get("objective")
    if (
        written == Objective.SFT
    ):  # the key's default, which the recipe of a card has: any command may take it further
        written = None
    asked = overrides.get("objective", written) or named["objective"]
    if asked in tuple(Objective) and asked != named["objective"]:
        raise SafecotError(
            f"{path}: objective: {asked} is what `safecot train {asked}` trains by; run that, or leave the key out."
        )
    named = {**named, "objective": asked}  # one that is none is told with the other values
    recipe = load_recipe(path, {**overrides, **{k: v for k, v in named.items() if v is not None}})

    folder = out or Path("checkpoints") / path.stem
    prepared = prepare(recipe, folder)
    if prepared.finished is not None:
        if is_first_process():
            click.echo(f"{folder}: this run is finished; nothing to do (remove the folder to train again).")
        return

    from safecot_training.sft.train import train

    result = train(recipe, folder, world_size=world_size, prepared=prepared)
    for reason in result.damaged:
        click.echo(f"Checkpoint not used: {reason}.", err=True)
    if result.resumed_from:
        click.echo(f"Resumed from {result.resumed_from}.", err=True)
    if is_first_process():
        click.echo(
            f"{result.folder}: {counted(result.card.samples, 'example')}, {counted(result.world_size, 'process')}, "
            f"last loss {result.card.train_loss:.4f}."
        )


def overrides_from(settings: Iterable[str]) -> dict[str, Any]:
    """Recipe values of ``--set KEY=VALUE``; quotes that a shell or a script left around either do not matter.

    Raises:
        SafecotError: no key, or no value.
    """
    import yaml

    from safecot_eval.util import safe_yaml

    overrides: dict[str, Any] = {}
    for setting in settings:
        key, separator, text = setting.partition("=")
        key = key.strip().strip("'\"")
        if not separator or not key or not text.strip():
            raise SafecotError(f"--set {setting}: write KEY=VALUE.")
        try:
            value = safe_yaml.load(text)
            overrides[key] = text if isinstance(value, dict) and not text.lstrip().startswith("{") else value
        except (yaml.YAMLError, ValueError, RecursionError):
            overrides[key] = (
                text  # a text with a colon or a bracket in it; the recipe says if it must be something else
            )
    return overrides


@click.command("merge")
@click.option(
    "--adapter",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder of the adapter.",
)
@click.option("--base-model", help="Base instead of the card's.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for the merged model.",
)
def merge(adapter: Path, base_model: str | None, out: Path) -> None:
    """Add an adapter to its base and save the whole model."""
    import dataclasses

    from safecot_eval.generate.models import weights
    from safecot_training.sft.card import read_card, require_replaceable
    from safecot_training.sft.export import merge as merge_adapter

    card = read_card(adapter)
    base, out = base_model or card.base_model, out.resolve()
    if any(out == Path(place).expanduser().resolve() for place in (adapter, base)):
        raise SafecotError(
            f"--out {out}: is the adapter or its base, which merging would replace; name a new folder."
        )
    require_replaceable(out, "merged")
    weights.require_same_base(str(adapter), base, card.base_revision)
    merge_adapter(adapter, out, dataclasses.replace(card, base_model=base))
    click.echo(f"{out}: merged.")
