"""Prompts and endings, without a model."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from safecot_eval.generate.models.generation import _read, to_turn, without_placeholders
from safecot_eval.util.errors import SafecotError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("What is <image>?", "What is < image >?"),
        ("<|image_pad|><|vision_start|>", "< |image_pad| >< |vision_start| >"),
        ("<IMG_CONTEXT> <row_1_col_2> <global-img>", "< IMG_CONTEXT > < row_1_col_2 > < global-img >"),
        ("if a <b> or </think> & 1 < 2 > 0", "if a <b> or </think> & 1 < 2 > 0"),
    ],
)
def test_placeholders_are_broken_and_nothing_else(text: str, shown: str) -> None:
    assert without_placeholders(text) == shown


def test_a_conversation_is_separated_from_its_images() -> None:
    parts = [
        {"type": "image", "url": "A"},
        {"type": "text", "text": "See <image>"},
        {"type": "image", "url": "B"},
    ]
    turn = to_turn([{"role": "user", "content": parts}], "Be kind.")
    assert turn.images == ["A", "B"]
    assert [message["role"] for message in turn.messages] == ["system", "user"]
    assert turn.messages[1]["content"] == [
        {"type": "image"},
        {"type": "text", "text": "See < image >"},
        {"type": "image"},
    ]
    own = [{"role": "system", "content": [{"type": "text", "text": "own"}]}]
    assert [message["role"] for message in to_turn(own, "Be kind.").messages] == ["system"]
    with pytest.raises(SafecotError, match="has a video"):
        to_turn([{"role": "user", "content": [{"type": "video", "url": "v"}]}])


def reading(ids: list[int], stops: tuple[str, ...] = (), limit: int = 6) -> tuple[str, int, str]:
    """Tokens 5… are letters, 2 ends, 0 pads."""
    letters = SimpleNamespace(decode=lambda row, **_: "".join(chr(92 + token) for token in row if token > 4))
    output = _read(SimpleNamespace(tokenizer=letters), ids, {2}, 0, list(stops), limit, 9)
    assert output.input_tokens == 9
    return output.text, output.output_tokens, output.finish_reason


def test_endings() -> None:
    assert reading([5, 6, 2, 0, 0, 0]) == ("ab", 2, "stop")
    assert reading([5, 6, 7, 8, 9, 2]) == ("abcde", 5, "stop"), (
        "ended by itself with the last token of the budget"
    )
    assert reading([5, 6, 7, 8, 9, 10]) == ("abcdef", 6, "length")
    assert reading([5, 6, 7, 0, 0, 0], stops=("c",)) == ("ab", 3, "stop")
    assert reading([5, 6, 7, 8, 9, 10], stops=("e", "c")) == ("ab", 6, "stop"), "cut at the first stop string"
    assert reading([2, 0, 0, 0, 0, 0]) == ("", 0, "stop")
