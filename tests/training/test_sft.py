"""Fine-tuning on tiny models of real architectures: what is learnt, what is left alone, what is written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import CHECKPOINT_CARD
from safecot_training.cot.targets import Marker, Variant
from safecot_training.sft.card import read_card
from safecot_training.sft.families import FAMILIES, family_of
from safecot_training.sft.training_data import as_dataset, image_sizes, load_rows

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("training")]
ARCHITECTURES = ("llava", "qwen2_5_vl", "idefics3")


def trainer_of(recipe, out: Path):
    from transformers import set_seed

    from safecot_training.sft.lengths import token_lengths
    from safecot_training.sft.loading import load_model, load_processor
    from safecot_training.sft.train import checked_collator
    from safecot_training.sft.trainer import build_trainer, training_arguments

    rows, _ = load_rows(recipe)
    config, processor = load_processor(recipe)
    family = family_of(config.model_type, recipe.base_model)
    collator = checked_collator(recipe, config, processor, family)
    lengths = token_lengths(collator, rows, image_sizes(rows))
    set_seed(recipe.seed)
    model = load_model(recipe, family)
    arguments = training_arguments(recipe, out)
    return build_trainer(recipe, arguments, model, collator, as_dataset(rows, lengths), family), rows, lengths


def order_of(trainer) -> list[int]:
    """Row numbers in the order of the first epoch."""
    loader = trainer.get_train_dataloader()
    return [index for batch in loader.batch_sampler for index in batch]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return {k: v for file in sorted(folder.glob("*.safetensors")) for k, v in load_file(file).items()}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_loss_is_on_the_assistants_tokens_only(architecture: str, make_recipe, tmp_path: Path) -> None:
    """Decode what bears loss: it is the completion and the end of the turn, and nothing else."""
    trainer, rows, _ = trainer_of(make_recipe(architecture), tmp_path)
    tokenizer = trainer.processing_class.tokenizer
    order = order_of(trainer)
    seen = 0
    for batch in trainer.get_train_dataloader():
        for labels in batch["labels"]:
            row = rows[order[seen]]
            learnt = tokenizer.decode(labels[labels != -100])
            assert learnt.rstrip("\n") == row["completion"][0]["content"] + "<|im_end|>"
            assert row["prompt"][0]["content"] not in learnt
            assert not re.search(r"<image>|<\|image_pad\|>|<\|im_start\|>", learnt)
            seen += 1
        if seen >= 24:
            break
    assert seen >= 24
    assert Marker.SAFETY_REASONING.value in rows[order[0]]["completion"][0]["content"]


def test_token_lengths_are_those_of_the_batches(make_recipe, tmp_path: Path) -> None:
    from safecot_training.sft.lengths import token_lengths

    for architecture in ARCHITECTURES:
        trainer, rows, longest = trainer_of(make_recipe(architecture), tmp_path / architecture)
        shown = [{key: value for key, value in row.items() if key != "replies"} for row in rows]
        lengths = token_lengths(trainer.data_collator, shown, image_sizes(shown))
        assert sum(lengths) <= sum(longest)
        order = order_of(trainer)
        actual = [
            int(mask.sum()) for batch in trainer.get_train_dataloader() for mask in batch["attention_mask"]
        ]
        differences = {lengths[index] - tokens for index, tokens in zip(order, actual, strict=True)}
        assert len(differences) <= 3  # off by the template's few tokens, the same for every row
        assert max(abs(difference) for difference in differences) < 40


def test_dealing_by_length_changes_no_step(make_recipe, tmp_path: Path, train) -> None:
    """The seed decides which examples make a step; sorted and dealt to micro-batches, they give the step of one batch."""
    whole = train(make_recipe(batch_size=8, gradient_accumulation=1, max_steps=8), tmp_path / "whole")
    dealt = train(make_recipe(batch_size=2, gradient_accumulation=4, max_steps=8), tmp_path / "dealt")
    for (step, a), (_, b) in zip(whole.card.loss_history, dealt.card.loss_history, strict=True):
        assert abs(a - b) < 1e-4, step
    assert whole.card.loss_history[0][1] > whole.card.loss_history[-1][1] + 0.2


def test_every_example_is_seen_and_the_seed_decides_the_order(make_recipe, tmp_path: Path) -> None:
    orders = [order_of(trainer_of(make_recipe(seed=seed), tmp_path)[0]) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert [sorted(order) for order in orders] == [list(range(len(orders[0])))] * 3


def test_wordings_are_drawn_anew_in_each_epoch(make_recipe, tmp_path: Path, train, monkeypatch) -> None:
    """Two epochs teach different thoughts and refusals for a row; told to keep them, the same."""
    from safecot_training.sft.collator import AnswerCollator

    taught: dict[str, list[str]] = {}

    def watched(self, row, real=AnswerCollator.encode):
        found = real(self, row)
        if "id" in row:
            labels = found["labels"][0]
            taught.setdefault(row["id"], []).append(self.processor.tokenizer.decode(labels[labels != -100]))
        return found

    monkeypatch.setattr(AnswerCollator, "encode", watched)
    settings = {"max_steps": -1, "epochs": 2, "save_steps": 100, "batch_size": 8, "gradient_accumulation": 1}
    train(make_recipe(**settings), tmp_path / "anew")
    assert {len(texts) for texts in taught.values()} == {2}
    changed = sum(len(set(texts)) == 2 for texts in taught.values())
    assert changed > 0.7 * len(taught)
    taught.clear()
    train(make_recipe(wordings="once", **settings), tmp_path / "once")
    assert all(len(set(texts)) == 1 for texts in taught.values())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_full_fine_tuning_leaves_tower_and_projector_alone(
    architecture: str, make_recipe, bases: dict[str, Path], tmp_path: Path, train
) -> None:
    result = train(make_recipe(architecture), tmp_path / "out")
    before, after = weights(bases[architecture]), weights(result.folder / "merged")
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    family = FAMILIES[architecture]
    kept = [name for name in before if any(part in name for part in family.vision + family.projector)]
    assert kept
    assert not changed & set(kept)
    assert any("layers.1" in name for name in changed)
    assert not (result.folder / "adapter").exists()


def test_a_thawed_tower_is_trained(make_recipe, bases: dict[str, Path], tmp_path: Path, train) -> None:
    result = train(make_recipe(freeze_vision=False, freeze_projector=False), tmp_path / "out")
    before, after = weights(bases["llava"]), weights(result.folder / "merged")
    changed = " ".join(name for name in before if not torch.equal(before[name], after[name]))
    assert "vision_tower" in changed
    assert "multi_modal_projector" in changed


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_adapters_are_in_the_language_model_and_merge(
    architecture: str, make_recipe, tmp_path: Path, train
) -> None:
    """Adapter on base and merged model give the same logits, and neither is the base."""
    from peft import PeftModel
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    recipe = make_recipe(architecture, method="lora", learning_rate=2e-2, max_steps=8)
    result = train(recipe, tmp_path / "out")
    names = weights(result.folder / "adapter")
    language = FAMILIES[architecture].language
    assert len(names) == 2 * 2 * 7  # two matrices, two layers, seven projections
    assert all(language in name and "vision" not in name and "visual" not in name for name in names)
    load = AutoModelForImageTextToText.from_pretrained
    base, merged = load(recipe.base_model), load(result.folder / "merged")
    processor = AutoProcessor.from_pretrained(result.folder / "adapter")
    turn = {
        "role": "user",
        "content": [
            {"type": "image", "image": Image.new("RGB", (60, 40), "red")},
            {"type": "text", "text": "What?"},
        ],
    }
    inputs = processor.apply_chat_template(
        [turn], add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    with torch.no_grad():
        plain = base(**inputs).logits
        adapted = PeftModel.from_pretrained(base, result.folder / "adapter").eval()(**inputs).logits
        whole = merged(**inputs).logits
    assert torch.allclose(adapted, whole, atol=1e-4)
    assert (plain - whole).abs().max() > 0.05


def test_both_forms_are_complete_and_safetensors_only(make_recipe, tmp_path: Path, train) -> None:
    result = train(make_recipe(method="lora", name="my model"), tmp_path / "out")
    for form, needed in (
        ("merged", {"config.json", "model.safetensors", "generation_config.json"}),
        ("adapter", {"adapter_config.json", "adapter_model.safetensors"}),
    ):
        folder = result.folder / form
        files = {path.name for path in folder.iterdir()}
        assert needed | {CHECKPOINT_CARD, "README.md", "chat_template.jinja", "tokenizer.json"} <= files
        assert "processor_config.json" in files
        assert not [name for name in files if name.endswith((".bin", ".pt", ".pth", ".pkl"))]
        card = read_card(folder)
        assert card.form == form
        assert (card.variant, card.samples, card.seed) == ("v1", 48, 0)
        assert card.recipe["name"] == "my model"
        assert card.in_distribution_categories == ["04-Physical_Harm", "06-Fraud", "kitchen tools"]
        assert card.assistant_tokens > 5 * 8 * 10
        assert [step for step, _ in card.loss_history] == [1, 2, 3, 4, 5]
        assert card.train_loss == card.loss_history[-1][1]
        text = (folder / "README.md").read_text()
        assert card.recipe_hash[:16] in text
        assert card.data_manifest_hash[:16] in text
        assert "Licences" in text
    assert not list(result.folder.glob(".*.part"))
    adapter = json.loads((result.folder / "adapter/adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == make_recipe().base_model


def test_the_merge_command_gives_the_merged_form_again(make_recipe, tmp_path: Path, train) -> None:
    from click.testing import CliRunner

    from safecot_eval.cli.train import command

    out = train(make_recipe(method="lora", max_steps=2), tmp_path / "out").folder
    arguments = ["merge", "--adapter", str(out / "adapter"), "--out", str(tmp_path / "again")]
    assert CliRunner().invoke(command, arguments, catch_exceptions=False).exit_code == 0
    first, second = weights(out / "merged"), weights(tmp_path / "again")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert read_card(tmp_path / "again") == read_card(out / "merged")
    done = CliRunner().invoke(command, [*arguments, "--base-model", str(tmp_path / "nowhere")])
    assert isinstance(done.exception, SafecotError)
    assert "is not here; say where it is with --base-model" in str(done.exception)


def test_the_leaderboard_reads_the_card(make_recipe, tmp_path: Path, train) -> None:
    """Every key that the training view shows is in the card."""
    from safecot_eval.aggregate.provenance import _TRAINING_KEYS

    result = train(make_recipe(max_steps=1, variant="v0"), tmp_path / "out")
    content = json.loads((result.folder / "merged" / CHECKPOINT_CARD).read_text())
    assert set(_TRAINING_KEYS) <= set(content)
    assert content["variant"] == "v0"


@pytest.mark.parametrize(
    "changes",
    [{"precision": "bf16"}, {"gradient_checkpointing": False}, {"precision": "bf16", "method": "lora"}],
    ids=["bf16", "without checkpointing", "bf16 lora"],
)
def test_arithmetic_options_give_the_same_loss(changes: dict, make_recipe, tmp_path: Path, train) -> None:
    plain = train(make_recipe(method=changes.get("method", "full"), max_steps=4), tmp_path / "plain")
    other = train(make_recipe(**{**changes, "max_steps": 4}), tmp_path / "other")
    tolerance = 0.02 if changes.get("precision") == "bf16" else 1e-4
    assert len(plain.card.loss_history) == 4
    for (_, a), (_, b) in zip(plain.card.loss_history, other.card.loss_history, strict=True):
        assert abs(a - b) < tolerance


def test_fewer_samples_are_the_first_ones(make_recipe, tmp_path: Path, train) -> None:
    rows, _ = load_rows(make_recipe(max_samples=10))
    everything, _ = load_rows(make_recipe())
    assert [row["id"] for row in rows] == [row["id"] for row in everything[:10]]
    assert train(make_recipe(max_samples=10, max_steps=2), tmp_path / "out").card.samples == 10


def test_processor_options_of_the_recipe_are_used(make_recipe) -> None:
    from safecot_training.sft.lengths import token_lengths
    from safecot_training.sft.loading import load_processor

    recipe = make_recipe("qwen2_5_vl", processor={"min_pixels": 28 * 28, "max_pixels": 2 * 28 * 28})
    from safecot_training.sft.train import checked_collator

    rows, _ = load_rows(recipe)
    few, many = (
        sum(
            token_lengths(
                checked_collator(given, *load_processor(given), FAMILIES["qwen2_5_vl"]),
                rows,
                image_sizes(rows),
            )
        )
        for given in (recipe, make_recipe("qwen2_5_vl"))
    )
    assert few == many - 3 * len(rows)  # one merged patch instead of four


def test_tensorboard_is_switched_on_by_trls_own_name(make_recipe, tmp_path: Path, monkeypatch, train) -> None:
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "tb"))
    train(make_recipe(report_to="tensorboard", max_steps=2), tmp_path / "out")
    assert list(tmp_path.rglob("events.out.tfevents*"))


# What goes wrong.


def refused(train, recipe, out: Path, words: str) -> None:
    with pytest.raises(SafecotError, match=words):
        train(recipe, out)
    assert not (out / "merged").exists()


def test_an_unknown_base_or_architecture_is_one_sentence(make_recipe, bases, tmp_path: Path, train) -> None:
    refused(train, make_recipe(base_model=str(tmp_path / "none")), tmp_path / "a", "cannot be loaded")
    folder = tmp_path / "bert"
    shutil.copytree(bases["llava"], folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    known = "architecture 'bert' is not known to the trainer"
    refused(train, make_recipe(base_model=str(folder)), tmp_path / "b", known)


def test_a_base_without_chat_template_or_with_broken_weights_is_named(
    make_recipe, bases, tmp_path: Path, train
) -> None:
    folder = tmp_path / "base"
    shutil.copytree(bases["llava"], folder)
    (folder / "chat_template.jinja").unlink()
    refused(train, make_recipe(base_model=str(folder)), tmp_path / "a", "has no chat template")
    shutil.copy(bases["llava"] / "chat_template.jinja", folder)
    (folder / "model.safetensors").write_bytes(b"broken")
    refused(train, make_recipe(base_model=str(folder)), tmp_path / "b", "cannot be loaded")


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


@pytest.mark.parametrize("length", [{"max_steps": 5}, {"max_steps": -1, "epochs": 0.4}])
def test_a_finished_run_is_left_and_a_requeued_one_takes_no_step_more(
    length: dict, make_recipe, tmp_path: Path, train
) -> None:
    """5 steps are not a multiple of what is saved, and 0.4 epochs end in the middle of one."""
    recipe = make_recipe(method="lora", batch_size=2, gradient_accumulation=1, **length)
    straight = train(recipe, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}
    again = train(recipe, tmp_path / "out")
    assert again.was_finished
    assert again.card == straight.card
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}
    changed = {path.name for path in written if written[path] != before.get(path)}
    assert changed <= {"run.json"}
    kept = weights(tmp_path / "out/adapter")
    shutil.rmtree(tmp_path / "out/merged")
    shutil.rmtree(tmp_path / "out/adapter")  # stopped between the last step and the export
    requeued = train(recipe, tmp_path / "out")
    assert not requeued.was_finished
    assert requeued.card == straight.card
    found = weights(tmp_path / "out/adapter")
    assert found.keys() == kept.keys()
    assert all(torch.equal(found[name], kept[name]) for name in kept)


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


@pytest.mark.parametrize(("kind", "bf16"), [("cpu", False), ("mps", False), ("xpu", True), ("npu", True)])
def test_the_arithmetic_follows_the_device(kind: str, bf16: bool, make_recipe, monkeypatch) -> None:
    from safecot_training.sft import devices

    monkeypatch.setattr(devices, "accelerator", lambda: kind)
    assert devices.uses_bf16(make_recipe(precision="auto")) is bf16
    assert devices.uses_bf16(make_recipe(precision="bf16"))


@pytest.mark.parametrize("method", ["full", "lora"])
def test_keys_of_the_recipe_reach_the_run(method: str, make_recipe, tmp_path: Path, train) -> None:
    """A family and targets that are told, another optimiser and attention, and a small export."""
    parts = {
        "vision": ["vision_tower."],
        "projector": ["multi_modal_projector."],
        "language": "language_model",
    }
    recipe = make_recipe(
        method=method, max_steps=1, family=parts, lora_targets=r".*language_model.*\.(?:q|v)_proj", optim="sgd",
        attn_implementation="eager", export_dtype="bfloat16",
    )  # fmt: skip
    train(recipe, tmp_path / "out")
    merged = weights(tmp_path / "out/merged")
    assert {tensor.dtype for tensor in merged.values() if tensor.is_floating_point()} == {torch.bfloat16}
    if method == "lora":
        assert {name.split(".lora_")[0].rpartition(".")[2] for name in weights(tmp_path / "out/adapter")} == {
            "q_proj", "v_proj",
        }  # fmt: skip
    from safecot_eval.generate.models import hf

    assert hf.SafecotHF(pretrained=str(tmp_path / "out/merged"), device="cpu").model.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("changes", "words"), [({"liger": True}, "liger"), ({"optim": "paged_adamw_8bit"}, "bitsandbytes")]
)
def test_kernels_that_are_not_installed_are_one_sentence(
    changes: dict, words: str, make_recipe, tmp_path: Path, train
) -> None:
    with pytest.raises(SafecotError, match=words):
        train(make_recipe(**changes), tmp_path / "out")


@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_best_checkpoint_is_exported_and_a_worsening_run_stops(
    method: str, make_recipe, data_folder: Path, tmp_path: Path, train
) -> None:
    """At a learning rate that overfits at once, the validation loss falls, rises, and ends the run."""
    recipe = make_recipe(
        method=method, validation_samples=12, keep_best=True, patience=2, max_steps=40, save_steps=2,
        save_total_limit=3, learning_rate=0.3 if method == "full" else 2e-2,
    )  # fmt: skip
    result = train(recipe, tmp_path / "out")
    history = result.card.validation_history
    assert len(history) >= 3
    best = min(history, key=lambda entry: entry[1])
    assert result.card.steps < 40
    assert history[-1][0] - best[0] == 2 * 2  # two evaluations without a better one
    last = tmp_path / f"out/trainer/checkpoint-{best[0]:.0f}"
    form, name = (
        ("merged", "model.safetensors") if method == "full" else ("adapter", "adapter_model.safetensors")
    )
    kept, exported = weights(last), weights(tmp_path / "out" / form)
    assert (tmp_path / "out" / form / name).is_file()
    assert kept.keys() == exported.keys()
    assert all(torch.equal(kept[key], exported[key]) for key in kept)
    trained = {row["id"] for row in load_rows(recipe)[0][:-12]}
    assert result.card.samples == len(trained)


def test_no_source_question_is_trained_on_and_validated_on(make_recipe, data_folder: Path) -> None:
    from safecot_training.data.dataset import clusters_of
    from safecot_training.sft.training_data import split_validation

    recipe = make_recipe(validation_samples=12)
    rows, held = split_validation(load_rows(recipe)[0], recipe)
    clusters = clusters_of(data_folder)
    assert held
    assert not {clusters[row["id"]] for row in rows} & {clusters[row["id"]] for row in held}
    with pytest.raises(SafecotError, match="leaves 0 to train on"):
        split_validation(rows, make_recipe(validation_samples=len(rows)))
