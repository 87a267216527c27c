"""Grey pictures of more than 8 bits are scaled, or refused with a sentence; Pillow's own conversion makes them white."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from safecot_eval.benchmarks import images
from safecot_eval.util.errors import SafecotError


def saved(tmp_path: Path, values: object, dtype: str, name: str = "deep.png") -> Path:
    path = tmp_path / name
    Image.fromarray(np.asarray(values, dtype=dtype)).save(path)
    return path


def grey(path: Path) -> list[int]:
    pixels = np.asarray(images.open_image(path))
    assert pixels.shape[2] == 3
    assert (pixels[:, :, 0] == pixels[:, :, 2]).all()
    return [int(value) for value in pixels[:, :, 0].ravel()]


def test_the_field_report(data_dir: Path) -> None:
    folder = data_dir / "field_reports/sixteen-bit-image"
    assert images.open_image(folder / "grey16.png").getpixel((0, 0)) == (117, 117, 117)
    assert images.open_image(folder / "grad16.png").convert("L").getextrema() == (0, 255)


def test_sixteen_bits_are_scaled_by_their_range(tmp_path: Path) -> None:
    assert grey(saved(tmp_path, [[0, 200, 30_000, 65_535]], "uint16")) == [0, 1, 117, 255]
    assert grey(saved(tmp_path, [[0, 257, 65_535]], "uint16", "deep.tif")) == [0, 1, 255]


def test_sixteen_bits_in_either_byte_order(tmp_path: Path) -> None:
    big = Image.frombytes("I;16B", (2, 1), np.asarray([[30_000, 65_535]], dtype=">u2").tobytes())
    assert np.asarray(images.to_rgb(big))[0, :, 0].tolist() == [117, 255]


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([[0.0, 0.5, 1.0]], "float32", [0, 128, 255]),
        ([[0.0, 127.0, 255.0]], "float32", [0, 127, 255]),
        ([[0, 100, 255]], "int32", [0, 100, 255]),
        ([[0, 30_000, 65_535]], "int32", [0, 117, 255]),
    ],
)
def test_float_and_32_bit_tiffs(tmp_path: Path, values: object, dtype: str, expected: list[int]) -> None:
    assert grey(saved(tmp_path, values, dtype, "deep.tif")) == expected


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([[0.0, 900.0]], "float32"),
        ([[float("nan"), 1.0]], "float32"),
        ([[-1, 7]], "int32"),
        ([[0, 70_000]], "int32"),
    ],
)
def test_values_without_a_known_white_are_unreadable(tmp_path: Path, values: object, dtype: str) -> None:
    path = saved(tmp_path, values, dtype, "odd.tif")
    with pytest.raises(SafecotError, match="odd.tif: .*save it with 8 bits"):
        images.open_image(path)
    assert images.inspect(path).error is not None  # the item's status becomes image_unreadable


def test_sixteen_bit_transparency_is_white(tmp_path: Path) -> None:
    path = tmp_path / "through.png"
    Image.fromarray(np.asarray([[0, 30_000]], dtype="uint16")).save(path, transparency=30_000)
    assert grey(path) == [0, 255]


def test_training_places_eight_bits(tmp_path: Path) -> None:
    from safecot_training.data.contamination import image_keys
    from safecot_training.data.dataset import place_image

    deep = saved(tmp_path, [[0, 30_000, 65_535]], "uint16")
    placed, digest = place_image(deep, tmp_path / "images")
    target = tmp_path / placed
    assert target.stem == digest[:20]
    with Image.open(target) as image:
        assert image.convert("L").tobytes() == bytes([0, 117, 255])
    assert image_keys(deep)[1] == image_keys(target)[1]
