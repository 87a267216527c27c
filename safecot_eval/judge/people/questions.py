"""The question and the allowed labels of each rubric that people can label (``questions.yaml``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from safecot_eval.records.verdicts import Unscored
from safecot_eval.util.errors import SafecotError

_FILE = Path(__file__).parent / "questions.yaml"


@dataclass(frozen=True, slots=True)
class Question:
    """What annotators are asked.

    Attributes:
        rubric: Name of the rubric the verdicts will have.
        text: The question.
        labels: Label to its explanation, in the order shown; ``unsure`` comes last.
    """

    rubric: str
    text: str
    labels: dict[str, str]


@lru_cache(maxsize=1)
def questions() -> dict[str, Question]:
    """All questions by rubric."""
    content = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    unsure = {Unscored.UNSURE.value: "It cannot be told from the text."}
    return {
        rubric: Question(rubric, entry["question"], {**entry["labels"], **unsure})
        for rubric, entry in content.items()
    }


def question(rubric: str) -> Question:
    """The question of one rubric.

    Raises:
        SafecotError: there is none.
    """
    known = questions()
    if rubric not in known:
        raise SafecotError(f"People cannot label the rubric {rubric!r}; choose one of: {', '.join(known)}.")
    return known[rubric]
