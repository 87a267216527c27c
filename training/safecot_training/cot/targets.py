"""What each variant learns to say: the three differ in the chain of thought and in nothing else.

=========  ==================================================================================
``v0``     refusal or answer
``v1``     marker, chain of thought from a template, marker; refusal or answer
``v2``     marker, chain of thought written by a VLM, marker; refusal or answer
=========  ==================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from safecot_eval.records.samples import Expectation
from safecot_eval.scoring.reasoning import SAFECOT, THINK
from safecot_training.data.examples import Example, Kind
from safecot_training.data.refusals import choose


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


@dataclass(frozen=True, slots=True)
class Wordings:
    """What a target may say, to be drawn anew in every epoch (the paper samples during training).

    Attributes:
        thoughts: Chains of thought; none, or one where it was written for the example.
        replies: Refusals, or the one answer.
        marker: What stands around the chain of thought.
    """

    thoughts: tuple[str, ...]
    replies: tuple[str, ...]
    marker: Marker

    def drawn(self, seed: int, example_id: str, epoch: int) -> str:
        """The target of one epoch; the first epoch's is the one that the file shows."""
        later = () if epoch == 0 else (epoch,)
        cot = choose(self.thoughts, "cot", seed, example_id, *later) if self.thoughts else ""
        return target(cot, choose(self.replies, "refusal", seed, example_id, *later), self.marker)


def completion_of(row: Mapping[str, Any], seed: int, epoch: int | None) -> str:
    """A training row's target: the one in the file, or the draw of an epoch where the row has several wordings."""
    if epoch is None or not row.get("replies"):
        return str(row["completion"][0]["content"])
    wordings = Wordings(tuple(row["thoughts"]), tuple(row["replies"]), Marker(row["marker"]))
    return wordings.drawn(seed, row["id"], epoch)


def longest(row: Mapping[str, Any]) -> str:
    """The longest target that a row can have, in characters."""
    shown = str(row["completion"][0]["content"])
    if not row.get("replies"):
        return shown
    cot = max(row["thoughts"], key=len, default="")
    return max(shown, target(cot, max(row["replies"], key=len), Marker(row["marker"])), key=len)


def training_row(
    example: Example,
    image_names: list[str],
    completion: str,
    variant: Variant,
    prompt: str | None = None,
    wordings: Wordings | None = None,
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
        **({} if wordings is None else _columns(wordings)),
    }


def _columns(wordings: Wordings) -> dict[str, Any]:
    return {
        "thoughts": list(wordings.thoughts),
        "replies": list(wordings.replies),
        "marker": wordings.marker.value,
    }


def _earlier(example: Example) -> list[dict[str, str]]:
    return [
        {"role": role, "content": text}
        for exchange in example.history
        for role, text in zip(("user", "assistant"), exchange, strict=True)
    ]
