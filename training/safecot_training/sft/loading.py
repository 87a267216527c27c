"""Load a base: its processor, and its model with what the recipe freezes frozen."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor, GenerationConfig

from safecot_eval.generate.models import weights
from safecot_eval.generate.models.checkpoint import has_chat_template
from safecot_eval.util.errors import SafecotError
from safecot_training.sft.devices import is_sharded, uses_bf16
from safecot_training.sft.families import Family, family_of, is_frozen
from safecot_training.sft.recipe import Method, Recipe
from safecot_training.sft.turns import stop_tokens

_PIXELS = {"min_pixels": "shortest_edge", "max_pixels": "longest_edge"}


def load_processor(recipe: Recipe) -> tuple[Any, Any]:
    """Load the base's configuration and processor.

    Raises:
        SafecotError: no such base, unknown architecture, or no chat template.
    """
    try:
        config = AutoConfig.from_pretrained(recipe.base_model, revision=recipe.base_revision)
        family_of(config.model_type, recipe.base_model, recipe.family)
        options = {key: value for key, value in recipe.processor.items() if key not in _PIXELS}
        processor = AutoProcessor.from_pretrained(recipe.base_model, revision=recipe.base_revision, **options)
    except (OSError, ValueError, ImportError) as error:
        if sentence := weights.lacks_a_processor(recipe.base_model):
            raise SafecotError(sentence) from error
        raise _unloadable(recipe, error) from error
    _limit_pixels(processor, recipe)
    if not has_chat_template(processor):
        raise SafecotError(
            f"{recipe.base_model}: has no chat template; put chat_template.jinja beside its weights."
        )
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    return config, processor


def _limit_pixels(processor: Any, recipe: Recipe) -> None:
    """Set how many pixels a picture may have; as an option of ``from_pretrained`` transformers warns at every picture.

    Raises:
        SafecotError: the processor scales pictures otherwise.
    """
    given = {_PIXELS[key]: value for key, value in recipe.processor.items() if key in _PIXELS}
    if not given:
        return
    size = {key: value for key, value in dict(processor.image_processor.size).items() if value is not None}
    if set(_PIXELS.values()) - set(size):
        raise SafecotError(
            f"{recipe.base_model}: its processor knows no min_pixels and max_pixels; it scales pictures to {size}. Set "
            "processor: {size: …} in the recipe instead."
        )
    processor.image_processor.size = type(processor.image_processor.size)(**{**size, **given})


def load_stops(recipe: Recipe, config: Any, processor: Any) -> set[int]:
    """Tokens that end an answer of the base."""
    try:
        found = GenerationConfig.from_pretrained(recipe.base_model, revision=recipe.base_revision)
    except (OSError, ValueError):  # it has no generation_config.json; transformers then reads the model's own
        found = config.get_text_config()
    return stop_tokens(found, processor.tokenizer)


def load_model(recipe: Recipe, family: Family, *, resumed: Path | None = None) -> Any:
    """Load the base with what the recipe freezes frozen.

    Args:
        recipe: What is trained.
        family: Names of the base's parts.
        resumed: Checkpoint of an interrupted run. A whole model is loaded from it here, by the loader that knows the
            names a family's weights have on disk; the trainer's own resumption does not, and for LLaVA it goes on
            from the base with a warning.

    Raises:
        SafecotError: weights that cannot be read or are missing, or a tower to freeze that is not where the family has it.
    """
    options: dict[str, Any] = {
        "dtype": torch.bfloat16 if uses_bf16(recipe) and recipe.method is not Method.FULL else torch.float32,
        "use_safetensors": True,  # a pickle can run code
    }
    if recipe.attn_implementation:
        options["attn_implementation"] = recipe.attn_implementation
    if recipe.method is Method.QLORA:
        options["quantization_config"] = four_bits()
        # Quantised weights stay where they are loaded: each process has a device of its own.
        options["device_map"] = {"": int(os.environ.get("LOCAL_RANK", "0"))}
    try:
        if resumed is not None and resumes_here(recipe):
            model = weights.load(AutoModelForImageTextToText, str(resumed), **options)
        else:
            model = weights.load(
                AutoModelForImageTextToText, recipe.base_model, revision=recipe.base_revision, **options
            )
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        raise _unloadable(recipe, error) from error
    if recipe.method is Method.FULL:
        freeze(model, family, recipe)
    if is_sharded() == "FSDP":
        os.environ.setdefault(_LAYERS, ",".join(layers_of(model)))
    return model


_LAYERS = "FSDP_TRANSFORMER_CLS_TO_WRAP"
"""Where accelerate and peft look for the classes of the layers that FSDP shards one by one."""


def layers_of(model: Any) -> list[str]:
    """Classes that a model says not to split, as far as it has them.

    Accelerate takes transformers' whole list and stops at a class that is not in the model: the list of a VLM with a CLIP tower
    also has the text half of CLIP.
    """
    present = {type(module).__name__ for module in model.modules()}
    return sorted(present & set(model._no_split_modules or ()))


def resumes_here(recipe: Recipe) -> bool:
    """Whether a checkpoint's weights are loaded by us: whole models that are not sharded (those hold no renamed keys)."""
    return recipe.method is Method.FULL and not is_sharded()


def freeze(model: Any, family: Family, recipe: Recipe) -> None:
    """Turn gradients off where the recipe says so.

    Raises:
        SafecotError: there is nothing to freeze under the family's names, so that the tower would be trained.
    """
    frozen = [
        parameter
        for name, parameter in model.named_parameters()
        if is_frozen(name, family, vision=recipe.freeze_vision, projector=recipe.freeze_projector)
    ]
    if not frozen and (recipe.freeze_vision or recipe.freeze_projector):
        raise SafecotError(
            f"{recipe.base_model}: no parameter is named {' or '.join(family.vision + family.projector)}; its line in "
            "safecot_training/families.py does not fit this version of transformers."
        )
    for parameter in frozen:
        parameter.requires_grad_(False)


def four_bits() -> Any:
    """Quantisation of a QLoRA base: NF4, double quantisation, bfloat16 arithmetic (Dettmers et al. 2023).

    Raises:
        SafecotError: no CUDA device or no bitsandbytes.
    """
    if not torch.cuda.is_available() or importlib.util.find_spec("bitsandbytes") is None:
        raise SafecotError(
            "method: qlora needs a CUDA device and `pip install 'safecot-eval[qlora]'`; use method: lora instead."
        )
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def _unloadable(recipe: Recipe, error: Exception) -> SafecotError:
    return SafecotError(
        f"Base model {recipe.base_model!r} cannot be loaded ({weights.why_not(recipe.base_model, error)})."
    )
