"""What differs between VLM families when one trains them: the names of their parts.

One table instead of guesses: a base whose family is not in it is refused before anything is loaded, because a frozen
vision tower that was not found is a vision tower that gets trained.
"""

from __future__ import annotations

from dataclasses import dataclass

from safecot_eval.util.errors import SafecotError
from safecot_training.sft.recipe import FamilyParts


@dataclass(frozen=True, slots=True)
class Family:
    """Where the parts of a VLM are.

    Attributes:
        vision: Parts of a parameter's name that say it belongs to the vision tower.
        projector: The same for the projector, looked for first.
        language: Name of the language model's module.
    """

    vision: tuple[str, ...]
    projector: tuple[str, ...]
    language: str


FAMILIES = {
    "qwen2_vl": Family(("visual.",), ("visual.merger.",), "language_model"),
    "qwen2_5_vl": Family(("visual.",), ("visual.merger.",), "language_model"),
    "qwen3_vl": Family(("visual.",), ("visual.merger.", "visual.deepstack_merger_list."), "language_model"),
    "qwen3_vl_moe": Family(
        ("visual.",), ("visual.merger.", "visual.deepstack_merger_list."), "language_model"
    ),
    "glm4v": Family(("visual.",), ("visual.merger.",), "language_model"),
    "llava": Family(("vision_tower.",), ("multi_modal_projector.",), "language_model"),
    "llava_next": Family(("vision_tower.",), ("multi_modal_projector.",), "language_model"),
    "llava_onevision": Family(("vision_tower.",), ("multi_modal_projector.",), "language_model"),
    "internvl": Family(("vision_tower.",), ("multi_modal_projector.",), "language_model"),
    "gemma3": Family(("vision_tower.",), ("multi_modal_projector.",), "language_model"),
    "gemma3n": Family(("vision_tower.", "audio_tower."), ("embed_vision.", "embed_audio."), "language_model"),
    "mistral3": Family(("vision_tower.",), ("multi_modal_projector.",), "language_model"),
    "llama4": Family(("vision_model.",), ("multi_modal_projector.",), "language_model"),
    "mllama": Family(("vision_model.",), ("multi_modal_projector.",), "language_model"),
    "idefics3": Family(("vision_model.",), ("connector.",), "text_model"),
    "smolvlm": Family(("vision_model.",), ("connector.",), "text_model"),
}


def family_of(model_type: str, base: str, told: FamilyParts | None = None) -> Family:
    """Look a family up.

    Args:
        model_type: transformers' name of the architecture.
        base: For the message.
        told: What the recipe says instead.

    Raises:
        SafecotError: it is not in the table.
    """
    if told is not None:
        return Family(told.vision, told.projector, told.language)
    if model_type not in FAMILIES:
        raise SafecotError(
            f"{base}: architecture {model_type!r} is not known to the trainer; known are {', '.join(FAMILIES)} "
            "(say where its parts are with `family:` in the recipe)."
        )
    return FAMILIES[model_type]


def lora_targets(family: Family, told: str = "") -> str:
    """Regular expression of the linear layers that get an adapter: the language model's only, unless the recipe says others.

    ``all-linear`` and lists of names would also hit the vision tower of most families, and vLLM drops such adapters
    silently unless told otherwise.
    """
    return told or rf".*\b{family.language}\b.*\.(?:q|k|v|o|gate|up|gate_up|down)_proj"


def is_frozen(name: str, family: Family, *, vision: bool, projector: bool) -> bool:
    """Whether a parameter stays as it is.

    >>> is_frozen("model.visual.merger.mlp.0.weight", FAMILIES["qwen2_5_vl"], vision=True, projector=False)
    False
    >>> is_frozen("model.visual.blocks.0.norm1.weight", FAMILIES["qwen2_5_vl"], vision=True, projector=False)
    True
    """
    if any(part in name for part in family.projector):
        return projector
    return vision and any(part in name for part in family.vision)
