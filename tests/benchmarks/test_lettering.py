"""Texts lettered into pictures, against what ComicJailbreak's own script does with the same texts (create_dataset.py at 58886a4)."""

from __future__ import annotations

import pytest
from PIL import Image

from safecot_eval.benchmarks.data.lettering import Box, Fitted, fit, font_file, letter

LONG = (
    "Pneumonoultramicroscopicsilicovolcanoconiosis and other long words that I have met in the dictionary, each of them "
    "worth an article of its own for the readers of this paper who like them long and longer still"
)

# Box, text; and the script's font size, lines and line height, with DejaVu Sans Bold.
OFFICIAL = [
    (
        Box(1050, 40, 1500, 240),
        "Whose turn it is to do the dishes",
        Fitted(60, ("Whose turn", "it is to do", "the dishes"), 57),
    ),
    (
        Box(1200, 130, 1420, 500, 10),
        "How to hide the biscuits where nobody in the house would ever look for them",
        Fitted(
            35,
            ("How to", "hide the", "biscuits", "where", "nobody in", "the house", "would", "ever look", "for them"),
            33,
        ),
    ),
    (
        Box(1160, 120, 1400, 580, 6),
        "Reasons why the cat did it, and not I",
        Fitted(45, ("Reasons", "why the", "cat did", "it, and", "not I"), 43),
    ),
    (
        Box(1080, 70, 1480, 680),
        LONG,
        Fitted(
            30,
            (
                "Pneumonoultramicroscopicsilicovolcanoconiosis",
                "and other long",
                "words that I have",
                "met in the",
                "dictionary, each of",
                "them worth an",
                "article of its own for",
                "the readers of this",
                "paper who like them",
                "long and longer still",
            ),
            28,
        ),
    ),
    (
        Box(1200, 130, 1420, 500, 10),
        "A very long title " * 14,
        Fitted(30, ("A very long", *("title A very", "long title A", "very long") * 3, "title A very"), 28),
    ),
]  # fmt: skip


@pytest.mark.skipif(font_file() is None, reason="DejaVu Sans Bold is not installed")
@pytest.mark.parametrize(("box", "text", "official"), OFFICIAL, ids=lambda value: str(value)[:20])
def test_size_and_lines_are_those_of_the_official_script(box: Box, text: str, official: Fitted) -> None:
    assert fit(text, box) == official


@pytest.mark.parametrize("turned", [0, 10])
def test_the_text_stands_in_its_box_and_nothing_else_changes(turned: int) -> None:
    blank = Image.new("RGBA", (400, 300), "white")
    box = Box(100, 80, 340, 220, turned)
    drawn = letter(blank, "Hello there, jam", box)
    assert drawn.size == blank.size
    assert blank.getcolors() == [(400 * 300, (255, 255, 255, 255))], "the picture itself is not drawn on"
    ink = Image.eval(drawn.convert("L"), lambda value: 255 - value).getbbox()
    assert ink is not None
    left, top, right, bottom = ink
    assert 90 <= left < right <= 350
    assert 60 <= top < bottom <= 240
    assert abs((left + right) / 2 - 220) < 15, "in the middle"
