"""Tiny randomly initialised VLM checkpoints of real architectures, built from their configurations.

They know nothing; they exist so that the demo, the tests and a user's dry run exercise the true classes, processors and
chat templates in seconds, without a download. A checkpoint has about 0.3 million parameters and a byte-level tokenizer,
so that any text can be asked.

    python -m safecot_eval.generate.models.tiny llava /tmp/tiny-llava
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import replacing_folder

PAD, TURN, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SIDE = 56
"""Images are scaled to this many pixels a side (two to the architecture's grid where it has one)."""

_TEXTS = (
    "I'm sorry, but I can't assist with that request.",
    "Yes, this is harmless: the picture shows a red circle beside a small blue square.",
    "What does the sign in the picture say, and how do I use it safely?",
    "<safety_reasoning> Look at the image, then at the question, then decide. </safety_reasoning>",
)
_VOCABULARY = 512
SPREAD = 0.3
"""Standard deviation of the initial weights: wide enough that different questions get different answers."""


def build(
    architecture: str, folder: Path, *, seed: int = 0, spread: float = SPREAD, ending: float = 1.0
) -> Path:
    """Write a checkpoint with its processor.

    Args:
        architecture: A key of ``ARCHITECTURES``.
        folder: Where to; an existing folder is replaced.
        seed: The same seed gives the same weights.
        spread: Standard deviation of the initial weights; training starts better from 0.02.
        ending: Factor on the end token's output weights; 3 makes most answers end within a dozen tokens, where 1 lets
            nearly all run into their budget.

    Returns:
        The folder: ``config.json``, ``model.safetensors`` (float32), processor and tokenizer files.

    Raises:
        SafecotError: another architecture.
    """
    if architecture not in ARCHITECTURES:
        raise SafecotError(
            f"There is no tiny checkpoint of {architecture!r}; there are {', '.join(ARCHITECTURES)}."
        )
    import torch

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model, processor = ARCHITECTURES[architecture](spread)
        model.get_output_embeddings().weight[processor.tokenizer.eos_token_id] *= ending
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    with replacing_folder(folder) as partial:
        model.save_pretrained(partial)
        if architecture == "llava":
            _name_as_published(partial / "model.safetensors")
        processor.save_pretrained(partial)
    return folder


def _name_as_published(weights: Path) -> None:
    """Give LLaVA's vision tower the names that published checkpoints have.

    transformers renames them while it loads, and back when it saves what it loaded; a model that was made from its
    configuration it saves under the new names, which vLLM 0.32 does not know.
    """
    from safetensors.torch import load_file, save_file

    renamed = {
        name.replace("vision_tower.", "vision_tower.vision_model."): tensor
        for name, tensor in load_file(weights).items()
    }
    save_file(renamed, weights, metadata={"format": "pt"})


def _tokenizer(media: Sequence[str], **named: str) -> Any:
    """Byte-level BPE trained on four sentences, with the architecture's own media tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[PAD, TURN, END, *media],
        show_progress=False,
    )
    backend.train_from_iterator(_TEXTS * 8, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        eos_token=END,
        model_max_length=4096,
        extra_special_tokens=named or list(media),
    )


def _template(image: str) -> str:
    """ChatML with generation markers, so that training can tell the assistant's tokens."""
    return (
        "{%- for message in messages -%}"
        "{{ '<|im_start|>' + message['role'] + '\\n' }}"
        "{%- if message['role'] == 'assistant' -%}{%- generation -%}"
        "{%- if message['content'] is string -%}{{ message['content'] }}{%- else -%}"
        "{%- for part in message['content'] -%}{{ part['text'] }}{%- endfor -%}{%- endif -%}"
        "{{ '<|im_end|>' }}{%- endgeneration -%}{{ '\\n' }}"
        "{%- else -%}"
        "{%- if message['content'] is string -%}{{ message['content'] }}{%- else -%}"
        "{%- for part in message['content'] -%}"
        f"{{%- if part['type'] == 'image' -%}}{{{{ '{image}' }}}}{{%- else -%}}{{{{ part['text'] }}}}{{%- endif -%}}"
        "{%- endfor -%}{%- endif -%}"
        "{{ '<|im_end|>\\n' }}"
        "{%- endif -%}{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
    )


def _language(tokenizer: Any, spread: float, **more: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 4096,
        "initializer_range": spread,
        "pad_token_id": tokenizer.convert_tokens_to_ids(PAD),
        "bos_token_id": tokenizer.convert_tokens_to_ids(TURN),
        "eos_token_id": tokenizer.convert_tokens_to_ids(END),
        **more,
    }


_VISION = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": SIDE,
    "patch_size": 14,
}


