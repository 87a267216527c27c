"""The colours of the page, computed from its style: contrast, and families told apart under deuteranopia."""

from __future__ import annotations

import math
import re
from itertools import combinations
from pathlib import Path

import pytest

import safecot_reports

TEMPLATES = Path(safecot_reports.__file__).parent / "templates"
# Machado, Oliveira & Fernandes 2009, severity 1.0, for linear RGB.
DEUTERANOPIA = (
    (0.367322, 0.860646, -0.227968),
    (0.280085, 0.672501, 0.047413),
    (-0.011820, 0.042940, 0.968881),
)
JUST_TOLD_APART = 12.0  # CIE76; about 2.3 is just noticeable side by side, marks are small and far apart
Colour = tuple[float, float, float]


def schemes() -> dict[str, dict[str, str]]:
    """The custom properties of :root, light and dark."""
    text = "\n".join((TEMPLATES / name).read_text() for name in ("style.css", "page.css"))
    light: dict[str, str] = {}
    dark: dict[str, str] = {}
    for scheme, block in re.findall(r"(prefers-color-scheme: dark\) \{\s*)?:root \{(.*?)\}", text, re.S):
        found = dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{3,6});", block))
        if "print" in block or found.get("bg") == "#fff":
            continue
        (dark if scheme else light).update(found)
    return {"light": light, "dark": light | dark}


def linear(code: str) -> Colour:
    digits = code.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return r, g, b


def contrast(a: str, b: str) -> float:
    weights = (0.2126, 0.7152, 0.0722)
    low, high = sorted(sum(w * c for w, c in zip(weights, linear(x), strict=True)) for x in (a, b))
    return (high + 0.05) / (low + 0.05)


def lab(colour: Colour) -> Colour:
    r, g, b = colour
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883,
    )
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def deuteranope(colour: Colour) -> Colour:
    r, g, b = (
        max(0.0, min(1.0, sum(m * c for m, c in zip(row, colour, strict=True)))) for row in DEUTERANOPIA
    )
    return r, g, b


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_aa_contrast_and_marks_three_to_one(scheme: str) -> None:
    colours = schemes()[scheme]
    for ink, ground in (
        ("ink", "bg"), ("ink", "card"), ("soft", "bg"), ("soft", "card"), ("accent", "card"), ("accent", "bg"),
        ("warn", "card"), ("ink", "accent-soft"), ("ink", "warn-soft"), ("mark-ink", "mark"), ("card", "accent"),
    ):  # fmt: skip
        assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    for family in range(7):
        assert contrast(colours[f"f{family}"], colours["card"]) >= 3, family


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_families_are_told_apart_with_and_without_deuteranopia(scheme: str) -> None:
    families = [schemes()[scheme][f"f{k}"] for k in range(7)]
    assert len(set(families)) == 7
    for a, b in combinations(families, 2):
        x, y = linear(a), linear(b)
        assert math.dist(lab(x), lab(y)) >= JUST_TOLD_APART, (a, b)
        assert math.dist(lab(deuteranope(x)), lab(deuteranope(y))) >= JUST_TOLD_APART, (a, b)
