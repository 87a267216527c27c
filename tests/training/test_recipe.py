"""Recipes: what may stand in one, and the ones we ship."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from safecot_eval.util.errors import SafecotError
from safecot_training.sft.recipe import Method, Recipe, load_recipe, recipe_from
from safecot_training.sft.recipe_files import find_recipe

RECIPES = Path(__file__).parents[2] / "training/recipes"
MINIMAL = {"base_model": "b", "data": "d", "variant": "v1"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base_model": None}, "base_model is missing"),
        ({"base_model": ""}, "base_model: "),
        ({"variant": "v3"}, "variant: should be 'v0', 'v1' or 'v2'"),
        ({"lerning_rate": 1}, "unknown key 'lerning_rate', did you mean 'learning_rate'?"),
        ({"maxpixels": 1}, "unknown key 'maxpixels'"),
        ({"learning_rate": "fast"}, "learning_rate: should be a valid number"),
        ({"learning_rate": 0}, "learning_rate: should be greater than 0"),
        ({"learning_rate": 5}, "learning_rate: should be less than or equal to 1"),
        ({"learning_rate": float("nan")}, "learning_rate: should be a finite number"),
        ({"learning_rate": True}, "learning_rate: should be a number"),
        ({"batch_size": 2.5}, "batch_size: should be a whole number"),
        ({"batch_size": True}, "batch_size: should be a number"),
        ({"batch_size": 0}, "batch_size: should be greater than or equal to 1"),
        ({"group_by_length": "maybe"}, "group_by_length: should be true or false"),
        ({"processor": [1]}, "processor: should be `name: value` lines"),
        (
            {"processor": {"maxpixels": 9}},
            "processor: unknown option 'maxpixels', did you mean 'max_pixels'?",
        ),
        ({"save_total_limit": 1}, "a corrupt checkpoint needs one before it"),
        ({"save_steps": 7, "logging_steps": 5}, "should be a multiple of 'logging_steps'"),
        ({"freeze_vision": False}, "adapters are put into the language model only"),
        ({"capability_tasks": "mme"}, "capability_tasks: should be a list"),
        ({"capability_tasks": []}, "capability_tasks: "),
        ({"epochs": 0}, "epochs: should be greater than 0"),
        ({"epochs": 1e9}, "epochs: should be less than or equal to 10000"),
        ({"batch_size": 70_000}, "batch_size: should be less than or equal to 65536"),
        ({"max_steps": 10**12}, "max_steps: should be less than or equal to 10000000"),
        ({"max_steps": 0}, "'max_steps' should be at least 1"),
        ({"max_samples": 0}, "max_samples: should be greater than or equal to 1"),
        ({"warmup_ratio": 5}, "warmup_ratio: should be less than 1"),
        ({"lora_alpha": 0}, "lora_alpha: should be greater than or equal to 1"),
        ({"lora_dropout": 2}, "lora_dropout: should be less than 1"),
        ({"weight_decay": -1}, "weight_decay: should be greater than or equal to 0"),
        ({"seed": -1}, "seed: should be greater than or equal to 0"),
        ({"seed": 2**32}, "seed: should be less than"),
        ({"workers": -1}, "workers: should be greater than or equal to 0"),
        ({"keep_best": True}, "need 'validation_samples'"),
        ({"patience": 2, "validation_samples": 4}, "'patience' needs 'keep_best'"),
        ({"optim": "adam"}, "optim: 'adam' should be one of: adamw_torch"),
        ({"family": {"vision": ["v."]}}, "family.projector is missing"),
        (
            {"family": {"vision": ["v."], "projector": ["p."], "language": "l", "tower": 1}},
            "unknown key 'tower'",
        ),
        ({"lora_targets": "("}, "lora_targets: not a regular expression"),
        ({"export_dtype": "int8"}, "export_dtype: "),
        ({"objective": "orpo"}, "objective: "),
        ({"scheduler": "cosinus"}, "scheduler: 'cosinus' should be one of: cosine"),
        ({"report_to": "notebook"}, "report_to: 'notebook' should be one of: none"),
    ],
)
def test_a_wrong_value_is_named(changes: dict, words: str) -> None:
    with pytest.raises(SafecotError) as error:
        recipe_from({**MINIMAL, **changes}, "my.yaml")
    assert words in str(error.value)
    assert str(error.value).startswith("my.yaml: not a valid recipe: ")


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ('learning_rate="1e-3"', "learning_rate", 1e-3), ("batch_size='2'", "batch_size", 2), ("'seed'=3", "seed", 3),
        ('"max_steps"="7"', "max_steps", 7), ("name=a: b", "name", "a: b"), ("notes=[", "notes", "["),
        ("processor={min_pixels: 9}", "processor", {"min_pixels": 9}), ("name=7", "name", "7"),
    ],
)  # fmt: skip
def test_quotes_around_a_setting_do_not_matter(setting: str, key: str, value: object) -> None:
    from safecot_eval.cli.train_sft import overrides_from

    assert getattr(recipe_from({**MINIMAL, **overrides_from([setting])}, "r"), key) == value


@pytest.mark.parametrize("setting", ["learning_rate", "=3", "learning_rate=", "batch_size=two", "learning=1"])
def test_a_setting_that_is_none_is_one_sentence(setting: str) -> None:
    from safecot_eval.cli.train_sft import overrides_from

    with pytest.raises(SafecotError):
        recipe_from({**MINIMAL, **overrides_from([setting])}, "r")


@pytest.mark.parametrize(
    ("text", "words"),
    [("- a\n", "a recipe is a mapping"), ("a: [", "not a readable YAML file"), (None, "no such file")],
)
def test_an_unreadable_recipe_is_named(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "r.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SafecotError, match=words):
        load_recipe(path)


def test_a_shipped_recipe_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wanted = RECIPES / "qwen2_5_vl_3b_lora.yaml"
    for given in (
        "qwen2_5_vl_3b_lora",
        "qwen2_5_vl_3b_lora.yaml",
        "training/recipes/qwen2_5_vl_3b_lora.yaml",
    ):
        assert find_recipe(Path(given)).samefile(wanted)
    with pytest.raises(SafecotError, match=r"qwen_3b: no such file, .*qwen2_5_vl_3b_lora"):
        find_recipe(Path("qwen_3b"))
    with pytest.raises(SafecotError, match="no such file"):
        find_recipe(Path("mine/qwen2_5_vl_3b_lora.yaml"))
    (tmp_path / "qwen2_5_vl_3b_lora").mkdir()  # as --out of an earlier run may be called
    assert find_recipe(Path("qwen2_5_vl_3b_lora")).samefile(wanted)
    (tmp_path / "qwen2_5_vl_3b_lora.yaml").write_text("own: 1")
    assert find_recipe(Path("qwen2_5_vl_3b_lora.yaml")) == Path("qwen2_5_vl_3b_lora.yaml")


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
