"""What the page says about a model from its card, and about a prompting preset: pairs of a label and a sentence.

Both travel in ``<stamp>_run.json`` beside a run's results. The file may have been edited or damaged, so that every value is
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
    """Label and sentence for everything that a card or a preset says; empty for runs without either."""
    return [*_card(run.provenance.get("card")), *_preset(run.provenance.get("preset"))]


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


def _text(value: Any) -> str:
    return printable(str(value))[:LONGEST]
