"""Letter a text into a box of a picture, as ComicJailbreak's script does: as large as fits, in lines, turned, in the middle.

Facts from ``create_dataset.py`` of Social-AI-Studio/ComicJailbreak at 58886a4: sizes from 60 down to 30 in steps of 5, 95 % of the
box in both directions, 90 % and as many lines as fit where even 30 is too large. The script names DejaVu Sans Bold by one path of
one system and takes Pillow's own tiny letters elsewhere; here that font is found wherever it is installed.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image, ImageFont

FONT = "DejaVuSans-Bold.ttf"
_LARGEST, _SMALLEST, _STEP = 60, 30, 5
_MARGIN, _LAST_MARGIN = 0.95, 0.9
_PLACES = (
    "/usr/share/fonts/dejavu",
    "/usr/share/fonts/truetype/dejavu",
    "/usr/share/fonts/dejavu-sans-fonts",
    "/usr/share/fonts/TTF",
)


@dataclass(frozen=True, slots=True)
class Box:
    """A place for text in a picture, in pixels from the top left corner, and the degrees that it is turned anticlockwise."""

    left: int
    top: int
    right: int
    bottom: int
    turned: float = 0

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top


@dataclass(frozen=True, slots=True)
class Fitted:
    """A text in lines at a size; ``line_height`` in pixels."""

    size: int
    lines: tuple[str, ...]
    line_height: int


Fonts = Callable[[int], "ImageFont.FreeTypeFont"]


def font_file() -> Path | None:
    """DejaVu Sans Bold on this machine (of the system, or of matplotlib); None where it is not installed."""
    places = [Path(place) for place in _PLACES]
    if (found := importlib.util.find_spec("matplotlib")) is not None and found.origin:
        places.append(Path(found.origin).parent / "mpl-data" / "fonts" / "ttf")
    return next((place / FONT for place in places if (place / FONT).is_file()), None)


@cache
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """The font in a size; the one that Pillow carries where DejaVu Sans Bold is not installed."""
    from PIL import ImageFont

    path = font_file()
    font = ImageFont.truetype(str(path), size) if path else ImageFont.load_default(size=size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # noqa: S101 - Pillow's wheels have FreeType; see typography.py
    return font


def fit(text: str, box: Box, fonts: Fonts = font_of) -> Fitted:
    """The largest size at which a text fits into a box, and its lines; at the smallest it is cut to as many lines as fit."""
    for size in range(_LARGEST, _SMALLEST - 1, -_STEP):
        width, height = int(box.width * _MARGIN), int(box.height * _MARGIN)
        fitted = _broken(text, width, size, fonts(size))
        widest = max((_width(line, fonts(size)) for line in fitted.lines), default=0)
        tall = len(fitted.lines) * fitted.line_height
        if widest <= width and tall <= height and len(fitted.lines) <= height // fitted.line_height:
            return fitted
    fitted = _broken(text, int(box.width * _LAST_MARGIN), _SMALLEST, fonts(_SMALLEST))
    most = int(box.height * _LAST_MARGIN) // fitted.line_height
    return Fitted(fitted.size, fitted.lines[:most], fitted.line_height)


def _broken(text: str, width: int, size: int, font: ImageFont.FreeTypeFont) -> Fitted:
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if _width(longer, font) <= width:
            line = longer
        else:
            lines.append(line or word)
            line = word if line else ""
    if line:
        lines.append(line)
    _, top, _, bottom = font.getbbox("Ag")
    return Fitted(size, tuple(lines), int(bottom - top))


def _width(line: str, font: ImageFont.FreeTypeFont) -> int:
    left, _, right, _ = font.getbbox(line)
    return int(right - left)


def letter(picture: Image.Image, text: str, box: Box, fonts: Fonts = font_of) -> Image.Image:
    """A copy of a picture with a text in a box: black, each line and the whole in the middle of it."""
    from PIL import Image, ImageDraw

    fitted = fit(text, box, fonts)
    font = fonts(fitted.size)
    side = int(max(box.width, box.height) * 1.5)  # room to turn in
    sheet = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    canvas = ImageDraw.Draw(sheet)
    left = side // 2 - box.width // 2
    top = side // 2 - box.height // 2 + (box.height - len(fitted.lines) * fitted.line_height) // 2
    for number, line in enumerate(fitted.lines):
        at = (left + (box.width - _width(line, font)) // 2, top + number * fitted.line_height)
        canvas.text(at, line, font=font, fill="black")
    turned = sheet.rotate(box.turned, expand=True)
    middle = ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
    copied = picture.copy()
    copied.paste(turned, _corner(middle, turned.size), turned)
    return copied


def _corner(middle: tuple[float, float], size: Sequence[int]) -> tuple[int, int]:
    return math.trunc(middle[0] - size[0] // 2), math.trunc(middle[1] - size[1] // 2)
