"""Where things are: the task folder, the data root, the cache."""

from __future__ import annotations

import os
import re
from pathlib import Path

import platformdirs

from safecot_eval.util.errors import SafecotError

CHECKPOINT_CARD = "safecot_checkpoint.json"
"""In the folder of a checkpoint that this package trained, and beside the results of its runs."""


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


def slug(name: str, *, keep: str = "", by: str = "_") -> str:
    """A name with whatever may not stand in a file's name replaced; two names may become one.

    >>> slug("Qwen/Qwen2.5-VL (web)")
    'Qwen_Qwen2.5-VL_web_'
    """
    return re.sub(rf"[^\w.+{re.escape(keep)}-]+", by, name)


def folder_name(name: str, otherwise: str = "model") -> str:
    """A folder's name for a model; never a path, hidden or empty.

    >>> folder_name("../../etc/passwd"), folder_name("Qwen/Qwen2.5-VL"), folder_name("..")
    ('etc_passwd', 'Qwen_Qwen2.5-VL', 'model')
    """
    return slug(name).strip("._") or otherwise
