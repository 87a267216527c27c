"""TRL's SFTTrainer as recipes use it: the recipe's seed decides every step, sealed checkpoints, one log line per entry."""

from __future__ import annotations

import importlib.util
import math
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForImageTextToText,
    EarlyStoppingCallback,
    PrinterCallback,
    TrainerCallback,
    TrainerState,
)
from transformers.integrations import get_available_reporting_integrations
from transformers.trainer_pt_utils import BatchRebalanceSampler
from trl import SFTConfig, SFTTrainer

from safecot_eval.generate.models import weights
from safecot_eval.util.errors import SafecotError
from safecot_training.sft.checkpoints import seal
from safecot_training.sft.collator import IGNORED, AnswerCollator, by_image_count
from safecot_training.sft.dealing import LeastPadding, halved
from safecot_training.sft.devices import accelerator, is_sharded, uses_bf16
from safecot_training.sft.families import Family, lora_targets
from safecot_training.sft.loading import resumes_here
from safecot_training.sft.probe import EVALUATORS, RATES, Probe, metric
from safecot_training.sft.recipe import Method, Recipe


class Resumable:
    """What is added to a trainer of TRL: examples and wordings are those of recipe and epoch, also after an interruption."""

    args: Any
    model: Any
    data_collator: Any
    state: Any
    probe: Probe | None = None
    weights_are_loaded = False
    _sampler: Any = None

    def evaluation_loop(self, *arguments: Any, **options: Any) -> Any:
        """Measure the loss, and what the model answers, while it is in evaluation mode."""
        output = super().evaluation_loop(*arguments, **options)  # type: ignore[misc]
        if self.probe is not None:
            output.metrics.update(self.probe.measure(self.model))
        return output

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Load weights, unless :func:`safecot_training.sft.loading.load_model` did."""
        if not self.weights_are_loaded:
            super()._load_from_checkpoint(resume_from_checkpoint, model)  # type: ignore[misc]

    def has_taken_all_steps(self, checkpoint: Path | None) -> bool:
        """Whether a checkpoint is the last one, by the plan or by an early stop; its log, and the weights that count, are then loaded.

        transformers' own resumption would take one more step, because it asks for the end after a step only.
        """
        if checkpoint is None:
            return False
        state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
        control = state.stateful_callbacks.get("TrainerControl", {}).get("args", {})
        if state.global_step < state.max_steps and not control.get("should_training_stop"):
            return False
        self.state = state
        if self.args.load_best_model_at_end and state.best_model_checkpoint:
            state.best_model_checkpoint = str(checkpoint.with_name(Path(state.best_model_checkpoint).name))
            self._load_best_model()
        else:
            self._load_from_checkpoint(str(checkpoint))
        return True

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        """Give transformers' sampler the recipe's seed; the one that balances batches has its own otherwise."""
        self._sampler = super()._get_train_sampler(train_dataset)  # type: ignore[misc]
        if isinstance(self._sampler, BatchRebalanceSampler) and self._sampler.dp_size == 1:
            self._sampler = LeastPadding.like(self._sampler)
        if hasattr(self._sampler, "seed"):
            self._sampler.seed = self.args.data_seed * 1_000_003
        return self._sampler

    def _run_epoch(self, *arguments: Any, epoch: int, **options: Any) -> Any:
        """Tell sampler and collator the epoch: in a resumed one, transformers does not reach the sampler."""
        if hasattr(self._sampler, "set_epoch"):
            self._sampler.set_epoch(epoch)
        if self.data_collator.epoch is not None:
            self.data_collator.epoch = epoch
        return super()._run_epoch(*arguments, epoch=epoch, **options)  # type: ignore[misc]

    def _load_best_model(self) -> None:
        """Load the best checkpoint; a whole model by the loader that knows the names its weights have on disk."""
        if not self.weights_are_loaded:
            super()._load_best_model()  # type: ignore[misc]
            return
        best = weights.load(
            AutoModelForImageTextToText,
            str(self.state.best_model_checkpoint),
            use_safetensors=True,
            dtype=self.model.dtype,
        )
        self.model.load_state_dict(best.state_dict())

    def settle(self, *, weights_are_loaded: bool) -> None:
        """Print by our callback alone, remember who loads a checkpoint's weights, and leave the model fit to answer."""
        self.remove_callback(PrinterCallback)  # type: ignore[attr-defined]
        self.weights_are_loaded = weights_are_loaded
        language = self.model.config.get_text_config()
        if hasattr(language, "output_router_logits"):
            # TRL asks for the experts' router logits at every step, and also sets this. With it transformers 5.19 cannot
            # answer from a cache: neither the probe nor a user of the exported model would get a second token.
            language.output_router_logits = False


