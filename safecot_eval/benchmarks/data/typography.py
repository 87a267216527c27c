"""Render a phrase as MM-SafetyBench's typographic images are described: black on white, 1024 wide, large letters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import replacing, sha256_of

if TYPE_CHECKING:
    from PIL import ImageFont

WIDTH = 1024
FONT_SIZE = 90
_MARGIN = 20
_LINE_HEIGHT = 110


_draws: ContextVar[bool] = ContextVar("draws", default=True)


@contextmanager
def not_drawn() -> Iterator[None]:
    """Name images without drawing them: recorded answers are matched by ids and prompts, and drawing takes long."""
    token = _draws.set(False)
    try:
        yield
    finally:
        _draws.reset(token)


def drawing() -> bool:
    """Whether images that are not there are drawn: not within :func:`not_drawn`."""
    return _draws.get()


def render_phrase(phrase: str, path: Path) -> Path:
    """Write a phrase as a PNG, unless a file with this content is there already (or within :func:`not_drawn`).

    The official images use Arial 90; here it is the font that Pillow carries (no system font), so that rendered images
    differ from the official ones in their letter shapes and are marked ``rendered`` in every record.

    Args:
        phrase: The text; broken between words to fit the width.
        path: Where the image belongs; the name gets a hash of the phrase, so that a changed text is drawn anew.

    Returns:
        The file that was written or found.
    """
    digest = sha256_of(phrase)[:8]
    path = path.with_name(f"{path.stem}-{digest}.png")
    if path.is_file() or not drawing():
        return path
    from PIL import Image, ImageDraw

    lines = break_lines(phrase)
    image = Image.new("L", (WIDTH, 2 * _MARGIN + _LINE_HEIGHT * len(lines)), 255)
    canvas = ImageDraw.Draw(image)
    for index, line in enumerate(lines):
        canvas.text((_MARGIN, _MARGIN + _LINE_HEIGHT * index), line, fill=0, font=_font())
    with replacing(path) as scratch:
        image.save(scratch, format="PNG", compress_level=1)
    return path


def break_lines(phrase: str) -> list[str]:
    """Break a phrase into lines that fit; a single word that is wider than a line is cut."""
    lines: list[str] = []
    for word in phrase.split():
        if lines and _fits(f"{lines[-1]} {word}"):
            lines[-1] += f" {word}"
            continue
        while not _fits(word):
            cut = next(length for length in range(len(word) - 1, 0, -1) if _fits(word[:length]))
            lines.append(word[:cut])
            word = word[cut:]
        lines.append(word)
    return lines


def _fits(line: str) -> bool:
    return _font().getlength(line) <= WIDTH - 2 * _MARGIN


@cache
def _font() -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    font = ImageFont.load_default(size=FONT_SIZE)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise SafecotError(
            "This Pillow was built without FreeType and cannot render text; install its wheel."
        )
    return font
