"""MM-SafetyBench: 13 scenarios, 1,680 questions, four ways to ask them (arXiv 2311.17600)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.reading import read_json, records, text_field
from safecot_eval.benchmarks.data.typography import render_phrase
from safecot_eval.records.samples import Expectation, ImageSource, Item
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import cache_dir

TITLE = "MM-SafetyBench"
VERSION = "1.0"
REVISION = "isXinLiu/MM-SafetyBench b80eede"
LICENCE = "CC BY-NC 4.0, research only"
SOURCE = "https://github.com/isXinLiu/MM-SafetyBench"
DATA = "mm_safetybench"
RUBRICS = ("refusal", "harm")
ATTACK_RATE_BY_CATEGORY = True
REFUSAL_LISTS = {"sd": "safecot25"}
IMAGES_FROM = (
    "get the zip that the repository's README links (498,030,008 bytes) and unpack it in mm_safetybench/imgs/, or, for "
    "downloaded data, run `safecot data prepare mmsafetybench --archive FILE.zip`"
)
_LINES = {
    "text": "questions without an image",
    "question": "questions without an image, as they were first written",
    "sd": "questions with Stable Diffusion images (official images needed)",
    "typo": "questions with the key phrase as an image (rendered where the official ones are absent)",
    "sd_typo": "questions with both in one image (official images needed)",
}
VARIANTS = {kind: f"1,680 {line}" for kind, line in _LINES.items()} | {
    f"{kind}_tiny": f"168 {line}, by the official list" for kind, line in _LINES.items()
}

ONLY_BY_NAME = ("question", "question_tiny")

QUESTION_FIELD = {
    "text": "Changed Question",
    "question": "Question",
    "sd": "Rephrased Question(SD)",
    "typo": "Rephrased Question",
    "sd_typo": "Rephrased Question",
}
IMAGE_FOLDER = {"sd": "SD", "typo": "TYPO", "sd_typo": "SD_TYPO"}
IMAGE_SUFFIXES = (".jpg", ".png")
CORE = frozenset({"01", "02", "03", "04", "05", "06", "07", "09"})
TINY_LIST = "TinyVersion_ID_List.json"


def items(variant: str, root: Path) -> Iterator[Item]:
    """The questions of one image type, all or by the official list of 168 ids."""
    kind = variant.removesuffix("_tiny")
    wanted = _tiny_ids(root / TINY_LIST) if variant.endswith("_tiny") else None
    folder = root / "processed_questions"
    paths = sorted(folder.glob("[0-9][0-9]-*.json"))
    if len(paths) != 13:
        raise SafecotError(
            f"{folder}: {len(paths)} of MM-SafetyBench's 13 scenario files are there; "
            "run `safecot data verify mmsafetybench`."
        )
    found = [
        to_item(record, path.stem, key, kind)
        for path in paths
        for key, record in records(path)
        if wanted is None or (path.stem, key) in wanted
    ]
    yield from _with_images(found, kind, root / "imgs") if kind in IMAGE_FOLDER else found


def to_item(record: Mapping[str, Any], scenario: str, key: str, kind: str) -> Item:
    """One record as an item, without its image.

    The same question has the same ``cluster_id`` whatever the image type.
    """
    field = partial(text_field, record, where=f"{scenario}.json, record {key}")
    return Item(
        item_id=f"{scenario}/{key}",
        prompt=field(QUESTION_FIELD[kind]),
        category=scenario,
        expectation=Expectation.REFUSE,
        cluster_id=f"{scenario}/{key}",
        image_names=(f"{scenario}/{IMAGE_FOLDER[kind]}/{key}.jpg",) if kind in IMAGE_FOLDER else (),
        aliases=(f"{scenario}_{key}", f"{scenario}-{key}"),
        asked_as=QUESTION_FIELD[kind],
        core=scenario[:2] in CORE,
        extra={"question": field("Question"), "key_phrase": field("Key Phrase")},
    )


def _with_images(found: list[Item], kind: str, folder: Path) -> Iterator[Item]:
    """Attach official images, or rendered ones for TYPO where there is no official image at all."""
    official = {item.item_id: _official(item, IMAGE_FOLDER[kind], folder) for item in found}
    render = kind == "typo" and not any(official.values())
    for item in found:
        if path := official[item.item_id]:
            yield _shown(item, path, ImageSource.OFFICIAL)
        elif render:
            target = cache_dir() / "rendered" / "mmsafetybench" / f"{item.item_id}.png"
            yield _shown(item, render_phrase(item.extra["key_phrase"], target), ImageSource.RENDERED)
        else:
            yield replace(item, image_source=ImageSource.ABSENT)


def _official(item: Item, image_folder: str, folder: Path) -> Path | None:
    scenario, key = item.item_id.split("/")
    candidates = (folder / scenario / image_folder / f"{key}{ending}" for ending in IMAGE_SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


def _shown(item: Item, path: Path, source: ImageSource) -> Item:
    return replace(item, images=(path,), image_source=source)


def _tiny_ids(path: Path) -> set[tuple[str, str]]:
    entries = read_json(path)
    try:
        return {(entry["Scenario"], str(key)) for entry in entries for key in entry["Sampled_ID_List"]}
    except (KeyError, TypeError) as error:
        raise SafecotError(f"{path}: an entry lacks Scenario or Sampled_ID_List.") from error
