"""A recipe: one YAML file that fully determines a fine-tuning run."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from safecot_eval.errors import SafecotError
from safecot_training.files import content_hash
from safecot_training.targets import Variant


class Method(StrEnum):
    """What is trained."""

    FULL = "full"
    LORA = "lora"
    QLORA = "qlora"  # LoRA on a base in 4 bits; needs a CUDA device and bitsandbytes


class Precision(StrEnum):
    """Arithmetic of the training run."""

    AUTO = "auto"  # bfloat16 where the device has it, else float32
    BF16 = "bf16"
    FP32 = "fp32"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that a run depends on. The defaults are our choice; the paper's hyper-parameters are not public.

    Attributes:
        base_model: Folder or hub id of the base.
        data: Data folder.
        variant: v0, v1 or v2.
        name: What the leaderboard calls the result.
        base_revision: Hub revision.
        method: full, lora or qlora.
        max_samples: Train on the first N examples of the data; None for all.
        seed: Of initialisation, order and dropout.
        learning_rate: Peak.
        epochs: Passes over the data; ignored where ``max_steps`` is positive.
        max_steps: Optimiser steps, or -1.
        batch_size: Examples per device and micro-step.
        gradient_accumulation: Micro-steps per optimiser step.
        warmup_ratio: Share of the steps with rising learning rate.
        scheduler: transformers' name of the schedule.
        weight_decay: AdamW's.
        max_grad_norm: Clipping.
        lora_r: Rank.
        lora_alpha: Scale.
        lora_dropout: Dropout on the adapter.
        freeze_vision: Keep the vision tower as it is (full fine-tuning; adapters never touch it).
        freeze_projector: Keep the projector as it is.
        precision: auto, bf16 or fp32.
        gradient_checkpointing: Trade time for memory.
        group_by_length: Put examples of like length into one batch.
        max_tokens: Refuse to start with a longer example (nothing is ever cut).
        processor: Keyword arguments for the processor (``min_pixels``, ``max_pixels``, …).
        save_steps: Optimiser steps between resumable checkpoints.
        save_total_limit: Resumable checkpoints to keep; at least 2, so that a corrupt one has a predecessor.
        logging_steps: Optimiser steps between log lines.
        report_to: TRL's own switch: none, tensorboard, trackio, wandb …
        allow_unchecked: Train although the data were checked against no evaluation set.
        distributed: Path of an FSDP or DeepSpeed configuration beside the recipe, for people to pass to ``accelerate``.
        notes: Why these values.
    """

    base_model: str
    data: str
    variant: Variant
    name: str = ""
    base_revision: str = "main"
    method: Method = Method.LORA
    max_samples: int | None = None
    seed: int = 0
    learning_rate: float = 1e-4
    epochs: float = 2.0
    max_steps: int = -1
    batch_size: int = 4
    gradient_accumulation: int = 4
    warmup_ratio: float = 0.05
    scheduler: str = "cosine"
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    lora_r: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.05
    freeze_vision: bool = True
    freeze_projector: bool = True
    precision: Precision = Precision.AUTO
    gradient_checkpointing: bool = True
    group_by_length: bool = True
    max_tokens: int = 4096
    processor: dict[str, Any] = dataclasses.field(default_factory=dict)
    save_steps: int = 100
    save_total_limit: int = 2
    logging_steps: int = 5
    report_to: str = "none"
    allow_unchecked: bool = False
    distributed: str = ""
    notes: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for YAML and JSON."""
        return {
            key: value.value if isinstance(value, StrEnum) else value
            for key, value in dataclasses.asdict(self).items()
        }

    @property
    def hash(self) -> str:
        """Hash of everything that changes the result (not of names, notes and logging)."""
        silent = {
            "name",
            "notes",
            "report_to",
            "logging_steps",
            "save_steps",
            "save_total_limit",
            "distributed",
        }
        return content_hash({key: value for key, value in self.as_dict().items() if key not in silent})


_FIELDS = {field.name: field for field in dataclasses.fields(Recipe)}
_ENUMS: dict[str, type[StrEnum]] = {"variant": Variant, "method": Method, "precision": Precision}
_INTEGERS = {
    "max_samples", "seed", "max_steps", "batch_size", "gradient_accumulation", "lora_r", "lora_alpha", "max_tokens",
    "save_steps", "save_total_limit", "logging_steps",
}  # fmt: skip
_NUMBERS = {"learning_rate", "epochs", "warmup_ratio", "weight_decay", "max_grad_norm", "lora_dropout"}
_SWITCHES = {
    "freeze_vision", "freeze_projector", "gradient_checkpointing", "group_by_length", "allow_unchecked",
}  # fmt: skip


def load_recipe(path: Path, overrides: dict[str, Any] | None = None) -> Recipe:
    """Read a recipe file.

    Args:
        path: YAML file.
        overrides: Values that replace the file's (command line).

    Raises:
        SafecotError: unreadable file, unknown or missing key, or a value of the wrong kind.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SafecotError(f"{path}: cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SafecotError(f"{path}: not a readable YAML file ({' '.join(str(error).split())}).") from error
    if not isinstance(content, dict):
        raise SafecotError(f"{path}: a recipe is a mapping of keys to values.")
    return recipe_from({**content, **(overrides or {})}, str(path))


def recipe_from(content: dict[str, Any], where: str) -> Recipe:
    """Check the values of a recipe.

    Raises:
        SafecotError: naming the key.
    """
    unknown = sorted(set(content) - set(_FIELDS))
    if unknown:
        raise SafecotError(f"{where}: unknown key {unknown[0]!r}; a recipe has: {', '.join(_FIELDS)}.")
    for key in ("base_model", "data", "variant"):
        if not content.get(key):
            raise SafecotError(f"{where}: {key!r} is missing; set it in the file or with --set {key}=….")
    values = {key: _checked(key, value, where) for key, value in content.items()}
    recipe = Recipe(**values)
    if recipe.save_total_limit < 2:
        raise SafecotError(
            f"{where}: 'save_total_limit' must be at least 2; a corrupt checkpoint needs one before it."
        )
    return recipe


def _checked(key: str, value: Any, where: str) -> Any:
    if key in _ENUMS:
        try:
            return _ENUMS[key](str(value))
        except ValueError as error:
            allowed = ", ".join(_ENUMS[key])
            raise SafecotError(f"{where}: {key!r} is {value!r}; it must be one of: {allowed}.") from error
    if key in _INTEGERS and (value is not None or key != "max_samples"):
        if isinstance(value, bool) or not isinstance(value, int):
            raise SafecotError(f"{where}: {key!r} is {value!r}; it must be a whole number.")
    elif key in _NUMBERS:
        try:
            return float(value)  # YAML reads 1e-4 as text
        except (TypeError, ValueError) as error:
            raise SafecotError(f"{where}: {key!r} is {value!r}; it must be a number.") from error
    elif key in _SWITCHES and not isinstance(value, bool):
        raise SafecotError(f"{where}: {key!r} is {value!r}; it must be true or false.")
    elif key == "processor" and not isinstance(value, dict):
        raise SafecotError(f"{where}: 'processor' must be a mapping.")
    return value
