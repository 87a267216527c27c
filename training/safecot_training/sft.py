"""Fine-tune a VLM from a recipe: TRL's SFTTrainer with PEFT and accelerate, and nothing home-made but the batch order.

Loss is on the assistant's tokens only (prompt and completion are separate, so TRL masks the prompt), nothing is ever
cut, and a run that was interrupted goes on from its newest whole checkpoint to the same final loss.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor, TrainerCallback, set_seed
from trl import SFTConfig, SFTTrainer

from safecot_eval.errors import SafecotError
from safecot_training.card import CheckpointCard
from safecot_training.checkpoints import newest_whole, seal
from safecot_training.dataset import manifest_hash
from safecot_training.export import save_result
from safecot_training.families import Family, family_of, is_frozen, lora_targets
from safecot_training.files import disk_error, read_json, write_json
from safecot_training.lengths import LengthGroupedSampler, token_lengths
from safecot_training.recipe import Method, Precision, Recipe
from safecot_training.training_data import as_dataset, image_sizes, load_rows, require_fitting


@dataclass(frozen=True, slots=True)
class Result:
    """What a run left behind.

    Attributes:
        folder: Output folder, with ``merged/`` and, for adapters, ``adapter/``.
        card: Checkpoint card of the merged form.
        resumed_from: Name of the checkpoint the run went on from, or empty.
        damaged: Checkpoints that could not be used.
    """

    folder: Path
    card: CheckpointCard
    resumed_from: str
    damaged: tuple[str, ...]


class GroupedTrainer(SFTTrainer):  # type: ignore[misc]
    """SFTTrainer with our batch order."""

    sampler: LengthGroupedSampler | None = None

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        """Use our sampler where one is set."""
        return self.sampler or super()._get_train_sampler(train_dataset)


class SealCheckpoints(TrainerCallback):  # type: ignore[misc]
    """Mark every checkpoint as whole once all processes have written it."""

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Wait for the other processes, then seal."""
        if torch.distributed.is_initialized():
            torch.distributed.barrier()
        if state.is_world_process_zero:
            seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")


def train(recipe: Recipe, out: Path, *, world_size: int | None = None) -> Result:
    """Run a recipe, or go on with it where ``out`` holds an interrupted run of it.

    Args:
        recipe: What to do.
        out: Output folder.
        world_size: Number of processes that were started; checked, because some launchers silently run one.

    Raises:
        SafecotError: bad data, unknown architecture, another recipe's run in ``out``, wrong world size, full disk.
    """
    require_world_size(world_size)
    rows, manifest = load_rows(recipe)
    config, processor = load_processor(recipe)
    family = family_of(config.model_type, recipe.base_model)
    sizes = image_sizes(rows)
    lengths = token_lengths(processor, rows, sizes)
    require_fitting(rows, lengths, recipe.max_tokens)
    _claim(out / "trainer", recipe, manifest)
    set_seed(recipe.seed)
    trainer = build_trainer(recipe, out, load_model(recipe, family), processor, as_dataset(rows), family)
    if recipe.group_by_length:
        step_size = recipe.batch_size * recipe.gradient_accumulation * trainer.args.world_size
        trainer.sampler = LengthGroupedSampler(lengths, step_size, recipe.seed)
    found = newest_whole(out / "trainer")
    try:
        trainer.train(resume_from_checkpoint=str(found.path) if found.path else None)
    except OSError as error:
        raise disk_error(out / "trainer", error) from error
    card = make_card(recipe, rows, manifest, trainer.state, processor)
    save_result(trainer, recipe, card, out)
    return Result(out, card, found.path.name if found.path else "", found.damaged)


def require_world_size(expected: int | None) -> None:
    """Compare the number of processes with what was asked for.

    Raises:
        SafecotError: they differ.
    """
    actual = int(os.environ.get("WORLD_SIZE", "1"))
    if expected is not None and actual != expected:
        raise SafecotError(
            f"--world-size {expected} was given but {actual} process(es) run; start with `torchrun --nproc_per_node "
            f"{expected} -m safecot_eval train sft …` (on CPU, `accelerate launch` silently starts one process)."
        )


def load_processor(recipe: Recipe) -> tuple[Any, Any]:
    """Load the base's configuration and processor.

    Raises:
        SafecotError: no such base, unknown architecture, or no chat template.
    """
    try:
        config = AutoConfig.from_pretrained(recipe.base_model, revision=recipe.base_revision)
        family_of(config.model_type, recipe.base_model)
        processor = AutoProcessor.from_pretrained(
            recipe.base_model, revision=recipe.base_revision, **recipe.processor
        )
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise SafecotError(f"Base model {recipe.base_model!r} cannot be loaded ({reason}).") from error
    if not getattr(processor, "chat_template", None):
        raise SafecotError(
            f"{recipe.base_model}: has no chat template; put chat_template.jinja beside its weights."
        )
    return config, processor


