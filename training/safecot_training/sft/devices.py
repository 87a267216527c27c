"""The device that a process trains on, and what cannot run there."""

from __future__ import annotations

import importlib.util
import os

import torch

from safecot_eval.util.errors import SafecotError
from safecot_training.sft.objectives import Objective
from safecot_training.sft.recipe import Method, Precision, Recipe


def accelerator() -> str:
    """Kind of accelerator that PyTorch sees: cuda, mps, xpu, npu …; ``cpu`` if there is none."""
    found = torch.accelerator.current_accelerator(check_available=True)
    return "cpu" if found is None else found.type


def uses_bf16(recipe: Recipe) -> bool:
    """Whether the run computes in bfloat16; left to itself it does on CUDA, XPU and NPU devices that can."""
    if recipe.precision is not Precision.AUTO:
        return recipe.precision is Precision.BF16
    kind = accelerator()
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return kind in ("xpu", "npu")


def is_sharded() -> str:
    """``FSDP`` or ``DeepSpeed`` where accelerate was told to shard the model, else empty."""
    for name in ("FSDP", "DeepSpeed"):
        if os.environ.get(f"ACCELERATE_USE_{name.upper()}", "").lower() == "true":
            return name
    return ""


def require_shardable(model_type: str, base: str) -> None:
    """Refuse to shard the weights of a model whose processes would wait for each other for ever.

    Raises:
        SafecotError: rows of an architecture that computes them by their number of images take as many passes as there are numbers
            in a batch, and every pass gathers weights from all processes.
    """
    sharded = is_sharded()
    if sharded == "DeepSpeed" and os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") != "3":
        return  # gathers no weights
    if sharded and model_type == "mllama":
        raise SafecotError(
            f"{base}: mllama computes rows by their number of images, so that processes take different numbers of passes, and with "
            f"weights sharded by {sharded} they would wait for each other for ever; use deepspeed_zero2.yaml, or torchrun alone."
        )


def require_one_process_per_device(recipe: Recipe) -> None:
    """Refuse arrangements that would train something else than the recipe, or die in the middle of loading.

    Raises:
        SafecotError: several accelerators for one process, 4-bit weights that would be sharded, or sharding that is not to be
            had here.
    """
    count = torch.accelerator.device_count() if accelerator() != "cpu" else 0
    if count > 1 and int(os.environ.get("WORLD_SIZE", "1")) == 1:
        variable = {
            "cuda": "CUDA_VISIBLE_DEVICES",
            "xpu": "ZE_AFFINITY_MASK",
            "npu": "ASCEND_RT_VISIBLE_DEVICES",
        }
        raise SafecotError(
            f"{count} accelerators are visible to one process, which would split its batches among them and take other steps "
            f"than the recipe says; start `torchrun --nproc_per_node {count} -m safecot_eval train sft …`, or show it one "
            f"({variable.get(accelerator(), 'CUDA_VISIBLE_DEVICES')}=0)."
        )
    sharded = is_sharded()
    if recipe.method is Method.QLORA and sharded:
        raise SafecotError(
            f"method: qlora cannot be sharded by {sharded} here: its 4-bit weights are whole on every device; start it with "
            "torchrun alone, or use method: lora."
        )
    if sharded == "FSDP" and recipe.method is Method.FULL and recipe.objective is not Objective.SFT:
        raise SafecotError(
            f"objective: {recipe.objective.value} with method: full cannot be sharded by FSDP here: TRL reads the output layer's "
            "weights beside the layer, and each process would train its part of them on its own rows alone; use method: lora, or "
            "deepspeed_zero3.yaml."
        )
    if sharded == "DeepSpeed" and importlib.util.find_spec("deepspeed") is None:
        raise SafecotError(
            "accelerate was told to use DeepSpeed, which is not installed; `pip install deepspeed`, or leave its configuration out."
        )
    # accelerate then trains data parallel without a word, and a checkpoint would be looked for in another form
    if sharded and accelerator() in ("cpu", "mps"):
        raise SafecotError(
            f"accelerate was told to shard with {sharded}, which it does not do on {accelerator()}; leave its configuration out "
            "(torchrun alone trains data parallel), or start it where there are CUDA, XPU or NPU devices."
        )
    if sharded == "FSDP" and int(os.environ.get("WORLD_SIZE", "1")) == 1:
        raise SafecotError(
            "accelerate was told to shard with FSDP, which takes several processes, and this is the only one; leave its "
            "configuration out, or start as many as there are devices."
        )
