"""Vision sets of a Hugging Face hub; a picture inside a table becomes a file when its row is drawn."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.images import open_image
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import replacing
from safecot_training.data.bad_rows import BadRows
from safecot_training.data.conversations import (
    Exchange,
    answered,
    exchanges,
    from_exchanges,
    objects,
    plain,
    require_places,
    shown,
)
from safecot_training.data.examples import Example, Kind


def from_hub(name: str, split: str, kind: Kind, cache: Path, bad: BadRows) -> list[Example]:
    """Examples of a hub set.

    Raises:
        SafecotError: it cannot be loaded, or a row is malformed and bad rows stop the build.
    """
    import datasets

    try:
        rows = datasets.load_dataset(name, split=split)
    except (OSError, ValueError, datasets.exceptions.DatasetNotFoundError) as error:
        raise SafecotError(
            f"hub={name}@{split}: cannot be loaded ({' '.join(str(error).split())})."
        ) from error
    folder = cache / name.replace("/", "--")
    examples: list[Example] = []
    for number, row in enumerate(_undecoded(rows, datasets), start=1):
        where = f"hub={name}@{split}, row {number}"
        with bad.skipped():
            pictures = _pictures(row)
            paths = tuple((folder / f"{number}-{index}.png").resolve() for index in range(len(pictures)))
            shared = {
                "id": f"{name}:{row.get('id', number)}:{number}",
                "images": [],
                "category": row.get("category"),
                "expectation": row.get("expectation"),
            }
            turns = _conversation(row, where)
            require_places(turns, len(paths), where)
            said, kept = turns_of(row, where), answered(turns, paths, where)
            made = from_exchanges(said, shared, folder / f"{split}.jsonl", number, kind, name)
            fetch = partial(_write, tuple(zip(pictures, paths, strict=True)), where)
            examples.extend(
                replace(example, images=tuple(images), fetch=fetch)
                for example, images in zip(made, shown(said, kept), strict=True)
            )
    return examples


def _undecoded(rows: Any, datasets: Any) -> Any:
    """The rows with pictures as bytes."""
    for column, feature in (getattr(rows, "features", None) or {}).items():
        if isinstance(feature, datasets.Image):
            rows = rows.cast_column(column, datasets.Image(decode=False))
        elif isinstance(getattr(feature, "feature", None), datasets.Image):
            rows = rows.cast_column(column, datasets.List(datasets.Image(decode=False)))
    return rows


def _pictures(row: Mapping[str, Any]) -> list[Any]:
    given = row["images"] if row.get("images") is not None else [row.get("image")]
    return [picture for picture in given if picture is not None]


def _write(pictures: tuple[tuple[Any, Path], ...], where: str) -> None:
    """Write a row's pictures as the evaluation would open them.

    Raises:
        SafecotError: one cannot be decoded.
    """
    for picture, path in pictures:
        if path.is_file():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = path.with_suffix(".part")
        try:
            raw.write_bytes(_content(picture))
            decoded = open_image(raw)
        except (OSError, ValueError, SafecotError) as error:
            raise SafecotError(f"{where}: the image cannot be used ({error}).") from error
        finally:
            raw.unlink(missing_ok=True)
        with replacing(path) as scratch:
            decoded.save(scratch, format="PNG")


def _content(picture: Any) -> bytes:
    """The bytes of a picture: of an undecoded one, or of one that a loader decoded."""
    if isinstance(picture, dict):
        return bytes(picture["bytes"]) if picture.get("bytes") else Path(str(picture["path"])).read_bytes()
    stream = io.BytesIO()
    picture.save(stream, format="TIFF" if picture.mode == "F" else "PNG")
    return stream.getvalue()


def _conversation(row: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    column = "messages" if row.get("messages") else "conversations"
    return objects(row.get(column), f"{where}: {column!r}")


def turns_of(row: Mapping[str, Any], where: str) -> list[Exchange]:
    """Questions and answers of a hub row, in any of the common layouts."""
    if turns := _conversation(row, where):
        return exchanges(turns, where)
    return [(plain(row.get("question") or row.get("query"), where), plain(row.get("answer"), where))]
