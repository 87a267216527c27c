"""Paint a scene from bitmaps, the same bytes on every machine.

No system font, no curve of a drawing library and no compressor takes part: symbols are bitmaps enlarged by whole
factors, and the PNG encoder below stores pixels without compression.
"""

from __future__ import annotations

import struct
import zlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from safecot_eval.benchmarks.mini.scenes import Scene, Style
from safecot_eval.benchmarks.mini.world import RGB, world

if TYPE_CHECKING:
    from PIL import Image

SIZE = 96
"""Width and height of a picture in pixels."""

Mask = NDArray[np.bool_]
_WHITE: RGB = (255, 255, 255)
_MARGIN = 8


def draw(scene: Scene) -> Image.Image:
    """Paint a scene.

    Returns:
        An RGB image of ``SIZE`` x ``SIZE`` pixels.
    """
    from PIL import Image

    return Image.fromarray(pixels(scene))


def pixels(scene: Scene) -> NDArray[np.uint8]:
    """A scene as an array of shape (SIZE, SIZE, 3)."""
    data = world()
    ink, ground = data.colours[scene.colour], data.grounds[scene.ground]
    canvas = np.empty((SIZE, SIZE, 3), dtype=np.uint8)
    canvas[:] = ground
    if scene.style is Style.LABEL:
        _paint_label(canvas, scene, ink)
    else:
        _paint_object(canvas, scene, ink)
    for index in range(scene.dots):
        left = SIZE // 2 - 6 * scene.dots + 12 * index + 3
        canvas[SIZE - 12 : SIZE - 6, left : left + 6] = ink
    return canvas


def _paint_object(canvas: NDArray[np.uint8], scene: Scene, ink: RGB) -> None:
    scale = 4 if scene.large else 3
    body, (mark_row, mark_column) = _objects()[scene.object]
    body = _enlarge(body, scale)
    if scene.style is Style.OUTLINE:
        body = body & ~_shrink(body, 2)
    free = SIZE - body.shape[1] - 2 * _MARGIN
    left = _MARGIN + free * world().places[scene.place] // 2
    top = (SIZE - 16 - body.shape[0]) // 2 + 2
    _stamp(canvas, body, top, left, ink)
    window = (slice(top + scale * mark_row - 1, None), slice(left + scale * mark_column - 1, None))
    if scene.style is Style.OUTLINE:  # the mark stands on the ground colour, not on contours of holes
        side = 7 * scale + 2
        canvas[window][:side, :side] = world().grounds[scene.ground]
    colour = ink if scene.style is Style.OUTLINE else _WHITE
    mark = _enlarge(_marks()[scene.mark], scale)
    _stamp(canvas, mark, top + scale * mark_row, left + scale * mark_column, colour)


def _paint_label(canvas: NDArray[np.uint8], scene: Scene, ink: RGB) -> None:
    shift = world().places[scene.place] - 1
    top = 12 if scene.large else 16
    canvas[top : top + 60, 2 : SIZE - 2] = _WHITE
    canvas[top : top + 2, 2 : SIZE - 2] = ink
    canvas[top + 58 : top + 60, 2 : SIZE - 2] = ink
    for row, word in ((top + 10, scene.object), (top + 36, scene.mark)):
        line = _enlarge(_text(word.upper()), 2)
        _stamp(canvas, line, row, (SIZE - line.shape[1]) // 2 + 3 * shift, ink)


def _stamp(canvas: NDArray[np.uint8], mask: Mask, top: int, left: int, colour: RGB) -> None:
    canvas[top : top + mask.shape[0], left : left + mask.shape[1]][mask] = colour


def _enlarge(mask: Mask, factor: int) -> Mask:
    return mask.repeat(factor, axis=0).repeat(factor, axis=1)


def _shrink(mask: Mask, times: int) -> Mask:
    for _ in range(times):
        padded = np.pad(mask, 1)
        mask = mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask


def _text(word: str) -> Mask:
    letters = [np.pad(_font()[letter], ((0, 0), (0, 1))) for letter in word]
    return np.concatenate(letters, axis=1)[:, :-1]


def _blocks(file: str) -> dict[str, Mask]:
    """Bitmaps of a text file, by their header lines."""
    found: dict[str, list[str]] = {}
    header = ""
    for line in (Path(__file__).parent / file).read_text(encoding="utf-8").splitlines():
        if line.startswith("= "):
            header = line[2:]
            found[header] = []
        elif header and line:
            found[header].append(line)
    return {key: np.array([[pixel == "#" for pixel in row] for row in rows]) for key, rows in found.items()}


@cache
def _objects() -> dict[str, tuple[Mask, tuple[int, int]]]:
    objects = {}
    for header, mask in _blocks("symbols.txt").items():
        name, _, corner = header.partition(" @ ")
        if corner:
            row, column = (int(value) for value in corner.split())
            objects[name] = (mask, (row, column))
    return objects


@cache
def _marks() -> dict[str, Mask]:
    return {header: mask for header, mask in _blocks("symbols.txt").items() if "@" not in header}


@cache
def _font() -> dict[str, Mask]:
    return {
        letter: mask[:, 6 * index : 6 * index + 5]
        for letters, mask in _blocks("font.txt").items()
        for index, letter in enumerate(letters)
    }


def png_bytes(scene: Scene) -> bytes:
    """A scene as an uncompressed palette PNG: a function of the scene alone, not of any library's compressor."""
    packed = pixels(scene).astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    colours, indices = np.unique(packed, return_inverse=True)
    palette = b"".join(int(colour).to_bytes(3, "big") for colour in colours)
    rows = np.zeros((SIZE, SIZE + 1), dtype=np.uint8)  # a filter byte of 0 before each row
    rows[:, 1:] = indices.reshape(SIZE, SIZE)
    raw = rows.tobytes()
    stored = b"\x78\x01\x01" + struct.pack("<HH", len(raw), len(raw) ^ 0xFFFF) + raw
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 3, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"PLTE", palette)
        + _chunk(b"IDAT", stored + struct.pack(">I", zlib.adler32(raw)))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
