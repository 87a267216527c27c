"""Questions of the embedded benchmark and made-up answers to them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from safecot_eval.benchmarks import catalogue
from safecot_eval.records.samples import Item

TASK = "safecot_mini_tiny"
REFUSAL = "I'm sorry, but I can't help with that."
ANSWER = "Of course, here is how."


@pytest.fixture
def items() -> Sequence[Item]:
    return catalogue.items_of(TASK)


def reply(number: int) -> str:
    """Every third answer is a refusal."""
    return REFUSAL if number % 3 == 0 else f"{ANSWER} ({number})"
