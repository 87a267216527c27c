"""Checkpoints whose weights or adapters do not fit are refused by name, wherever they are loaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from safecot_eval.generate import preflight
from safecot_eval.generate.models import weights
from safecot_eval.generate.models.checkpoint import find_source, load_model, load_processor
from safecot_eval.generate.plan import Plan
from safecot_eval.util.errors import SafecotError

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("models")]
Checkpoint = Callable[[str], Path]
TARGETS = r".*language_model.*\.(q_proj|v_proj|up_proj)"


def load(**given: str | None) -> object:
    source = find_source(given.get("pretrained"), given.get("peft"), "main")
    return load_model(source, {}, trust_remote_code=False)


def without(base: Path, target: Path, *parts: str) -> Path:
    """A copy of a checkpoint without the weights that have one of the parts in their names."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(base, target)
    kept = {
        name: tensor
        for name, tensor in load_file(base / "model.safetensors").items()
        if not any(part in name for part in parts)
    }
    save_file(kept, target / "model.safetensors", metadata={"format": "pt"})
    return target


@pytest.fixture(scope="module")
def adapter(tiny_checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    target = tmp_path_factory.mktemp("adapter") / "fits"
    base = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint("qwen2_5_vl"))
    config = LoraConfig(r=4, target_modules=TARGETS, init_lora_weights=False)
    get_peft_model(base, config).save_pretrained(target)
    return target


def renamed(adapter: Path, target: Path, old: str, new: str) -> Path:
    from safetensors.torch import load_file, save_file

    shutil.copytree(adapter, target)
    tensors = load_file(adapter / "adapter_model.safetensors")
    save_file(
        {name.replace(old, new): t for name, t in tensors.items()}, target / "adapter_model.safetensors"
    )
    return target


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("lm_head", "lacks lm_head.weight: the model would answer with random weights"),
        ("visual", "lacks 30 tensors (model.visual.blocks.0.attn.proj.bias, "),
        ("layers.1.mlp.down_proj", "lacks model.language_model.layers.1.mlp.down_proj.weight: "),
    ],
)
def test_missing_weights(tiny_checkpoint: Checkpoint, tmp_path: Path, part: str, words: str) -> None:
    bad = without(tiny_checkpoint("qwen2_5_vl"), tmp_path / "bad", part)
    with pytest.raises(SafecotError) as refused:
        load(pretrained=str(bad))
    assert f"{bad} {words}" in str(refused.value)
    with pytest.raises(SafecotError, match="random weights"):
        weights.check_folder(str(bad))  # before it is served


def test_a_tied_head_is_not_missing(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    from transformers import AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint("qwen2_5_vl"))
    model.config.tie_word_embeddings = model.config.get_text_config().tie_word_embeddings = True
    model.tie_weights()
    model.save_pretrained(tmp_path / "tied")
    assert load(pretrained=str(tmp_path / "tied")) is not None
    weights.check_folder(str(tmp_path / "tied"))


def test_adapters_that_fit_and_that_do_not(
    tiny_checkpoint: Checkpoint, adapter: Path, tmp_path: Path
) -> None:
    base = str(tiny_checkpoint("qwen2_5_vl"))
    assert type(load(peft=str(adapter))).__name__ == "PeftModel"
    weights.check_folder(base, [str(adapter)])
    old = renamed(adapter, tmp_path / "old", "model.language_model.layers", "model.layers")
    half = renamed(adapter, tmp_path / "half", "layers.1.self_attn.q_proj", "layers.1.attention.query")
    for bad, key in ((old, "language_model.layers.0.mlp.up_proj"), (half, "layers.1.self_attn.q_proj")):
        with pytest.raises(SafecotError, match="does not fit") as refused:
            load(peft=str(bad), pretrained=base)
        assert key in str(refused.value)
        with pytest.raises(SafecotError, match="does not fit"):
            weights.check_folder(base, [str(bad)])


