"""What goes wrong in fine-tuning is one sentence, and nothing half written is left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import CHECKPOINT_CARD
from safecot_training.cot.targets import Variant

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("training")]


def refused(train, recipe, out: Path, words: str) -> None:
    with pytest.raises(SafecotError, match=words):
        train(recipe, out)
    assert not (out / "merged").exists()


def test_an_unknown_base_or_architecture_is_one_sentence(make_recipe, bases, tmp_path: Path, train) -> None:
    refused(train, make_recipe(base_model=str(tmp_path / "none")), tmp_path / "a", "no such folder exists")
    folder = tmp_path / "bert"
    shutil.copytree(bases["llava"], folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    known = "architecture 'bert' is not known to the trainer"
    refused(train, make_recipe(base_model=str(folder)), tmp_path / "b", known)


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ("zzz", r"lora_targets 'zzz' matches no layer; it is compared with whole names, such as 'model\."),
        (
            r".*mlp",
            r"lora_targets '\.\*mlp' also matches '.*mlp', which is not a layer that can have an adapter",
        ),
        (
            r".*(q_proj|v_proj)",
            r"also matches 'model\.vision_tower\..*' \(4 of 8 layers\), in a part that the recipe keeps .*freeze_vision",
        ),
    ],
)
def test_targets_that_nothing_can_have_an_adapter_on(
    make_recipe, tmp_path: Path, train, targets: str, said: str
) -> None:
    refused(train, make_recipe(method="lora", lora_targets=targets), tmp_path / "out", said)
    assert not (tmp_path / "out").exists()


def test_adapters_on_the_vision_tower_are_a_choice(make_recipe, tmp_path: Path, train) -> None:
    recipe = make_recipe(method="lora", lora_targets=".*(q_proj|v_proj)", freeze_vision=False, max_steps=1)
    out = train(recipe, tmp_path / "out").folder
    names = load_file(out / "adapter/adapter_model.safetensors")
    assert any("vision_tower" in name for name in names)
    assert any("language_model" in name for name in names)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"optim": "lion_32bit"}, r"is not installed: .*bitsandbytes"),
        (
            {"attn_implementation": "flex_attention"},
            "flex_attention cannot be trained on a CPU",
        ),
    ],
)
def test_what_this_machine_lacks_is_one_sentence(
    make_recipe, tmp_path: Path, train, values: dict, said: str
) -> None:
    refused(train, make_recipe(max_steps=1, **values), tmp_path / "out", said)


def test_a_base_without_its_processor_names_the_files(make_recipe, bases, tmp_path: Path, train) -> None:
    folder = tmp_path / "base"
    folder.mkdir()
    shutil.copy(bases["llava"] / "config.json", folder)
    said = r"there is no processor_config.json or preprocessor_config.json, and no tokenizer.json or "
    refused(train, make_recipe(base_model=str(folder)), tmp_path / "a", said)
    shutil.copy(bases["llava"] / "processor_config.json", folder)
    refused(
        train,
        make_recipe(base_model=str(folder)),
        tmp_path / "b",
        r"there is no tokenizer.json or .*save the processor",
    )


def test_a_base_without_chat_template_or_with_broken_weights_is_named(
    make_recipe, bases, tmp_path: Path, train
) -> None:
    folder = tmp_path / "base"
    shutil.copytree(bases["llava"], folder)
    (folder / "chat_template.jinja").unlink()
    refused(train, make_recipe(base_model=str(folder)), tmp_path / "a", "has no chat template")
    shutil.copy(bases["llava"] / "chat_template.jinja", folder)
    (folder / "model.safetensors").write_bytes(b"broken")
    refused(
        train, make_recipe(base_model=str(folder)), tmp_path / "b", r"cannot be loaded \(.*header too small"
    )


def test_missing_and_changed_images_are_named(make_recipe, data_folder: Path, tmp_path: Path, train) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data_folder, folder)
    image = sorted((folder / "images").iterdir())[3]
    content = image.read_bytes()
    image.write_bytes(content[:-9])
    refused(train, make_recipe(data=str(folder)), tmp_path / "a", "is not the one of the manifest")
    image.unlink()
    refused(
        train,
        make_recipe(data=str(folder)),
        tmp_path / "b",
        f"{image.name}: the image of sample .* is missing",
    )


def test_changed_rows_and_absent_variants_are_named(
    make_recipe, data_folder: Path, tmp_path: Path, train
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data_folder, folder)
    with (folder / "v1.jsonl").open("a") as stream:
        stream.write("\n")
    refused(train, make_recipe(data=str(folder)), tmp_path / "a", "changed since its manifest was written")
    refused(
        train, make_recipe(data=str(folder), variant="v2"), tmp_path / "b", "variant v2 is not written yet"
    )
    refused(train, make_recipe(max_samples=1000), tmp_path / "c", "max_samples is 1000, but there are 48")


def test_unchecked_data_do_not_train(make_recipe, tmp_path: Path, train) -> None:
    refused(train, make_recipe(allow_unchecked=False), tmp_path / "a", "checked against no evaluation set")


def test_a_too_long_example_is_named_before_anything_runs(make_recipe, tmp_path: Path, train) -> None:
    refused(train, make_recipe(max_tokens=40), tmp_path / "a", r"has \d+ tokens and max_tokens is 40")
    assert not (tmp_path / "a").exists()


def test_qlora_without_a_device_is_one_sentence(make_recipe, tmp_path: Path, train) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    refused(train, make_recipe(method="qlora"), tmp_path / "a", "needs a CUDA device")


def test_another_recipes_folder_is_not_mixed(make_recipe, tmp_path: Path, train) -> None:
    train(make_recipe(max_steps=2), tmp_path / "a")
    with pytest.raises(SafecotError, match="holds the run of another recipe"):
        train(make_recipe(max_steps=2, seed=1), tmp_path / "a")


def test_the_world_size_is_asserted(make_recipe, tmp_path: Path, train) -> None:
    with pytest.raises(SafecotError, match=r"--world-size 2 was given but 1 process"):
        train(make_recipe(), tmp_path / "a", world_size=2)


DISK_FULL = r"""
import sys
from pathlib import Path
from safecot_training.sft.recipe import load_recipe
from safecot_training.sft.train import train
from safecot_eval.util.errors import SafecotError
try:
    train(load_recipe(Path(sys.argv[1])), Path(sys.argv[2]))
