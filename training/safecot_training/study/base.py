"""The base model of the study: Idefics3 from its configuration, with a tokenizer of its own, trained from scratch.

Idefics3 (SigLIP-style vision transformer, pixel shuffle and linear connector, Llama decoder) is the architecture of
SmolVLM. Ours has 0.4 million parameters; head dimension 32, so that vLLM's CPU kernels take it.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks import mini
from safecot_eval.util.files import replacing_folder, write_json
from safecot_eval.util.paths import CHECKPOINT_CARD
from safecot_training.cot.targets import Marker, Variant
from safecot_training.cot.variants import write_variant
from safecot_training.data import dataset, drawing
from safecot_training.sft.card import read_card
from safecot_training.sft.recipe import Method, Precision, Recipe
from safecot_training.study.evaluation import CAPABILITY_TASK
from safecot_training.study.eyes import train_eyes
from safecot_training.study.general import general_examples
from safecot_training.study.plan import Plan

PATCH, SHUFFLE = 16, 2
VISION_WIDTH, VISION_LAYERS = 64, 2
WIDTH, LAYERS, HEAD = 96, 3, 32
VOCABULARY = 1600
PAD, TURN, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
MEDIA = ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
SEED = 0
CHAT_TEMPLATE = Path(__file__).parent / "chat_template.jinja"


def train_base(plan: Plan, out: Path, log: Callable[[str], None]) -> Path:
    """Build and train the base, or find it finished.

    Args:
        plan: Sizes.
        out: Study folder; the base goes to ``out/base``.
        log: Told how it goes.

    Returns:
        Folder of the trained base, with a card whose variant is ``base``.
    """
    from safecot_training.sft.train import train

    done = out / "base" / "merged"
    if (done / CHECKPOINT_CARD).is_file() and read_card(done).variant == "base":
        return done
    data = out / "data" / "general"
    if not (data / "manifest.json").is_file():
        examples = general_examples(plan.general, out / "pictures", seed=SEED)
        dataset.build(
            [], examples, data, drawing.Plan(ratio=(0, 1), seed=SEED), eval_sets=[evaluation_set(plan)]
        )
        write_variant(data, Variant.V0)
    start = out / "base" / "start"
    if not start.is_dir():
        _build_start(plan, start, _corpus(data), log)
    recipe = Recipe(
        base_model=str(start),
        data=str(data),
        variant=Variant.V0,
        name="mini-base",
        method=Method.FULL,
        seed=SEED,
        learning_rate=3e-3,
        epochs=plan.base_epochs,
        batch_size=64,
        gradient_accumulation=1,
        freeze_vision=True,
        freeze_projector=False,
        precision=Precision.FP32,
        gradient_checkpointing=False,
        capability_tasks=(CAPABILITY_TASK,),
        save_steps=200,
        logging_steps=25,
        notes="Language model and connector from scratch on general data; the vision encoder stays as trained.",
    )
    log(f"base: language model and connector on {plan.general} general examples")
    train(recipe, out / "base")
    card = dataclasses.replace(
        read_card(done), variant="base", in_distribution_categories=[], in_distribution_benchmarks=[]
    )
    card.write(done)
    shutil.rmtree(out / "base" / "trainer", ignore_errors=True)
    return done


def evaluation_set(plan: Plan) -> Any:
    """The evaluation items, for the contamination check of every data set of the study."""
    from safecot_eval.benchmarks import registry
    from safecot_eval.util import paths
    from safecot_training.data.contamination import EvalSet

    benchmark, variant = registry.task_parts(plan.task)
    return EvalSet(plan.task, tuple(benchmark.items(variant, paths.cache_dir() / "study" / plan.task)))


def _build_start(plan: Plan, folder: Path, corpus: Sequence[str], log: Callable[[str], None]) -> None:
    import torch

    torch.manual_seed(SEED)
    model, processor = build(corpus)
    count = sum(parameter.numel() for parameter in model.parameters())
    log(f"base: Idefics3 with {count / 1e6:.2f} million parameters")
    accuracy = train_eyes(model.model.vision_model, steps=plan.eye_steps, seed=SEED, log=log)
    log("vision encoder on unseen pictures: " + ", ".join(f"{k} {v:.0%}" for k, v in accuracy.items()))
    with replacing_folder(folder) as partial:
        model.save_pretrained(partial)
        processor.save_pretrained(partial)
        write_json(partial / "eyes.json", {"accuracy": accuracy, "parameters": count})


def build(corpus: Sequence[str]) -> tuple[Any, Any]:
    """A fresh model and its processor.

    Args:
        corpus: Texts that the tokenizer learns its vocabulary from.
    """
    import transformers

    tokenizer = train_tokenizer(corpus)
    number = tokenizer.convert_tokens_to_ids
    side = mini.SIZE // PATCH
    config = transformers.Idefics3Config(
        vision_config=transformers.Idefics3VisionConfig(
            hidden_size=VISION_WIDTH,
            intermediate_size=2 * VISION_WIDTH,
            num_hidden_layers=VISION_LAYERS,
            num_attention_heads=VISION_WIDTH // HEAD,
            image_size=mini.SIZE,
            patch_size=PATCH,
        ),
        text_config=transformers.LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=WIDTH // HEAD,
            num_key_value_heads=1,
            max_position_embeddings=1024,
            pad_token_id=number(PAD),
            bos_token_id=number(TURN),
            eos_token_id=number(END),
        ),
        image_token_id=number("<image>"),
        scale_factor=SHUFFLE,
        pad_token_id=number(PAD),
        tie_word_embeddings=False,
    )
    edge = {"longest_edge": mini.SIZE}
    processor = transformers.Idefics3Processor(
        image_processor=transformers.Idefics3ImageProcessor(
            do_image_splitting=False, size=edge, max_image_size=edge
        ),
        tokenizer=tokenizer,
        image_seq_len=(side // SHUFFLE) ** 2,
        chat_template=CHAT_TEMPLATE.read_text(encoding="utf-8"),
    )
    model = transformers.Idefics3ForConditionalGeneration(config)
    _spread(model)
    model.generation_config.eos_token_id = number(END)
    model.generation_config.pad_token_id = number(PAD)
    return model, processor


def _spread(model: Any) -> None:
    """Initial weights by fan-in: the libraries' 0.02 is made for widths of a thousand and learns slowly at 64."""
    import torch

    for name, parameter in model.named_parameters():
        if parameter.ndim >= 2:
            std = 0.1 if "embed" in name and "patch" not in name else parameter[0].numel() ** -0.5
            torch.nn.init.normal_(parameter, std=std)


def train_tokenizer(corpus: Sequence[str]) -> Any:
    """A byte-level BPE whose vocabulary comes from the study's own training texts."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[PAD, TURN, END, *MEDIA],
        show_progress=False,
    )
    backend.train_from_iterator(corpus, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        eos_token=END,
        model_max_length=1024,
        extra_special_tokens=list(MEDIA),
    )


def _corpus(data: Path) -> list[str]:
    """Texts of the general data, and the reasoning markers."""
    texts = [text for pair in Marker for text in pair.pair] * 200
    with (data / f"{Variant.V0}.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            texts += [row["prompt"][0]["content"], row["completion"][0]["content"]]
    return texts