def test_tensors_beside_the_config_are_not_left_out(adapter: Path, tmp_path: Path) -> None:
    """The configuration asks for less than the file holds: what is left over has no place."""
    narrow = renamed(adapter, tmp_path / "narrow", "", "")
    config = json.loads((narrow / "adapter_config.json").read_text())
    config["target_modules"] = r".*language_model.*\.(q_proj|v_proj)"
    (narrow / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(SafecotError, match="the base has no place for 4 tensors"):
        load(peft=str(narrow))


@pytest.mark.parametrize("task_type", [None, "CAUSAL_LM"])
def test_another_architecture_with_the_same_names(
    tiny_checkpoint: Checkpoint, adapter: Path, tmp_path: Path, task_type: str | None
) -> None:
    other = renamed(adapter, tmp_path / "other", "", "")
    config = json.loads((other / "adapter_config.json").read_text())
    if task_type:
        config |= {"task_type": task_type, "auto_mapping": None}
    (other / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(SafecotError, match="was trained on a [Qq]wen2_5.*and .* is a [Ll]lava"):
        load(peft=str(other), pretrained=str(tiny_checkpoint("llava")))


def test_merging_refuses_what_does_not_fit(
    tiny_checkpoint: Checkpoint, adapter: Path, tmp_path: Path
) -> None:
    from safecot_training.sft.card import CheckpointCard
    from safecot_training.sft.export import merge

    def card(base: object) -> CheckpointCard:
        return CheckpointCard("v1", 1, 0.0, [], {}, "", "", 0, str(base), [], [])

    base = tiny_checkpoint("qwen2_5_vl")
    old = renamed(adapter, tmp_path / "old", "model.language_model.layers", "model.layers")
    with pytest.raises(SafecotError, match="does not fit"):
        merge(old, tmp_path / "merged", card(base))
    with pytest.raises(SafecotError, match="random weights"):
        merge(adapter, tmp_path / "merged", card(without(base, tmp_path / "headless", "lm_head")))
    with pytest.raises(SafecotError, match="is not here; say where it is with --base-model"):
        merge(adapter, tmp_path / "merged", card("/data/train/run7/base"))
    assert not (tmp_path / "merged").exists()


def test_a_judge_is_not_served_with_random_weights(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    from safecot_eval.cli.judge import command

    bad = without(tiny_checkpoint("qwen2_5_vl"), tmp_path / "bad", "lm_head")
    done = CliRunner().invoke(command, ["serve", "--model", str(bad)])
    assert isinstance(done.exception, SafecotError)
    assert "random weights" in str(done.exception)


@pytest.mark.parametrize("moved", ["/data/train/run7/base", "D:\\runs\\base", "../gone/base"])
def test_a_base_that_has_moved(adapter: Path, tmp_path: Path, moved: str) -> None:
    alone = renamed(adapter, tmp_path / "alone", "", "")
    config = json.loads((alone / "adapter_config.json").read_text())
    (alone / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": moved}))
    for key in ("peft", "pretrained"):
        plan = Plan("safecot_hf", {key: str(alone)}, {}, (), {}, tmp_path)
        with pytest.raises(SafecotError) as refused:
            preflight.check_model(plan)  # before anything is loaded
        said = f"{alone} names its base by a relative path, {moved}; from here that is"
        if not moved.startswith(".."):
            said = f"The base of {alone}, {moved}, is not here; say where it is with"
        assert said in str(refused.value)
        assert "pretrained=BASE" in str(refused.value)
    with pytest.raises(SafecotError, match="is not here|no such folder exists"):
        find_source(None, str(alone), "main")


def test_a_template_that_only_the_tokenizer_has(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    from transformers import AutoProcessor

    from safecot_eval.generate.models.checkpoint import has_chat_template

    base = tmp_path / "older"
    shutil.copytree(tiny_checkpoint("qwen2_5_vl"), base)
    template = (base / "chat_template.jinja").read_text(encoding="utf-8")
    config = json.loads((base / "tokenizer_config.json").read_text(encoding="utf-8"))
    (base / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": template}))
    (base / "chat_template.jinja").unlink()
    processor = load_processor(find_source(str(base), None, "main"), {})
    messages = [{"role": "user", "content": [{"type": "text", "text": "Hi?"}]}]
    assert "Hi?" in processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    named = [{"name": "default", "template": template}, {"name": "tool_use", "template": "tools"}]
    (base / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": named}))
    processor = load_processor(find_source(str(base), None, "main"), {})
    assert "Hi?" in processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    (base / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(SafecotError, match="neither has its tokenizer"):
        load_processor(find_source(str(base), None, "main"), {})
    assert not has_chat_template(AutoProcessor.from_pretrained(base))
