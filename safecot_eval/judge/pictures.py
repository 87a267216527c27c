"""The pictures of a record, for judges and annotators that see them: found on this machine, and those that the model saw.

A record holds hashes and no pictures. The file of its item is taken only if its hash is the one that the run recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from safecot_eval.benchmarks import catalogue, registry
from safecot_eval.benchmarks.images import open_image
from safecot_eval.judge.rubric import IMAGE, Rubric, RubricSet
from safecot_eval.judge.rubric_files import FOLDER, own, read_rubric
from safecot_eval.records.samples import Record
from safecot_eval.util.chat_remedies import data_url
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256

SEEING = FOLDER / "seeing"
"""Wordings for judges that see the pictures."""
QUALITY = 95
"""Of the JPEG that is sent: files of a few hundred kilobytes, with differences that nobody sees."""


def pictures_of(record: Record) -> tuple[Path, ...]:
    """The files of a record's pictures, in the order in which the model saw them; none for a record without.

    Raises:
        SafecotError: one is not on this machine, or is another than the model saw.
    """
    wanted = list(record.get("image_sha256") or ())
    if not wanted:
        return ()
    task = str(record.get("task") or registry.load(record["benchmark"]).task_name(record["variant"]))
    paths = _items(registry.base_task(task)).get(str(record["item_id"]), ())
    known = {_hash(path): path for path in paths}
    if any(digest not in known for digest in wanted):
        raise SafecotError(
            f"{task}: the picture of item {record['item_id']} is not on this machine, or is another than the model saw; "
            f"see `safecot data prepare {record['benchmark']}`."
        )
    return tuple(known[digest] for digest in wanted)


def with_pictures(sets: Mapping[str, RubricSet]) -> dict[str, RubricSet]:
    """Rubrics for a judge that sees the pictures: those of ours that have such a wording are asked in it.

    Raises:
        SafecotError: none of them has one.
    """
    found = {rubric.id: rubric for rubric in map(read_rubric, sorted(SEEING.glob("*.txt")))}
    ours = own()
    changed = {
        name: replace(one, seeing=found[name])
        for name, one in sets.items()
        if name in found and name in ours and one.hash == ours[name].hash
    }
    if not changed and not any(IMAGE in one.general.sees for one in sets.values()):
        raise SafecotError(f"--images: there is a wording for judges that see for {', '.join(found)} only.")
    return {**sets, **changed}


def with_authors_pictures(sets: Mapping[str, RubricSet]) -> dict[str, RubricSet]:
    """Official wordings whose authors show their judge the pictures, with the pictures.

    Raises:
        SafecotError: there is none among them.
    """

    def seeing(rubric: Rubric) -> Rubric:
        if not rubric.pictures:
            return rubric
        return replace(
            rubric, sees=(IMAGE, *rubric.sees) if rubric.pictures == "first" else (*rubric.sees, IMAGE)
        )

    if not any(rubric.pictures for one in sets.values() for rubric in (one.general, *one.variants)):
        raise SafecotError(f"--official --images: no authors' judge of {', '.join(sets)} sees pictures.")
    return {
        name: replace(one, general=seeing(one.general), variants=tuple(map(seeing, one.variants)))
        for name, one in sets.items()
    }


@lru_cache(maxsize=8)
def _items(task: str) -> dict[str, tuple[Path, ...]]:
    try:
        return {str(item.item_id): item.images for item in catalogue.items_of(task)}
    except SafecotError:
        return {}


@lru_cache(maxsize=100_000)
def _hash(path: Path) -> str:
    try:
        return sha256(path)
    except SafecotError:
        return ""


def data_urls(paths: Iterable[Path]) -> list[str]:
    """Pictures as ``data:`` addresses of JPEGs, as an endpoint takes them.

    Raises:
        SafecotError: one cannot be read.
    """
    return [data_url(open_image(path), "JPEG", quality=QUALITY) for path in paths]
