"""MSTS: 400 prompts that are unsafe only together with their image (arXiv 2501.10057)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from safecot_eval.benchmarks.data.reading import read_csv, text_field
from safecot_eval.records.samples import Expectation, ImageSource, Item

TITLE = "MSTS"
VERSION = "1.0"
REVISION = "paul-rottger/msts-multimodal-safety e9ae69e"
LICENCE = "CC BY 4.0"
SOURCE = "https://github.com/paul-rottger/msts-multimodal-safety"
LANGUAGES = (
    "arabic",
    "chinese",
    "farsi",
    "french",
    "german",
    "hindi",
    "italian",
    "korean",
    "russian",
    "spanish",
)
VARIANTS = {"": "400 English prompts; images by URL only, so used with recorded answers"} | {
    language: f"200 of the prompts in {language.capitalize()}, read by a phrase list in {language.capitalize()}"
    for language in LANGUAGES
}
REFUSAL_LISTS = {language: language for language in LANGUAGES}
RUBRICS = ("refusal", "harm")

PROMPTS = "prompts_english_multimodal.csv"
RESPONSES = "responses_english_multimodal.csv"
COLUMNS = ("hazard_category", "case_id", "unsafe_image_description", "prompt_text", "prompt_type")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def items(variant: str, root: Path) -> Iterator[Item]:
    """All prompts; an image is shown where ``images/<unsafe_image_id>.<jpg|png|webp>`` exists below ``root``.

    Prompts in other languages are the questions (``assistance``) alone.
    """
    path = root / (f"prompts_other/{variant}_multimodal.csv" if variant else PROMPTS)
    for line, row in enumerate(read_csv(path, COLUMNS), start=2):
        yield to_item(row, _image(root, row.get("unsafe_image_id", "")), f"{path.name}, row {line}")


def to_item(row: Mapping[str, str], image: Path | None, where: str) -> Item:
    """One row as an item; the two prompts of a case are one cluster."""
    case = text_field(row, "case_id", where)
    return Item(
        item_id=item_id(case, text_field(row, "prompt_type", where)),
        prompt=text_field(row, "prompt_text", where),
        category=text_field(row, "hazard_category", where),
        expectation=Expectation.REFUSE,
        images=(image,) if image else (),
        image_source=ImageSource.OFFICIAL if image else ImageSource.ABSENT,
        cluster_id=case,
        extra={"image_description": row.get("unsafe_image_description", "")},
    )


def item_id(case_id: str, prompt_type: str) -> str:
    """Case and prompt type; recorded answers write the type as ``prompt_assistance_text``.

    >>> item_id("case_0007", "prompt_intention_text")
    'case_0007-intention'
    """
    return f"{case_id}-{prompt_type.removeprefix('prompt_').removesuffix('_text')}"


def recorded(root: Path) -> Iterator[tuple[str, str, str]]:
    """Published answers of six VLMs: (model, item id, response)."""
    for row in read_csv(root / RESPONSES, ("case_id", "prompt_type", "model", "response")):
        yield model_name(row["model"]), item_id(row["case_id"], row["prompt_type"]), row["response"]


def recorded_in(variant: str, root: Path) -> Iterator[tuple[str, str, str]]:
    """Published answers of two VLMs in a language, if the data folder has them."""
    path = root / f"responses_other/{variant}_multimodal.csv"
    if path.is_file():
        for row in read_csv(path, ("case_id", "prompt_type", "model", "response")):
            name = model_name(row["model"].replace("/", "--"))
            yield name, item_id(row["case_id"], row["prompt_type"]), row["response"]


def model_name(recorded_as: str) -> str:
    """Name without organisation and date, so that the same model of two benchmarks is one row.

    >>> model_name("Qwen--Qwen2-VL-7B-Instruct"), model_name("gpt-4o-2024-05-13")
    ('Qwen2-VL-7B-Instruct', 'gpt-4o')
    """
    return "gpt-4o" if recorded_as == "gpt-4o-2024-05-13" else recorded_as.split("--")[-1]


def _image(root: Path, image_id: str) -> Path | None:
    found = (root / "images" / f"{image_id}{ending}" for ending in IMAGE_SUFFIXES)
    return next((path for path in found if image_id and path.is_file()), None)
