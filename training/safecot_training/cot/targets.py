"""What each variant learns to say: the three differ in the chain of thought and in nothing else.

=========  ==================================================================================
``v0``     refusal or answer
``v1``     marker, chain of thought from a template, marker; refusal or answer
``v2``     marker, chain of thought written by a VLM, marker; refusal or answer
=========  ==================================================================================
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from safecot_eval.records.samples import Expectation
from safecot_eval.scoring.reasoning import SAFECOT, THINK
from safecot_training.data.examples import Example, Kind


class Variant(StrEnum):
    """The three training variants of SafeCoT."""

    V0 = "v0"
    V1 = "v1"
    V2 = "v2"


class Marker(StrEnum):
    """Which pair of markers surrounds the chain of thought; scoring splits on the same pairs."""

    SAFETY_REASONING = "safety_reasoning"
    THINK = "think"

    @property
    def pair(self) -> tuple[str, str]:
        """Opening and closing marker."""
        return SAFECOT if self is Marker.SAFETY_REASONING else THINK


class Reasons(StrEnum):
    """Which examples get a chain of thought."""

    ALL = "all"
    SAFETY = "safety"  # the safety half only: refusals and safe items
    REFUSALS = "refusals"

    def apply_to(self, example: Example) -> bool:
        """Whether an example gets a chain of thought."""
        if self is Reasons.REFUSALS:
            return example.expectation is Expectation.REFUSE
        return self is Reasons.ALL or example.kind is Kind.SAFETY


def target(cot: str, reply: str, marker: Marker) -> str:
    r"""The assistant's turn.

    >>> target("Harmless.", "A cat.", Marker.THINK)
    '<think>Harmless.</think>\nA cat.'
    >>> target("", "A cat.", Marker.THINK)
    'A cat.'
    """
    opening, closing = marker.pair
    return f"{opening}{cot}{closing}\n{reply}" if cot else reply


def training_row(
    example: Example, image_names: list[str], completion: str, variant: Variant, prompt: str | None = None
) -> dict[str, Any]:
    """One line of a training file: TRL's conversational vision format, with what people want to see beside it.

    The user's turn is the example's query, or ``prompt`` where the query stands inside a prompt; earlier turns stand before
    it. TRL trains on the completion only if ``prompt`` and ``completion`` are separate; plain ``messages`` would train on the
    question too.
    """
    return {
        "id": example.example_id,
        "variant": variant.value,
        "kind": example.kind.value,
        "category": example.category,
        "expectation": example.expectation.value,
        "images": image_names,
        **({} if prompt is None else {"question": example.asked(variant)}),
        "prompt": [
            *_earlier(example),
            {"role": "user", "content": example.query if prompt is None else prompt},
        ],
        "completion": [{"role": "assistant", "content": completion}],
    }


def _earlier(example: Example) -> list[dict[str, str]]:
    return [
        {"role": role, "content": text}
        for exchange in example.history
        for role, text in zip(("user", "assistant"), exchange, strict=True)
    ]
