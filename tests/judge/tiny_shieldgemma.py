"""A ShieldGemma 2 checkpoint of random weights: the true classes and processor, and a chat template of ours around the policy."""

from __future__ import annotations

from pathlib import Path

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<start_of_image>{% else %}The rule:\n{{ part['text'] }}\nIs it broken? Yes or No?"
    "{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "<|im_start|>model\n"
)
"""Like the published one it begins the model's turn unasked."""
MEDIA = ("<bos>", "<start_of_image>", "<end_of_image>", "<image_soft_token>")


def build(folder: Path, *, seed: int = 0) -> Path:
    """Write the checkpoint: 0.2 million parameters; Yes and No are words of its vocabulary, as they are of Gemma's."""
    import torch
    import transformers
    from safetensors.torch import load_file, save_file
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    special = ["<pad>", "<|im_start|>", "<|im_end|>", *MEDIA]
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=special,
        show_progress=False,
    )
    backend.train_from_iterator(["Yes", "No", "The picture breaks no rule."] * 20, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=special[0],
        eos_token=special[2],
        bos_token=MEDIA[0],
        extra_special_tokens={
            "boi_token": MEDIA[1],
            "eoi_token": MEDIA[2],
            "image_token": MEDIA[3],
        },
    )
    tokenizer.add_tokens(["\n" * count for count in (1, 2, 3, 4)])  # as Gemma's has; vLLM needs them
    number = tokenizer.convert_tokens_to_ids
    vision = transformers.SiglipVisionConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=56,
        patch_size=14,
        vision_use_head=False,
        initializer_range=0.3,
    )
    text = transformers.Gemma3TextConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=2048,
        sliding_window=512,
        eos_token_id=number(special[2]),
        pad_token_id=number(special[0]),
        bos_token_id=number(MEDIA[0]),
        initializer_range=0.3,
    )
    config = transformers.ShieldGemma2Config(
        vision_config=vision,
        text_config=text,
        mm_tokens_per_image=4,
        boi_token_index=number(MEDIA[1]),
        eoi_token_index=number(MEDIA[2]),
        image_token_index=number(MEDIA[3]),
        yes_token_index=number("Yes"),
        no_token_index=number("No"),
        initializer_range=0.3,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.ShieldGemma2ForImageClassification(config)
        projection = model.model.model.multi_modal_projector.mm_input_projection_weight
        projection.data.normal_(std=0.3)  # transformers begins with zeros, which see nothing
    processor = transformers.ShieldGemma2Processor(
        image_processor=transformers.Gemma3ImageProcessor(size={"height": 56, "width": 56}),
        tokenizer=tokenizer,
        image_seq_length=4,
        chat_template=TEMPLATE,
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    weights = folder / "model.safetensors"
    # The names that the published checkpoint has; transformers 5 writes others.
    published = {
        name.replace("model.model.", "model.", 1).replace(
            "vision_tower.", "vision_tower.vision_model."
        ): tensor
        for name, tensor in load_file(weights).items()
    }
    save_file(published, weights, metadata={"format": "pt"})
    return folder
