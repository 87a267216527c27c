"""Every family in the table, in its real transformers class: what is frozen, and where adapters go."""

from __future__ import annotations

import re

import pytest

from safecot_eval.util.errors import SafecotError
from safecot_training.sft.families import FAMILIES, family_of, is_frozen, lora_targets

DEPTHS = ("num_hidden_layers", "depth", "num_global_layers", "conf_num_hidden_layers")


def shallow(model_type: str):
    """The family's own default configuration with two layers, built on no device: names, no weights."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    config = AutoConfig.for_model(model_type)
    for part in (config.get_text_config(), config.vision_config, getattr(config, "audio_config", None)):
        for depth in DEPTHS:
            if isinstance(getattr(part, depth, None), int):
                setattr(part, depth, 2)
        for listed in (
            "layer_types",
            "fullatt_block_indexes",
            "deepstack_visual_indexes",
            "intermediate_layers_indices",
            "activation_sparsity_pattern",
            "intermediate_size",
        ):
            value = getattr(part, listed, None)
            if isinstance(value, list):
                setattr(part, listed, [1] if "ind" in listed else value[:2])
        if getattr(part, "cross_attention_layers", None):
            part.cross_attention_layers = [1]
        if getattr(part, "num_kv_shared_layers", None):
            part.num_kv_shared_layers = 0
        if getattr(part, "model_type", "") == "gemma3n_vision":
            part.architecture = "test_efficientnet_ln"  # the names are timm's, whatever the size
    for part in (config, config.get_text_config()):
        part.pad_token_id = 0  # Idefics3's default lies outside its default vocabulary
    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(config)


@pytest.mark.slow
@pytest.mark.parametrize("model_type", sorted(FAMILIES))
def test_the_table_fits_the_real_classes(model_type: str) -> None:
    import torch

    family = FAMILIES[model_type]
    model = shallow(model_type)
    names = [name for name, _ in model.named_parameters()]
    frozen = {name for name in names if is_frozen(name, family, vision=True, projector=True)}
    projector = {name for name in names if any(part in name for part in family.projector)}
    tower = {name for name in names if is_frozen(name, family, vision=True, projector=False)}
    assert projector
    assert tower
    assert tower | projector == frozen
    assert not tower & projector
    trained = set(names) - frozen
    # `model.image_newline` and the like belong to neither tower nor language model
    assert all(
        f".{family.language}." in f".{name}" or name.startswith("lm_head") or "newline" in name
        for name in trained
    ), sorted(trained)[:5]
    pattern = re.compile(lora_targets(family))
    linear = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    adapted = [name for name in linear if pattern.fullmatch(name)]
    attention = {"q_proj", "k_proj", "v_proj", "o_proj"}
    # glm4v's gate and up are one layer, and experts are no linear layers.
    dense = {"glm4v": {"gate_up_proj", "down_proj"}, "qwen3_vl_moe": set()}
    wanted = attention | dense.get(model_type, {"gate_proj", "up_proj", "down_proj"})
    assert {name.rpartition(".")[2] for name in adapted} >= wanted
    assert {name.rpartition(".")[2] for name in adapted} <= wanted | {"gate_proj", "up_proj", "down_proj"}
    assert all(f"{family.language}." in name for name in adapted)
    assert not {f"{name}.weight" for name in adapted} & frozen


def test_an_unknown_family_is_named_with_the_known_ones() -> None:
    with pytest.raises(
        SafecotError, match=r"architecture 'bert' is not known to the trainer; known are qwen2_vl, .*"
    ):
        family_of("bert", "my/base")


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_a_projector_can_be_trained_while_the_tower_is_frozen(family) -> None:
    name = f"model.{family.projector[0]}linear_1.weight"
    assert not is_frozen(name, family, vision=True, projector=False)
    assert is_frozen(name, family, vision=False, projector=True)
    assert not is_frozen(
        f"model.{family.language}.layers.0.mlp.up_proj.weight", family, vision=True, projector=True
    )
