"""A tiny Mllama (Llama 3.2 Vision) checkpoint: the architecture that the SafeCoT paper's main checkpoints have."""

from __future__ import annotations

from pathlib import Path

from safecot_eval.generate.models.tiny import SIDE, _language, _tokenizer

MEDIA = ("<|image|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
TEMPLATE = (
    "{{- bos_token }}{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
    "{%- for part in message['content'] %}"
    "{%- if part['type'] == 'image' %}{{- '<|image|>' }}{%- else %}{{- part['text'] }}{%- endif %}{%- endfor %}"
    "{{- '<|eot_id|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
)
"""What the published template renders for turns with images (it adds a date only to conversations without)."""


def build(folder: Path) -> Path:
    """Write the checkpoint with its processor."""
    import torch
    import transformers
    from transformers.models.mllama.configuration_mllama import MllamaTextConfig, MllamaVisionConfig

    tokenizer = _tokenizer(MEDIA, image_token="<|image|>")
    tokenizer.bos_token = "<|begin_of_text|>"
    vision = MllamaVisionConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_global_layers=1,
        attention_heads=4,
        image_size=SIDE,
        patch_size=14,
        max_num_tiles=1,
        intermediate_layers_indices=[0, 1],
        vision_output_dim=192,
        supported_aspect_ratios=[[1, 1]],
    )
    text = MllamaTextConfig(
        **{**_language(tokenizer, 0.3), "num_hidden_layers": 3},
        cross_attention_layers=[1],
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    )
    number = tokenizer.convert_tokens_to_ids("<|image|>")
    config = transformers.MllamaConfig(vision_config=vision, text_config=text, image_token_index=number)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = transformers.MllamaForConditionalGeneration(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    images = transformers.MllamaImageProcessor(size={"height": SIDE, "width": SIDE}, max_image_tiles=1)
    processor = transformers.MllamaProcessor(
        image_processor=images, tokenizer=tokenizer, chat_template=TEMPLATE
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