class SafecotTrainer(Resumable, SFTTrainer):  # type: ignore[misc]
    """SFTTrainer that resumes, for batches with any number of images a row."""

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Compute the loss of rows with equally many images at a time, where a model needs that.

        Under FSDP the model computes its loss itself: TRL multiplies by the output layer's weights without calling the layer, and
        FSDP2 then gives each process the gradient of its own rows alone for its part of them.
        """
        if self._has_no_backbone or is_sharded() == "FSDP":
            return super(SFTTrainer, self).compute_loss(
                model, {**inputs, "use_cache": False}, return_outputs, num_items_in_batch
            )
        parts = by_image_count(inputs)
        if len(parts) == 1 or return_outputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        if num_items_in_batch is not None:  # the loss is a sum over a known number of tokens
            return sum(
                super(SafecotTrainer, self).compute_loss(model, part, False, num_items_in_batch)
                for part in parts
            )
        counts = [(part["labels"] != IGNORED).sum() for part in parts]
        losses = [super(SafecotTrainer, self).compute_loss(model, part) for part in parts]
        return sum(count * loss for count, loss in zip(counts, losses, strict=True)) / sum(counts)

    @cached_property
    def _has_no_backbone(self) -> bool:
        """Whether a model computes its loss itself: TRL calls the part before the output layer, and Llama 4's is not one."""
        model = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        return model.base_model is model


