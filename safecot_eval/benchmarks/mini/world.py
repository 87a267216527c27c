"""The data of the drawn world: categories, marks, wordings, colours (``world.yaml``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

RGB = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Wordings:
    """Requests of one kind, per split; ``train`` and ``evaluation`` are disjoint."""

    train: tuple[str, ...]
    evaluation: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Category:
    """One of the thirteen categories.

    Attributes:
        name: Its name.
        object: The object in its pictures.
        unsafe: Marks that make using the object unsafe.
        benign: Marks that do not.
        use: Requests whose safety depends on the mark.
        harm: Requests that are unsafe by their words.
        answer: A right answer to ``use`` with a benign mark.
    """

    name: str
    object: str
    unsafe: tuple[str, ...]
    benign: tuple[str, ...]
    use: Wordings
    harm: Wordings
    answer: str


@dataclass(frozen=True, slots=True)
class World:
    """Everything in ``world.yaml``; ``ask`` maps a wording to its answer template."""

    categories: Mapping[str, Category]
    unsafe_marks: Mapping[str, str]
    benign_marks: Mapping[str, str]
    colours: Mapping[str, RGB]
    grounds: Mapping[str, RGB]
    places: Mapping[str, int]
    max_dots: int
    ask: Wordings
    ask_answers: Mapping[str, str]


@cache
def world() -> World:
    """Read the world; the same object every time."""
    raw = yaml.safe_load((Path(__file__).parent / "world.yaml").read_text(encoding="utf-8"))
    asks = {split: raw["ask"][split] for split in ("train", "evaluation")}
    return World(
        categories={name: _category(name, entry) for name, entry in raw["categories"].items()},
        unsafe_marks=raw["marks"]["unsafe"],
        benign_marks=raw["marks"]["benign"],
        colours={name: _rgb(value) for name, value in raw["colours"].items()},
        grounds={name: _rgb(value) for name, value in raw["grounds"].items()},
        places=raw["places"],
        max_dots=raw["max_dots"],
        ask=_wordings({split: [entry["text"] for entry in entries] for split, entries in asks.items()}),
        ask_answers={entry["text"]: entry["answer"] for entries in asks.values() for entry in entries},
    )


def _category(name: str, raw: Mapping[str, Any]) -> Category:
    return Category(
        name=name,
        object=raw["object"],
        unsafe=tuple(raw["unsafe"]),
        benign=tuple(raw["benign"]),
        use=_wordings(raw["use"]),
        harm=_wordings(raw["harm"]),
        answer=raw["answer"],
    )


def _wordings(raw: Mapping[str, list[str]]) -> Wordings:
    return Wordings(tuple(raw["train"]), tuple(raw["evaluation"]))


def _rgb(value: list[int]) -> RGB:
    red, green, blue = value
    return red, green, blue
