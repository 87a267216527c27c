"""An answer with its label, and a set of such answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from safecot_eval.benchmarks.data import roots


@dataclass(frozen=True, slots=True)
class Labelled:
    """One answer that people labelled.

    Attributes:
        model: Who answered, as our run of the recorded answers calls it.
        item_id: The benchmark's id.
        prompt: What was asked (images are not shown).
        answer: The answer.
        human: The people's final label, a label of the rubric.
        recorded: Recorded judge to its label.
        annotators: The single annotators' labels.
    """

    model: str
    item_id: str
    prompt: str
    answer: str
    human: str
    recorded: Mapping[str, str]
    annotators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelSet:
    """A published set of labelled answers.

    Attributes:
        name: What ``--labels`` calls it.
        title: Set and question.
        folder: Data folder.
        rubric: What the labels speak of.
        read: Its reader.
        human: Judge id of whoever labelled.
        labels: Who that was.
        language: Of the answers, ISO 639-1.
    """

    name: str
    title: str
    folder: str
    rubric: str
    read: Callable[[Path], Iterator[Labelled]]
    human: str
    labels: str = "two annotators, adjudicated"
    language: str = "en"

    def rows(self) -> list[Labelled]:
        """All answers of the set.

        Raises:
            SafecotError: the data are not there.
        """
        return list(self.read(roots.root(self.folder)))
