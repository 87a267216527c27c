"""Where a row comes from: command, versions, hashes, limits, and the SafeCoT checkpoint behind it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from safecot_eval.aggregate.columns import CompactRun
from safecot_eval.aggregate.described import described
from safecot_eval.records.json_files import read_small_json
from safecot_eval.records.run import Run, model_arguments
from safecot_eval.util.paths import CHECKPOINT_CARD

CAPABILITY_FILE = "safecot_capability.json"
_TRAINING_KEYS = (
    "variant",
    "samples",
    "train_loss",
    "loss_history",
    "validation_history",
    "probe_history",
    "recipe",
    "recipe_hash",
    "data_manifest_hash",
    "seed",
    "base_model",
    "in_distribution_categories",
    "in_distribution_benchmarks",
)

_LISTS = ("in_distribution_categories", "in_distribution_benchmarks")


def provenance(run: Run) -> dict[str, Any]:
    """What it takes to repeat a run, from lmms-eval's results file (missing parts are None)."""
    if isinstance(run, CompactRun):
        return run.described()
    results = run.results
    given = results.get("config")
    config: dict[str, Any] = given if isinstance(given, dict) else {}
    arguments = model_arguments(config)
    versions = results.get("versions")
    return {
        "model": run.model,
        "task": run.task,
        "stamp": run.timestamp,
        "file": run.samples_path.name,
        "command": _command(run, config, arguments),
        "limit": config.get("limit"),
        "lmms_eval": results.get("lmms_eval_version"),
        "task_version": versions.get(run.task) if isinstance(versions, dict) else None,
        "date": results.get("date"),
        "max_new_tokens": run.max_new_tokens,
        "results_file": bool(results),
        "training": _training(run, arguments),
        "capability": _capability(run.folder / CAPABILITY_FILE),
        "described": described(run),
    }


def _command(run: Run, config: dict[str, Any], arguments: dict[str, str]) -> str | None:
    kept = run.provenance.get("command")
    if any(run.provenance.get(key) for key in ("card", "preset", "decoding", "imported")) and isinstance(
        kept, list
    ):
        return shlex.join(map(str, kept))  # lmms-eval's own command would lack the preset, or the import
    if not config.get("model"):
        return None
    given = ",".join(f"{key}={value}" for key, value in arguments.items())
    parts = ["lmms-eval", "eval", "--model", str(config["model"])]
    if given:
        parts += ["--model_args", given]
    parts += ["--tasks", run.task, "--log_samples", "--output_path", "runs"]
    for name in ("batch_size", "limit", "gen_kwargs"):
        if config.get(name):
            parts += [f"--{name}", str(config[name])]
    return shlex.join(parts)


def _training(run: Run, arguments: dict[str, str]) -> dict[str, Any] | None:
    places = [run.folder / CHECKPOINT_CARD]
    places += [Path(arguments[key]) / CHECKPOINT_CARD for key in ("peft", "pretrained") if arguments.get(key)]
    for place in places:
        content = read_small_json(place, spell=True)
        if content:
            training = {key: content.get(key) for key in _TRAINING_KEYS}
            for key in _LISTS:  # the page asks them for their members
                found = training[key]
                training[key] = [str(name) for name in found] if isinstance(found, list) else []
            return training | {"capability": _capability(run.folder / CAPABILITY_FILE)}
    return None


def _capability(path: Path) -> dict[str, Any] | None:
    """Share of the best score per task and over tasks, from ``safecot train eval --capability``."""
    scores = (read_small_json(path) or {}).get("scores")
    shares: dict[str, list[float]] = {}
    for score in scores if isinstance(scores, list) else []:
        share = score.get("share") if isinstance(score, dict) else None
        if isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share <= 1:
            shares.setdefault(str(score.get("task")), []).append(float(share))
    tasks = {task: sum(values) / len(values) for task, values in sorted(shares.items())}
    return {"mean": sum(tasks.values()) / len(tasks), "tasks": tasks} if tasks else None
