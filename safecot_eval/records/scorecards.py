"""The files of scorecards: what each evaluator was worth on labelled answers, as it ships or as it was measured here.

A card is a JSON object: ``evaluator`` (as verdicts and tables spell it), ``rows`` (one per labelled set) and, where known,
``seconds_per_1000`` and ``dollars_per_1000`` answers; docs/leaderboard.md has the keys of a row. Cards that ship are in
``scorecards.json``, written by ``bench/scorecards.py``; a card of an evaluator that was measured here lies in the cache folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from safecot_eval.records.evaluator import Evaluator
from safecot_eval.util.files import write_text
from safecot_eval.util.paths import cache_dir

SCHEMA = 1
SHIPPED = Path(__file__).with_name("scorecards.json")

Card = dict[str, Any]


def save(cards: Sequence[Card], path: Path | None = None) -> list[Path]:
    """Write cards: to one file, or each to the cache folder, where pages find them.

    Raises:
        SafecotError: the place cannot be written to.
    """
    if path is not None:
        _write(path, cards)
        return [path]
    written = []
    for one in cards:
        target = _folder() / (re.sub(r"[^\w.+@-]+", "-", one["evaluator"]) + ".json")
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(target, [one])
        written.append(target)
    _known.cache_clear()
    return written


def _write(path: Path, cards: Sequence[Card]) -> None:
    content = {"schema": SCHEMA, "cards": list(cards)}
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def scorecard(evaluator: Evaluator) -> Card | None:
    """The card of an evaluator, as it ships or as it was measured on this machine; None where there is none.

    A phrase list is known by its name and the hash of its phrases, a judge by its id and rubric.
    """
    cards = _known(str(_folder()))
    if evaluator.is_list:
        return cards.get(str(Evaluator.of_list(evaluator.id)))
    return cards.get(f"{evaluator.judge}/{evaluator.rubric}")


def _folder() -> Path:
    return cache_dir() / "judge" / "scorecards"


@lru_cache(maxsize=4)
def _known(folder: str) -> dict[str, Card]:
    found: dict[str, Card] = {}
    for path in (SHIPPED, *sorted(Path(folder).glob("*.json"))):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            cards = content["cards"] if content.get("schema") == SCHEMA else []
            found |= {str(one["evaluator"]): one for one in cards if one["rows"]}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # a page is made without the card: what is shown only with one says so
    return found
