"""Devices and arrangements that are not here: each is refused with a sentence, or loads what its process should hold."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from safecot_eval.util.errors import SafecotError

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("training")]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """A function: what this machine seems to have, and what accelerate was told."""
    from safecot_training.sft import devices

    def make(kind: str, count: int = 1, *, processes: int = 1, shard: str = "") -> Any:
        monkeypatch.setattr(devices, "accelerator", lambda: kind)
        monkeypatch.setattr(devices.torch.accelerator, "device_count", lambda: count)
        monkeypatch.setenv("WORLD_SIZE", str(processes))
        if shard:
            monkeypatch.setenv(f"ACCELERATE_USE_{shard.upper()}", "true")
        return devices

    return make


@pytest.mark.parametrize(
    ("kind", "variable"),
    [("cuda", "CUDA_VISIBLE_DEVICES"), ("xpu", "ZE_AFFINITY_MASK"), ("npu", "ASCEND_RT_VISIBLE_DEVICES")],
)
def test_several_devices_for_one_process_are_refused(kind: str, variable: str, machine, make_recipe) -> None:
    with pytest.raises(SafecotError, match=f"torchrun --nproc_per_node 4 .*{variable}=0"):
        machine(kind, 4).require_one_process_per_device(make_recipe())
    machine(kind, 4, processes=4).require_one_process_per_device(make_recipe())
    machine(kind, 1).require_one_process_per_device(make_recipe())


@pytest.mark.parametrize("kind", ["cpu", "mps", "xpu", "npu"])
def test_qlora_is_refused_without_cuda(kind: str, machine, make_recipe, bases, monkeypatch) -> None:
    import torch

    from safecot_training.sft.families import family_of
    from safecot_training.sft.loading import load_model

    recipe = make_recipe(method="qlora")
    machine(kind).require_one_process_per_device(recipe)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SafecotError, match="method: qlora needs a CUDA device"):
        load_model(recipe, family_of("llava", "x"))


def test_whole_models_are_not_tuned_by_preference_under_fsdp(machine, make_recipe) -> None:
    devices = machine("cuda", 2, processes=2, shard="FSDP")
    for objective in ("dpo", "kto", "grpo"):
        with pytest.raises(
            SafecotError, match=f"objective: {objective} with method: full cannot be sharded by FSDP"
        ):
            devices.require_one_process_per_device(make_recipe(objective=objective, generations=2))
        devices.require_one_process_per_device(make_recipe(objective=objective, generations=2, method="lora"))
    devices.require_one_process_per_device(make_recipe())


@pytest.mark.parametrize("shard", ["FSDP", "DeepSpeed"])
def test_qlora_is_not_sharded(shard: str, machine, make_recipe) -> None:
    with pytest.raises(SafecotError, match=f"method: qlora cannot be sharded by {shard}"):
        machine("cuda", 2, processes=2, shard=shard).require_one_process_per_device(
            make_recipe(method="qlora")
        )


def test_qlora_under_torchrun_loads_on_each_process_own_device(make_recipe, monkeypatch) -> None:
    import torch

    from safecot_training.sft import loading
    from safecot_training.sft.families import family_of

    asked: dict[str, Any] = {}

    def load(kind: Any, folder: str, **options: Any) -> Any:
        asked.update(options)
        raise OSError("far enough")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(loading, "uses_bf16", lambda recipe: True)
    monkeypatch.setattr(loading, "four_bits", lambda: "nf4")
    monkeypatch.setattr(loading.weights, "load", load)
    monkeypatch.setenv("LOCAL_RANK", "3")
    with pytest.raises(SafecotError, match="far enough"):
        loading.load_model(make_recipe(method="qlora"), family_of("llava", "x"))
    assert asked["device_map"] == {"": 3}
    assert asked["quantization_config"] == "nf4"
    assert asked["dtype"] is torch.bfloat16


def test_deepspeed_that_is_not_installed_is_one_sentence(machine, make_recipe, monkeypatch) -> None:
    devices = machine("cuda", 2, processes=2, shard="DeepSpeed")
    if importlib.util.find_spec("deepspeed") is None:
        with pytest.raises(SafecotError, match="DeepSpeed, which is not installed"):
            devices.require_one_process_per_device(make_recipe())
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda name: object())
    devices.require_one_process_per_device(make_recipe())


@pytest.mark.parametrize("kind", ["cpu", "mps"])
@pytest.mark.parametrize("shard", ["FSDP", "DeepSpeed"])
def test_sharding_that_accelerate_would_ignore_is_refused(
    kind: str, shard: str, machine, make_recipe, monkeypatch
) -> None:
    """It would train data parallel, and look for a checkpoint in the form of a sharded one."""
    devices = machine(kind, processes=2, shard=shard)
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda name: object())
    with pytest.raises(SafecotError, match=f"shard with {shard}, which it does not do on {kind}"):
        devices.require_one_process_per_device(make_recipe())


def test_fsdp_of_one_process_is_refused(machine, make_recipe) -> None:
    with pytest.raises(SafecotError, match="takes several processes, and this is the only one"):
        machine("cuda", shard="FSDP").require_one_process_per_device(make_recipe())
    machine("cuda", 2, processes=2, shard="FSDP").require_one_process_per_device(make_recipe())


def test_accelerate_is_set_up_before_the_model_is_loaded(
    make_recipe, tmp_path: Path, train, monkeypatch
) -> None:
    """ZeRO-3 tells from_pretrained through the arguments, and a device that is chosen later is the wrong one."""
    from safecot_training.sft import train as module

    order: list[str] = []
    configure, build = module.trainer_parts(make_recipe())

    def configured(*given: Any) -> Any:
        order.append("arguments")
        return configure(*given)

    def loaded(*given: Any, **options: Any) -> Any:
        order.append("model")
        raise SafecotError("far enough")

    monkeypatch.setattr(module, "trainer_parts", lambda recipe: (configured, build))
    monkeypatch.setattr(module, "load_model", loaded)
    with pytest.raises(SafecotError, match="far enough"):
        train(make_recipe(), tmp_path / "out")
    assert order == ["arguments", "model"]


def test_what_is_frozen_is_found_on_a_model_without_weights(make_recipe) -> None:
    """FSDP loads on no device in all processes but one: names decide what is frozen, never values."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    from safecot_training.sft.families import family_of
    from safecot_training.sft.loading import freeze

    recipe = make_recipe()
    config = AutoConfig.from_pretrained(recipe.base_model)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    freeze(model, family_of(config.model_type, recipe.base_model), recipe)
    trained = {name.split(".")[1] for name, value in model.named_parameters() if value.requires_grad}
    assert trained <= {"language_model", "weight"}
    assert not any(value.requires_grad for name, value in model.named_parameters() if "vision_tower" in name)