except SafecotError as error:
    print("SENTENCE", error)
"""


def test_a_full_disk_is_one_sentence_and_nothing_half_written(make_recipe, tmp_path: Path) -> None:
    """On a real file system that is full: a small tmpfs in a mount namespace of our own."""
    import yaml

    small = tmp_path / "small"
    small.mkdir()
    mount = f"mount -t tmpfs -o size=2m tmpfs {small}"
    if subprocess.run(["unshare", "-rm", "bash", "-c", mount], capture_output=True).returncode:
        pytest.skip("this machine does not allow mount namespaces")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(make_recipe().as_dict()))
    script = tmp_path / "run.py"
    script.write_text(DISK_FULL)
    listing = tmp_path / "left"
    command = f"{mount} && {sys.executable} {script} {recipe} {small}/out; ls -R {small}/out > {listing}"
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        ["unshare", "-rm", "bash", "-c", command], capture_output=True, text=True, env=environment
    )
    assert "SENTENCE" in done.stdout, done.stderr[-2000:]
    assert "disk full" in done.stdout or "disk is full" in done.stdout
    assert "Traceback" not in done.stderr
    assert "merged" not in listing.read_text()


def test_a_folder_that_cannot_be_written_is_one_sentence(make_recipe, tmp_path: Path) -> None:
    import yaml

    from tests.generate.test_read_only import read_only

    recipe, out = tmp_path / "recipe.yaml", tmp_path / "out"
    recipe.write_text(yaml.safe_dump(make_recipe().as_dict()))
    out.mkdir()
    done = read_only(out, f"{sys.executable} -m safecot_eval train sft --recipe {recipe} --out {out}")
    assert done.returncode == 2, done.stderr[-2000:]
    assert "Read-only file system" in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("safecot: ")
    assert not list(out.iterdir())


def test_a_full_disk_at_export_leaves_no_half_checkpoint(
    make_recipe, tmp_path: Path, monkeypatch, train
) -> None:
    import errno

    from safecot_training.sft import export

    def full(self, folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(export.CheckpointCard, "write", full)
    with pytest.raises(SafecotError, match="the disk is full"):
        train(make_recipe(max_steps=1), tmp_path / "out")
    assert not (tmp_path / "out/merged").exists()
    assert not list((tmp_path / "out").glob(".*"))
    monkeypatch.undo()
    assert train(make_recipe(max_steps=1), tmp_path / "out").resumed_from == "checkpoint-1"
    assert (tmp_path / "out/merged" / CHECKPOINT_CARD).is_file()


def test_schedules_and_reporters_are_those_of_transformers() -> None:
    from transformers import SchedulerType
    from transformers.integrations import INTEGRATION_TO_CALLBACK

    from safecot_training.sft.recipe import REPORTERS, SCHEDULERS

    assert set(SCHEDULERS) <= {kind.value for kind in SchedulerType}
    assert set(REPORTERS) - {"none", "all"} <= set(INTEGRATION_TO_CALLBACK)


def test_an_adapter_on_another_base_is_refused(make_recipe, bases, tmp_path: Path, train) -> None:
    """Of the same architecture and sizes, with other weights: peft would take it."""
    from click.testing import CliRunner

    from safecot_eval.cli.train import command
    from safecot_eval.generate.models import hf, tiny

    recipe = make_recipe(method="lora", max_steps=1)
    train(recipe, tmp_path / "out")
    torch.manual_seed(7)
    other = tiny.build("llava", tmp_path / "other", spread=0.03)
    arguments = ["merge", "--adapter", str(tmp_path / "out/adapter"), "--out", str(tmp_path / "m")]
    done = CliRunner().invoke(command, [*arguments, "--base-model", str(other)])
    assert isinstance(done.exception, SafecotError)
    assert "the weights of" in str(done.exception)
    with pytest.raises(SafecotError, match="the weights of .* are others"):
        hf.SafecotHF(pretrained=str(other), peft=str(tmp_path / "out/adapter"), device="cpu")
    moved = tmp_path / "moved"
    shutil.copytree(bases["llava"], moved)  # the same weights elsewhere
    done = CliRunner().invoke(command, [*arguments, "--base-model", str(moved)], catch_exceptions=False)
    assert done.exit_code == 0


def test_a_strip_of_a_picture_is_one_sentence(make_recipe, tmp_path: Path, train) -> None:
    from PIL import Image

    from safecot_training.cot.variants import write_variant
    from safecot_training.data.dataset import build
    from safecot_training.data.drawing import Plan
    from safecot_training.data.examples import read_triplets

    Image.new("RGB", (3000, 8)).save(tmp_path / "strip.png")
    line = {"id": "thin", "query": "What?", "image": "strip.png", "category": "x"}
    (tmp_path / "t.jsonl").write_text(json.dumps(line))
    build(read_triplets(tmp_path / "t.jsonl"), [], tmp_path / "data", Plan(ratio=(1, 0)))
    write_variant(tmp_path / "data", Variant.V0)
    with pytest.raises(SafecotError, match=r"Sample thin: .*cannot take its picture of 3000 x 8 pixels"):
        train(make_recipe("qwen2_5_vl", data=str(tmp_path / "data"), variant="v0"), tmp_path / "out")


def test_a_reporter_that_is_not_installed_is_one_sentence(make_recipe, tmp_path: Path, train) -> None:
    with pytest.raises(SafecotError, match="report_to: neptune is not installed"):
        train(make_recipe(report_to="neptune"), tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "words"), [({"liger": True}, "liger"), ({"optim": "paged_adamw_8bit"}, "bitsandbytes")]
)
def test_kernels_that_are_not_installed_are_one_sentence(
    changes: dict, words: str, make_recipe, tmp_path: Path, train
) -> None:
    with pytest.raises(SafecotError, match=words):
        train(make_recipe(**changes), tmp_path / "out")


def test_a_refused_start_is_not_in_the_way_of_the_next(make_recipe, tmp_path: Path, train) -> None:
    """Nor is one that ended before its first checkpoint; what a run left is not written over."""
    with pytest.raises(SafecotError, match="matches no layer"):
        train(make_recipe(method="lora", lora_targets="zzz"), tmp_path / "out")
    (tmp_path / "out/trainer").mkdir(parents=True)
    (tmp_path / "out/trainer/run.json").write_text('{"recipe_hash": "of a run that met no memory"}')
    train(make_recipe(max_steps=1), tmp_path / "out")
    with pytest.raises(SafecotError, match="holds the run of another recipe or other data"):
        train(make_recipe(max_steps=2), tmp_path / "out")
    shutil.rmtree(tmp_path / "out/trainer")
    (tmp_path / "out/trainer").mkdir()
    (tmp_path / "out/trainer/run.json").write_text('{"recipe_hash": "another"}')
    with pytest.raises(SafecotError, match="holds the run of another recipe or other data"):
        train(make_recipe(max_steps=2), tmp_path / "out")
