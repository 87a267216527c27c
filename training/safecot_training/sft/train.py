"""Fine-tune a VLM from a recipe: TRL's SFTTrainer with PEFT and accelerate.

Loss is on the assistant's tokens only (prompt and completion are separate, so TRL masks the prompt), nothing is ever
cut, and a run that was interrupted goes on from its newest whole checkpoint to the same final loss.
"""

from __future__ import annotations

import logging
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import set_seed

from safecot_eval.generate.models import weights
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import disk_error, read_json, write_json
from safecot_training.data.dataset import manifest_hash, trained_clusters
from safecot_training.sft.card import CheckpointCard, learnt_before, loss_points, reward_summary
from safecot_training.sft.check import Status, check_base, require_fit
from safecot_training.sft.checkpoints import newest_whole
from safecot_training.sft.collator import AnswerCollator
from safecot_training.sft.devices import require_one_process_per_device, require_shardable
from safecot_training.sft.export import save_result
from safecot_training.sft.families import Family, family_of
from safecot_training.sft.length_cache import kept_lengths
from safecot_training.sft.loading import load_model, load_processor, load_stops
from safecot_training.sft.objectives import Objective
from safecot_training.sft.prepared import Prepared, prepare
from safecot_training.sft.probe import ENOUGH, probe_history, probe_of
from safecot_training.sft.recipe import Drawn, Method, Recipe
from safecot_training.sft.trainer import build_trainer, training_arguments
from safecot_training.sft.training_data import (
    as_dataset,
    require_fitting,
    split_validation,
)
from safecot_training.sft.turns import answer_tokens
from safecot_training.sft.world import is_first_process, require_world_size

_CLAIM = "run.json"


@dataclass(frozen=True, slots=True)
class Result:
    """What a run left behind.

    Attributes:
        folder: Output folder, with ``merged/`` and, for adapters, ``adapter/``.
        card: Checkpoint card of the merged form.
        resumed_from: Name of the checkpoint the run went on from, or empty.
        damaged: Checkpoints that could not be used.
        world_size: Number of processes that trained.
        was_finished: The run had been finished before, and nothing was done.
    """

    folder: Path
    card: CheckpointCard
    resumed_from: str
    damaged: tuple[str, ...]
    world_size: int
    was_finished: bool = False


def train(
    recipe: Recipe, out: Path, *, world_size: int | None = None, prepared: Prepared | None = None
) -> Result:
    """Run a recipe, or go on with it where ``out`` holds an interrupted run of it; a finished one is left as it is.

    Args:
        recipe: What to do.
        out: Output folder.
        world_size: Number of processes that were started; checked, because some launchers silently run one.
        prepared: What the run starts from, if it was read already.

    Raises:
        SafecotError: bad data, unknown architecture, another recipe's run in ``out``, wrong world size, full disk.
    """
    require_world_size(world_size)
    start = prepared or prepare(recipe, out)
    if start.finished is not None:
        world = int(os.environ.get("WORLD_SIZE", "1"))
        return Result(out, start.finished, "", (), world, was_finished=True)
    require_one_process_per_device(recipe)
    rows, manifest = start.rows, start.manifest
    config, processor = load_processor(recipe)
    require_shardable(config.model_type, recipe.base_model)
    family = family_of(config.model_type, recipe.base_model, recipe.family)
    collator = checked_collator(recipe, config, processor, family)
    rows, held = split_validation(rows, recipe)
    probe = probe_of(recipe, held, processor)
    made = [_measured(part, collator, recipe) for part in (rows, held) if part]
    mine = _claim(out / "trainer", recipe, manifest, start.own_answers)
    set_seed(recipe.seed)
    found = newest_whole(out / "trainer")
    # The arguments come first: they make accelerate choose this process's device, and tell from_pretrained of ZeRO-3.
    configure, build = trainer_parts(recipe)
    with _what_is_lacking(recipe):
        arguments = configure(recipe, out)
    model = load_model(recipe, family, resumed=found.path)
    if recipe.objective is not Objective.SFT and model.base_model is model:
        raise SafecotError(
            f"{recipe.base_model}: TRL's {recipe.objective.value} needs the model before its output layer, and {config.model_type} "
            "has none of its own; tune it with `safecot train sft`."
        )
    with _complaints_about(out / "trainer"):
        (out / "trainer").mkdir(parents=True, exist_ok=True)
    trainer = build(recipe, arguments, model, collator, made[0], family, validation=made[1] if held else None)
    trainer.probe = probe
    started = int(trainer.accelerator.num_processes)
    require_world_size(world_size, started)
    with _complaints_about(out / "trainer"), _without_template_warnings(), _what_is_lacking(recipe):
        write_json(
            out / "trainer" / _CLAIM, mine
        )  # not before: a start that is refused leaves nothing in the way of the next
        if not trainer.has_taken_all_steps(found.path):
            trainer.train(resume_from_checkpoint=str(found.path) if found.path else None)
    _say_which_is_best(recipe, trainer)
    _say_if_diverged(trainer)
    _say_if_nothing_was_told_apart(trainer)
    card = make_card(recipe, rows, manifest, trainer, getattr(config, "_commit_hash", None))
    save_result(trainer, recipe, card, out)
    return Result(out, card, found.path.name if found.path else "", found.damaged, started)


