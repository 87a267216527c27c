"""Fine-tuning on tiny models of real architectures: what is learnt, what is left alone, what is written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import CHECKPOINT_CARD
from safecot_training.sft.card import read_card
from safecot_training.sft.families import FAMILIES
from safecot_training.sft.training_data import load_rows

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("training")]
ARCHITECTURES = ("llava", "qwen2_5_vl", "idefics3")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return {k: v for file in sorted(folder.glob("*.safetensors")) for k, v in load_file(file).items()}


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


def test_the_last_step_is_logged_whatever_the_interval(make_recipe, tmp_path: Path, train) -> None:
    """A run shorter than ``logging_steps`` was told as one whose last loss is nan."""
    card = train(make_recipe(max_steps=3, save_steps=4, logging_steps=2), tmp_path / "out").card
    assert [step for step, _ in card.loss_history] == [2, 3]
    assert card.train_loss == card.loss_history[-1][1] > 0
    short = train(make_recipe(max_steps=1, save_steps=50, logging_steps=50), tmp_path / "short").card
    assert [step for step, _ in short.loss_history] == [1]


def test_nothing_but_an_earlier_checkpoint_is_replaced(make_recipe, tmp_path: Path, train) -> None:
    from click.testing import CliRunner

    from safecot_eval.cli.train import command

    out = train(make_recipe(method="lora", max_steps=1), tmp_path / "out").folder
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("keep")
    base = ["--base-model", str(out / "merged"), "--out", str(out / "merged")]
    done = CliRunner().invoke(command, ["merge", "--adapter", str(out / "adapter"), *base])
    assert isinstance(done.exception, SafecotError)
    for target in (tmp_path / "mine", out, tmp_path, out / "adapter"):
        arguments = ["merge", "--adapter", str(out / "adapter"), "--out", str(target)]
        done = CliRunner().invoke(command, arguments)
        assert "name a new folder" in str(done.exception), target
    assert (tmp_path / "mine/thesis.txt").read_text() == "keep"
    assert (out / "trainer/run.json").is_file()
    arguments = ["merge", "--adapter", str(out / "adapter"), "--out", str(tmp_path / "link")]
    (tmp_path / "link").symlink_to(out / "merged")
    assert CliRunner().invoke(command, arguments, catch_exceptions=False).exit_code == 0
    assert (tmp_path / "link").is_symlink()
    (out / "merged/model.gguf").write_bytes(b"mine")
    done = CliRunner().invoke(command, arguments)
    assert "merged: holds model.gguf, which is not of the merged checkpoint there" in str(done.exception)
    shutil.copytree(tmp_path / "mine", tmp_path / "new/merged")
    with pytest.raises(SafecotError, match=r"new/merged: holds something else .* name a new folder"):
        train(make_recipe(max_steps=1), tmp_path / "new")


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


def test_tensorboard_is_switched_on_by_trls_own_name(make_recipe, tmp_path: Path, monkeypatch, train) -> None:
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "tb"))
    train(make_recipe(report_to="tensorboard", max_steps=2), tmp_path / "out")
    assert list(tmp_path.rglob("events.out.tfevents*"))


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
    # Cut off between the stop and the export, or between two evaluations: the same steps, and the same export.
    again = tmp_path / "again"
    shutil.copytree(tmp_path / "out/trainer", again / "trainer")
    for steps in (result.card.steps, int(history[-2][0])):
        for newer in (again / "trainer").glob("checkpoint-*"):
            if int(newer.name.rpartition("-")[2]) > steps:
                shutil.rmtree(newer)
        resumed = train(recipe, again)
        assert resumed.resumed_from == f"checkpoint-{steps}"
        assert (resumed.card.steps, resumed.card.best_step) == (result.card.steps, result.card.best_step)
        assert resumed.card.loss_history == result.card.loss_history
        same = weights(again / form)
        assert all(torch.equal(same[key], exported[key]) for key in exported)
        for written in ("merged", "adapter"):
            shutil.rmtree(again / written, ignore_errors=True)
