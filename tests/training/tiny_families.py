"""Tiny checkpoints of every family that a recipe names: the real classes of transformers, random weights, published templates.

Special tokens, end tokens and beginnings are those of the published checkpoints, because that is what goes wrong: LLaVA's
tokenizer adds ``<s>`` by itself and its template ends no answer, mllama's template writes its beginning, SmolVLM's answers
end in a token that is not the tokenizer's. Templates come from TRL's package where it ships them, else from
``chat_templates/`` beside this file, each with its source.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

from safecot_eval.generate.models import tiny
from safecot_training.sft import export
from tests.training import tiny_newer_families

SIDE = 56
_TEMPLATES = Path(__file__).parent / "chat_templates"
_CLIP = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": SIDE,
    "patch_size": 14,
}  # fmt: skip
_VISION_MODEL = ("llava", "llava_next", "llava_next_mistral", "llava_onevision", "gemma3")
"""Published weights of these have ``vision_tower.vision_model.`` in their names."""
_QWEN_MEDIA = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")


def build(family: str, folder: Path, *, seed: int = 0) -> Path:
    """Write a checkpoint of a family with its processor."""
    torch.manual_seed(seed)
    model, processor, stops = FAMILIES[family]()
    for name, parameter in model.named_parameters():
        if name.endswith(
            ("cross_attn_attn_gate", "cross_attn_mlp_gate")
        ):  # mllama starts with its eyes closed
            torch.nn.init.constant_(parameter, 0.5)
    number = processor.tokenizer.convert_tokens_to_ids
    model.generation_config.eos_token_id = [number(stop) for stop in stops]
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    if family in _VISION_MODEL:
        tiny._name_as_published(folder / "model.safetensors")
    export.turn_experts(folder)
    processor.save_pretrained(folder)
    return folder


def _trl(name: str) -> str:
    import trl

    return (Path(trl.__file__).parent / f"chat_templates/{name}.jinja").read_text(encoding="utf-8")


def _written(name: str) -> str:
    return (_TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")


def _tokenizer(
    media: Sequence[str], *, eos: str, bos: str = "", adds_bos: bool = False, breaks: int = 0, **named: str
) -> Any:
    """The byte-level tokenizer of :mod:`tiny`, with a family's own beginning and end.

    Up to ``breaks`` line breaks together are one token, as in Gemma's, where vLLM looks for them.
    """
    wanted = [token for token in (bos, eos) if token not in ("", tiny.PAD, tiny.TURN, tiny.END)]
    tokenizer = tiny._tokenizer([*media, *wanted], **named)
    tokenizer.add_tokens(["\n" * count for count in range(1, breaks + 1)])
    tokenizer.eos_token = eos
    if bos:
        tokenizer.bos_token = bos
    if adds_bos:
        from tokenizers.processors import TemplateProcessing

        start = (bos, tokenizer.convert_tokens_to_ids(bos))
        tokenizer._tokenizer.post_processor = TemplateProcessing(single=f"{bos} $A", special_tokens=[start])
    return tokenizer


def _language(tokenizer: Any, **more: Any) -> dict[str, Any]:
    return tiny._language(
        tokenizer, 0.02, eos_token_id=tokenizer.eos_token_id, bos_token_id=tokenizer.bos_token_id or 0, **more
    )


def _qwen(vl: str, sections: list[int], patch: int, template: str, **vision: Any) -> Any:
    tokenizer = _tokenizer(_QWEN_MEDIA, eos=tiny.END)
    number = tokenizer.convert_tokens_to_ids
    rope = {
        "rope_type": "default",
        "mrope_section": sections,
        "rope_theta": 10000.0,
        "mrope_interleaved": vl == "Qwen3VL",
    }
    config = getattr(transformers, f"{vl}Config")(
        text_config=_language(tokenizer, rope_parameters=rope, head_dim=32),
        vision_config={"depth": 2, "hidden_size": 64, "num_heads": 4, "patch_size": patch, **vision},
        image_token_id=number(_QWEN_MEDIA[2]),
        video_token_id=number(_QWEN_MEDIA[3]),
        vision_start_token_id=number(_QWEN_MEDIA[0]),
        vision_end_token_id=number(_QWEN_MEDIA[1]),
    )
    edge = 4 * patch * patch
    images = transformers.Qwen2VLImageProcessor(
        size={"shortest_edge": 4 * edge, "longest_edge": 16 * edge},
        patch_size=patch,
        temporal_patch_size=2,
        merge_size=2,
    )
    videos = transformers.Qwen3VLVideoProcessor if vl == "Qwen3VL" else transformers.Qwen2VLVideoProcessor
    processor = getattr(transformers, f"{vl}Processor")(
        image_processor=images, tokenizer=tokenizer, video_processor=videos(), chat_template=_trl(template)
    )
    return getattr(transformers, f"{vl}ForConditionalGeneration")(config), processor, [tiny.END, tiny.PAD]


def _qwen2_vl() -> Any:
    return _qwen("Qwen2VL", [4, 6, 6], 14, "qwen2_5_vl", embed_dim=64, mlp_ratio=2)


def _qwen2_5_vl() -> Any:
    return _qwen(
        "Qwen2_5_VL", [4, 6, 6], 14, "qwen2_5_vl",
        intermediate_size=128, out_hidden_size=64, fullatt_block_indexes=[1], window_size=SIDE,
    )  # fmt: skip


def _qwen3_vl() -> Any:
    return _qwen(
        "Qwen3VL", [6, 5, 5], 16, "qwen3_vl",
        intermediate_size=128, out_hidden_size=64, deepstack_visual_indexes=[1], num_position_embeddings=64,
    )  # fmt: skip


def _llava() -> Any:
    tokenizer = _tokenizer(["<image>"], bos="<s>", eos="</s>", adds_bos=True, image_token="<image>")
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**_CLIP, projection_dim=64),
        text_config=transformers.LlamaConfig(**_language(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_select_strategy="default",
        vision_feature_layer=-1,
        image_seq_length=16,
    )
    size = {"shortest_edge": SIDE}
    processor = transformers.LlavaProcessor(
        image_processor=transformers.CLIPImageProcessor(size=size, crop_size={"height": SIDE, "width": SIDE}),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_written("llava_1_5"),
    )
    return transformers.LlavaForConditionalGeneration(config), processor, ["</s>"]


def _next(template: str) -> Any:
    tokenizer = _tokenizer(["<image>"], bos="<s>", eos="</s>", adds_bos=True, image_token="<image>")
    grid = [[56, 112], [112, 56], [112, 112]]
    text = transformers.MistralConfig if template == "mistral" else transformers.LlamaConfig
    config = transformers.LlavaNextConfig(
        vision_config=transformers.CLIPVisionConfig(**_CLIP, projection_dim=64),
        text_config=text(**_language(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_select_strategy="default",
        vision_feature_layer=-1,
        image_grid_pinpoints=grid,
    )
    images = transformers.LlavaNextImageProcessor(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}, image_grid_pinpoints=grid
    )
    processor = transformers.LlavaNextProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_trl("llava_next") if template == "mistral" else _written("llava_1_5"),
    )
    return transformers.LlavaNextForConditionalGeneration(config), processor, ["</s>"]


def _llava_onevision() -> Any:
    media = ["<image>", "<video>"]
    tokenizer = _tokenizer(media, eos=tiny.END, image_token="<image>", video_token="<video>")
    grid = [[56, 56], [56, 112], [112, 56], [112, 112]]
    config = transformers.LlavaOnevisionConfig(
        vision_config=transformers.SiglipVisionConfig(**_CLIP, vision_use_head=False),
        text_config=transformers.Qwen2Config(**_language(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
        image_grid_pinpoints=grid,
        vision_aspect_ratio="anyres_max_9",
    )
    processor = transformers.LlavaOnevisionProcessor(
        image_processor=transformers.LlavaOnevisionImageProcessor(
            size={"height": SIDE, "width": SIDE}, image_grid_pinpoints=grid
        ),
        tokenizer=tokenizer,
        video_processor=transformers.LlavaOnevisionVideoProcessor(),
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=_written("llava_onevision"),
    )
    return transformers.LlavaOnevisionForConditionalGeneration(config), processor, [tiny.END, tiny.PAD]


def _internvl() -> Any:
    named = {
        "start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }  # fmt: skip
    tokenizer = _tokenizer(list(named.values()), eos=tiny.END, **named)
    side = {"height": SIDE, "width": SIDE}
    config = transformers.InternVLConfig(
        vision_config=transformers.InternVLVisionConfig(
            **{**_CLIP, "image_size": [SIDE, SIDE], "patch_size": [14, 14]}
        ),
        text_config=transformers.Qwen2Config(**_language(tokenizer)),
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        downsample_ratio=0.5,
    )
    processor = transformers.InternVLProcessor(
        image_processor=transformers.GotOcr2ImageProcessor(
            size=side, crop_to_patches=True, min_patches=1, max_patches=4
        ),
        tokenizer=tokenizer,
        video_processor=transformers.InternVLVideoProcessor(),
        image_seq_length=4,
        chat_template=_written("internvl"),
    )
    return transformers.InternVLForConditionalGeneration(config), processor, [tiny.END]


def _gemma3() -> Any:
    named = {
        "image_token": "<image_soft_token>",
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
    }
    media = [*named.values(), "<start_of_turn>", "<end_of_turn>"]
    tokenizer = _tokenizer(media, bos="<bos>", eos="<eos>", adds_bos=True, breaks=4, **named)
    number = tokenizer.convert_tokens_to_ids
    text = transformers.Gemma3TextConfig(
        **_language(tokenizer),
        head_dim=32,
        sliding_window=64,
        layer_types=["sliding_attention", "full_attention"],
    )
    config = transformers.Gemma3Config(
        text_config=text,
        vision_config=transformers.SiglipVisionConfig(**_CLIP, vision_use_head=False),
        mm_tokens_per_image=4,
        image_token_index=number("<image_soft_token>"),
        boi_token_index=number("<start_of_image>"),
        eoi_token_index=number("<end_of_image>"),
    )
    processor = transformers.Gemma3Processor(
        image_processor=transformers.Gemma3ImageProcessor(size={"height": SIDE, "width": SIDE}),
        tokenizer=tokenizer,
        image_seq_length=4,
        chat_template=_trl("gemma3"),
    )
    return transformers.Gemma3ForConditionalGeneration(config), processor, ["<eos>", "<end_of_turn>"]


def _mllama() -> Any:
    media = ["<|image|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|end_of_text|>"]
    tokenizer = _tokenizer(
        media, bos="<|begin_of_text|>", eos="<|eot_id|>", adds_bos=True, image_token="<|image|>"
    )
    vision = transformers.models.mllama.configuration_mllama.MllamaVisionConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_global_layers=1, attention_heads=4, image_size=SIDE,
        patch_size=14, max_num_tiles=4, intermediate_layers_indices=[0, 1], vision_output_dim=192,
        supported_aspect_ratios=[[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]],
    )  # fmt: skip
    text = transformers.models.mllama.configuration_mllama.MllamaTextConfig(
        **{**_language(tokenizer), "num_hidden_layers": 3},
        cross_attention_layers=[1],
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    )
    config = transformers.MllamaConfig(
        vision_config=vision, text_config=text, image_token_index=tokenizer.convert_tokens_to_ids("<|image|>")
    )
    processor = transformers.MllamaProcessor(
        image_processor=transformers.MllamaImageProcessor(
            size={"height": SIDE, "width": SIDE}, max_image_tiles=4
        ),
        tokenizer=tokenizer,
        chat_template=_written("mllama"),
    )
    stops = ["<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"]
    return transformers.MllamaForConditionalGeneration(config), processor, stops


def _splitting(name: str, template: str, eos: str, bos: str, stops: list[str]) -> Any:
    """Idefics3 and SmolVLM: pictures are split into tiles, and packed into one row per example."""
    named = {
        "image_token": "<image>", "fake_image_token": "<fake_token_around_image>", "global_image_token": "<global-img>",
        "end_of_utterance_token": "<end_of_utterance>",
    }  # fmt: skip
    tokenizer = _tokenizer(list(named.values()), eos=eos, bos=bos, adds_bos=name == "Idefics3", **named)
    config = getattr(transformers, f"{name}Config")(
        vision_config=getattr(transformers, f"{name}VisionConfig")(**_CLIP),
        text_config=transformers.LlamaConfig(**_language(tokenizer)),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,
    )
    edge = {"longest_edge": SIDE}
    more: dict[str, Any] = {}
    if name == "SmolVLM":
        more["video_processor"] = transformers.SmolVLMVideoProcessor(
            size=edge, max_image_size=edge, num_frames=4, fps=1
        )
    processor = getattr(transformers, f"{name}Processor")(
        image_processor=getattr(transformers, f"{name}ImageProcessor")(
            do_image_splitting=True, size={"longest_edge": 2 * SIDE}, max_image_size=edge
        ),
        tokenizer=tokenizer,
        image_seq_len=4,
        chat_template=_trl(template),
        **more,
    )
    return getattr(transformers, f"{name}ForConditionalGeneration")(config), processor, stops


def _idefics3() -> Any:
    stops = ["<|end_of_text|>", "<end_of_utterance>"]
    return _splitting("Idefics3", "idefics3", "<|end_of_text|>", "<|begin_of_text|>", stops)


def _smolvlm() -> Any:
    return _splitting("SmolVLM", "smolvlm", "<end_of_utterance>", tiny.TURN, ["<end_of_utterance>"])


FAMILIES: dict[str, Callable[[], Any]] = {
    "qwen2_vl": _qwen2_vl,
    "qwen2_5_vl": _qwen2_5_vl,
    "qwen3_vl": _qwen3_vl,
    "llava": _llava,
    "llava_next": lambda: _next("vicuna"),
    "llava_next_mistral": lambda: _next("mistral"),
    "llava_onevision": _llava_onevision,
    "internvl": _internvl,
    "gemma3": _gemma3,
    "mllama": _mllama,
    "idefics3": _idefics3,
    "smolvlm": _smolvlm,
    "gemma3n": lambda: tiny_newer_families.gemma3n(_tokenizer, _language, _trl("gemma3")),
    "qwen3_vl_moe": lambda: tiny_newer_families.qwen3_vl_moe(_tokenizer, _language, _trl("qwen3_vl")),
    "llama4": lambda: tiny_newer_families.llama4(_tokenizer, _language),
    "mistral3": lambda: tiny_newer_families.mistral3(_tokenizer, _language, _written("mistral3")),
    "glm4v": lambda: tiny_newer_families.glm4v(_tokenizer, _language, _written("glm4v")),
}
"""Name to a function that returns model, processor and the tokens that stop generation."""
