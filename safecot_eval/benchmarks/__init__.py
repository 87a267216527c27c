"""Benchmark folders: their registry, the catalogue of items, selections by name and tag, images, and data preparation."""

from __future__ import annotations

from typing import Any

from safecot_eval import _moved


def __getattr__(name: str) -> Any:
    """Names of 0.1.0, in which this package was a module."""
    return _moved.old_name(__name__, name)
