"""Recipes: what may stand in one, and the ones we ship."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from safecot_eval.util.errors import SafecotError
from safecot_training.sft.recipe import Method, Recipe, load_recipe, recipe_from

RECIPES = Path(__file__).parents[2] / "training/recipes"
MINIMAL = {"base_model": "b", "data": "d", "variant": "v1"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base_model": None}, "'base_model' is missing"),
        ({"variant": "v3"}, "it must be one of: v0, v1, v2"),
        ({"lerning_rate": 1}, "unknown key 'lerning_rate'"),
        ({"learning_rate": "fast"}, "'learning_rate' is 'fast'; it must be a number"),
        ({"learning_rate": 0}, "'learning_rate' must be positive"),
        ({"batch_size": 2.5}, "'batch_size' is 2.5; it must be a whole number"),
        ({"batch_size": 0}, "'batch_size' must be at least 1"),
        ({"group_by_length": "yes"}, "'group_by_length' is 'yes'; it must be true or false"),
        ({"processor": [1]}, "'processor' must be a mapping"),
        ({"save_total_limit": 1}, "a corrupt checkpoint needs one before it"),
        ({"save_steps": 7, "logging_steps": 5}, "must be a multiple of 'logging_steps'"),
        ({"freeze_vision": False}, "adapters are put into the language model only"),
        ({"capability_tasks": "mme"}, "'capability_tasks' must be a list"),
        ({"epochs": 0}, "'epochs' or 'max_steps' must be positive"),
    ],
)
def test_a_wrong_value_is_named(changes: dict, words: str) -> None:
    with pytest.raises(SafecotError) as error:
        recipe_from({**MINIMAL, **changes}, "my.yaml")
    assert words in str(error.value)
    assert str(error.value).startswith("my.yaml: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [("- a\n", "a recipe is a mapping"), ("a: [", "not a readable YAML file"), (None, "cannot be read")],
)
def test_an_unreadable_recipe_is_named(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "r.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SafecotError, match=words):
        load_recipe(path)


def test_the_hash_follows_what_changes_the_result_only() -> None:
    base = recipe_from(MINIMAL, "r")
    same = recipe_from({**MINIMAL, "notes": "x", "name": "y", "save_steps": 10, "report_to": "wandb"}, "r")
    other = recipe_from({**MINIMAL, "seed": 1}, "r")
    assert base.hash == same.hash != other.hash


def test_numbers_that_yaml_reads_as_text_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump(MINIMAL) + "learning_rate: 1e-4\n")
    assert load_recipe(path).learning_rate == 1e-4


def shipped() -> list[Path]:
    return sorted(RECIPES.glob("*.yaml"))


def test_every_promised_base_has_a_recipe() -> None:
    bases = " ".join(load_recipe(path).base_model for path in shipped())
    for name in (
        "Qwen2.5-VL-3B", "Qwen2.5-VL-7B", "Qwen3-VL", "llava-1.5-7b", "llava-onevision", "InternVL", "SmolVLM",
        "gemma-3", "Llama-3.2-11B-Vision",
    ):  # fmt: skip
        assert name in bases


@pytest.mark.parametrize(
    "path", [path for path in shipped() if "_safecot" not in path.stem], ids=lambda path: path.stem
)
def test_a_shipped_recipe_loads_and_gives_its_reasons(path: Path) -> None:
    recipe = load_recipe(path)
    assert isinstance(recipe, Recipe)
    assert "our choice" in recipe.notes
    for value in ("learning_rate", "epochs", "batch") + (
        ("lora_r",) if recipe.method is not Method.FULL else ()
    ):
        assert value in recipe.notes, f"{path.name} gives no reason for {value}"
    if recipe.distributed:
        assert (path.parent / recipe.distributed).is_file()
    assert recipe.freeze_vision


def test_the_shipped_recipes_cover_full_lora_and_qlora() -> None:
    assert {load_recipe(path).method for path in shipped()} == set(Method)


@pytest.mark.parametrize("path", sorted((RECIPES / "distributed").glob("*.yaml")), ids=lambda path: path.stem)
def test_accelerate_reads_the_distributed_configurations(path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(path))
    assert config.mixed_precision == "bf16"
    assert config.fsdp_config or config.deepspeed_config
    for forbidden in ("hostname", "main_process_ip"):
        assert getattr(config, forbidden, None) is None


def test_the_slurm_script_is_valid_and_checks_the_world_size() -> None:
    script = RECIPES / "slurm/sft.sbatch"
    subprocess.run(["bash", "-n", str(script)], check=True)
    text = script.read_text()
    assert re.search(r"^#SBATCH ", text, re.MULTILINE)
    assert "--world-size" in text
    assert "torchrun" in text
