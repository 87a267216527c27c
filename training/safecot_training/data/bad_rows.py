"""Rows of a source that cannot be used: the first one stops the build, or each is left out and counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from safecot_eval.util.errors import SafecotError

SHOWN = 20


class OnBad(StrEnum):
    """What to do with a row that cannot be used."""

    STOP = "stop"
    DROP = "drop"


@dataclass
class BadRows:
    """Meets bad rows as the user wished, and remembers them.

    Attributes:
        policy: Stop or drop.
        sentences: One per row that was dropped.
    """

    policy: OnBad = OnBad.STOP
    sentences: list[str] = field(default_factory=list)

    @contextmanager
    def skipped(self) -> Iterator[None]:
        """Leave a row out if what is inside the block refuses it.

        Raises:
            SafecotError: it does, and the policy is to stop; the sentence says how to drop such rows.
        """
        try:
            yield
        except SafecotError as error:
            if self.policy is OnBad.STOP:
                raise SafecotError(f"{error} (--on-bad drop leaves such rows out.)") from error
            self.sentences.append(str(error))

    def as_dict(self) -> dict[str, Any]:
        """For the manifest: how many, and the first of them."""
        return {
            "policy": self.policy.value,
            "dropped": len(self.sentences),
            "first": self.sentences[:SHOWN],
        }
