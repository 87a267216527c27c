"""Fine-tune every run of a plan through :func:`safecot_training.sft.train.train`; finished runs are found and skipped."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safecot_eval.util.files import locked
from safecot_eval.util.paths import CHECKPOINT_CARD
from safecot_training.cot.targets import Reasons, Variant
from safecot_training.cot.variants import write_variant
from safecot_training.data import dataset, drawing
from safecot_training.data.contamination import EvalSet
from safecot_training.sft.recipe import Method, Precision, Recipe
from safecot_training.study import scene_writer
from safecot_training.study.evaluation import CAPABILITY_TASK
from safecot_training.study.general import general_examples
from safecot_training.study.plan import SEEN_CATEGORIES, SEEN_STYLES, Objects, Plan, Run
from safecot_training.study.safety import safety_examples

WAIT_S = 3600.0
"""How long a process waits for data that another one builds."""


def data_folder(plan: Plan, run: Run, out: Path) -> Path:
    """Where a run's data lie: runs that differ in training only share theirs."""
    setting, shipped = run.setting, plan.shipped
    parts = [f"{run.mixture}-s{run.seed}"]
    if setting.objects is not shipped.objects:
        parts.append(f"{setting.objects}-objects")
    if setting.harm_by_words != shipped.harm_by_words:
        parts.append(f"{setting.harm_by_words:g}-by-words")
    if setting.wordings != shipped.wordings:
        parts.append(f"{setting.wordings}-wordings")
    if setting.reasons is not shipped.reasons:
        parts.append(f"reasons-{setting.reasons}")
    return out / "data" / "-".join(parts)


def build_data(plan: Plan, run: Run, out: Path, evaluation_set: Callable[[], EvalSet]) -> Path:
    """Build the data of a run with its three variants, or find them finished; one process at a time.

    Args:
        plan: Sizes; the full size is built and smaller ones are its beginnings.
        run: Whose data.
        out: Study folder.
        evaluation_set: Called where data are built; its items may not occur in them.
    """
    folder = data_folder(plan, run, out)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(out / "locks" / f"data-{folder.name}.lock", wait_s=WAIT_S):
        manifest = dataset.read_manifest(folder) if (folder / "manifest.json").is_file() else None
        if manifest is None:
            manifest = _draw(plan, run, folder, out / "pictures", evaluation_set())
        for variant in Variant:
            if variant.value not in manifest["variants"]:
                _write(folder, variant, run)
    return folder


def _draw(plan: Plan, run: Run, folder: Path, pictures: Path, evaluation_set: EvalSet) -> dict[str, Any]:
    half, setting = plan.shipped.size // 2, run.setting
    safety = safety_examples(half, pictures, run.mixture, run.seed, harm_by_words=setting.harm_by_words)
    general = general_examples(
        half,
        pictures,
        seed=1000 + run.seed,
        styles=SEEN_STYLES,
        instructions=False,
        categories=SEEN_CATEGORIES if setting.objects is Objects.SEEN else None,
    )
    size = drawing.Plan(size=plan.shipped.size, seed=run.seed)
    return dataset.build(safety, general, folder, size, eval_sets=[evaluation_set])


def _write(folder: Path, variant: Variant, run: Run) -> None:
    seed = run.seed
    write_variant(
        folder,
        variant,
        reasons=run.setting.reasons if variant is not Variant.V0 else Reasons.ALL,
        max_wordings=run.setting.wordings,
        writer=(lambda examples: scene_writer.write_thoughts(examples, seed))
        if variant is Variant.V2
        else None,
        writer_name=scene_writer.NAME,
    )


def recipe_of(plan: Plan, run: Run, base: Path, data: Path) -> Recipe:
    """The recipe of one run: equal for all but variant, data, seed and what its level changes."""
    return Recipe(
        base_model=str(base),
        data=str(data),
        variant=run.variant,
        name=run.name,
        method=Method.FULL,
        max_samples=run.setting.size,
        seed=run.seed,
        learning_rate=2e-3,
        max_steps=run.setting.steps,
        batch_size=plan.batch_size,
        gradient_accumulation=1,
        freeze_vision=True,
        freeze_projector=True,
        precision=Precision.FP32,
        gradient_checkpointing=False,
        wordings=run.setting.drawn,
        capability_tasks=(CAPABILITY_TASK,),
        save_steps=10_000,
        logging_steps=10,
        notes="All sizes take the same number of steps, so that they differ in data and not in compute.",
    )


def fine_tune(plan: Plan, run: Run, base: Path, data: Path, out: Path) -> Path:
    """Run one recipe, or find its checkpoint.

    Returns:
        Folder of the checkpoint.
    """
    from safecot_training.sft.train import train

    folder = out / "checkpoints" / run.name
    checkpoint = folder / "merged"
    if not (checkpoint / CHECKPOINT_CARD).is_file():
        train(recipe_of(plan, run, base, data), folder)
        shutil.rmtree(folder / "trainer", ignore_errors=True)
    return checkpoint
