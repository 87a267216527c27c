"""Open image files without trusting them: pixel limit, full decode, hash, one-sentence errors."""

from __future__ import annotations

import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 50_000_000
"""Larger images are refused before decoding: a file of a few kilobytes can claim gigabytes of pixels."""

MAX_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What is known about an image file.

    Attributes:
        sha256: Of the file's bytes; empty where the file cannot be read.
        width: Pixels; 0 where unknown.
        height: Pixels; 0 where unknown.
        error: One sentence that names the file, or None for a good image.
    """

    sha256: str
    width: int
    height: int
    error: str | None = None


def inspect(path: Path) -> ImageInfo:
    """Hash an image file and decode it fully; never raises.

    >>> inspect(Path("no-such.png")).error
    'no-such.png: the image is missing.'
    """
    try:
        digest = sha256(path)
    except SafecotError as error:
        if not path.exists():
            return ImageInfo("", 0, 0, f"{path.name}: the image is missing.")
        return ImageInfo("", 0, 0, str(error).replace(str(path), path.name))
    try:
        image = open_image(path)
    except SafecotError as error:
        return ImageInfo(digest, 0, 0, str(error))
    return ImageInfo(digest, image.width, image.height)


def open_image(path: Path) -> Image.Image:
    """Decode an image file to RGB; transparent parts become white, EXIF rotation is applied, 16-bit grey is scaled.

    Raises:
        SafecotError: the file is missing, no image, truncated, or larger than ``MAX_PIXELS`` or ``MAX_BYTES``.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        if path.stat().st_size > MAX_BYTES:
            raise SafecotError(f"{path.name}: the image file is larger than {MAX_BYTES // 2**20} MiB.")
        with _whole_images_only(), warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is stricter
            with Image.open(path) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise SafecotError(
                        f"{path.name}: {image.width} x {image.height} pixels are over the limit of "
                        f"{MAX_PIXELS // 10**6} megapixels."
                    )
                image.load()
                return to_rgb(ImageOps.exif_transpose(image))
    except FileNotFoundError as error:
        raise SafecotError(f"{path.name}: the image is missing.") from error
    except Image.DecompressionBombError as error:
        raise SafecotError(
            f"{path.name}: the image claims more pixels than the limit of {MAX_PIXELS // 10**6} megapixels."
        ) from error
    except UnidentifiedImageError as error:
        raise SafecotError(f"{path.name}: the file is not an image that can be read.") from error
    except (OSError, SyntaxError, ValueError, struct.error, EOFError) as error:
        raise SafecotError(f"{path.name}: the image is truncated or damaged ({error}).") from error


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) of the image that :func:`open_image` would return, by the file's header alone.

    Raises:
        SafecotError: the file is missing, no image, or larger than ``MAX_PIXELS``.
    """
    from PIL import ExifTags, Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                width, height = image.size
                turned = image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    except Image.DecompressionBombError:
        width, height, turned = MAX_PIXELS, 2, False
    except (OSError, SyntaxError, ValueError, struct.error, EOFError) as error:
        raise SafecotError(f"{path.name}: the file is not an image that can be read.") from error
    if width * height > MAX_PIXELS:
        raise SafecotError(f"{path.name}: the image is over the limit of {MAX_PIXELS // 10**6} megapixels.")
    return (width, height) if turned else (height, width)


_strict = threading.Lock()
_readers = 0
_others_wish = False


@contextmanager
def _whole_images_only() -> Iterator[None]:
    """Have Pillow report truncated files: ``lmms_eval.api.task`` tells it, for the whole process, to pad them with grey.

    The first reader takes the switch over and the last puts it back, so that threads decode side by side.
    """
    global _readers, _others_wish
    from PIL import ImageFile

    with _strict:
        if not _readers:
            _others_wish, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
        _readers += 1
    try:
        yield
    finally:
        with _strict:
            _readers -= 1
            if not _readers:
                ImageFile.LOAD_TRUNCATED_IMAGES = _others_wish


def has_eight_bits(image: Image.Image) -> bool:
    """Whether Pillow converts an image's mode to RGB by itself; it clips 16-bit, 32-bit and float grey."""
    return image.mode not in ("F", "I") and not image.mode.startswith("I;")


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a decoded image to RGB; transparent parts become white.

    Raises:
        ValueError: 32-bit or float grey whose white is not known.
    """
    from PIL import Image as image_module

    if not has_eight_bits(image):
        return _eight_bits(image).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = image_module.new("RGBA", layer.size, "white")
        return image_module.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit, 32-bit and float grey to 8 bits; Pillow's own conversion clips, so that such pictures turn white or black.

    16 bits are scaled by their range. The other modes have no white of their own: whole numbers are read as 16 bits, or as 8
    where none is over 255; floats as 0 to 1, or as 0 to 255 where one is over 1.

    Raises:
        ValueError: values that are outside of these ranges.
    """
    import numpy as np
    from PIL import Image as image_module

    values = np.asarray(image).astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 65535):  # a NaN is neither
        raise ValueError(f"grey values from {low:.6g} to {high:.6g} have no known white; save it with 8 bits")
    if image.mode == "F":
        if high > 255:
            raise ValueError(f"float grey values up to {high:.6g} have no known white; save it with 8 bits")
        white = 255.0 if high > 1 else 1.0
    else:
        white = 255.0 if image.mode == "I" and high <= 255 else 65535.0
    grey = np.rint(values * (255 / white)).astype(np.uint8)
    if isinstance(see_through := image.info.get("transparency"), int):
        grey[values == see_through] = 255
    return image_module.fromarray(grey)
