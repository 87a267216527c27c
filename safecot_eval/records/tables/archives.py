"""Zip files from elsewhere, opened only if what they claim to hold is bearable; nothing is ever unpacked to disk."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safecot_eval.util.errors import SafecotError

MAX_MEMBERS = 200_000
MAX_MEMBER_BYTES = 256 * 2**20
MAX_TOTAL_BYTES = 4 * 2**30
MAX_RATIO = 500
"""Logs shrink to about a tenth of their size. More than this is a bomb, or members that share their bytes."""

_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ZSTANDARD = 93
"""Zip's number for Zstandard, in which Inspect writes its logs today; ``zipfile`` knows it from Python 3.14 on."""
_LOCAL_HEADER = 30


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip file whose directory is sound.

    Python's reader stops at the size that the directory states, so that the limits hold for what is really read.

    Raises:
        SafecotError: no zip file, more members or bytes than the limits, or members that cannot be read.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise SafecotError(
            f"{path}: not a zip file that can be read; it is damaged or something else."
        ) from error
    with archive:
        members = archive.infolist()
        total = sum(member.file_size for member in members)
        stored = sum(member.compress_size for member in members)
        largest = max(members, key=lambda member: member.file_size, default=None)
        if len(members) > MAX_MEMBERS or total > MAX_TOTAL_BYTES or total > MAX_RATIO * max(stored, 1):
            raise SafecotError(
                f"{path}: {len(members)} members of {total // 2**20} MiB in {stored // 2**20} MiB; that is over the "
                "limits for a log and looks like a zip bomb."
            )
        if largest is not None and largest.file_size > MAX_MEMBER_BYTES:
            raise SafecotError(
                f"{path}: {largest.filename[:80]!r} would unpack to {largest.file_size // 2**20} MiB; the limit is "
                f"{MAX_MEMBER_BYTES // 2**20}."
            )
        yield archive


def read_json(archive: zipfile.ZipFile, name: str, path: Path) -> dict[str, Any]:
    """One JSON member.

    Raises:
        SafecotError: it is encrypted, compressed in a way that this Python cannot read, damaged, or no JSON object.
    """
    where = f"{path}, {name[:120]}"
    info = archive.getinfo(name)
    if info.compress_type not in (*_READABLE, ZSTANDARD) or info.flag_bits & 1:
        raise SafecotError(
            f"{where}: compressed or encrypted in a way that cannot be read here; write the log as JSON "
            "(`inspect log convert --to json`) and import that."
        )
    try:
        zstandard = info.compress_type == ZSTANDARD
        content = json.loads(_unpacked(archive, info) if zstandard else archive.read(name))
    except (ValueError, RecursionError, zipfile.BadZipFile, OSError, EOFError) as error:
        raise SafecotError(f"{where}: not JSON, or damaged ({' '.join(str(error).split())[:80]}).") from error
    except Exception as error:  # zlib.error is not a subclass of any of these
        raise SafecotError(f"{where}: damaged ({type(error).__name__}).") from error
    if not isinstance(content, dict):
        raise SafecotError(f"{where}: not a JSON object.")
    return content


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member in Zstandard: never more bytes than the directory states, and those that its checksum is of.

    Raises:
        ValueError: the member holds something else than the directory says.
        zstandard.ZstdError: it is damaged.
    """
    import zstandard

    stream = archive.fp
    if stream is None:
        raise ValueError("the archive is closed")
    stream.seek(info.header_offset)
    header = stream.read(_LOCAL_HEADER)
    if header[:4] != b"PK\x03\x04" or len(header) < _LOCAL_HEADER:
        raise ValueError("no member where the directory has one")
    stream.seek(sum(struct.unpack("<HH", header[26:30])), io.SEEK_CUR)
    packed = io.BytesIO(stream.read(info.compress_size))
    with zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as reader:
        content: bytes = reader.read(info.file_size + 1)
    if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
        raise ValueError("its size or checksum is not the directory's")
    return content
