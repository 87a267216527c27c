"""One process per results folder: lmms-eval's files carry a timestamp in seconds, and a second process would mix in."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import locked
from safecot_eval.util.paths import slug

NAMING_ARGUMENTS = (
    "peft",
    "delta",
    "pretrained",
    "model",
    "model_version",
    "model_name",
    "model_id",
    "path",
    "engine",
)
"""Model arguments after which lmms-eval names its subfolder, the first that is there."""


def results_name(arguments: Mapping[str, str]) -> str:
    """Name of the subfolder that lmms-eval will write to, good enough to lock it.

    >>> results_name({"pretrained": "Qwen/Qwen2.5-VL-3B-Instruct"})
    'Qwen__Qwen2.5-VL-3B-Instruct'
    """
    chosen = next((arguments[key] for key in NAMING_ARGUMENTS if arguments.get(key)), "results")
    return slug("__".join(chosen.strip("/").split("/")[-2:])) or "results"


@contextmanager
def hold(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock of a results folder. Where what is done under it fails before anything is kept, no new folder is left.

    Args:
        folder: The journal's folder.
        name: See :func:`results_name`.

    Raises:
        SafecotError: another process holds it (its process id and machine are named), or it cannot be made.
    """
    path = folder / f"{name}.lock"
    owner = folder / f"{name}.owner"
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(path))
        except BlockingIOError as error:
            raise SafecotError(
                f"{folder.parent}: another safecot run writes {name} here{_who(owner)}; wait for it, or give this one "
                "another --output_path."
            ) from error
        except OSError as error:
            raise SafecotError(f"{path}: the lock cannot be made ({error.strerror}).") from error
        stack.callback(owner.unlink, missing_ok=True)
        owner.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        try:
            yield
        except BaseException:
            owner.unlink(missing_ok=True)
            _remove_unused(path, new)
            raise


def _remove_unused(lock: Path, new: Sequence[Path]) -> None:
    """Remove folders that were made for a lock, innermost first, while there is nothing in them but the lock."""
    with suppress(OSError):  # on Windows a file that is open stays
        if new and list(lock.parent.iterdir()) == [lock]:
            lock.unlink()
            for folder in new:
                folder.rmdir()


def _who(owner: Path) -> str:
    try:
        text = owner.read_text(encoding="utf-8")[:100]
    except OSError:
        return ""
    return f" ({text})" if text.isprintable() and text else ""
