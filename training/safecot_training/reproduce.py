"""From a recipe and a data folder to a page: v0, v1 and v2 written, trained, evaluated in and out of distribution.

Every step is a command of its own that goes on after an interruption; a step that is done is not done again. What was done is in
``steps.json``.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safecot_eval.benchmarks import foreign_tasks, selection
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.exit_status import ExitStatus
from safecot_eval.util.files import content_hash, read_json, write_json
from safecot_training.data.dataset import held_out_clusters, read_manifest
from safecot_training.evaluate import held_out_items
from safecot_training.sft.recipe import Recipe

STEPS = "steps.json"
ITEMS = "held_out_items.jsonl"
Runner = Callable[[Sequence[str]], int]


@dataclass(frozen=True, slots=True)
class Step:
    """One command.

    Attributes:
        name: What it does, in a few words.
        command: Arguments of ``safecot``.
    """

    name: str
    command: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}: safecot {shlex.join(self.command)}"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be reproduced.

    Attributes:
        recipe: Recipe file.
        data: Data folder.
        out: Folder for checkpoints, runs and the page.
        variants: In order.
        inside: Tasks of benchmarks that are trained on; only held-out questions of them are asked.
        outside: Tasks of others.
        base_url: Endpoint that writes v2's thoughts; empty if v2 is written or left out.
        writer: Its model; empty for the default.
        overrides: Further ``KEY=VALUE`` for the recipe.
    """

    recipe: Path
    data: Path
    out: Path
    variants: tuple[str, ...] = ("v0", "v1", "v2")
    inside: str = ""
    outside: str = "safecot_core"
    base_url: str = ""
    writer: str = ""
    overrides: tuple[str, ...] = ()


def plan(order: Order, recipe: Recipe) -> list[Step]:
    """The steps, in order.

    Args:
        order: What is wanted.
        recipe: Its recipe, with the overrides.

    Raises:
        SafecotError: v2 is not written and no endpoint is given, nothing of the tasks inside was held out, or a task is unknown or
            cannot run here.
    """
    for tasks in filter(None, (order.inside, order.outside)):
        foreign_tasks.require_known(selection.expand_tasks(tasks, recorded=False)[1])
    written = read_manifest(order.data)["variants"]
    if order.inside and not held_out_clusters(order.data):
        raise SafecotError(
            f"{order.data}: nothing was held out; build the data with --holdout, or leave out --in-distribution."
        )
    runs, data = str(order.out / "runs"), str(order.data)
    steps = []
    for variant in order.variants:
        if variant in written:
            continue
        command = ["train", "cot", "--data", data, "--variant", variant]
        if variant == "v2":
            if not order.base_url:
                raise SafecotError(
                    f"{order.data}: v2 is not written; give its writer's endpoint with --base-url, or --variants v0,v1."
                )
            command += ["--base-url", order.base_url, *(["--model", order.writer] if order.writer else [])]
        steps.append(Step(f"write {variant}", tuple(command)))
    settings = [part for setting in order.overrides for part in ("--set", setting)]
    for variant in order.variants:
        folder = str(order.out / variant)
        train = [
            "train",
            "sft",
            "--recipe",
            str(order.recipe),
            "--data",
            data,
            "--variant",
            variant,
            "--out",
            folder,
        ]
        steps.append(Step(f"train {variant}", (*train, *settings)))
    base = [
        "run",
        "--model",
        "safecot_hf",
        "--model_args",
        f"pretrained={recipe.base_model},revision={recipe.base_revision}",
    ]
    if order.inside:
        inside = [*base, "--tasks", order.inside, "--items", str(order.out / ITEMS), "--output_path", runs]
        steps.append(Step("evaluate the base in distribution", tuple(inside)))
    if order.outside:
        outside = [*base, "--tasks", order.outside, "--output_path", runs]
        steps.append(Step("evaluate the base out of distribution", tuple(outside)))
    for variant in order.variants:
        evaluate = ["train", "eval", str(order.out / variant), "--output_path", runs]
        if order.inside:
            inside = [*evaluate, "--tasks", order.inside, "--held-out", "--data", data]
            steps.append(Step(f"evaluate {variant} in distribution", tuple(inside)))
        if order.outside:
            steps.append(
                Step(f"evaluate {variant} out of distribution", (*evaluate, "--tasks", order.outside))
            )
    steps.append(Step("write the page", ("report", runs, "--output", str(order.out / "leaderboard.html"))))
    return steps


def reproduce(order: Order, recipe: Recipe, say: Callable[[str], None], run: Runner | None = None) -> None:
    """Take the steps that are not done yet.

    Args:
        order: What is wanted.
        recipe: Its recipe, with the overrides.
        say: Gets a line per step.
        run: Runs the arguments of one command and returns its exit status; a process of ours by default.

    Raises:
        SafecotError: see :func:`plan`, or a step failed; its own sentence has been printed, and the same command goes on from it.
    """
    steps = plan(order, recipe)
    if order.inside:
        held_out_items(order.data, order.inside, order.out / ITEMS)
    run = run or _run
    place = order.out / STEPS
    done: dict[str, str] = read_json(place) if place.is_file() else {}
    for number, step in enumerate(steps, start=1):
        # The page is written again as long as anything before it was.
        key = content_hash(list(step.command))
        if done.get(step.name) == key:
            say(f"{number}/{len(steps)} {step.name}: done before")
            continue
        say(f"{number}/{len(steps)} {step}")
        status = run(step.command)
        if status not in (ExitStatus.DONE, ExitStatus.INCOMPLETE):
            raise SafecotError(
                f"{step.name} ended with status {status}; see its messages above. The same command goes on from there."
            )
        done = {**done, step.name: key}
        if step is not steps[-1]:
            done.pop(steps[-1].name, None)
        write_json(place, done)


def _run(arguments: Sequence[str]) -> int:
    return subprocess.run([sys.executable, "-m", "safecot_eval", *arguments], check=False).returncode
