"""MOSSBench: benign image questions that over-cautious models refuse, and harmful contrasts (arXiv 2406.17806)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from safecot_eval.benchmarks.data.reading import read_text, records, text_field
from safecot_eval.records.samples import Expectation, ImageSource, Item
from safecot_eval.util.errors import SafecotError

TITLE = "MOSSBench"
VERSION = "1.0"
REVISION = "xirui-li/MOSSBench 8d68b06"
LICENCE = "CC BY-SA 4.0; test use only, training on it is prohibited"
SOURCE = "https://github.com/xirui-li/MOSSBench"
VARIANTS = {
    "": "300 benign items that look risky",
    "twins": "244 benign items and their harmful rewrites",
    "contrast": "the 244 harmful rewrites alone",
}
RUBRICS = ("refusal", "harm")

BENIGN, CONTRAST = "information.json", "information_contrast.json"
IMAGE_SUFFIXES = (".jpg", ".png", ".jpeg", ".webp")
MODELS = {  # file stem -> name; GPT-4o's date is not stated upstream
    "Claude_3_Haiku": "claude-3-haiku",
    "Claude_3_Opus_web_": "claude-3-opus-web",
    "Claude_3_Sonnet": "claude-3-sonnet",
    "GPT_4V": "gpt-4v",
    "GPT_4o": "gpt-4o",
    "GPT_4o_web_": "gpt-4o-web",
    "Gemini_Advanced_web_": "gemini-advanced-web",
}
CATEGORIES = {
    "type 1": "Exaggerated risk",
    "type 2": "Negated harm",
    "type 3": "Counterintuitive interpretation",
}


def items(variant: str, root: Path) -> Iterator[Item]:
    """Benign items, or each benign item that has a rewrite, followed by it (``twins``), or the rewrites (``contrast``)."""
    benign = {item.item_id: item for item in _read(root, BENIGN, "images", Expectation.ANSWER)}
    if variant == "":
        yield from benign.values()
        return
    for item in _read(root, CONTRAST, "images_contrast", Expectation.REFUSE):
        pid = item.cluster_id
        if pid in benign:
            if variant == "twins":
                yield replace(benign[pid], pair_id=pid)
            yield replace(item, item_id=f"{pid}-contrast", pair_id=pid)


def to_item(record: Mapping[str, Any], image: Path | None, expectation: Expectation, where: str) -> Item:
    """One record as an item; an image that is not on disk is ``absent``."""
    pid = text_field(record, "pid", where)
    kind = text_field(record.get("metadata") or {}, "over", where)
    return Item(
        item_id=pid,
        prompt=text_field(record, "question", where),
        category=CATEGORIES.get(kind, kind),
        expectation=expectation,
        images=(image,) if image else (),
        image_source=ImageSource.OFFICIAL if image else ImageSource.ABSENT,
        image_names=(text_field(record, "image", where),) if record.get("image") else (),
        cluster_id=pid,
        extra={"image_description": str(record.get("short description") or "")},
    )


def recorded(root: Path) -> Iterator[tuple[str, str, str]]:
    """Published answers of seven closed VLMs to the benign items: (model, item id, response); some are empty."""
    for stem, model in MODELS.items():
        yield from ((model, pid, response) for pid, response in _answers(root / "model_responses" / stem))


def _answers(place: Path) -> Iterator[tuple[str, str]]:
    """A model's answers: ``{pid: response}`` in a JSON file, or upstream's ``cache['model'] = {pid: {"response": …}}``."""
    upstream = place.with_name(f"{place.name}.js")
    path = upstream if upstream.is_file() else place.with_name(f"{place.name}.json")
    text = read_text(path)
    try:
        answers = json.loads(text[text.index("{") :].rstrip().removesuffix(";"))
    except ValueError as error:
        raise SafecotError(f"{path}: an object of answers by pid was expected ({error}).") from error
    for pid, entry in answers.items():
        response = entry.get("response") if isinstance(entry, dict) else entry
        yield pid, str(response or "")


def _read(root: Path, file: str, folder: str, expectation: Expectation) -> Iterator[Item]:
    for key, record in records(root / file):
        where = f"{file}, record {key}"
        stem = PurePosixPath(text_field(record, "image", where)).stem
        candidates = (root / folder / f"{stem}{ending}" for ending in IMAGE_SUFFIXES)
        image = next((path for path in candidates if path.is_file()), None)
        yield to_item(record, image, expectation, where)
