"""Small copies of the samples' images, for pages that may hold them (``--images``).

Opt-in, because most benchmarks forbid passing their images on. A picture is taken only from a file whose hash is the
one that the run recorded, so that the page shows what the model saw.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks import catalogue
from safecot_eval.benchmarks.images import inspect, open_image
from safecot_eval.util.errors import SafecotError

SIDE = 384
"""Longest side of a copy, in pixels."""


def thumbnails(samples: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Copies of the images of samples, as data URIs by the first 16 digits of the file's hash.

    Args:
        samples: As :func:`safecot_reports.selection.samples_of` gives them.

    Returns:
        The images that are on disk unchanged; the others are absent.
    """
    wanted: dict[str, dict[str, set[str]]] = {}
    for sample in samples:
        if sample["images"]:
            wanted.setdefault(sample["task"], {}).setdefault(sample["item"], set()).update(sample["images"])
    found: dict[str, str] = {}
    for task, items in wanted.items():
        for item_id, paths in _paths_of(task).items():
            for path in paths if item_id in items else ():
                name = inspect(path).sha256[:16]
                if name in items[item_id] and name not in found:
                    found[name] = _copy(path)
    return found


def _paths_of(task: str) -> dict[str, tuple[Path, ...]]:
    """Image files by item; empty if the task's data are not on this machine."""
    try:
        return {str(item.item_id): item.images for item in catalogue.items_of(task)}
    except SafecotError:
        return {}


def _copy(path: Path) -> str:
    image = open_image(path)
    image.thumbnail((SIDE, SIDE))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=75)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
