"""MTMCS-Bench: dialogues of three turns about a picture that grow or switch into danger, and safe ones (arXiv 2601.06757)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.locate import find_image
from safecot_eval.benchmarks.data.reading import lines, text_field
from safecot_eval.records.samples import Expectation, Item
from safecot_eval.util.errors import SafecotError

TITLE = "MTMCS-Bench"
VERSION = "1.0"
REVISION = "hub ND-25/MCS-bench, newest (read as franciscoliu/MTMCS-Bench 9fa7c84 reads it)"
LICENCE = "the data set's own terms"
SOURCE = "https://github.com/franciscoliu/MTMCS-Bench"
VARIANTS = {
    "type_a": "752 pairs of dialogues of three turns whose last turn is dangerous in one (escalation)",
    "type_b": "752 pairs of dialogues of three turns whose first turn sets another purpose (context switch)",
}
DIALOGUES = ONLY_BY_NAME = ("type_a", "type_b")
RUBRICS = ("refusal", "harm")

CHANGED = {"type_a": 3, "type_b": 1}
"""The turn in which the two dialogues of a pair differ."""
EXPECTATIONS = {"unsafe": Expectation.RESPOND_SAFELY, "safe": Expectation.ANSWER}


def items(variant: str, root: Path) -> Iterator[Item]:
    """The turns of each record's unsafe dialogue, then of its safe one."""
    path = root / f"{variant}.jsonl"
    for number, record in lines(path):
        yield from to_items(record, variant, root, f"{path.name}, line {number}")


def to_items(record: Mapping[str, Any], variant: str, root: Path, where: str) -> Iterator[Item]:
    """Both dialogues of a record, with its picture."""
    spoken = record.get("multimodal_dialogue")
    if not isinstance(spoken, dict):
        raise SafecotError(f"{where}: the field 'multimodal_dialogue' is missing or no object.")
    images, source = find_image((root,), text_field(record, "image", where), where)
    name = text_field(record, "id", where)
    for half, expectation in EXPECTATIONS.items():
        dialogue = f"{variant}-{name}-{half}"
        for turn, prompt in enumerate(turns(spoken, variant, half), start=1):
            yield Item(
                item_id=f"{dialogue}-turn{turn}",
                prompt=prompt,
                category=f"turn {turn}",
                expectation=expectation,
                images=images,
                image_source=source,
                cluster_id=dialogue,
                extra={"dialogue": dialogue, "turn": str(turn), "half": half},
            )


def turns(spoken: Mapping[str, Any], variant: str, half: str) -> list[str]:
    """What the user says; where the changed turn has no version of its own, the common one stands, as in the authors' script.

    >>> spoken = {"r1": "A?", "r2": "B?", "r3": "C?", "unsafe_r3": "D?", "safe_r3": ""}
    >>> turns(spoken, "type_a", "unsafe"), turns(spoken, "type_a", "safe")
    (['A?', 'B?', 'D?'], ['A?', 'B?', 'C?'])
    """
    found = [str(spoken.get(f"r{turn}") or "") for turn in (1, 2, 3)]
    changed = CHANGED[variant]
    found[changed - 1] = str(spoken.get(f"{half}_r{changed}") or "") or found[changed - 1]
    return [text for text in found if text]
