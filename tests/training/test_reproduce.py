"""One command from a recipe to a page: the right steps, each a real command, and none twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from safecot_eval.cli import cli
from safecot_eval.cli.train import command
from safecot_eval.util.errors import SafecotError
from safecot_training import reproduce
from safecot_training.cot.targets import Variant
from safecot_training.cot.variants import write_variant
from safecot_training.data.dataset import build
from safecot_training.data.drawing import Plan
from safecot_training.data.examples import Kind, read_triplets
from safecot_training.data.sources import read_source
from safecot_training.reproduce import Order
from safecot_training.sft.recipe import load_recipe
from tests.training.test_sources import mm_safetybench


@pytest.fixture
def order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Order:
    root = mm_safetybench(tmp_path / "benchmarks/mm_safetybench", 1)
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(tmp_path / "benchmarks"))
    safety = read_source(f"bench:mmsafetybench={root}", Kind.SAFETY, tmp_path)
    build(safety, [], tmp_path / "data", Plan(ratio=(1, 0), holdout=0.3))
    write_variant(tmp_path / "data", Variant.V0)
    recipe = tmp_path / "r.yaml"
    recipe.write_text(yaml.safe_dump({"base_model": "org/base", "data": "d", "variant": "v1"}))
    inside = "safecot_mmsafetybench_sd"
    return Order(recipe, tmp_path / "data", tmp_path / "out", ("v0", "v1"), inside, "safecot_mini_tiny")


NAMES = [
    "write v1", "train v0", "train v1", "evaluate the base in distribution", "evaluate the base out of distribution",
    "evaluate v0 in distribution", "evaluate v0 out of distribution", "evaluate v1 in distribution", "evaluate v1 out of distribution", "write the page",
]  # fmt: skip


def taken(order: Order, fails_at: str = "") -> list[str]:
    """Names of the steps that are taken."""
    lines: list[str] = []

    def run(arguments) -> int:
        return 1 if fails_at and lines[-1].split(" ", 1)[1].startswith(fails_at) else 0

    try:
        reproduce.reproduce(order, load_recipe(order.recipe), lines.append, run)
    finally:
        names = [line.split(" ", 1)[1].partition(":")[0] for line in lines if "done before" not in line]
    return names


def test_every_step_is_taken_once(order: Order) -> None:
    assert taken(order) == NAMES
    assert taken(order) == []


def test_a_failed_step_is_named_and_the_same_command_goes_on_from_it(order: Order) -> None:
    with pytest.raises(SafecotError, match="train v1 ended with status 1"):
        taken(order, fails_at="train v1")
    assert taken(order) == NAMES[2:]
    more = Order(**{name: getattr(order, name) for name in order.__slots__} | {"outside": "safecot_mini"})
    assert taken(more) == [name for name in NAMES if "out of" in name or "page" in name]


def test_every_command_is_one_of_ours(order: Order) -> None:
    """Parsed by the command line itself, so that no option is made up; options of `safecot run` pass through."""
    for step in reproduce.plan(order, load_recipe(order.recipe)):
        group, name, arguments = cli, step.command[0], list(step.command[1:])
        if name == "train":
            group, name, arguments = command, arguments[0], arguments[1:]
        found = group.get_command(None, name)
        order.out.joinpath("v0").mkdir(parents=True, exist_ok=True)
        order.out.joinpath("v1").mkdir(parents=True, exist_ok=True)
        context = found.make_context(name, arguments)
        assert not context.args, step


def test_the_base_is_the_one_that_is_trained_and_asked_the_same_questions(order: Order) -> None:
    recipe = load_recipe(order.recipe, {"base_model": "org/other"})
    steps = {step.name: step.command for step in reproduce.plan(order, recipe)}
    for place in ("in", "out of"):
        assert any(
            "pretrained=org/other," in part for part in steps[f"evaluate the base {place} distribution"]
        )
    assert str(order.out / reproduce.ITEMS) in steps["evaluate the base in distribution"]
    shown = CliRunner().invoke(cli, [
        "train", "reproduce", str(order.recipe), "--data", str(order.data), "--out", str(order.out), "--variants", "v0",
        "--out-of-distribution", "safecot_mini_tiny", "--set", "base_model=org/other", "--dry-run",
    ], catch_exceptions=False)  # fmt: skip
    assert "pretrained=org/other," in shown.output
    assert "org/base" not in shown.output
    with pytest.raises(SafecotError, match="none of these tasks was trained on"):
        reproduce.reproduce(replace(order, inside="safecot_mini"), recipe, print, lambda _: 0)


def test_what_cannot_be_done_is_said_before_the_first_step(
    order: Order, tmp_path: Path, triplets: Path
) -> None:
    arguments = ["train", "reproduce", str(order.recipe), "--data", str(order.data), "--out", str(order.out)]
    arguments += ["--out-of-distribution", "safecot_mini"]
    failed = CliRunner().invoke(cli, [*arguments, "--dry-run"])
    assert isinstance(failed.exception, SafecotError)
    assert "v2 is not written" in str(failed.exception)
    shown = CliRunner().invoke(cli, [*arguments, "--dry-run", "--variants", "v0,v1"], catch_exceptions=False)
    assert shown.output.count("safecot train sft") == 2
    assert not order.out.exists()
    failed = CliRunner().invoke(cli, [*arguments, "--variants", "v3"])
    assert "--variants v3" in str(failed.exception)
    build(read_triplets(triplets), [], tmp_path / "whole", Plan(ratio=(1, 0)))
    with pytest.raises(SafecotError, match="nothing was held out"):
        reproduce.plan(replace(order, data=tmp_path / "whole"), None)


@pytest.mark.parametrize(
    ("where", "tasks"), [("inside", "safecot_minni"), ("outside", "pop"), ("outside", "safecot_mini,pop")]
)
def test_a_misspelt_task_is_refused_before_anything_is_trained(order: Order, where: str, tasks: str) -> None:
    asked: list[object] = []
    with pytest.raises(SafecotError, match=r"did you mean (safecot_mini|pope)"):
        reproduce.reproduce(
            replace(order, **{where: tasks}),
            load_recipe(order.recipe),
            print,
            lambda arguments: asked.append(arguments) or 0,
        )
    assert not asked