def _measured(rows: list[dict[str, Any]], collator: AnswerCollator, recipe: Recipe) -> Any:
    if recipe.objective is Objective.GRPO:
        # Answers are sampled: what must fit is the prompt and the longest of them.
        unanswered = [{**row, "completion": [{"content": ""}], "replies": []} for row in rows]
        lengths = kept_lengths(collator, unanswered, Path(recipe.data).expanduser())
        require_fitting(rows, lengths, recipe.max_tokens - recipe.max_completion_tokens)
    else:
        data = Path(recipe.data).expanduser()
        lengths = kept_lengths(collator, rows, data)
        if recipe.objective is Objective.DPO:
            worse = [{**row, "completion": [{"content": row["rejected"]}], "replies": []} for row in rows]
            lengths = list(map(max, lengths, kept_lengths(collator, worse, data)))
        require_fitting(rows, lengths, recipe.max_tokens)
    return as_dataset(rows, lengths)


def trainer_parts(recipe: Recipe) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """What configures and what builds the trainer of a recipe's objective."""
    if recipe.objective is Objective.SFT:
        return training_arguments, build_trainer
    if recipe.objective is Objective.GRPO:
        from safecot_training.preference.grpo import build_group_trainer, group_arguments

        return group_arguments, build_group_trainer
    if recipe.objective is Objective.KTO:
        from safecot_training.preference.kto import build_unpaired_trainer, unpaired_arguments

        return unpaired_arguments, build_unpaired_trainer
    from safecot_training.preference.dpo import build_preference_trainer, preference_arguments

    return preference_arguments, build_preference_trainer


def checked_collator(recipe: Recipe, config: Any, processor: Any, family: Family) -> AnswerCollator:
    """Check the base, say what was fixed, and return what makes batches.

    Raises:
        SafecotError: the base is not fit.
    """
    full = recipe.method is Method.FULL
    stops = load_stops(recipe, config, processor)
    fitness = check_base(
        recipe.base_model,
        config,
        processor,
        stops,
        family,
        full=full,
        targets=recipe.lora_targets,
        vision=recipe.freeze_vision,
        projector=recipe.freeze_projector,
    )
    shape = require_fit(recipe.base_model, fitness)
    for finding in fitness.findings:
        if finding.status is Status.FIXED and is_first_process():
            print(f"{finding.question}: {finding.sentence}", file=sys.stderr)
    epoch = 0 if recipe.wordings is Drawn.EACH_EPOCH else None
    return AnswerCollator(processor, shape, recipe.seed, epoch)


@contextmanager
def _complaints_about(folder: Path) -> Iterator[None]:
    """Turn a failed write, which every library reports in its own way, into one sentence."""
    try:
        yield
    except OSError as error:
        raise disk_error(folder, error) from error
    except SafetensorError as error:
        raise SafecotError(f"{folder}: cannot be written ({error}); is the disk full?") from error
    except RuntimeError as error:
        if "PytorchStreamWriter" not in str(error) and "inline_container" not in str(error):
            raise
        raise SafecotError(
            f"{folder}: a checkpoint cannot be written; is the disk full? Free some space and run the same command "
            "again (it resumes)."
        ) from error


@contextmanager
def _what_is_lacking(recipe: Recipe) -> Iterator[None]:
    """Turn a package or a reporter's key that the recipe needs and this machine lacks into one sentence."""
    try:
        yield
    except Exception as error:  # every reporter raises errors of its own
        said = " ".join(str(error).split()).rstrip(".")[:300]
        if isinstance(error, ImportError):
            raise SafecotError(
                f"A package that the recipe or its launcher asks for is not installed: {said}."
            ) from error
        if type(error).__module__.partition(".")[0] in (recipe.report_to, "wandb"):
            raise SafecotError(
                f"report_to: {recipe.report_to} does not work here: {said}; see to it, or set report_to: none."
            ) from error
        raise


@contextmanager
def _without_template_warnings() -> Iterator[None]:
    """Drop a warning that transformers repeats for every example because of how TRL calls it."""
    logger = logging.getLogger("transformers.processing_utils")

    def keep(record: logging.LogRecord) -> bool:
        return "have to be in `processor_kwargs`" not in record.getMessage()

    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


def _say_which_is_best(recipe: Recipe, trainer: Any) -> None:
    if not recipe.keep_best or not trainer.is_world_process_zero():
        return
    if trainer.state.best_model_checkpoint:
        said = f"The best checkpoint is that of step {trainer.state.best_global_step}; it is exported."
    else:
        said = (
            f"No checkpoint could be measured by {recipe.best_by!r} (best_by): the last one is exported. A balanced rate needs "
            f"{ENOUGH:.0%} of the probe's answers scored; probe_tokens may be too few for a whole answer."
        )
    print(said, file=sys.stderr, flush=True)


