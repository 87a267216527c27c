"""``safecot train dpo``, ``kto`` and ``grpo``: preference tuning behind SFT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from safecot_eval.cli.train_sft import recipe_options, train_recipe


def own_answers(function: click.decorators.FC) -> click.decorators.FC:
    """Add the options that name a checkpoint's own answers to training questions."""
    for option in (
        click.option(
            "--failures-by",
            metavar="EVALUATOR",
            help="Whose verdicts say what fails in --failures: template, or JUDGE/RUBRIC.  [default: template]",
        ),
        click.option(
            "--failures",
            type=click.Path(file_okay=False, path_type=Path),
            metavar="RUN",
            help="Folder of the checkpoint's evaluated runs: its answers to training questions, rejected where they fail.",
        ),
        click.option(
            "--rejected",
            type=click.Path(dir_okay=False, path_type=Path),
            help='The same from a file ({"id": EXAMPLE, "response": TEXT} a line), read by phrases.',
        ),
    ):
        function = option(function)
    return function


def _command(objective: str, text: str, *options: Callable[..., Any]) -> click.Command:
    """A command that trains a recipe by another objective than SFT's."""

    @click.command(objective, help=text)
    @recipe_options
    def tune(
        path: Path, out: Path | None, settings: tuple[str, ...], world_size: int | None, **given: Any
    ) -> None:
        values = {key: str(value) if isinstance(value, Path) else value for key, value in given.items()}
        train_recipe(path, out, {"objective": objective, **values}, settings, world_size)

    for option in options:
        option(tune)
    return tune


dpo = _command(
    "dpo",
    """Tune a checkpoint by preference (TRL's DPO): its targets before refusals without a thought.

    The recipe's base_model is the checkpoint, mostly the merged form of an SFT run; pairs come from the same data folder.
    """,
    own_answers,
)
kto = _command(
    "kto",
    """Tune a checkpoint by single labels (TRL's KTO): towards targets, away from answers that did not do what was expected.

    The recipe's base_model is the checkpoint, mostly the merged form of an SFT run; labels come from the same data folder.
    """,
    own_answers,
)
grpo = _command(
    "grpo",
    """Tune a checkpoint by rewards (TRL's GRPO) of answers that it samples to the questions of a data folder.

    The recipe's base_model is the checkpoint, mostly the merged form of an SFT run; its `rewards` say what counts.
    """,
)
