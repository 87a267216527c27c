"""Turn what a hub data set packs (zips, Parquet files with images) into files that a benchmark reads and hashes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from safecot_eval.benchmarks.data.download import open_zip
from safecot_eval.benchmarks.data.sources import Source
from safecot_eval.util.errors import SafecotError

IMAGES = "images"
_ENDINGS = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"RIFF": ".webp", b"GIF8": ".gif", b"BM": ".bmp"}
_ROWS_AT_ONCE = 64


def unpack_zips(source: Source, target: Path) -> None:
    """Unpack a source's zips below ``target``; nothing is written outside of it.

    Raises:
        SafecotError: a zip is missing, damaged, too large, or holds a path that leads out of the folder.
    """
    for name in source.unpack:
        with open_zip(target / name) as members:
            for member in members.infolist():
                inside = PurePosixPath(member.filename)
                if inside.is_absolute() or ".." in inside.parts:
                    raise SafecotError(
                        f"{target / name}: the member {member.filename!r} leads out of the folder."
                    )
                if member.is_dir():
                    continue
                path = target / inside
                path.parent.mkdir(parents=True, exist_ok=True)
                partial = path.with_name(path.name + ".part")
                with members.open(member) as content, partial.open("wb") as stream:
                    shutil.copyfileobj(content, stream)
                partial.replace(path)


def export_tables(source: Source, target: Path) -> None:
    """Write each table of a source as JSON lines, its images as files.

    A column of images (a struct with ``bytes``, as the library ``datasets`` writes it) becomes the path of a file
    ``images/<table>-<row>.<ending>`` below ``target``; the bytes are not decoded or changed. Rows are numbered from 0 over the
    files in the order of their names. Reading is by groups of rows, so that memory does not grow with the table.

    Raises:
        SafecotError: there are no Parquet files for a table, or one cannot be read.
    """
    for name, pattern in source.tables.items():
        files = sorted(target.glob(pattern))
        if not files:
            raise SafecotError(f"{target}: there are no files {pattern}; download {source.folder} again.")
        partial = target / f"{name}.part"
        with partial.open("w", encoding="utf-8") as stream:
            for number, row in enumerate(_rows(files)):
                record = {
                    key: _plain(value, key, target, Path(name).stem, number) for key, value in row.items()
                }
                stream.write(json.dumps(record, ensure_ascii=False) + "\n")
        partial.replace(target / name)


def _rows(files: list[Path]) -> Iterator[dict[str, Any]]:
    import pyarrow
    import pyarrow.parquet

    for path in files:
        try:
            for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=_ROWS_AT_ONCE):
                yield from batch.to_pylist()
        except (pyarrow.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())[:120]
            raise SafecotError(
                f"{path}: not a readable Parquet file ({reason}); download it again."
            ) from error


def _plain(value: Any, column: str, target: Path, table: str, number: int) -> Any:
    """A JSON value: an image becomes a file and its path, everything else that JSON lacks becomes text."""
    if isinstance(value, dict) and "bytes" in value:
        content = value["bytes"]
        if not content:
            return str(value.get("path") or "")
        suffix = "" if column == "image" else f"-{column}"
        path = target / IMAGES / f"{table}-{number:05d}{suffix}{_ending(content)}"
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".part")
        partial.write_bytes(content)
        partial.replace(path)
        return path.relative_to(target).as_posix()
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return json.loads(json.dumps(value, default=str))


def _ending(content: bytes) -> str:
    r"""The file ending that an image's first bytes call for.

    >>> _ending(b"\x89PNG\r\n"), _ending(b"what")
    ('.png', '.bin')
    """
    return next((ending for magic, ending in _ENDINGS.items() if content.startswith(magic)), ".bin")
