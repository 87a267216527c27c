"""More tiny checkpoints of real classes, beside :mod:`tests.training.tiny_families`: families that no recipe names yet.

Gemma 3n's eyes are a timm model, here its smallest with layer normalisation; Llama 4's and Qwen3-VL-MoE's language models have
experts; GLM-4.1V's template ends no answer; Mistral 3's pictures keep their ratio.
"""

from __future__ import annotations

from typing import Any

import transformers

from safecot_eval.generate.models import tiny

SIDE = 56


def gemma3n(tokenizer_of: Any, language: Any, template: str) -> Any:
    """Gemma 3n: pictures of 64 pixels a side are four soft tokens; its ears are there and hear nothing."""
    named = {
        "image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>",
        "audio_token": "<audio_soft_token>", "boa_token": "<start_of_audio>", "eoa_token": "<end_of_audio>",
    }  # fmt: skip
    media = [*named.values(), "<start_of_turn>", "<end_of_turn>"]
    tokenizer = tokenizer_of(media, bos="<bos>", eos="<eos>", adds_bos=True, breaks=4, **named)
    number, size = tokenizer.convert_tokens_to_ids, len(tokenizer)
    text = transformers.Gemma3nTextConfig(
        **{**language(tokenizer), "vocab_size": size + 8, "num_hidden_layers": 2},
        head_dim=32,
        vocab_size_per_layer_input=size,
        hidden_size_per_layer_input=16,
        laurel_rank=8,
        num_kv_shared_layers=0,
        activation_sparsity_pattern=[0.0, 0.0],
        layer_types=["sliding_attention", "full_attention"],
        sliding_window=64,
    )
    config = transformers.Gemma3nConfig(
        text_config=text,
        vision_config=transformers.Gemma3nVisionConfig(
            architecture="test_efficientnet_ln", hidden_size=256, vocab_size=4, vocab_offset=size
        ),
        audio_config=transformers.Gemma3nAudioConfig(
            hidden_size=32, conf_num_hidden_layers=1, conf_num_attention_heads=2, sscp_conv_channel_size=(8, 4), vocab_size=4,
            vocab_offset=size + 4,
        ),
        vision_soft_tokens_per_image=4,
        image_token_id=number("<image_soft_token>"),
        boi_token_id=number("<start_of_image>"),
        eoi_token_id=number("<end_of_image>"),
        audio_token_id=number("<audio_soft_token>"),
        boa_token_id=number("<start_of_audio>"),
        eoa_token_id=number("<end_of_audio>"),
    )  # fmt: skip
    images = transformers.SiglipImageProcessor(size={"height": 64, "width": 64})
    processor = transformers.Gemma3nProcessor(
        feature_extractor=transformers.Gemma3nAudioFeatureExtractor(),
        image_processor=images,
        tokenizer=tokenizer,
        image_seq_length=4,
        chat_template=template.replace("<start_of_image>", "<image_soft_token>"),
    )
    return transformers.Gemma3nForConditionalGeneration(config), processor, ["<eos>", "<end_of_turn>"]


def qwen3_vl_moe(tokenizer_of: Any, language: Any, template: str) -> Any:
    """Qwen3-VL with four experts, two of them active."""
    media = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    tokenizer = tokenizer_of(media, eos=tiny.END)
    number = tokenizer.convert_tokens_to_ids
    rope = {
        "rope_type": "default",
        "mrope_section": [6, 5, 5],
        "rope_theta": 10000.0,
        "mrope_interleaved": True,
    }
    config = transformers.Qwen3VLMoeConfig(
        text_config=language(
            tokenizer, rope_parameters=rope, head_dim=32, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=96,
            decoder_sparse_step=1, mlp_only_layers=[], norm_topk_prob=True,
        ),
        vision_config={
            "depth": 2, "hidden_size": 64, "num_heads": 4, "patch_size": 16, "intermediate_size": 128, "out_hidden_size": 64,
            "deepstack_visual_indexes": [1], "num_position_embeddings": 64,
        },
        image_token_id=number(media[2]),
        video_token_id=number(media[3]),
        vision_start_token_id=number(media[0]),
        vision_end_token_id=number(media[1]),
    )  # fmt: skip
    edge = 4 * 16 * 16
    images = transformers.Qwen2VLImageProcessor(
        size={"shortest_edge": 4 * edge, "longest_edge": 16 * edge}, patch_size=16, temporal_patch_size=2, merge_size=2
    )  # fmt: skip
    processor = transformers.Qwen3VLProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        video_processor=transformers.Qwen3VLVideoProcessor(),
        chat_template=template,
    )
    return transformers.Qwen3VLMoeForConditionalGeneration(config), processor, [tiny.END, tiny.PAD]