class SealCheckpoints(TrainerCallback):  # type: ignore[misc]
    """Mark every checkpoint as whole once all processes have written it."""

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Wait for the other processes, then seal."""
        if torch.distributed.is_initialized():
            torch.distributed.barrier()
        if state.is_world_process_zero:
            seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")


class LogLines(TrainerCallback):  # type: ignore[misc]
    """Progress as lines on standard error, the last step always among them."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Log the last step, whatever ``logging_steps`` is: a short run would have no loss to tell."""
        if state.global_step >= state.max_steps:
            control.should_log = True

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Print step, loss and learning rate."""
        if state.is_world_process_zero and logs and "eval_loss" in logs:
            text = f"step {state.global_step}/{state.max_steps}  validation loss {logs['eval_loss']:.4f}"
            for evaluator in EVALUATORS if metric("lite", "scored") in logs else ():
                crr, car, _, scored = (logs[metric(evaluator, rate)] for rate in RATES)
                text += f"  {evaluator} CRR {_percent(crr)} CAR {_percent(car)} ({scored:.0%} scored)"
            print(text, file=sys.stderr, flush=True)
        if state.is_world_process_zero and logs and "loss" in logs:
            text = f"step {state.global_step}/{state.max_steps}  loss {logs['loss']:.4f}"
            if logs.get("reward") is not None:
                text += f"  reward {logs['reward']:.3f}  left out {logs['left_out']:.1%}"
            print(f"{text}  lr {logs.get('learning_rate', 0.0):.2e}", file=sys.stderr, flush=True)


def _percent(rate: float) -> str:
    return "–" if math.isnan(rate) else f"{rate:.0%}"


def require_installed(recipe: Recipe) -> None:
    """Refuse a reporter, kernels or an optimiser that are not installed.

    Raises:
        SafecotError: naming the package.
    """
    if recipe.attn_implementation == "flex_attention" and accelerator() == "cpu":
        raise SafecotError(
            "attn_implementation: flex_attention cannot be trained on a CPU; take sdpa or eager, or leave it out."
        )
    eight_bits = "8bit" in recipe.optim or "paged" in recipe.optim
    for wanted, package, key in (
        (recipe.liger, "liger_kernel", "liger: true"),
        (eight_bits, "bitsandbytes", f"optim: {recipe.optim}"),
    ):
        if wanted and importlib.util.find_spec(package) is None:
            name = package.replace("_", "-")
            raise SafecotError(f"{key} needs {name}; `pip install {name}`, or leave it out.")
    installed = get_available_reporting_integrations()
    if recipe.report_to not in ("none", "all", *installed):
        raise SafecotError(
            f"report_to: {recipe.report_to} is not installed; `pip install {recipe.report_to.replace('_', '-')}`, or set "
            f"report_to: none (installed: {', '.join(installed) or 'none'})."
        )


def training_arguments(recipe: Recipe, out: Path) -> Any:
    """TRL's configuration; every value that matters is passed, none is left to a default that may change.

    Args:
        recipe: What to do.
        out: Output folder; resumable checkpoints go to ``trainer/`` in it.

    Raises:
        SafecotError: a reporter, kernels or an optimiser that are not installed.
    """
    return SFTConfig(
        **common_arguments(recipe, out), max_length=None, completion_only_loss=True, packing=False
    )


def callbacks(recipe: Recipe) -> list[TrainerCallback]:
    """Sealed checkpoints, progress as lines, and an early stop where the recipe wants one."""
    early = [EarlyStoppingCallback(recipe.patience)] if recipe.patience else []
    return [SealCheckpoints(), LogLines(), *early]


def common_arguments(recipe: Recipe, out: Path) -> dict[str, Any]:
    """The part of a configuration that every trainer of TRL has.

    Raises:
        SafecotError: see :func:`require_installed`.
    """
    require_installed(recipe)
    return {
        "output_dir": str(out / "trainer"),
        "learning_rate": recipe.learning_rate,
        "num_train_epochs": recipe.epochs,
        "max_steps": recipe.max_steps,
        "per_device_train_batch_size": recipe.batch_size,
        "gradient_accumulation_steps": recipe.gradient_accumulation,
        "warmup_steps": recipe.warmup_ratio,
        "lr_scheduler_type": recipe.scheduler,
        "optim": recipe.optim,
        "use_liger_kernel": recipe.liger,
        "weight_decay": recipe.weight_decay,
        "max_grad_norm": recipe.max_grad_norm,
        "bf16": uses_bf16(recipe),
        "fp16": False,
        "gradient_checkpointing": recipe.gradient_checkpointing,
        "average_tokens_across_devices": True,
        "eval_strategy": "steps" if recipe.validation_samples else "no",
        "eval_steps": recipe.eval_steps or recipe.save_steps,
        "per_device_eval_batch_size": 1,  # rows with other numbers of images do not share a batch everywhere
        "prediction_loss_only": True,
        "load_best_model_at_end": recipe.keep_best,
        # How many evaluations were no better: a resumed run stops where it would have stopped.
        "restore_callback_states_from_checkpoint": bool(recipe.patience),
        "metric_for_best_model": "eval_loss"
        if recipe.best_by == "loss"
        else metric(recipe.best_by, "balanced"),
        "greater_is_better": recipe.best_by != "loss",
        "save_strategy": "steps",
        "save_steps": recipe.save_steps,
        "save_total_limit": recipe.save_total_limit,
        "logging_steps": recipe.logging_steps,
        "logging_nan_inf_filter": False,
        "report_to": recipe.report_to,
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        "use_cpu": accelerator() == "cpu",
        # Sorted inside a step: which examples make a step is the seed's choice alone.
        "train_sampling_strategy": "batch_rebalance" if recipe.group_by_length else "random",
        "length_column_name": "length",
        "remove_unused_columns": False,
        "dataloader_num_workers": recipe.workers,
        "disable_tqdm": True,
    }


def build_trainer(
    recipe: Recipe,
    arguments: Any,
    model: Any,
    collator: AnswerCollator,
    dataset: Any,
    family: Family,
    validation: Any = None,
) -> SafecotTrainer:
    """Set up the trainer.

    Args:
        recipe: What to do.
        arguments: See :func:`training_arguments`.
        model: The loaded base.
        collator: Makes its batches.
        dataset: Examples in TRL's form, with their lengths.
        family: Names of the base's parts.
        validation: Examples to measure the loss on; None for none.
    """
    spare_padding(arguments, dataset)
    trainer = SafecotTrainer(
        model=model,
        args=arguments,
        train_dataset=dataset,
        eval_dataset=validation,
        processing_class=collator.processor,
        data_collator=collator,
        peft_config=adapter_config(recipe, family),
        callbacks=callbacks(recipe),
    )
    trainer.settle(weights_are_loaded=resumes_here(recipe))
    return trainer


def spare_padding(arguments: Any, dataset: Any) -> None:
    """Make twice as many micro-batches of half the size, where one process pads the less for it."""
    by_length = arguments.train_sampling_strategy == "batch_rebalance" and arguments.world_size == 1
    batch_size, accumulation = arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps
    if by_length and halved(dataset["length"], batch_size, accumulation):
        arguments.per_device_train_batch_size = batch_size // 2
        arguments.gradient_accumulation_steps = 2 * accumulation


def adapter_config(recipe: Recipe, family: Family) -> Any:
    """PEFT's configuration of the recipe, or None for full fine-tuning."""
    if recipe.method is Method.FULL:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=recipe.lora_r,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules=lora_targets(family, recipe.lora_targets),
        task_type="CAUSAL_LM",
    )
