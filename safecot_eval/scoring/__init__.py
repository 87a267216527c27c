"""From one generation to one scored record: reasoning split off, refusal phrases, choices, per-sample metrics."""

from __future__ import annotations

from typing import Any

from safecot_eval import _moved


def __getattr__(name: str) -> Any:
    """Names of 0.1.0, in which this package was a module."""
    return _moved.old_name(__name__, name)