def _say_if_diverged(trainer: Any) -> None:
    """Say that a loss was no number: from then on the weights are spoilt as well."""
    logged = [(entry["step"], float(entry["loss"])) for entry in trainer.state.log_history if "loss" in entry]
    bad = [(step, loss) for step, loss in logged if not math.isfinite(loss)]
    if bad and trainer.is_world_process_zero():
        print(
            f"The loss is not a number at {len(bad)} of {len(logged)} logged steps (first {bad[0][1]} at step {bad[0][0]}): the weights "
            "are spoilt from there on. Train again with a lower learning_rate or max_grad_norm.",
            file=sys.stderr,
            flush=True,
        )


def _say_if_nothing_was_told_apart(trainer: Any) -> None:
    """Say that no group of sampled answers had different rewards: such a run has learnt nothing from them."""
    alike = [e["frac_reward_zero_std"] for e in trainer.state.log_history if "frac_reward_zero_std" in e]
    if alike and min(alike) >= 1 and trainer.is_world_process_zero():
        print(
            "Every group of sampled answers earned one and the same reward, so that no answer was better than another and nothing was "
            "learnt from them. Raise temperature or generations, or start from a checkpoint that does some things right.",
            file=sys.stderr,
            flush=True,
        )


def _claim(folder: Path, recipe: Recipe, manifest: dict[str, Any], own_answers: str) -> dict[str, str]:
    """What tells whose run this is; another run's folder is refused, unless that left neither checkpoint nor model."""
    path = folder / _CLAIM
    left = any(folder.glob("checkpoint-*")) or any(
        (folder.parent / form).exists() for form in ("merged", "adapter")
    )
    mine = {"recipe_hash": recipe.hash, "data": manifest_hash(manifest, recipe.variant.value)}
    if own_answers:
        mine["own_answers"] = own_answers
    if path.is_file() and read_json(path) != mine and left:
        raise SafecotError(
            f"{folder.parent}: holds the run of another recipe or other data; choose another --out or remove it."
        )
    return mine


def make_card(
    recipe: Recipe, rows: list[dict[str, Any]], manifest: dict[str, Any], trainer: Any, commit: str | None
) -> CheckpointCard:
    """Write a run's card from its recipe, data and log."""
    history = [[entry["step"], entry["loss"]] for entry in trainer.state.log_history if "loss" in entry]
    collator = trainer.data_collator
    tokens = [
        len(answer_tokens(collator.processor.tokenizer, collator.shape, row["completion"][0]["content"]))
        for row in rows
    ]
    trained_tokens = sum(tokens) * float(trainer.state.epoch or 0.0)
    rewards = reward_summary(trainer.state.log_history) if recipe.objective is Objective.GRPO else {}
    safety = [row for row in rows if row["kind"] == "safety"]
    clusters = trained_clusters(Path(recipe.data).expanduser(), {row["id"] for row in rows})
    before = learnt_before(recipe.base_model, recipe.base_revision)
    return CheckpointCard(
        variant=recipe.variant.value,
        samples=len({row["id"] for row in rows}),
        train_loss=history[-1][1] if history else float("nan"),
        loss_history=loss_points(history),
        validation_history=loss_points(
            [
                [entry["step"], entry["eval_loss"]]
                for entry in trainer.state.log_history
                if "eval_loss" in entry
            ]
        ),
        probe_history=probe_history(trainer.state.log_history),
        recipe=recipe.as_dict(),
        recipe_hash=recipe.hash,
        data_manifest_hash=manifest_hash(manifest, recipe.variant.value),
        seed=recipe.seed,
        base_model=recipe.base_model,
        in_distribution_categories=sorted(
            {*(row["category"] for row in safety), *before.in_distribution_categories}
        ),
        in_distribution_benchmarks=sorted({*manifest["benchmarks"], *before.in_distribution_benchmarks}),
        base_revision=commit or recipe.base_revision,
        preset=_preset(manifest, recipe.variant.value),
        trained_clusters={
            name: sorted({*clusters.get(name, ()), *before.trained_clusters.get(name, ())})
            for name in sorted({*clusters, *before.trained_clusters})
        },
        mixture=":".join(map(str, manifest.get("ratio") or [])),
        steps=int(trainer.state.global_step),
        best_step=trainer.state.best_global_step if trainer.state.best_model_checkpoint else None,
        base_fingerprint=weights.fingerprint(recipe.base_model, recipe.base_revision),
        assistant_tokens=round(trained_tokens) if recipe.objective is not Objective.GRPO else 0,
        rewards=rewards,
    )


def _preset(manifest: dict[str, Any], variant: str) -> str:
    """The preset with the words that a recorded variant was trained under."""
    entry = manifest["variants"][variant]
    return f"{entry['protocol']}_{entry['prompt']}" if entry.get("protocol") else ""
