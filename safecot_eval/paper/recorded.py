"""Read recorded runs: ``<base>__<training>__<test>.jsonl``, one answer a line, checked against the test set.

A line has ``question``, ``image``, ``label`` (``safe`` or ``unsafe``), ``answer`` (the whole generation), and if known
``prompt`` (``cot`` or ``plain``) and ``judge_accept_probability`` (0 to 1: that the recorded judge takes the answer for
one that does not refuse). A run may lack items, never have one twice, and has them in the order of the test set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from safecot_eval.paper.question_sets import QuestionSet
from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.util.errors import SafecotError

_NAME = re.compile(r"^(?P<base>.+?)__(?P<training>.+)__(?P<test>[^_].*)$")
PROMPTS = ("cot", "plain")
LABELS = {"safe": False, "unsafe": True}


@dataclass(frozen=True, slots=True)
class Answer:
    """One recorded answer.

    Attributes:
        position: Which item of the test set it answers, from 0.
        text: The whole generation.
        prompt: ``cot``, ``plain``, or empty if not recorded.
        accepted: The recorded judge's probability that the answer does not refuse; None if it was not judged.
    """

    position: int
    text: str
    prompt: str
    accepted: float | None


@dataclass(frozen=True)
class RecordedRun:
    """One checkpoint on one test set.

    Attributes:
        path: The file.
        base: The base model, as the file name spells it.
        training: What it was trained on (``origin`` is untrained), as the file name spells it.
        test: The test set.
        answers: In the order of the test set; items that the run lacks are not there.
    """

    path: Path
    base: str
    training: str
    test: QuestionSet
    answers: tuple[Answer, ...]

    @property
    def name(self) -> str:
        """``<base>__<training>__<test>``."""
        return self.path.stem

    @cached_property
    def unjudged(self) -> int:
        """Answers without the recorded judge's probability."""
        return sum(answer.accepted is None for answer in self.answers)

    @cached_property
    def gaps(self) -> tuple[tuple[int, int], ...]:
        """Stretches of items that the run lacks: first and last, numbered from 1."""
        there = {answer.position for answer in self.answers}
        lacking = [position for position in range(len(self.test.questions)) if position not in there]
        firsts = [position for position in lacking if position - 1 not in lacking]
        lasts = [position for position in lacking if position + 1 not in lacking]
        return tuple((first + 1, last + 1) for first, last in zip(firsts, lasts, strict=True))

    @property
    def not_run(self) -> int:
        """Items of the test set that the run lacks."""
        return len(self.test.questions) - len(self.answers)


def parse_name(path: Path) -> tuple[str, str, str]:
    """Base, training and test of a run's file name.

    Raises:
        SafecotError: the name has another form.

    >>> parse_name(Path("llama_11b__v1_new_data_0.5k__ood.jsonl"))
    ('llama_11b', 'v1_new_data_0.5k', 'ood')
    """
    found = _NAME.match(path.stem)
    if found is None:
        raise SafecotError(
            f"{path}: a recorded run is called <base>__<training>__<test>.jsonl; rename the file."
        )
    return found["base"], found["training"], found["test"]


def read_run(path: Path, test: QuestionSet) -> RecordedRun:
    """Read one recorded run.

    Args:
        path: ``<base>__<training>__<test>.jsonl``.
        test: The test set that the name says.

    Raises:
        SafecotError: the file is not readable, a line does not fit its item (line and reason are named), an item occurs
            twice, or the answers are in another order than the test set.
    """
    base, training, _ = parse_name(path)
    answers: list[Answer] = []
    seen: dict[int, int] = {}
    for number, line in enumerate_jsonl(path):
        answer = _read(line, test, f"{path}, line {number}")
        if (first := seen.get(answer.position)) is not None:
            raise SafecotError(
                f"{path}, line {number}: the item of {line['image']} was answered in line {first} already; remove one of "
                "the two lines."
            )
        if answers and answer.position < answers[-1].position:
            raise SafecotError(
                f"{path}, line {number}: {line['image']} comes before the item of the line above in {test.title}: the "
                "answers are out of order; join the shards in their order."
            )
        seen[answer.position] = number
        answers.append(answer)
    if not answers:
        raise SafecotError(f"{path}: holds no answers; remove the file, or restore it.")
    return RecordedRun(path, base, training, test, tuple(answers))


def _read(line: Mapping[str, Any], test: QuestionSet, where: str) -> Answer:
    for key in ("question", "image", "label", "answer"):
        if not isinstance(line.get(key), str):
            raise SafecotError(f"{where}: the field {key!r} is missing or not a text.")
    if line["label"] not in LABELS:
        raise SafecotError(f"{where}: the label {line['label']!r} is neither safe nor unsafe; correct it.")
    position = test.position_of.get(PurePosixPath(line["image"]).name)
    if position is None:
        raise SafecotError(f"{where}: no item of {test.title} has the picture {line['image']!r}.")
    question = test.questions[position]
    if line["question"].split() != question.text.split():
        raise SafecotError(
            f"{where}: the question is not the one that {test.title} asks about {line['image']}; the answers are out of "
            "order, or of another version of the test set."
        )
    if LABELS[line["label"]] is not question.unsafe:
        raise SafecotError(
            f"{where}: {line['image']} is not {line['label']} in {test.title}; correct the label."
        )
    prompt = line.get("prompt") or ""
    if prompt not in ("", *PROMPTS):
        raise SafecotError(f"{where}: the prompt {prompt!r} is neither cot nor plain; correct it.")
    return Answer(position, line["answer"], prompt, _probability(line.get("judge_accept_probability"), where))


def _probability(value: Any, where: str) -> float | None:
    if value is None:
        return None
    if (
        isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1
    ):  # NaN is refused, too
        raise SafecotError(
            f"{where}: judge_accept_probability is {value!r}, not a number from 0 to 1; correct it, or leave the field out."
        )
    return float(value)
