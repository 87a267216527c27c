"""What makes two generations the same: model, arguments, checkpoint, settings, prompt, images."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from safecot_eval.util.files import content_hash, sha256_of
from safecot_eval.util.secrets import is_secret

SCHEMA = 1
_WHOLE_UP_TO = 64 * 2**20
_BLOCK, _BLOCKS = 2**20, 64

WITHOUT_EFFECT = frozenset(
    {
        "name",
        "batch_size",
        "max_batch_size",
        "num_concurrent",
        "num_cpus",
        "timeout",
        "max_retries",
        "retry_backoff_s",
        "adaptive_concurrency",
        "work_dir",
        "workers",
    }
)
"""Model arguments that say how fast to ask, not what."""

GENERATION_OPTIONS = (
    "--system_instruction",
    "--apply_chat_template",
    "--fewshot_as_multiturn",
    "--num_fewshot",
    "--force_simple",
    "--seed",
)
"""Options of lmms-eval that change what is generated (``--gen_kwargs`` arrives with each request)."""


def model_identity(model: str, arguments: Mapping[str, str], options: Sequence[str] = ()) -> str:
    """Hash of everything about a model that decides its answers.

    Files and folders that arguments name (checkpoints, system prompts, chat templates) count by content; hub ids by
    the commit that the local cache resolves them to. Secrets and arguments of speed do not count.

    Args:
        model: lmms-eval's model id.
        arguments: Its arguments.
        options: Further command-line arguments; those of ``GENERATION_OPTIONS`` count, with the words after them.

    Returns:
        16 hexadecimal digits.

    >>> one = model_identity("openai", {"model": "m", "api_key": "a"})
    >>> one == model_identity("openai", {"model": "m", "api_key": "b", "num_concurrent": "9"})
    True
    >>> one == model_identity("openai", {"model": "n"})
    False
    """
    counted = {
        key: [value, fingerprint(value, arguments.get("revision"))]
        for key, value in sorted(arguments.items())
        if key not in WITHOUT_EFFECT and not is_secret(key)
    }
    content = [SCHEMA, model, counted, _generation_options(options), _version("lmms-eval")]
    return content_hash(content)[:16]


def request_key(request: Any, document: Mapping[str, Any], occurrence: int) -> str:
    """Hash of one request to a model.

    Args:
        request: lmms-eval's ``Instance``.
        document: The row that it is about. Ours carry ``sample_id``, which covers prompt and images; of other tasks
            the whole row is hashed.
        occurrence: How often the same request came before in this run (``--repeats``).

    Returns:
        32 hexadecimal digits.
    """
    settings = next((part for part in request.args if isinstance(part, dict)), {})
    if "sample_id" in document:
        asked = [document["sample_id"], document.get("image_source"), document.get("image_error")]
    else:
        asked = [_plain(document)]
    content = [request.task_name, asked, str(request.args[0]), _plain(settings), occurrence]
    return content_hash(content)[:32]


def fingerprint(value: str, revision: str | None = None) -> str | None:
    """What a model argument stands for, where it names something on disk.

    Files up to 64 MiB are hashed whole; of larger ones 64 blocks, the size and the time of the last change.

    Returns:
        A hash, the commit of a hub id, or None.
    """
    path = Path(value).expanduser()
    try:
        if path.is_file():
            return _file_hash(path)
        if path.is_dir():
            return _folder_hash(path)
    except OSError:
        return "unreadable"
    return _cached_commit(value, revision) if value.count("/") == 1 else None


def _folder_hash(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return content_hash([[str(path.relative_to(folder)), _file_hash(path)] for path in files])[:32]


def _file_hash(path: Path) -> str:
    stat = path.stat()
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        if stat.st_size <= _WHOLE_UP_TO:
            while block := stream.read(_BLOCK):
                digest.update(block)
        else:
            digest.update(f"{stat.st_size} {stat.st_mtime_ns}".encode())
            for number in range(_BLOCKS):
                stream.seek(number * (stat.st_size - _BLOCK) // (_BLOCKS - 1))
                digest.update(stream.read(_BLOCK))
    return digest.hexdigest()[:32]


def _cached_commit(repository: str, revision: str | None) -> str | None:
    try:
        from huggingface_hub.constants import HF_HUB_CACHE
    except ImportError:
        return None
    reference = f"models--{repository.replace('/', '--')}/refs/{revision or 'main'}"
    try:
        return Path(HF_HUB_CACHE, reference).read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _generation_options(arguments: Sequence[str]) -> list[str]:
    kept: list[str] = []
    taking = False
    for argument in arguments:
        if argument.startswith("--"):
            taking = argument.split("=", 1)[0].replace("-", "_").replace("__", "--", 1) in GENERATION_OPTIONS
        if taking:
            kept.append(argument)
    return kept


def _plain(value: Any) -> Any:
    """A value as JSON can hold it; images and other objects by their bytes."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if hasattr(value, "tobytes"):
        shape = getattr(value, "size", None) or getattr(value, "shape", None)
        return [str(shape), sha256_of(value.tobytes())]
    if isinstance(value, os.PathLike | bytes):
        return repr(value)
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