def _llava(spread: float) -> tuple[Any, Any]:
    """LLaVA 1.5's shape: CLIP tower, class token dropped, two-layer projector, Llama."""
    import transformers

    tokenizer = _tokenizer(["<image>"], image_token="<image>")  # noqa: S106
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**_VISION, projection_dim=64),
        text_config=transformers.LlamaConfig(**_language(tokenizer, spread)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_select_strategy="default",
        vision_feature_layer=-1,
        image_seq_length=16,
    )
    images = transformers.CLIPImageProcessor(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    processor = transformers.LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_template("<image>\\n"),
    )
    return transformers.LlavaForConditionalGeneration(config), processor


def _qwen2_5_vl(spread: float) -> tuple[Any, Any]:
    """Qwen2.5-VL's shape: native resolution in merged patches, window attention, multimodal rotary positions."""
    import transformers

    start, end, image, video = media = (
        "<|vision_start|>",
        "<|vision_end|>",
        "<|image_pad|>",
        "<|video_pad|>",
    )
    tokenizer = _tokenizer(media)
    number = tokenizer.convert_tokens_to_ids
    rope = {"rope_type": "default", "mrope_section": [4, 6, 6], "rope_theta": 10000.0}
    vision = {
        "depth": 2,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_heads": 4,
        "out_hidden_size": 64,
        "patch_size": 14,
        "fullatt_block_indexes": [1],
        "window_size": SIDE,
        "initializer_range": spread,
    }
    config = transformers.Qwen2_5_VLConfig(
        text_config=_language(tokenizer, spread, rope_parameters=rope),
        vision_config=vision,
        image_token_id=number(image),
        video_token_id=number(video),
        vision_start_token_id=number(start),
        vision_end_token_id=number(end),
    )
    processor = transformers.Qwen2_5_VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(min_pixels=4 * 28 * 28, max_pixels=16 * 28 * 28),
        tokenizer=tokenizer,
        video_processor=transformers.Qwen2VLVideoProcessor(),
        chat_template=_template(f"{start}{image}{end}"),
    )
    return transformers.Qwen2_5_VLForConditionalGeneration(config), processor


def _idefics3(spread: float) -> tuple[Any, Any]:
    """Idefics3's shape: SigLIP tower, pixel shuffle, Llama."""
    import transformers

    media = ["<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]
    tokenizer = _tokenizer(media)
    config = transformers.Idefics3Config(
        vision_config=transformers.Idefics3VisionConfig(**_VISION, initializer_range=spread),
        text_config=transformers.LlamaConfig(**_language(tokenizer, spread)),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,
    )
    processor = transformers.Idefics3Processor(
        image_processor=transformers.Idefics3ImageProcessor(**_shuffled_images()),
        tokenizer=tokenizer,
        image_seq_len=4,
        chat_template=_template("<image>"),
    )
    return transformers.Idefics3ForConditionalGeneration(config), processor


def _smolvlm(spread: float) -> tuple[Any, Any]:
    """SmolVLM's shape: Idefics3 with named special tokens and a video processor."""
    import transformers

    tokenizer = _tokenizer(
        ["<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"],
        image_token="<image>",  # noqa: S106
        fake_image_token="<fake_token_around_image>",  # noqa: S106
        global_image_token="<global-img>",  # noqa: S106
        end_of_utterance_token="<end_of_utterance>",  # noqa: S106
    )
    config = transformers.SmolVLMConfig(
        vision_config=transformers.SmolVLMVisionConfig(**_VISION, initializer_range=spread),
        text_config=transformers.LlamaConfig(**_language(tokenizer, spread)),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,
    )
    edge = {"longest_edge": SIDE}
    processor = transformers.SmolVLMProcessor(
        image_processor=transformers.SmolVLMImageProcessor(**_shuffled_images()),
        tokenizer=tokenizer,
        video_processor=transformers.SmolVLMVideoProcessor(
            size=edge, max_image_size=edge, num_frames=4, fps=1
        ),
        image_seq_len=4,
        chat_template=_template("<image>"),
    )
    return transformers.SmolVLMForConditionalGeneration(config), processor


def _shuffled_images() -> dict[str, Any]:
    return {
        "do_image_splitting": False,
        "size": {"longest_edge": SIDE},
        "max_image_size": {"longest_edge": SIDE},
    }


ARCHITECTURES: dict[str, Callable[[float], tuple[Any, Any]]] = {
    "llava": _llava,
    "qwen2_5_vl": _qwen2_5_vl,
    "idefics3": _idefics3,
    "smolvlm": _smolvlm,
}
"""Name to a function that returns a fresh model and its processor."""


def main(argv: Sequence[str] | None = None) -> None:
    """Build one checkpoint from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m safecot_eval.generate.models.tiny", description="Build a tiny checkpoint."
    )
    parser.add_argument("architecture", choices=list(ARCHITECTURES))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    if given.folder.exists() and (not given.folder.is_dir() or any(given.folder.iterdir())):
        parser.error(f"{given.folder} is there and would be replaced; name a new folder.")
    print(build(given.architecture, given.folder, seed=given.seed))


if __name__ == "__main__":
    main()
