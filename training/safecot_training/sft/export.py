"""Write what a run produced in the forms that consumers read: adapter and merged, safetensors, processor, card.

A form is written into a hidden folder and renamed when it is whole, so a reader never meets half a checkpoint.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import disk_error
from safecot_training.sft.card import CheckpointCard, require_replaceable
from safecot_training.sft.recipe import Method, Recipe


def save_result(trainer: Any, recipe: Recipe, card: CheckpointCard, out: Path) -> None:
    """Save the trained model; all processes must call this.

    Raises:
        SafecotError: the disk is full.
    """
    adapter = recipe.method is not Method.FULL
    first = dataclasses.replace(card, form="adapter") if adapter else card
    target = out / ("adapter" if adapter else "merged")
    is_first_process = bool(trainer.is_world_process_zero())

    def save(folder: Path) -> None:
        trainer.save_model(str(folder))
        if is_first_process and not adapter:
            convert(folder, recipe.export_dtype)
            turn_experts(folder)
        if is_first_process:
            trainer.processing_class.save_pretrained(folder)
            if adapter:
                _name_base(folder, recipe)

    write_form(target, save, first, rename=is_first_process)
    if adapter and is_first_process:
        merge(target, out / "merged", card, dtype=recipe.export_dtype)


def convert(folder: Path, dtype: str) -> None:
    """Rewrite a saved model's floating-point weights; ``auto`` leaves them as they are."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    if dtype == "auto":
        return
    wanted = getattr(torch, dtype)
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        changed = {
            name: tensor.to(wanted) if tensor.is_floating_point() else tensor
            for name, tensor in tensors.items()
        }
        save_file(changed, path, metadata=metadata)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for part in (config, *(value for value in config.values() if isinstance(value, dict))):
        if "dtype" in part:
            part["dtype"] = dtype
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def turn_experts(folder: Path) -> None:
    """Lay the experts of a saved Qwen3-VL-MoE out as published ones are, which is how vLLM reads them.

    Published are ``gate_up_proj`` as (experts, hidden, 2 x intermediate) and ``down_proj`` as (experts, intermediate, hidden).
    transformers 5.19 turns both when it loads them, and not back when it saves; it reads either.
    """
    from safetensors import safe_open
    from safetensors.torch import save_file

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config["model_type"] != "qwen3_vl_moe":
        return
    hidden, inner = (config["text_config"][name] for name in ("hidden_size", "moe_intermediate_size"))
    turned = {"gate_up_proj": (2 * inner, hidden), "down_proj": (hidden, inner)}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for name, tensor in tensors.items():
            if ".experts." in name and tensor.shape[1:] == turned.get(name.rsplit(".", 1)[-1]):
                tensors[name] = tensor.transpose(1, 2).contiguous()
        save_file(tensors, path, metadata=metadata)


def merge(adapter: Path, out: Path, card: CheckpointCard, *, dtype: str = "auto") -> None:
    """Add an adapter to its base and save the whole model.

    Args:
        adapter: Folder of the adapter.
        out: Folder to write.
        card: Names the base.
        dtype: Of the saved weights; ``auto`` for the base's.

    Raises:
        SafecotError: the base or the adapter cannot be read, they do not fit each other, or the disk is full.
    """
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from safecot_eval.generate.models import weights

    weights.require_base(str(adapter), card.base_model, "--base-model")
    try:
        model = weights.load(
            AutoModelForImageTextToText,
            card.base_model,
            str(adapter),
            revision=card.base_revision or None,
            use_safetensors=True,
            dtype=dtype,
        ).merge_and_unload()
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = weights.why_not(card.base_model, error)
        raise SafecotError(f"{adapter}: cannot be merged into {card.base_model} ({reason}).") from error
    processor = AutoProcessor.from_pretrained(str(adapter))

    def save(folder: Path) -> None:
        with torch.no_grad():
            model.save_pretrained(folder)
        turn_experts(folder)
        processor.save_pretrained(folder)

    write_form(out, save, dataclasses.replace(card, form="merged"))


def write_form(
    target: Path, save: Callable[[Path], None], card: CheckpointCard, *, rename: bool = True
) -> None:
    """Write one form of a checkpoint, whole or not at all.

    Args:
        target: Final folder.
        save: Writes weights and processor into the folder it is given.
        card: Goes beside them.
        rename: Only the first process of several moves the folder into place.

    Raises:
        SafecotError: the folder holds something else, or the disk is full.
    """
    require_replaceable(target, card.form)
    temporary = target.with_name(f".{target.name}.part")
    try:
        temporary.mkdir(parents=True, exist_ok=True)
        save(temporary)
        if not rename:
            return
        for pickle in temporary.rglob("*.bin"):
            pickle.unlink()  # the trainer's own arguments; weights are safetensors
        card.write(temporary)
        if target.exists():
            shutil.rmtree(target)
        os.replace(temporary, target)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise disk_error(target, error) from error
    except SafetensorError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise SafecotError(f"{target}: cannot be written ({error}); is the disk full?") from error


def _name_base(folder: Path, recipe: Recipe) -> None:
    """Name the base in the adapter's configuration as the recipe names it."""
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = recipe.base_model
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
