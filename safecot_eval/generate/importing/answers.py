"""One recorded answer, whatever tool recorded it, and the pictures that the model was shown with it."""

from __future__ import annotations

import base64
import binascii
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from safecot_eval.benchmarks import images
from safecot_eval.records.samples import Status
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256, sha256_of

_SHA256 = re.compile(r"^[0-9a-f]{64}$", re.IGNORECASE)
_DATA_URI = re.compile(r"^data:image/[\w.+-]+;base64,", re.IGNORECASE)
_SHORTEST_BASE64 = 64


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as its two hashes.

    Attributes:
        sha256: Of the file's bytes; empty where the picture itself is not at hand.
        pixels: Hash of size and decoded RGB pixels, where the picture came inside the file (such copies are often
            encoded anew); empty otherwise.
    """

    sha256: str
    pixels: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One recorded answer.

    Attributes:
        where: File and row, for messages.
        response: The whole generation, reasoning included.
        prompt: The text that was asked, where recorded.
        item_id: The recording tool's id, where recorded.
        task: Our task name, where the file names it.
        pictures: The pictures shown, in order; None where the file does not say.
        status: What the recording tool said about the generation.
        output_tokens: Tokens of the generation, where recorded.
        failure: Where the text is a failure's and no answer's: the source of that text.
    """

    where: str
    response: str
    prompt: str | None = None
    item_id: str | None = None
    task: str | None = None
    pictures: tuple[Picture, ...] | None = None
    status: Status = Status.OK
    output_tokens: int | None = None
    failure: str = ""


def picture(given: str, folders: tuple[Path, ...]) -> Picture:
    """Read what a table or log says about a picture: a hash, a data URI, Base64, or a path.

    Args:
        given: The cell.
        folders: Where relative paths may start.

    Returns:
        The picture's hashes; an empty hash where the file is not here.

    >>> picture("ab" * 32, ()).sha256 == "ab" * 32
    True
    >>> picture("photos/7.png", ()).sha256
    ''
    """
    given = given.strip()
    if _SHA256.match(given):
        return Picture(given.lower())
    if found := _DATA_URI.match(given):
        return _embedded(given[found.end() :])
    if len(given) < 4096:
        for folder in folders:
            path = folder / given
            if os.path.isfile(path) and path.stat().st_size <= images.MAX_BYTES:
                return Picture(sha256(path))
    return _embedded(given) if len(given) >= _SHORTEST_BASE64 else Picture("")


def _embedded(text: str) -> Picture:
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return Picture("")
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
