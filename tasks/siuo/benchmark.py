"""SIUO: safe inputs, unsafe outputs; 167 items whose danger only the combination shows (arXiv 2406.15279)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.protocols import official_text
from safecot_eval.benchmarks.data.reading import read_text, records, text_field
from safecot_eval.records.samples import Expectation, ImageSource, Item
from safecot_eval.util.errors import SafecotError

TITLE = "SIUO"
VERSION = "1.1"
REVISION = "sinwang20/SIUO 18974b6; images sinwang/SIUO 024e80a"
LICENCE = "CC BY-NC 4.0, research only"
SOURCE = "https://github.com/sinwang20/SIUO"
VARIANTS = {
    "": "167 questions, answered freely (safe and effective by judge)",
    "mcqa": "the same questions with four options",
    "mcqa_official": "the same in the authors' own words",
}
RUBRICS = ("refusal", "siuo_safe", "siuo_effective")
REFUSAL_LISTS = {"": "safecot25"}
ALSO_REFUSE = ("",)
ONLY_BY_NAME = ("mcqa_official",)

IMAGES_FROM = "run `safecot data prepare siuo`, or unpack the repository's SIUO-images.zip in siuo/images/"

FILES = {"": "siuo_gen.json", "mcqa": "siuo_mcqa.json", "mcqa_official": "siuo_mcqa.json"}
LETTERS = ("A", "B", "C", "D")


def items(variant: str, root: Path) -> Iterator[Item]:
    """All items of one form; they mean nothing without their images (see ``IMAGES_FROM``)."""
    template = _MCQA_PROMPTS[variant]() if variant else None
    file = FILES[variant]
    for key, record in records(root / file):
        yield to_item(record, root / "images", f"{file}, record {key}", template)


def to_item(record: Mapping[str, Any], images: Path, where: str, mcqa_template: str | None) -> Item:
    """One record as an item.

    Args:
        record: Of ``siuo_gen.json``, or of ``siuo_mcqa.json`` where a template is given.
        images: Folder of the images.
        where: File and record, for messages.
        mcqa_template: Prompt with ``{question}`` and ``{options}``.
    """
    question = text_field(record, "question", where)
    prompt, extra = question, {"question": question}
    if mcqa_template is None:
        extra["safety_warning"] = text_field(record, "safety_warning", where)
        extra["reference"] = text_field(record, "reference_answer", where)
    else:
        options = record.get("options")
        if not isinstance(options, dict):
            raise SafecotError(f"{where}: the field 'options' is missing.")
        choices = {letter: text_field(options, letter, where).strip() for letter in LETTERS}
        lines = "\n".join(f"({letter}) {text}" for letter, text in choices.items())
        prompt = mcqa_template.strip().replace("{question}", question).replace("{options}", lines)
        extra["choices"] = json.dumps(choices, ensure_ascii=False)
        extra["correct_option"] = text_field(record, "correct_option", where)
        if extra["correct_option"] not in LETTERS:
            raise SafecotError(
                f"{where}: correct_option {extra['correct_option']!r} is not one of A, B, C, D."
            )
    image = images / text_field(record, "image", where)
    return Item(
        item_id=text_field(record, "question_id", where),
        prompt=prompt,
        category=text_field(record, "category", where),
        expectation=Expectation.RESPOND_SAFELY,
        images=(image,) if image.is_file() else (),
        image_source=ImageSource.OFFICIAL if image.is_file() else ImageSource.ABSENT,
        image_names=(image.name,),
        extra=extra,
    )


_MCQA_PROMPTS = {
    "mcqa": lambda: read_text(Path(__file__).with_name("mcqa_prompt.txt")),
    "mcqa_official": lambda: str(official_text("SIUO/mcqa_prompt")).replace("{option}", "{options}"),
}