def load_model(recipe: Recipe, family: Family) -> Any:
    """Load the base with what the recipe freezes frozen."""
    options: dict[str, Any] = {
        "dtype": torch.bfloat16 if uses_bf16(recipe) and recipe.method is not Method.FULL else torch.float32
    }
    if recipe.method is Method.QLORA:
        options["quantization_config"] = four_bits()
    model = AutoModelForImageTextToText.from_pretrained(
        recipe.base_model, revision=recipe.base_revision, **options
    )
    if recipe.method is Method.FULL:
        for name, parameter in model.named_parameters():
            if is_frozen(name, family, vision=recipe.freeze_vision, projector=recipe.freeze_projector):
                parameter.requires_grad_(False)
    return model


def four_bits() -> Any:
    """Quantisation of a QLoRA base: NF4, double quantisation, bfloat16 arithmetic (Dettmers et al. 2023).

    Raises:
        SafecotError: no CUDA device or no bitsandbytes.
    """
    import importlib.util

    from transformers import BitsAndBytesConfig

    if not torch.cuda.is_available() or importlib.util.find_spec("bitsandbytes") is None:
        raise SafecotError(
            "method: qlora needs a CUDA device and `pip install bitsandbytes`; use lora instead."
        )
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def uses_bf16(recipe: Recipe) -> bool:
    """Whether the run computes in bfloat16."""
    if recipe.precision is Precision.AUTO:
        return bool(torch.cuda.is_available() and torch.cuda.is_bf16_supported())
    return recipe.precision is Precision.BF16


def build_trainer(
    recipe: Recipe, out: Path, model: Any, processor: Any, dataset: Any, family: Family
) -> GroupedTrainer:
    """Set up TRL's trainer; every value that matters is passed, none is left to a default that may change."""
    arguments = SFTConfig(
        output_dir=str(out / "trainer"),
        max_length=None,
        completion_only_loss=True,
        packing=False,
        learning_rate=recipe.learning_rate,
        num_train_epochs=recipe.epochs,
        max_steps=recipe.max_steps,
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.gradient_accumulation,
        warmup_steps=recipe.warmup_ratio,
        lr_scheduler_type=recipe.scheduler,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        bf16=uses_bf16(recipe),
        fp16=False,
        gradient_checkpointing=recipe.gradient_checkpointing,
        save_strategy="steps",
        save_steps=recipe.save_steps,
        save_total_limit=recipe.save_total_limit,
        logging_steps=recipe.logging_steps,
        logging_nan_inf_filter=False,
        report_to=recipe.report_to,
        seed=recipe.seed,
        data_seed=recipe.seed,
        use_cpu=not torch.cuda.is_available(),
        dataloader_num_workers=0,
        disable_tqdm=True,
    )
    return GroupedTrainer(
        model=model,
        args=arguments,
        train_dataset=dataset,
        processing_class=processor,
        peft_config=_adapter(recipe, family),
        callbacks=[SealCheckpoints()],
    )


def _adapter(recipe: Recipe, family: Family) -> Any:
    if recipe.method is Method.FULL:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=recipe.lora_r,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules=lora_targets(family),
        task_type="CAUSAL_LM",
    )


def _claim(folder: Path, recipe: Recipe, manifest: dict[str, Any]) -> None:
    """Write down whose run this is, or refuse to mix two."""
    path = folder / "run.json"
    mine = {"recipe_hash": recipe.hash, "data": manifest_hash(manifest, recipe.variant.value)}
    if path.is_file() and read_json(path) != mine:
        raise SafecotError(
            f"{folder.parent}: holds the run of another recipe or other data; choose another --out or remove it."
        )
    write_json(path, mine)


def make_card(
    recipe: Recipe, rows: list[dict[str, Any]], manifest: dict[str, Any], state: Any, processor: Any
) -> CheckpointCard:
    """Write a run's card from its recipe, data and log."""
    history = [[entry["step"], entry["loss"]] for entry in state.log_history if "loss" in entry]
    completions = [row["completion"][0]["content"] for row in rows]
    per_pass = sum(
        len(ids) + 1 for ids in processor.tokenizer(completions, add_special_tokens=False)["input_ids"]
    )
    safety = [row for row in rows if row["kind"] == "safety"]
    return CheckpointCard(
        variant=recipe.variant.value,
        samples=len(rows),
        train_loss=history[-1][1] if history else float("nan"),
        loss_history=history,
        recipe=recipe.as_dict(),
        recipe_hash=recipe.hash,
        data_manifest_hash=manifest_hash(manifest, recipe.variant.value),
        seed=recipe.seed,
        base_model=recipe.base_model,
        in_distribution_categories=sorted({row["category"] for row in safety}),
        in_distribution_benchmarks=list(manifest["benchmarks"]),
        assistant_tokens=round(per_pass * (state.epoch or 0)),
    )