def llama4(tokenizer_of: Any, language: Any) -> Any:
    """Llama 4 with two experts; the processor's own template, which is the published one."""
    media = [
        "<|image|>", "<|image_start|>", "<|image_end|>", "<|patch|>", "<|tile_x_separator|>", "<|tile_y_separator|>",
        "<|header_start|>", "<|header_end|>", "<|eom|>", "<|end_of_text|>",
    ]  # fmt: skip
    tokenizer = tokenizer_of(
        media, bos="<|begin_of_text|>", eos="<|eot|>", adds_bos=True, image_token="<|image|>"
    )
    text = transformers.Llama4TextConfig(
        **language(tokenizer),
        head_dim=32,
        intermediate_size_mlp=128,
        num_local_experts=2,
        num_experts_per_tok=1,
        interleave_moe_layer_step=1,
        attention_chunk_size=4096,
    )
    vision = transformers.Llama4VisionConfig(
        hidden_size=64, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4, image_size=SIDE, patch_size=14,
        vision_output_dim=64, projector_input_dim=64, projector_output_dim=64,
    )  # fmt: skip
    number = tokenizer.convert_tokens_to_ids
    config = transformers.Llama4Config(
        text_config=text,
        vision_config=vision,
        image_token_index=number("<|patch|>"),
        boi_token_index=number("<|image_start|>"),
        eoi_token_index=number("<|image_end|>"),
    )
    images = transformers.Llama4ImageProcessor(size={"height": SIDE, "width": SIDE}, max_patches=4)
    processor = transformers.Llama4Processor(image_processor=images, tokenizer=tokenizer, patch_size=14)
    return (
        transformers.Llama4ForConditionalGeneration(config),
        processor,
        ["<|end_of_text|>", "<|eom|>", "<|eot|>"],
    )


def mistral3(tokenizer_of: Any, language: Any, template: str) -> Any:
    """Mistral Small 3.1: Pixtral's eyes, two by two patches a token, a break after each row of them."""
    media = ["[IMG]", "[IMG_BREAK]", "[IMG_END]", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"]
    tokenizer = tokenizer_of(media, bos="<s>", eos="</s>", adds_bos=True, image_token="[IMG]")
    config = transformers.Mistral3Config(
        text_config=transformers.MistralConfig(**language(tokenizer), head_dim=32),
        vision_config=transformers.PixtralVisionConfig(
            hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, image_size=112, patch_size=14,
            head_dim=16,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("[IMG]"),
        spatial_merge_size=2,
        vision_feature_layer=-1,
    )  # fmt: skip
    images = transformers.PixtralImageProcessor(
        size={"longest_edge": 112}, patch_size={"height": 28, "width": 28}
    )
    processor = transformers.PixtralProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=14,
        spatial_merge_size=2,
        chat_template=template,
    )
    return transformers.Mistral3ForConditionalGeneration(config), processor, ["</s>"]


def glm4v(tokenizer_of: Any, language: Any, template: str) -> Any:
    """GLM-4.1V; an answer is ended by the next speaker's token, or by the end of the text."""
    media = [
        "[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|system|>", "<|observation|>", "<|image|>", "<|video|>",
        "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>",
    ]  # fmt: skip
    tokenizer = tokenizer_of(media, eos=tiny.PAD, image_token="<|image|>", video_token="<|video|>")
    number = tokenizer.convert_tokens_to_ids
    rope = {
        "rope_type": "default",
        "mrope_section": [2, 3, 3],
        "rope_theta": 10000.0,
        "partial_rotary_factor": 0.5,
    }
    config = transformers.Glm4vConfig(
        text_config=language(tokenizer, rope_parameters=rope, head_dim=32),
        vision_config={
            "depth": 2, "hidden_size": 64, "num_heads": 4, "patch_size": 14, "intermediate_size": 128, "out_hidden_size": 64,
            "image_size": 112,
        },
        image_token_id=number("<|image|>"),
        video_token_id=number("<|video|>"),
        image_start_token_id=number("<|begin_of_image|>"),
        image_end_token_id=number("<|end_of_image|>"),
        video_start_token_id=number("<|begin_of_video|>"),
        video_end_token_id=number("<|end_of_video|>"),
    )  # fmt: skip
    edge = 4 * 14 * 14
    images = transformers.Glm4vImageProcessor(
        size={"shortest_edge": 2 * 4 * edge, "longest_edge": 2 * 16 * edge}, patch_size=14, temporal_patch_size=2, merge_size=2
    )  # fmt: skip
    processor = transformers.Glm4vProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        video_processor=transformers.Glm4vVideoProcessor(),
        chat_template=template,
    )
    return (
        transformers.Glm4vForConditionalGeneration(config),
        processor,
        [tiny.PAD, "<|user|>", "<|observation|>"],
    )
