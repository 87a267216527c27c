"""Image files are opened without trusting them."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageFile

from safecot_eval.benchmarks import images
from safecot_eval.util.errors import SafecotError


def _png(width: int, height: int, body: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(body))
        + chunk(b"IEND", b"")
    )


def test_a_good_image(tmp_path: Path) -> None:
    path = tmp_path / "good.png"
    Image.new("L", (30, 20), 7).save(path)
    info = images.inspect(path)
    assert (info.width, info.height, info.error) == (30, 20, None)
    assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert images.open_image(path).mode == "RGB"


@pytest.mark.parametrize("keep", [0.9, 0.5, 0.1])
@pytest.mark.parametrize("kind", ["png", "jpg"])
@pytest.mark.parametrize("padding", [True, False], ids=["as lmms-eval wants it", "as Pillow has it"])
def test_a_truncated_image_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, keep: float, padding: bool
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", padding)
    path = tmp_path / f"cut.{kind}"
    Image.effect_noise((200, 200), 90).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    info = images.inspect(path)
    assert info.error is not None
    assert info.error.startswith(f"cut.{kind}: ")
    assert len(info.sha256) == 64
    with pytest.raises(SafecotError, match=f"cut.{kind}"):
        images.open_image(path)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is padding


@pytest.mark.parametrize(("width", "height"), [(9_000, 9_000), (40_000, 40_000)])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(
    tmp_path: Path, width: int, height: int
) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(_png(width, height, b"\x00"))  # few bytes that claim many pixels
    error = images.inspect(path).error
    assert error is not None
    assert "limit of 50 megapixels" in error


def test_not_an_image_and_no_file(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    path.write_text("<html>", encoding="utf-8")
    assert "not an image" in str(images.inspect(path).error)
    assert images.inspect(tmp_path / "gone.png").error == "gone.png: the image is missing."
    assert images.inspect(tmp_path).error is not None


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.png"
    Image.new("RGB", (4, 4)).save(path)
    monkeypatch.setattr(images, "MAX_BYTES", 10)
    assert "larger than" in str(images.inspect(path).error)


def test_transparency_becomes_white(tmp_path: Path) -> None:
    path = tmp_path / "clear.png"
    Image.new("RGBA", (2, 2), (200, 0, 0, 0)).save(path)
    assert images.open_image(path).getpixel((0, 0)) == (255, 255, 255)


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    Image.new("RGB", (40, 10)).save(path, exif=exif)
    assert images.open_image(path).size == (10, 40)
