"""A recipe: one YAML file that fully determines a fine-tuning run."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from safecot_eval.util import safe_yaml
from safecot_eval.util.files import content_hash
from safecot_eval.util.near_names import near_names
from safecot_eval.util.settings import Settings
from safecot_training.cot.targets import Variant
from safecot_training.sft.objectives import Objective, RewardSettings
from safecot_training.sft.recipe_types import Count, Number, a_number


class Method(StrEnum):
    """What is trained."""

    FULL = "full"
    LORA = "lora"
    QLORA = "qlora"  # LoRA on a base in 4 bits; needs a CUDA device and bitsandbytes


class Precision(StrEnum):
    """Arithmetic of the training run."""

    AUTO = "auto"  # bfloat16 where the device has it, else float32
    BF16 = "bf16"
    FP32 = "fp32"


class Drawn(StrEnum):
    """When the wording of a thought template and of a refusal is drawn."""

    EACH_EPOCH = "each_epoch"
    ONCE = "once"


SCHEDULERS = (
    "cosine", "linear", "constant", "constant_with_warmup", "cosine_with_restarts", "polynomial", "inverse_sqrt",
)  # fmt: skip
"""transformers' schedules that need no settings of their own."""
REPORTERS = (
    "none", "all", "tensorboard", "trackio", "wandb", "mlflow", "comet_ml", "clearml", "swanlab", "neptune", "dvclive",
    "codecarbon", "azure_ml", "dagshub", "flyte",
)  # fmt: skip
OPTIMISERS = (
    "adamw_torch", "adamw_torch_fused", "adafactor", "adamw_8bit", "paged_adamw_8bit", "paged_adamw_32bit", "lion_32bit",
    "sgd",
)  # fmt: skip
"""transformers' optimisers that need nothing but the recipe; those in 8 bits and paged ones need bitsandbytes."""
PROCESSOR_KEYS = (
    "min_pixels", "max_pixels", "size", "crop_size", "do_resize", "do_center_crop", "do_pad", "do_image_splitting",
    "max_image_size", "max_image_tiles", "crop_to_patches", "min_patches", "max_patches", "do_pan_and_scan",
    "pan_and_scan_min_crop_size", "pan_and_scan_max_num_crops", "pan_and_scan_min_ratio_to_activate",
    "image_grid_pinpoints", "patch_size", "vision_feature_select_strategy", "use_fast",
)  # fmt: skip
"""What a recipe may tell a processor; transformers ignores every other word without saying so."""


class FamilyParts(Settings):
    """Names of a base's parts; see :class:`safecot_training.sft.families.Family`."""

    what: ClassVar[str] = "family"

    vision: Annotated[tuple[str, ...], Field(min_length=1)]
    projector: Annotated[tuple[str, ...], Field(min_length=1)]
    language: Annotated[str, Field(min_length=1)]


