"""Turn what a hub data set packs (zips, Parquet files with images) into files that a benchmark reads and hashes."""

from __future__ import annotations

import io
import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from safecot_eval.benchmarks.data.download import MAX_UNPACKED_BYTES, open_zip
from safecot_eval.benchmarks.data.sources import Source
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import replacing

IMAGES = "images"
_SUFFIXES = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"RIFF": ".webp", b"GIF8": ".gif", b"BM": ".bmp"}
_ROWS_AT_ONCE = 64


def unpack_archives(source: Source, target: Path) -> None:
    """Unpack a source's zips and tars below ``target``; nothing is written outside of it.

    Raises:
        SafecotError: an archive is damaged, too large, or holds a path that leads out of the folder.
    """
    for pattern in source.unpack:
        for archive in sorted(target.glob(pattern)):
            for name, content in _members(archive):
                inside = PurePosixPath(name)
                if inside.is_absolute() or ".." in inside.parts:
                    raise SafecotError(f"{archive}: the member {name!r} leads out of the folder.")
                _put(target / inside, content)


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The plain files of a zip or tar, by name."""
    if archive.suffix == ".zip":
        with open_zip(archive) as members:
            for member in members.infolist():
                if not member.is_dir():
                    with members.open(member) as content:
                        yield member.filename, content
        return
    try:
        with tarfile.open(archive) as packed:
            unpacked = 0
            for entry in packed:
                unpacked += entry.size
                if unpacked > MAX_UNPACKED_BYTES:
                    raise SafecotError(f"{archive}: unpacks to over {MAX_UNPACKED_BYTES // 2**20} MiB.")
                content_of = packed.extractfile(entry) if entry.isfile() else None  # no links, no devices
                if content_of is not None:
                    yield entry.name, content_of
    except (tarfile.TarError, OSError, EOFError) as error:
        raise SafecotError(f"{archive}: not a readable tar file; delete it and try again.") from error


def _put(path: Path, content: IO[bytes]) -> None:
    with replacing(path) as scratch, scratch.open("wb") as stream:
        shutil.copyfileobj(content, stream)


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
        if not files and any(name in one and "|" in one for one in source.needed):
            continue  # the set comes without tables
        if not files:
            raise SafecotError(f"{target}: there are no files {pattern}; download {source.folder} again.")
        with replacing(target / name) as scratch, scratch.open("w", encoding="utf-8") as stream:
            for number, row in enumerate(_rows(files)):
                record = {
                    key: _plain(value, key, target, Path(name).stem, number) for key, value in row.items()
                }
                stream.write(json.dumps(record, ensure_ascii=False) + "\n")


def export_images(source: Source, target: Path) -> None:
    """Write the images of Parquet files under the names that the benchmark's own zip gives them.

    Raises:
        SafecotError: a file has no ``id`` or ``image`` column, or belongs to no scenario.
    """
    scenarios = {
        path.stem.partition("-")[2]: path.stem for path in (target / "processed_questions").glob("*.json")
    }
    for pattern, place in source.image_tables.items():
        shape = re.compile(
            re.escape(pattern.removesuffix(".parquet"))
            .replace(r"\{name\}", r"(?P<name>[^/]+)")
            .replace(r"\{kind\}", r"(?P<kind>\w+?)")
            + r"(?:-\d+-of-\d+)?\.parquet"
        )
        for path in sorted(target.glob("**/*.parquet")):
            found = shape.fullmatch(path.relative_to(target).as_posix())
            if found is None:
                continue
            if found["name"] not in scenarios:
                raise SafecotError(
                    f"{path}: no scenario of processed_questions/ is called {found['name']!r}."
                )
            for number, row in enumerate(_rows([path])):
                image = row.get("image")
                if image is None:  # the split without images
                    continue
                if "id" not in row or not isinstance(image, dict) or not image.get("bytes"):
                    raise SafecotError(f"{path}, row {number}: an id and an image were expected.")
                name = place.format(
                    scenario=scenarios[found["name"]], kind=found["kind"], id=_file_name(row["id"], path)
                )
                content = image["bytes"]
                _put(target / f"{name}{_ending(content)}", io.BytesIO(content))


def _file_name(key: object, path: Path) -> str:
    name = str(key)
    if not re.fullmatch(r"[\w.-]{1,80}", name) or name.startswith("."):
        raise SafecotError(f"{path}: the id {name[:40]!r} cannot be a file name.")
    return name


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
        _put(path, io.BytesIO(content))
        return path.relative_to(target).as_posix()
    if isinstance(value, list) and any(isinstance(one, dict) and "bytes" in one for one in value):
        return [_plain(one, f"{column}-{n}", target, table, number) for n, one in enumerate(value)]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return json.loads(json.dumps(value, default=str))


def _ending(content: bytes) -> str:
    r"""The file ending that an image's first bytes call for.

    >>> _ending(b"\x89PNG\r\n"), _ending(b"what")
    ('.png', '.bin')
    """
    return next((ending for magic, ending in _SUFFIXES.items() if content.startswith(magic)), ".bin")
