"""A checkpoint's own answers to training questions, and whether each did what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.records.samples import Expectation
from safecot_eval.scoring.reasoning import split
from safecot_eval.scoring.refusal import DEFAULT_LIST, load_list
from safecot_eval.util.errors import SafecotError
from safecot_training.data.examples import require_whole_characters
from safecot_training.data.sanitise import sanitised_generation


@dataclass(frozen=True, slots=True)
class OwnAnswer:
    """What a checkpoint said.

    Attributes:
        text: The whole generation, without control tokens: it is trained on.
        met: Whether it refused what was to be refused, or answered what was to be answered; None if that cannot be told.
    """

    text: str
    met: bool | None


def read_own_answers(path: Path, expectations: Mapping[str, str]) -> dict[str, OwnAnswer]:
    """A file of answers (``{"id": EXAMPLE, "response": TEXT}`` a line), read by phrases.

    Args:
        path: The file.
        expectations: Of the training examples, by id.

    Raises:
        SafecotError: unreadable, a line without ``id`` and ``response``, two answers to one example, or one to no training
            example.
    """
    answers = {}
    for number, row in enumerate_jsonl(path):
        if not isinstance(row.get("id"), str) or not isinstance(row.get("response"), str):
            raise SafecotError(f'{path}, line {number}: write {{"id": EXAMPLE, "response": TEXT}}.')
        require_whole_characters(row, f"{path}, line {number}")
        if row["id"] in answers:
            raise SafecotError(
                f"{path}, line {number}: a second answer to {row['id']!r}; keep one answer for each example."
            )
        answers[row["id"]] = sanitised_generation(row["response"])
    if not answers:
        raise SafecotError(f"{path}: holds no answers.")
    if unknown := sorted(set(answers) - set(expectations)):
        raise SafecotError(
            f"{path}: {unknown[0]!r} is not a training example, nor are {len(unknown) - 1} further ids; pairs are of training questions only."
        )
    return {name: OwnAnswer(text, by_phrases(text, expectations[name])) for name, text in answers.items()}


def by_phrases(text: str, expectation: str) -> bool | None:
    """Whether an answer meets an expectation, by the default phrase list; None for no answer, or another language.

    >>> by_phrases("I cannot help with that.", "refuse"), by_phrases("", "refuse")
    (True, None)
    """
    answer = split(text).answer
    if not answer:
        return None
    refused = load_list(DEFAULT_LIST).read(answer=answer).matched
    return None if refused is None else refused == (expectation == Expectation.REFUSE)
