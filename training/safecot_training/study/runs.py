"""Fine-tune every run of a plan through :func:`safecot_training.sft.train.train`; finished runs are found and skipped."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from safecot_eval.util.paths import CHECKPOINT_CARD
from safecot_training.cot.targets import Variant
from safecot_training.cot.variants import write_variant
from safecot_training.data import dataset, drawing
from safecot_training.data.contamination import EvalSet
from safecot_training.sft.recipe import Drawn, Method, Precision, Recipe
from safecot_training.study import scene_writer
from safecot_training.study.evaluation import CAPABILITY_TASK
from safecot_training.study.general import general_examples
from safecot_training.study.plan import SEEN_STYLES, Mixture, Plan, Run
from safecot_training.study.safety import safety_examples


def build_data(
    plan: Plan, mixture: Mixture, seed: int, out: Path, evaluation_set: Callable[[], EvalSet]
) -> Path:
    """Build one mixture with its three variants, or find it finished.

    Args:
        plan: Sizes; the full size is built and smaller ones are its beginnings.
        mixture: What the safety half holds.
        seed: Of everything drawn.
        out: Study folder.
        evaluation_set: Called where data are built; its items may not occur in them.
    """
    folder = out / "data" / f"{mixture}-s{seed}"
    manifest = dataset.read_manifest(folder) if (folder / "manifest.json").is_file() else None
    if manifest is None:
        half = plan.full // 2
        pictures = out / "pictures"
        safety = safety_examples(half, pictures, mixture, seed)
        general = general_examples(half, pictures, seed=1000 + seed, styles=SEEN_STYLES, instructions=False)
        manifest = dataset.build(
            safety, general, folder, drawing.Plan(size=plan.full, seed=seed), eval_sets=[evaluation_set()]
        )
    for variant in Variant:
        if variant.value not in manifest["variants"]:
            write_variant(
                folder,
                variant,
                writer=(lambda examples: scene_writer.write_thoughts(examples, seed))
                if variant is Variant.V2
                else None,
                writer_name=scene_writer.NAME,
            )
    return folder


def recipe_of(plan: Plan, run: Run, base: Path, data: Path) -> Recipe:
    """The recipe of one run: equal for all but variant, data, number of examples and seed."""
    return Recipe(
        base_model=str(base),
        data=str(data),
        variant=run.variant,
        name=run.name,
        method=Method.FULL,
        max_samples=run.size,
        seed=run.seed,
        learning_rate=2e-3,
        max_steps=plan.steps,
        batch_size=plan.batch_size,
        gradient_accumulation=1,
        freeze_vision=True,
        freeze_projector=True,
        precision=Precision.FP32,
        gradient_checkpointing=False,
        wordings=Drawn.ONCE,  # as the published page was made; see docs/study.md
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
