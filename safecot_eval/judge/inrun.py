"""In-run judging: what happens when a judge is configured in the environment (``SAFECOT_JUDGE_URL``)."""

from __future__ import annotations

from typing import Any


def describe() -> str | None:
    """Name the configured judge; None where there is none."""
    return None


def check() -> None:
    """Raise SafecotError where a judge is configured and cannot be used."""


def verdicts(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Verdicts on one record; empty where no judge is configured."""
    return []
