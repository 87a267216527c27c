"""Where things are: the task folder, the data root, the cache."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from safecot_eval.util.errors import SafecotError


def tasks_dir() -> Path:
    """The folder with one subfolder per benchmark: inside the wheel, or at the top of a source checkout."""
    packaged = Path(__file__).parents[1] / "_tasks"
    if packaged.is_dir():
        return packaged
    return Path(__file__).parents[2] / "tasks"


def extra_tasks_dirs() -> list[Path]:
    """Folders of benchmarks of the user's own (``SAFECOT_TASKS_DIR``, separated as in ``PATH``).

    Raises:
        SafecotError: one of them is not a folder.
    """
    paths = [
        Path(part).expanduser() for part in os.environ.get("SAFECOT_TASKS_DIR", "").split(os.pathsep) if part
    ]
    for path in paths:
        if not path.is_dir():
            raise SafecotError(f"SAFECOT_TASKS_DIR: {path} is not a folder; correct or unset it.")
    return [path.resolve() for path in paths]


def data_dir() -> Path | None:
    """The user's own copy of the benchmark data (``SAFECOT_DATA_DIR``), or None where it is not set.

    Raises:
        SafecotError: the variable is set to a folder that does not exist.
    """
    value = os.environ.get("SAFECOT_DATA_DIR")
    if not value:
        return None
    path = Path(value).expanduser()
    if not path.is_dir():
        raise SafecotError(
            f"SAFECOT_DATA_DIR={value} is not a folder; point it at the benchmark data or unset it."
        )
    return path


def cache_dir() -> Path:
    """Downloads, rendered images, replay files and verdict caches (``SAFECOT_CACHE_DIR`` overrides)."""
    value = os.environ.get("SAFECOT_CACHE_DIR")
    return Path(value).expanduser() if value else Path(platformdirs.user_cache_dir("safecot-eval"))