@pytest.mark.parametrize(
    ("shard", "stage", "refused"), [("FSDP", "", True), ("DeepSpeed", "3", True), ("DeepSpeed", "2", False)]
)
def test_a_model_whose_processes_take_different_passes_is_not_sharded(
    shard: str, stage: str, refused: bool, machine, monkeypatch
) -> None:
    devices = machine("cuda", 2, processes=2, shard=shard)
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", stage)
    devices.require_shardable("llava", "base")
    if not refused:
        devices.require_shardable("mllama", "base")
        return
    with pytest.raises(SafecotError, match=f"base: mllama .* sharded by {shard} they would wait"):
        devices.require_shardable("mllama", "base")


@pytest.mark.parametrize(
    ("kind", "chosen"),
    [("cuda", "cuda:3"), ("xpu", "xpu:3"), ("npu", "npu:3"), ("mps", "mps"), (None, "cpu")],
)
def test_the_device_is_the_accelerator_of_the_process(kind: str | None, chosen: str, monkeypatch) -> None:
    """Whatever PyTorch says is there; both for training and for answering."""
    from types import SimpleNamespace

    import torch

    from safecot_eval.generate.models.checkpoint import default_device
    from safecot_training.sft import devices

    def current(*, check_available: bool) -> Any:
        assert check_available, "a build for a device that is absent has none"
        return None if kind is None else SimpleNamespace(type=kind)

    monkeypatch.setattr(torch.accelerator, "current_accelerator", current)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert default_device() == chosen
    assert devices.accelerator() == (kind or "cpu")


@pytest.mark.parametrize("architecture", ["llava", "qwen2_5_vl", "idefics3"])
def test_the_layers_to_shard_are_those_that_the_model_has(
    architecture: str, bases, make_recipe, monkeypatch
) -> None:
    """Accelerate stops at a class that is not there, and transformers lists the text half of CLIP for LLaVA's tower."""
    import os

    from safecot_training.sft.families import family_of
    from safecot_training.sft.loading import load_model

    recipe = make_recipe(architecture)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.delenv("FSDP_TRANSFORMER_CLS_TO_WRAP", raising=False)
    model = load_model(recipe, family_of(architecture, recipe.base_model))
    present = {type(module).__name__ for module in model.modules()}
    found = set(os.environ.pop("FSDP_TRANSFORMER_CLS_TO_WRAP").split(","))
    assert found <= present
    assert any("DecoderLayer" in name for name in found)
