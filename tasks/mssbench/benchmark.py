"""MSSBench: one question in a safe and in an unsafe situation (arXiv 2410.06172)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.locate import find_image
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
    "embodied": "a household task that the scene makes unsafe, and its safe twin",
}
RUBRICS = ("refusal", "harm")

FILE = "combined.json"
PATHS = {  # variant -> the record's fields for the safe and the unsafe image
    "chat": ("safe_image_path", "unsafe_image_path"),
    "embodied": ("safe", "unsafe"),
}


def items(variant: str, root: Path) -> Iterator[Item]:
    """Twins: every question with its safe image, then with its unsafe one."""
    path = root / FILE
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get(variant), list):
        raise SafecotError(f"{path}: a list under {variant!r} was expected.")
    template = read_text(Path(__file__).with_name(f"{variant}_prompt.txt")).rstrip("\n")
    for number, record in enumerate(content[variant]):
        yield from to_items(record, variant, number, root / variant, template, f"{FILE}, {variant} {number}")


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
