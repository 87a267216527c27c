"""``<timestamp>_run.json``: what it takes to repeat a run, written beside lmms-eval's results."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safecot_eval import __version__
from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.util.files import sha256, write_json
from safecot_eval.util.secrets import secret_free

if TYPE_CHECKING:
    from safecot_eval.generate.journal.session import Session

SCHEMA = 1
PACKAGES = (
    "lmms-eval",
    "torch",
    "transformers",
    "datasets",
    "peft",
    "vllm",
    "openai",
    "pillow",
)


def describe(
    folder: Path,
    timestamp: str,
    *,
    argv: Sequence[str],
    task_names: Sequence[str],
    session: Session,
    results: Mapping[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """Gather the provenance of a run from its own files and this process.

    Args:
        folder: Where the results were published.
        timestamp: Their timestamp.
        argv: The command line; secrets are masked here.
        task_names: Our tasks.
        session: The journal's session.
        results: What lmms-eval returned.
        seconds: Wall time of the whole run.

    Returns:
        A JSON-ready dict without secrets.
    """
    tally = session.tally
    config = results.get("config")
    return {
        "schema": SCHEMA,
        "command": ["safecot", *secret_free(argv)],
        "python": platform.python_version(),
        # Ours as the code says it: an editable install keeps the version that it was installed with.
        "packages": {"safecot-eval": __version__}
        | {name: found for name in PACKAGES if (found := _version(name))},
        "git": git_state(Path(__file__).parent),
        "model_identity": session.identity,
        "files": {
            path.name: sha256(path)
            for path in (
                folder / f"{timestamp}_results.json",
                *(_samples(folder, timestamp, task_name) for task_name in task_names),
            )
        },
        "tasks": {task_name: _task(_samples(folder, timestamp, task_name)) for task_name in task_names},
        "seeds": {
            key: config[key]
            for key in ("random_seed", "numpy_seed", "torch_seed", "fewshot_seed")
            if isinstance(config, Mapping) and key in config
        },
        "hardware": hardware(),
        "processes": int(os.environ.get("WORLD_SIZE") or 1),
        "passes": {
            "generate": {
                "seconds": round(session.seconds, 3),
                "requests": tally.asked,
                "from_journal": tally.kept,
                "failed": tally.failed,
                "blocked_by_provider": tally.blocked,
                "input_tokens": tally.input_tokens,
                "output_tokens": tally.output_tokens,
                "chunk": tally.chunk,
                **({"adapted": adapted} if (adapted := session.adapted()) else {}),
            },
            "all": {"seconds": round(seconds, 3)},
        },
    }


def write(folder: Path, timestamp: str, content: Mapping[str, Any]) -> Path:
    """Write ``<timestamp>_run.json``, whole or not at all.

    Raises:
        SafecotError: it cannot be written.
    """
    path = folder / f"{timestamp}_run.json"
    write_json(path, content, indent=1, ensure_ascii=True)
    return path


def _samples(folder: Path, timestamp: str, task_name: str) -> Path:
    return folder / f"{timestamp}_samples_{task_name}.jsonl"


def _task(path: Path) -> dict[str, Any]:
    """Versions and a hash over the sample ids of one samples file."""
    ids = hashlib.sha256()
    found: dict[str, Any] = {"samples": 0}
    lists: set[str] = set()
    judges: set[str] = set()
    for _, line in enumerate_jsonl(path):
        record = line.get("safecot")
        if not isinstance(record, dict):  # --predict_only
            continue
        ids.update(str(record["sample_id"]).encode())
        found["samples"] += 1
        for key in ("benchmark_version", "data_revision", "image_source"):
            found[key] = record.get(key)
        lists.add(record["refusal"]["list"])
        judges.update(
            f"{verdict['judge']}/{verdict['rubric']}@{verdict.get('rubric_hash', '')}"
            for verdict in record["verdicts"]
        )
    return {
        **found,
        "sample_ids_sha256": ids.hexdigest(),
        "phrase_lists": sorted(lists),
        "judges": sorted(judges),
    }


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit and dirtiness of the checkout that a folder is in; None if there is none."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return {
            "commit": commit,
            "dirty": bool(_git(folder, "status", "--porcelain", "--untracked-files=no")),
        }
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout.strip()


def hardware() -> dict[str, Any]:
    """Processor, memory and accelerators."""
    import psutil

    found: dict[str, Any] = {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "accelerators": [],
    }
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found["accelerators"] = [
            torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())
        ]
    return found


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
