"""What the page says about a model from its card, and about its prompt and decoding: pairs of a label and a sentence.

They travel in ``<timestamp>_run.json`` beside a run's results. The file may have been edited or damaged, so that every value is
checked for its kind and cut.
"""

from __future__ import annotations

from typing import Any

from safecot_eval.records.run import Run
from safecot_eval.util.terminal import printable

LONGEST = 400
DIFFERENCES = {
    "image_limit": "Image size",
    "system_prompt": "System prompt",
    "sampling": "Sampling",
    "content_filter": "Content filter",
    "reasoning": "Reasoning",
}
"""Keys of a card's differences, and what the page calls them."""


def described(run: Run) -> list[list[str]]:
    """Label and sentence for everything that a card, a preset or a decoding says; empty for runs without any."""
    kept = run.provenance
    found = [*_card(kept.get("card")), *_preset(kept.get("preset")), *_decoding(kept.get("decoding"))]
    return [*found, ["Protocol", _text(kept["protocol"])]] if kept.get("protocol") else found


def _card(card: Any) -> list[list[str]]:
    if not isinstance(card, dict):
        return []
    unverified = card.get("unverified")
    doubted = set(map(str, unverified)) if isinstance(unverified, list) else set()

    def said(key: str) -> str:
        value = card.get(key)
        return f"{_text(value)}{' (unverified)' if key in doubted else ''}" if value else ""

    facts = [part for part in map(said, ("provider", "licence", "released")) if part]
    found = [["Model", "; ".join(facts)]] if facts else []
    differences = card.get("differences")
    for key, label in DIFFERENCES.items():
        value = differences.get(key) if isinstance(differences, dict) else None
        if value:
            mark = " (unverified)" if doubted & {key, "differences"} else ""
            found.append([label, f"{_text(value)}{mark}"])
    return found


def _preset(preset: Any) -> list[list[str]]:
    if not isinstance(preset, dict):
        return []
    words = f"{_text(preset.get('title'))} ({_text(preset.get('id'))}, {_text(preset.get('sha256'))[:8]})"
    steps = preset.get("steps")
    if isinstance(steps, dict) and steps:
        words += "; " + ", ".join(
            f"{_text(name).replace('_', ' ')} {_text(count)}" for name, count in steps.items()
        )
    return [["Prompting preset", words]]


def _decoding(decoding: Any) -> list[list[str]]:
    if not isinstance(decoding, dict):
        return []
    words = (
        f"{_text(decoding.get('title'))} ({_text(decoding.get('id'))}, {_text(decoding.get('sha256'))[:8]})"
    )
    settings = decoding.get("settings")
    if isinstance(settings, dict):
        words += "".join(f"; {_text(name)} {_text(value)}" for name, value in settings.items())
    if decoding.get("seed") is not None:
        words += f"; seed {_text(decoding['seed'])}"
    return [["Decoding", words]]


def _text(value: Any) -> str:
    return printable(str(value))[:LONGEST]
