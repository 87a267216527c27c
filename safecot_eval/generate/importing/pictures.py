"""What a table or log says about the pictures that a model was shown: a hash, the picture itself, or where it is.

A cell may hold a path (with either kind of slash, or as ``file://``), Base64 or a data URI, a SHA-256, an object as Hugging
Face data sets write one (``{"path": …, "bytes": …}``), or a list of these, as JSON or as Python prints it.
"""

from __future__ import annotations

import ast
import base64
import binascii
import json
import math
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from safecot_eval.benchmarks import images
from safecot_eval.generate.importing.answers import Picture
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256, sha256_of

_SHA256 = re.compile(r"^[0-9a-f]{64}$", re.IGNORECASE)
_DATA_URI = re.compile(r"^data:image/[\w.+-]+;base64,", re.IGNORECASE)
_SHORTEST_BASE64 = 64
_LONGEST_PATH = 4096
_PLACES = ("path", "image_path", "file_name", "filename", "url", "image_url", "image")
_CONTENTS = ("bytes", "base64", "data")


def pictures(cell: Any, folders: tuple[Path, ...]) -> tuple[Picture, ...]:
    r"""All pictures of a cell, in order.

    Args:
        cell: What a table or JSON file holds.
        folders: Where relative paths may start.

    >>> [picture.name for picture in pictures("['a/b.png', 'c.png']", ())]
    ['a/b.png', 'c.png']
    >>> pictures({"path": "a\\b.png", "bytes": None}, ())[0].name
    'a/b.png'
    """
    if isinstance(cell, str) and cell.strip()[:1] in ("[", "{", "("):
        cell = _parsed(cell.strip())
    given = list(cell) if isinstance(cell, list | tuple) else [cell]
    return tuple(found for one in given if (found := _one(one, folders)) is not None)


def _parsed(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        if isinstance(value, list | tuple | dict):
            return value
    return text


def _one(given: Any, folders: tuple[Path, ...]) -> Picture | None:
    if isinstance(given, Mapping):
        for key in _CONTENTS:
            content = given.get(key)
            if isinstance(content, bytes) and content:
                return _content(content)
            if isinstance(content, str) and (found := _embedded(content)).sha256:
                return found
        place = next((given[key] for key in _PLACES if given.get(key)), None)
        return _one(place, folders) if place is not None else None
    if given is None or (isinstance(given, float) and math.isnan(given)):
        return None
    text = str(given).strip()
    return picture(text, folders) if text else None


def picture(given: str, folders: tuple[Path, ...]) -> Picture:
    """One picture from its hash, its path or its content as text.

    Args:
        given: The text.
        folders: Where relative paths may start.

    Returns:
        The picture; with an empty hash where the file is not here.

    >>> picture("ab" * 32, ()).sha256 == "ab" * 32
    True
    >>> picture("file:///photos/7%207.png", ())
    Picture(sha256='', pixels='', name='/photos/7 7.png')
    """
    given = given.strip()
    if _SHA256.match(given):
        return Picture(given.lower())
    if found := _DATA_URI.match(given):
        return _embedded(given[found.end() :])
    if len(given) >= _LONGEST_PATH:
        return _embedded(given)
    path = _local(given)
    for name in dict.fromkeys((path, path.replace("\\", "/"))):
        for folder in folders:
            place = folder / name
            try:
                if os.path.isfile(place) and place.stat().st_size <= images.MAX_BYTES:
                    return Picture(sha256(place), name=name)
            except (OSError, ValueError, SafecotError):
                continue
    if len(given) >= _SHORTEST_BASE64 and (found_inside := _embedded(given)).sha256:
        return found_inside
    return Picture("", name=path.replace("\\", "/"))


def _local(given: str) -> str:
    """A path without ``file://``."""
    if not given.lower().startswith("file:"):
        return given
    path = unquote(urlsplit(given).path)
    return path[1:] if re.match(r"^/[A-Za-z]:[/\\]", path) else path


def _embedded(text: str) -> Picture:
    try:
        return _content(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return Picture("")


def _content(content: bytes) -> Picture:
    with tempfile.NamedTemporaryFile(suffix=".image") as file:
        file.write(content)
        file.flush()
        return Picture(sha256_of(content), pixel_hash(Path(file.name)))


def pixel_hash(path: Path) -> str:
    """Hash of an image's size and RGB pixels, equal for every lossless encoding; empty where it cannot be opened."""
    try:
        image = images.open_image(path)
    except SafecotError:
        return ""
    return sha256_of(f"{image.width}x{image.height}:".encode() + image.tobytes())
