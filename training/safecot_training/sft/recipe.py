"""A recipe: one YAML file that fully determines a fine-tuning run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from safecot_eval.util import safe_yaml
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import content_hash
from safecot_training.cot.targets import Variant


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
        freeze_vision: Keep the vision tower as it is; only full fine-tuning can set it to false.
        freeze_projector: The same for the projector.
        precision: auto, bf16 or fp32.
        gradient_checkpointing: Trade time for memory.
        group_by_length: Sort each optimiser step's examples by length before they are dealt to micro-batches.
        workers: Processes that load and prepare images beside the trainer.
        max_tokens: Refuse to start with a longer example (nothing is ever cut).
        processor: Keyword arguments for the processor (``min_pixels``, ``max_pixels``, …).
        save_steps: Optimiser steps between resumable checkpoints.
        save_total_limit: Resumable checkpoints to keep; at least 2, so that a corrupt one has a predecessor.
        logging_steps: Optimiser steps between log lines; must divide ``save_steps``, so that a resumed run averages
            its logged losses over the same steps.
        report_to: TRL's own switch: none, tensorboard, trackio, wandb …
        allow_unchecked: Train although the data were checked against no evaluation set.
        capability_tasks: lmms-eval tasks by which ``safecot train eval --capability`` measures what safety cost.
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
    workers: int = 0
    max_tokens: int = 4096
    processor: dict[str, Any] = dataclasses.field(default_factory=dict)
    save_steps: int = 100
    save_total_limit: int = 2
    logging_steps: int = 5
    report_to: str = "none"
    allow_unchecked: bool = False
    capability_tasks: tuple[str, ...] = ("mme", "mmbench_en_dev_static", "pope", "scienceqa_img", "mmmu_val")
    distributed: str = ""
    notes: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for YAML and JSON."""
        values = dataclasses.asdict(self)
        values["capability_tasks"] = list(self.capability_tasks)
        return {key: value.value if isinstance(value, StrEnum) else value for key, value in values.items()}

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
            "workers",
            "capability_tasks",
        }
        return content_hash({key: value for key, value in self.as_dict().items() if key not in silent})


_FIELDS = {field.name: field for field in dataclasses.fields(Recipe)}
_ENUMS: dict[str, type[StrEnum]] = {"variant": Variant, "method": Method, "precision": Precision}
_INTEGERS = {
    "max_samples", "seed", "max_steps", "batch_size", "gradient_accumulation", "lora_r", "lora_alpha", "max_tokens",
    "save_steps", "save_total_limit", "logging_steps", "workers",
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
        content = safe_yaml.load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SafecotError(f"{path}: cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
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
    for wrong, sentence in _rules(recipe):
        if wrong:
            raise SafecotError(f"{where}: {sentence}")
    return recipe


def _rules(recipe: Recipe) -> Iterator[tuple[bool, str]]:
    """What values must be, alone and together."""
    for key in ("batch_size", "gradient_accumulation", "save_steps", "logging_steps", "lora_r", "max_tokens"):
        yield getattr(recipe, key) < 1, f"{key!r} must be at least 1."
    yield recipe.learning_rate <= 0, "'learning_rate' must be positive."
    yield recipe.max_steps < 1 and recipe.epochs <= 0, "'epochs' or 'max_steps' must be positive."
    yield (
        recipe.save_total_limit < 2,
        "'save_total_limit' must be at least 2; a corrupt checkpoint needs one before it.",
    )
    yield (
        recipe.save_steps % recipe.logging_steps != 0,
        f"'save_steps' ({recipe.save_steps}) must be a multiple of 'logging_steps' ({recipe.logging_steps}), so that "
        "a resumed run logs the same averages.",
    )
    thawed = not (recipe.freeze_vision and recipe.freeze_projector)
    yield (
        thawed and recipe.method is not Method.FULL,
        "adapters are put into the language model only; 'freeze_vision' and 'freeze_projector' can be false with "
        "method: full.",
    )


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
    elif key == "capability_tasks":
        if not isinstance(value, list | tuple) or not all(isinstance(task, str) for task in value):
            raise SafecotError(f"{where}: 'capability_tasks' must be a list of lmms-eval task names.")
        return tuple(value)
    return value
