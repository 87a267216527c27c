"""``safecot train dpo``, ``kto`` and ``grpo``: preference tuning behind SFT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from safecot_eval.cli.train_sft import recipe_options, train_recipe

own_answers = click.option(
    "--rejected",
    type=click.Path(dir_okay=False, path_type=Path),
    help='A checkpoint\'s own answers to training questions ({"id", "response"} a line), rejected where they fail.',
)


def _values(objective: str, given: dict[str, Any]) -> dict[str, Any]:
    return {
        "objective": objective,
        **{key: str(value) if isinstance(value, Path) else value for key, value in given.items()},
    }


@click.command("dpo")
@recipe_options
@own_answers
def dpo(
    path: Path, out: Path | None, settings: tuple[str, ...], world_size: int | None, **given: Any
) -> None:
    """Tune a checkpoint by preference (TRL's DPO): its targets before refusals without a thought.

    The recipe's base_model is the checkpoint, mostly the merged form of an SFT run; pairs come from the same data folder.
    """
    train_recipe(path, out, _values("dpo", given), settings, world_size)


@click.command("kto")
@recipe_options
@own_answers
def kto(
    path: Path, out: Path | None, settings: tuple[str, ...], world_size: int | None, **given: Any
) -> None:
    """Tune a checkpoint by single labels (TRL's KTO): towards targets, away from answers that did not do what was expected.

    The recipe's base_model is the checkpoint, mostly the merged form of an SFT run; labels come from the same data folder.
    """
    train_recipe(path, out, _values("kto", given), settings, world_size)


@click.command("grpo")
@recipe_options
def grpo(
    path: Path, out: Path | None, settings: tuple[str, ...], world_size: int | None, **given: Any
) -> None:
    """Tune a checkpoint by rewards (TRL's GRPO) of answers that it samples to the questions of a data folder.

    The recipe's base_model is the checkpoint, mostly the merged form of an SFT run; its `rewards` say what counts.
    """
    train_recipe(path, out, _values("grpo", given), settings, world_size)