class Recipe(Settings):
    """Everything that a run depends on. The defaults are our choice; the paper's hyper-parameters are not public.

    Attributes:
        base_model: Folder or hub id of the base.
        data: Data folder.
        variant: v0, v1 or v2.
        name: What the leaderboard calls the result.
        base_revision: Hub revision.
        method: full, lora or qlora.
        max_samples: Train on the first N examples of the data; None for all.
        seed: Of initialisation, order and dropout.
        learning_rate: Peak.
        epochs: Passes over the data; ignored where ``max_steps`` is positive.
        max_steps: Optimiser steps, or -1.
        batch_size: Examples per device and micro-step.
        gradient_accumulation: Micro-steps per optimiser step.
        warmup_ratio: Share of the steps with rising learning rate.
        scheduler: transformers' name of the schedule.
        weight_decay: AdamW's.
        max_grad_norm: Clipping.
        lora_r: Rank.
        lora_alpha: Scale.
        lora_dropout: Dropout on the adapter.
        freeze_vision: Keep the vision tower as it is; can be false with method: full, and with ``lora_targets``.
        freeze_projector: The same for the projector.
        precision: auto, bf16 or fp32.
        gradient_checkpointing: Trade time for memory.
        group_by_length: Deal each optimiser step's examples to its micro-batches by length (transformers' batch_rebalance).
        wordings: ``each_epoch`` draws templates and refusals anew in every pass, as the paper samples them; ``once`` keeps
            the ones that the data file shows.
        workers: Processes that load and prepare images beside the trainer.
        max_tokens: Refuse to start with a longer example (nothing is ever cut).
        processor: Keyword arguments for the processor (``min_pixels``, ``max_pixels``, …).
        save_steps: Optimiser steps between resumable checkpoints.
        save_total_limit: Resumable checkpoints to keep; at least 2, so that a corrupt one has a predecessor.
        logging_steps: Optimiser steps between log lines; must divide ``save_steps``, so that a resumed run averages
            its logged losses over the same steps.
        report_to: TRL's own switch: none, tensorboard, trackio, wandb …
        allow_unchecked: Train although the data were checked against no evaluation set.
        capability_tasks: lmms-eval tasks by which ``safecot train eval --capability`` measures what safety cost.
        distributed: Path of an FSDP or DeepSpeed configuration beside the recipe, for people to pass to ``accelerate``.
        attn_implementation: transformers' name (``sdpa``, ``eager``, ``flash_attention_2`` …); empty for its own choice.
        optim: transformers' name of the optimiser.
        liger: Use Liger's kernels (``pip install liger-kernel``; CUDA).
        family: Where the parts of a base are whose family is not in the table: ``vision``, ``projector`` (lists of name parts)
            and ``language`` (the module of the language model).
        lora_targets: Regular expression of the layers that get an adapter; the language model's linear layers if empty.
        export_dtype: ``float32`` or ``bfloat16`` weights in the exported forms; ``auto`` as they were trained.
        objective: ``sft``, or set by `safecot train dpo`, `kto` and `grpo`: prefer the targets to refusals without a thought, or
            answers that earn more.
        beta: Strength of the bond to the base; by default 0.1, and 0 for GRPO.
        rewards: Of GRPO: ``expectation``, ``format``, ``acceptance`` (weights), ``by``, ``judge_url``, ``judge_model``.
        generations: Answers that GRPO samples to a question; divides batch_size × gradient_accumulation, which counts answers.
        max_completion_tokens: Of a sampled answer.
        temperature: Of the sampling.
        desirable_weight: KTO's weight of the answers that are wanted.
        undesirable_weight: KTO's weight of those that are not.
        rejected: JSON lines of a checkpoint's own answers to training questions, to be rejected where they fail.
        failures: Folder of the checkpoint's evaluated runs, whose answers to training questions are used likewise.
        failures_by: Whose verdicts say what fails there: ``template`` (phrases), or a judge and its rubric as the page spells
            them.
        validation_samples: Keep the last N examples out of training and measure the loss on them at every saved checkpoint.
        keep_best: Export the best checkpoint instead of the last one.
        best_by: What decides which checkpoint is best: the validation ``loss``, or the balanced rate of the probe by
            ``template`` or ``lite``.
        patience: Stop after so many evaluations without a better one; 0 trains to the end.
        eval_steps: Optimiser steps between evaluations; 0 evaluates at every saved checkpoint.
        probe_samples: Ask so many of the examples kept out at every evaluation, half to refuse and half to answer (60 gives
            CRR and CAR to some 18 points either way); 0 for none.
        probe_tokens: Budget of an answer to the probe, thought included.
        notes: Why these values.
    """

    what: ClassVar[str] = "recipe"
    help: ClassVar[str] = "training/recipes/README.md"

    base_model: Annotated[str, Field(min_length=1)]
    data: Annotated[str, Field(min_length=1)]
    variant: Variant
    name: str = ""
    base_revision: str = "main"
    method: Method = Method.LORA
    max_samples: Count | None = None
    seed: Annotated[int, BeforeValidator(a_number), Field(ge=0, lt=2**32)] = 0
    learning_rate: Annotated[Number, Field(gt=0, le=1)] = 1e-4
    epochs: Annotated[Number, Field(gt=0, le=10_000)] = 2.0
    max_steps: Annotated[int, BeforeValidator(a_number), Field(ge=-1, le=10_000_000)] = -1
    batch_size: Annotated[Count, Field(le=65_536)] = 4
    gradient_accumulation: Annotated[Count, Field(le=65_536)] = 4
    warmup_ratio: Annotated[Number, Field(ge=0, lt=1)] = 0.05
    scheduler: str = "cosine"
    weight_decay: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    max_grad_norm: Annotated[Number, Field(ge=0)] = 1.0
    lora_r: Count = 16
    lora_alpha: Count = 32
    lora_dropout: Annotated[Number, Field(ge=0, lt=1)] = 0.05
    freeze_vision: bool = True
    freeze_projector: bool = True
    precision: Precision = Precision.AUTO
    gradient_checkpointing: bool = True
    group_by_length: bool = True
    wordings: Drawn = Drawn.EACH_EPOCH
    workers: Annotated[int, BeforeValidator(a_number), Field(ge=0)] = 0
    max_tokens: Count = 4096
    processor: dict[str, Any] = Field(default_factory=dict)
    save_steps: Count = 100
    save_total_limit: Annotated[int, BeforeValidator(a_number), Field(ge=1)] = 2
    logging_steps: Count = 5
    report_to: str = "none"
    allow_unchecked: bool = False
    capability_tasks: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "mme", "mmbench_en_dev_static", "pope", "scienceqa_img", "mmmu_val",
    )  # fmt: skip
    distributed: str = ""
    attn_implementation: Literal[
        "", "eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention"
    ] = ""
    optim: str = "adamw_torch"
    liger: bool = False
    family: FamilyParts | None = None
    lora_targets: str = ""
    export_dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    objective: Objective = Objective.SFT
    beta: Annotated[Number, Field(ge=0)] | None = None
    rewards: RewardSettings = Field(default_factory=RewardSettings)
    generations: Annotated[int, BeforeValidator(a_number), Field(ge=2)] = 8
    max_completion_tokens: Count = 512
    temperature: Annotated[Number, Field(gt=0)] = 1.0
    desirable_weight: Annotated[Number, Field(gt=0)] = 1.0
    undesirable_weight: Annotated[Number, Field(gt=0)] = 1.0
    rejected: str = ""
    failures: str = ""
    failures_by: Annotated[str, Field(min_length=1)] = "template"
    validation_samples: Annotated[int, BeforeValidator(a_number), Field(ge=0)] = 0
    keep_best: bool = False
    best_by: Literal["loss", "template", "lite"] = "loss"
    patience: Annotated[int, BeforeValidator(a_number), Field(ge=0)] = 0
    eval_steps: Annotated[int, BeforeValidator(a_number), Field(ge=0)] = 0
    probe_samples: Annotated[int, BeforeValidator(a_number), Field(ge=0)] = 0
    probe_tokens: Count = 320
    notes: str = ""

    @field_validator("scheduler", "report_to")
    @classmethod
    def _known(cls, value: str, info: Any) -> str:
        known = SCHEDULERS if info.field_name == "scheduler" else REPORTERS
        if value not in known:
            raise ValueError(f"{value!r} should be one of: {', '.join(known)}")
        return value

    @field_validator("optim")
    @classmethod
    def _an_optimiser(cls, value: str) -> str:
        if value not in OPTIMISERS:
            raise ValueError(f"{value!r} should be one of: {', '.join(OPTIMISERS)}")
        return value

    @field_validator("lora_targets")
    @classmethod
    def _an_expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression ({error})") from error
        return value

    @field_validator("processor")
    @classmethod
    def _of_a_processor(cls, options: dict[str, Any]) -> dict[str, Any]:
        for key in options:
            if key not in PROCESSOR_KEYS:
                near = near_names(key, PROCESSOR_KEYS, most=1)
                hint = f", did you mean {near[0]!r}?" if near else ""
                raise ValueError(f"unknown option {key!r}{hint} (known: {', '.join(PROCESSOR_KEYS)})")
        return options

    @model_validator(mode="after")
    def _together(self) -> Self:
        """What values must be together."""
        if self.max_steps == 0:
            raise ValueError("'max_steps' should be at least 1, or -1 for whole epochs")
        if self.save_total_limit < 2:
            raise ValueError(
                "'save_total_limit' should be at least 2; a corrupt checkpoint needs one before it"
            )
        if self.save_steps % self.logging_steps:
            raise ValueError(
                f"'save_steps' ({self.save_steps}) should be a multiple of 'logging_steps' ({self.logging_steps}), so that a "
                "resumed run logs the same averages"
            )
        if (self.keep_best or self.patience or self.probe_samples) and not self.validation_samples:
            raise ValueError("'keep_best', 'patience' and 'probe_samples' need 'validation_samples'")
        if self.best_by != "loss" and not (self.probe_samples and self.keep_best):
            raise ValueError(f"'best_by: {self.best_by}' needs 'probe_samples' and 'keep_best'")
        if self.keep_best and self.eval_steps and self.save_steps % self.eval_steps:
            raise ValueError(
                f"'save_steps' ({self.save_steps}) should be a multiple of 'eval_steps' ({self.eval_steps}) with 'keep_best': "
                "a checkpoint that is saved between two evaluations cannot be the best"
            )
        if self.patience and not self.keep_best:
            raise ValueError(
                "'patience' needs 'keep_best': a run that stops early ends on its best checkpoint"
            )
        kept = self.freeze_vision and self.freeze_projector
        if not kept and self.method is not Method.FULL and not self.lora_targets:
            raise ValueError(
                "adapters are put into the language model only; 'freeze_vision' and 'freeze_projector' can be false with "
                "method: full, or with 'lora_targets' that name layers of these parts"
            )
        self._preference()
        return self

    def _preference(self) -> None:
        """What values must be together in preference tuning."""
        if self.objective is Objective.KTO and self.batch_size < 2:
            raise ValueError("KTO compares the answers of a batch: 'batch_size' should be at least 2")
        if self.objective in (Objective.DPO, Objective.KTO) and not self.bond:
            raise ValueError("'beta' should be above 0")
        if self.rejected and self.failures:
            raise ValueError("'rejected' and 'failures' both name own answers: leave one out")
        if self.objective is not Objective.GRPO:
            return
        if self.batch_size * self.gradient_accumulation % self.generations:
            raise ValueError(
                f"'batch_size' times 'gradient_accumulation' ({self.batch_size * self.gradient_accumulation}) should be a multiple "
                f"of 'generations' ({self.generations})"
            )
        if self.max_completion_tokens >= self.max_tokens:
            raise ValueError("'max_tokens' should leave room for a prompt beside 'max_completion_tokens'")
        if self.validation_samples:
            raise ValueError("GRPO has no loss to compare: leave 'validation_samples' out")
        if self.rejected or self.failures:
            raise ValueError("GRPO samples its own answers: leave 'rejected' and 'failures' out")

    @property
    def bond(self) -> float:
        """``beta``, or the objective's own default."""
        return self.beta if self.beta is not None else 0.0 if self.objective is Objective.GRPO else 0.1

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for YAML and JSON."""
        return self.model_dump(mode="json")

    @property
    def hash(self) -> str:
        """Hash of everything that changes the result (not of names, notes and logging)."""
        silent = SILENT | {key for key, plain in LATER.items() if getattr(self, key) == plain}
        return content_hash({key: value for key, value in self.as_dict().items() if key not in silent})


SILENT = frozenset({
    "name", "notes", "report_to", "logging_steps", "save_steps", "save_total_limit", "distributed", "workers",
    "capability_tasks",
})  # fmt: skip
"""Keys that do not change the result."""
LATER = {
    "attn_implementation": "", "optim": "adamw_torch", "liger": False, "family": None, "lora_targets": "",
    "export_dtype": "auto", "objective": Objective.SFT, "beta": None, "rejected": "",
    "failures": "", "failures_by": "template",
    "desirable_weight": 1.0, "undesirable_weight": 1.0, "rewards": RewardSettings(), "generations": 8,
    "max_completion_tokens": 512, "temperature": 1.0,
    "validation_samples": 0, "keep_best": False, "patience": 0, "best_by": "loss", "eval_steps": 0, "probe_samples": 0,
    "probe_tokens": 320,
}  # fmt: skip
"""Keys that came later, and count only where they are set: runs from before can be gone on with."""


def load_recipe(path: Path, overrides: dict[str, Any] | None = None) -> Recipe:
    """Read a recipe file.

    Args:
        path: YAML file.
        overrides: Values that replace the file's (command line).

    Raises:
        SafecotError: unreadable file, unknown or missing key, or a value of the wrong kind.
    """
    content = safe_yaml.read_mapping(path, "a recipe is a mapping of keys to values")
    text = "" if overrides else path.read_text(encoding="utf-8")
    return Recipe.check({**content, **(overrides or {})}, str(path), text)


def recipe_from(content: dict[str, Any], where: str) -> Recipe:
    """Check the values of a recipe.

    Raises:
        SafecotError: naming the key.
    """
    return Recipe.check(content, where)
