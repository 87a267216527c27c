"""Take out of a text what a processor or the scorer would take for a control token.

Every VLM processor fails on a literal image placeholder inside a text (``<image>``, ``<|image_pad|>``,
``<IMG_CONTEXT>``), a literal end-of-turn token ends the turn, and a literal reasoning marker inside a chain of thought
would move the border between reasoning and answer. Text of any origin passes through here before it is trained on.
"""

from __future__ import annotations

import re

_CONTROL = re.compile(
    r"<\|[^<>|\n]{1,40}\|>"  # <|im_end|>, <|image_pad|>, <|eot_id|>
    r"|</?(?:image|img|video|audio|image_soft_token|start_of_image|end_of_image|img_context|global-img"
    r"|fake_token_around_image|row_\d+_col_\d+|end_of_utterance|start_of_turn|end_of_turn|bos|eos|s|pad|unk"
    r"|think|safety_reasoning)>"
    r"|\[/?INST\]",
    re.IGNORECASE,
)
_MARKER = re.compile(r"(</?(?:think|safety_reasoning)>)", re.IGNORECASE)


def sanitise(text: str, extra: tuple[str, ...] = ()) -> str:
    r"""Remove control-token look-alikes and put white space in order.

    Args:
        text: Anything.
        extra: Further literal strings to remove (configured reasoning markers).

    >>> sanitise("<image>\nWhat is this?  <|im_end|>")
    'What is this?'
    >>> sanitise("a < b and <b> bold")
    'a < b and <b> bold'
    """
    text = without_control_tokens(text, extra)
    lines = (re.sub(r"[ \t]+", " ", line).strip() for line in text.replace("\r\n", "\n").split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def sanitised_generation(text: str) -> str:
    r"""A model's whole generation without control-token look-alikes; the markers of its thoughts stay.

    >>> sanitised_generation("<think>A <image> of tea.</think>\nYes.<|im_end|>")
    '<think>A   of tea.</think>\nYes.'
    """
    parts = _MARKER.split(text)
    return "".join(
        part if number % 2 else without_control_tokens(part) for number, part in enumerate(parts)
    ).strip()


def without_control_tokens(text: str, extra: tuple[str, ...] = ()) -> str:
    r"""Remove control-token look-alikes and leave white space as it is.

    >>> without_control_tokens("Two  spaces stay. <|im_end|>")
    'Two  spaces stay.  '
    """
    previous = None
    while previous != text:  # removing one marker may put another together
        previous = text
        text = _CONTROL.sub(" ", text)
        for marker in extra:
            text = text.replace(marker, " ")
    return text
