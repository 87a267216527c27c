"""MSSBench: one question in a safe and in an unsafe situation (arXiv 2410.06172)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.locate import find_image
from safecot_eval.benchmarks.data.protocols import official_text
from safecot_eval.benchmarks.data.reading import read_json, read_text, text_field
from safecot_eval.records.samples import Expectation, Item
from safecot_eval.util.errors import SafecotError

TITLE = "MSSBench"
VERSION = "1.0"
REVISION = "hub kzhou35/mssbench 4d25292 (data v1.0)"
LICENCE = "MIT (repository); none stated at the data set"
SOURCE = "https://github.com/eric-ai-lab/MSSBench"
VARIANTS = {
    "chat": "a question in two places, safe in one of them",
    "chat_first": "the first question of each of chat's 300 pairs, without a frame: SafeCoT's test set",
    "embodied": "a household task that the scene makes unsafe, and its safe twin",
    "chat_official": "chat in the authors' own frame",
    "embodied_official": "embodied in the authors' own frame",
}
RUBRICS = ("refusal", "harm")
ONLY_BY_NAME = ("chat_official", "embodied_official")
RUBRICS_OF = {name: ("refusal", "harm", "mssbench") for name in VARIANTS if name != "chat_first"}
OFFICIAL_FRAMES = {"chat": "MSSBench/PROMPT_CHAT_IF", "embodied": "MSSBench/PROMPT_EMBODIED_IF"}
REFUSAL_LISTS = {"chat_first": "safecot25"}

FILE = "combined.json"
FIRST_QUERIES = "combined_first_queries.json"
"""The same layout with chat's first queries only, as they can be read off SafeCoT's recorded runs."""
PATHS = {  # variant -> the record's fields for the safe and the unsafe image
    "chat": ("safe_image_path", "unsafe_image_path"),
    "embodied": ("safe", "unsafe"),
}


def items(variant: str, root: Path) -> Iterator[Item]:
    """Twins: every question with its safe image, then with its unsafe one."""
    if variant == "chat_first":
        yield from _first(root)
        return
    variant, _, official = variant.partition("_")
    if official:
        template = official_text(OFFICIAL_FRAMES[variant]) + "{question}"
    else:
        template = read_text(Path(__file__).with_name(f"{variant}_prompt.txt")).rstrip("\n")
    for number, record, where in _records(root / FILE, variant):
        yield from to_items(record, variant, number, root / variant, template, where)


def _first(root: Path) -> Iterator[Item]:
    """The first question of every pair, word for word."""
    path = root / FILE
    if not path.is_file() and (root / FIRST_QUERIES).is_file():
        path = root / FIRST_QUERIES
    for number, record, where in _records(path, "chat"):
        yield from list(to_items(record, "chat", number, root / "chat", "{question}", where))[:2]


def _records(path: Path, variant: str) -> Iterator[tuple[int, Mapping[str, Any], str]]:
    """Number, record, and how a message names it.

    Raises:
        SafecotError: the file is missing or has another layout.
    """
    content = read_json(path)
    listed = content.get(variant) if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise SafecotError(
            f"{path}: not MSSBench's layout: an object with a list of records under {variant!r} was expected; "
            "download the file again."
        )
    for number, record in enumerate(listed):
        where = f"{path.name}, {variant} {number}"
        if not isinstance(record, dict):
            raise SafecotError(f"{where}: an object was expected, not {type(record).__name__}.")
        yield number, record, where


def to_items(
    record: Mapping[str, Any], variant: str, number: int, images: Path, template: str, where: str
) -> Iterator[Item]:
    """All twins of a record; questions about the same two images are one cluster."""
    category = str(record.get("Type") or record.get("category") or variant)
    for index, (safe, unsafe) in enumerate(questions(record, variant, where)):
        pair = f"{variant}-{number}-{index}"
        for half, question, field in zip(("safe", "unsafe"), (safe, unsafe), PATHS[variant], strict=True):
            found, source = find_image((images,), text_field(record, field, where), where)
            yield Item(
                item_id=f"{pair}-{half}",
                prompt=template.replace("{question}", question),
                category=category,
                expectation=Expectation.ANSWER if half == "safe" else Expectation.REFUSE,
                images=found,
                image_source=source,
                image_names=(text_field(record, field, where),),
                cluster_id=f"{variant}-{number}",
                pair_id=pair,
                extra={"question": question, "intent": str(record.get("intent") or record.get("task") or "")},
            )


def questions(record: Mapping[str, Any], variant: str, where: str) -> list[tuple[str, str]]:
    """The wordings for the safe and the unsafe image; in ``chat`` they are the same.

    >>> questions({"queries": ["How do I start a fire?"]}, "chat", "here")
    [('How do I start a fire?', 'How do I start a fire?')]
    """
    if variant == "chat":
        safe = unsafe = record.get("queries")
    else:
        safe = record.get("safe_instructions") or [record.get("safe_instruction")]
        unsafe = record.get("unsafe_instructions") or [record.get("unsafe_instruction")]
    for found in (safe, unsafe):
        if not isinstance(found, list) or not found or not all(isinstance(one, str) and one for one in found):
            raise SafecotError(f"{where}: the questions are missing or not a list of texts.")
    if len(safe) != len(unsafe):
        raise SafecotError(f"{where}: {len(safe)} safe and {len(unsafe)} unsafe instructions do not pair.")
    return list(zip(safe, unsafe, strict=True))
