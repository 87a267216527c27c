"""Score a checkpoint with the harness: ``safecot run`` on our tasks, lmms-eval's own tasks for general capability.

The capability scores are kept in ``safecot_capability.json`` beside the run, so that the price of safety stands next to
it: for each task its own headline metric, as a share of the best possible score.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks import catalogue, selection
from safecot_eval.benchmarks.registry import task_parts
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import write_json, write_jsonl
from safecot_eval.util.paths import CHECKPOINT_CARD
from safecot_training.data.dataset import held_out_clusters, read_manifest
from safecot_training.sft.card import CheckpointCard, read_card

CAPABILITY = "safecot_capability.json"
METRICS = {
    "mme": {"mme_perception_score": 2000.0, "mme_cognition_score": 800.0},
    "mmbench_en_dev_static": {"gpt_eval_score": 100.0},
    "pope": {"pope_accuracy": 1.0},
    "scienceqa_img": {"exact_match": 1.0},
    "mmmu_val": {"mmmu_acc": 1.0},
    "mini_general": {"exact_match": 1.0},
}
"""Headline metrics of lmms-eval's tasks and their best values. MMBench without its GPT judge (``_static``)."""
_STUDY_TASKS = Path(__file__).parent / "study" / "tasks"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What ``safecot train eval`` is given.

    Attributes:
        folder: One form of a checkpoint, with its card.
        card: The card.
        name: What the leaderboard calls it.
    """

    folder: Path
    card: CheckpointCard
    name: str


def find_checkpoint(path: Path, form: str = "merged", name: str = "") -> Checkpoint:
    """Find a checkpoint in a run's output folder, or take the folder itself.

    Args:
        path: ``OUT`` of a run, or one of its forms.
        form: ``merged`` or ``adapter``, where the run has both.
        name: Instead of :func:`row_name`.

    Raises:
        SafecotError: there is none.
    """
    folder = path if (path / CHECKPOINT_CARD).is_file() else path / form
    if not (folder / CHECKPOINT_CARD).is_file():
        raise SafecotError(
            f"{path}: no {CHECKPOINT_CARD} there or in {form}/; give the folder that `safecot train sft` wrote."
        )
    card = read_card(folder)
    return Checkpoint(folder.resolve(), card, name or row_name(card, path.resolve().name))


def row_name(card: CheckpointCard, folder: str) -> str:
    """What the leaderboard calls a checkpoint: the recipe's name, and what sets its runs apart.

    Two runs that differ in samples, seed, mixture, steps or anything else that changes the result differ in their names.
    """
    recipe_name = str(card.recipe.get("name") or folder)
    parts = [recipe_name if recipe_name.endswith(f"-{card.variant}") else f"{recipe_name}-{card.variant}"]
    objective = str(card.recipe.get("objective") or "sft")
    if objective != "sft":
        parts.append(objective)
    parts += [f"n{card.samples}", f"seed{card.seed}"]
    if card.mixture:
        parts.append(f"mix{card.mixture.replace(':', 'to')}")
    if card.steps:
        parts.append(f"steps{card.steps}")
    return "-".join([*parts, card.short_id])


def evaluate(
    checkpoint: Checkpoint,
    tasks: str,
    output: Path,
    *,
    processes: int = 1,
    options: Sequence[str] = (),
    model_args: Sequence[str] = (),
) -> None:
    """Run ``safecot run`` on a checkpoint, in one or several processes.

    Args:
        checkpoint: What to score.
        tasks: lmms-eval task names, separated by commas.
        output: Folder of all runs.
        processes: Data-parallel processes.
        options: Further options of ``safecot run``.
        model_args: Further ``key=value`` for ``safecot_hf``.

    Raises:
        SafecotError: the evaluation failed; its own sentence has been printed.
    """
    arguments = [f"pretrained={checkpoint.folder}", f"name={checkpoint.name}", *model_args]
    command = [sys.executable]
    if processes > 1:
        command += ["-m", "torch.distributed.run", "--nproc_per_node", str(processes), "--standalone"]
    command += ["-m", "safecot_eval", "run", "--model", "safecot_hf", "--model_args", ",".join(arguments)]
    command += ["--tasks", tasks, "--output_path", str(output), *options]
    if checkpoint.card.preset and not any(option.partition("=")[0] == "--preset" for option in options):
        command += ["--preset", checkpoint.card.preset]
    status = subprocess.run(command, check=False).returncode
    if status not in (0, 3):  # 3: written, some requests have no answer
        raise SafecotError(
            f"{checkpoint.folder}: the evaluation ended with status {status}; see its messages above."
        )


def held_out_items(
    folder: Path, tasks: str, out: Path, trained: Mapping[str, Collection[str]] | None = None
) -> Path:
    """Write the list of items that were kept from training, for ``safecot run --items``.

    Of a benchmark that was trained on, the items whose source question was held out, in every task of it; of other
    benchmarks all.

    Args:
        folder: The data folder of the checkpoint.
        tasks: As for ``--tasks``.
        out: File to write.
        trained: Benchmark to source questions that were trained on: a checkpoint's base may have learnt from other data.

    Raises:
        SafecotError: nothing was held out, or a task has no item of what was.
    """
    held = held_out_clusters(folder)
    if not held:
        raise SafecotError(
            f"{folder}: nothing was held out; build the data with --holdout, or leave out --held-out."
        )
    sources = set(read_manifest(folder)["benchmarks"]) | set(held)
    lines = []
    for task_name in selection.expand_tasks(tasks, recorded=False)[0]:
        benchmark = task_parts(task_name)[0].name
        learnt = set((trained or {}).get(benchmark, ()))
        if benchmark not in sources and not learnt:
            continue
        of_item = {item.item_id: item.cluster_id or item.item_id for item in catalogue.items_of(task_name)}
        kept = [
            item_id
            for item_id, question in of_item.items()
            if question not in learnt and (benchmark not in sources or question in held.get(benchmark, ()))
        ]
        if not kept:
            raise SafecotError(
                f"{folder}: no question of {task_name} was held out; leave out the task, or --held-out."
            )
        lines += [{"task": task_name, "item_id": item_id} for item_id in kept]
    if not lines:
        raise SafecotError(f"{folder}: none of these tasks was trained on; leave out --held-out.")
    write_jsonl(out, lines)
    return out


def capability(
    checkpoint: Checkpoint,
    output: Path,
    *,
    tasks: Sequence[str] = (),
    processes: int = 1,
    options: Sequence[str] = (),
    model_args: Sequence[str] = (),
) -> dict[str, Any]:
    """Measure general capability by the recipe's tasks and keep the scores beside the run.

    Args:
        checkpoint: What to score.
        output: Folder of all runs.
        tasks: Instead of the recipe's ``capability_tasks``.
        processes: Data-parallel processes.
        options: Further options of ``safecot run``.
        model_args: Further ``key=value`` for ``safecot_hf``.

    Returns:
        What was written to ``safecot_capability.json``.

    Raises:
        SafecotError: the evaluation failed or gave no scores.
    """
    chosen = list(tasks or _recipe_tasks(checkpoint.card))
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*_results.json")}
    extra = ["--include_path", str(_STUDY_TASKS)] if _STUDY_TASKS.is_dir() else []
    evaluate(
        checkpoint,
        ",".join(chosen),
        output,
        processes=processes,
        options=[*extra, *options],
        model_args=model_args,
    )
    written = [
        path for path in output.rglob("*_results.json") if path.stat().st_mtime_ns != before.get(path, 0)
    ]
    if not written:
        raise SafecotError(f"{output}: lmms-eval wrote no results of {', '.join(chosen)}.")
    newest = max(written, key=lambda path: path.stat().st_mtime_ns)
    scores = headline_scores(json.loads(newest.read_text(encoding="utf-8")))
    content = {"model": checkpoint.name, "results_file": newest.name, "scores": scores}
    missing = sorted(set(chosen) - {str(score["task"]) for score in scores})
    if missing:
        raise SafecotError(f"{newest}: no score of {', '.join(missing)}; see lmms-eval's messages above.")
    write_json(newest.parent / CAPABILITY, content)
    return content


def _recipe_tasks(card: CheckpointCard) -> list[str]:
    given = card.recipe.get("capability_tasks")
    if not isinstance(given, list) or not given:
        raise SafecotError(
            "The checkpoint's recipe names no 'capability_tasks'; give them with --capability-tasks."
        )
    return [str(task) for task in given]


def headline_scores(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Headline metrics of a results file, as shares of their best value.

    A task without an entry in ``METRICS`` gives its numbers as they are.

    >>> headline_scores({"results": {"pope": {"pope_accuracy,none": 0.8, "pope_recall,none": 0.7}}, "n-samples": {}})
    [{'task': 'pope', 'metric': 'pope_accuracy', 'value': 0.8, 'share': 0.8, 'n': None}]
    """
    scores = []
    for task, values in results.get("results", {}).items():
        best: dict[str, float] | None = METRICS.get(task)
        for key, value in values.items():
            metric = key.partition(",")[0]
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or "stderr" in metric or (best is not None and metric not in best):
                continue
            counts: dict[str, Any] = (results.get("n-samples") or {}).get(task) or {}
            scores.append(
                {
                    "task": task,
                    "metric": metric,
                    "value": value,
                    "share": None if best is None else value / best[metric],
                    "n": counts.get("effective"),
                }
            )
    return scores
