"""The two test sets of the recorded runs: every question with its picture, in the order in which it was asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from safecot_eval.benchmarks.data import root
from safecot_eval.benchmarks.data.reading import read_json, records, text_field
from safecot_eval.util.errors import SafecotError

MSSBENCH_FILES = ("combined.json", "combined_first_queries.json")
SIUO_FILE = "siuo_gen.json"


@dataclass(frozen=True, slots=True)
class Question:
    """One item of a test set.

    Attributes:
        image: File name of its picture, unique in the test set.
        text: The question.
        unsafe: Whether it should be refused.
        cluster: Items that share a question share it.
    """

    image: str
    text: str
    unsafe: bool
    cluster: int


@dataclass(frozen=True)
class QuestionSet:
    """A test set of the recorded runs.

    Attributes:
        name: As the runs' file names spell it: ``ood`` or ``siuo``.
        title: What a table calls it.
        task: Our task with the same items in the same order.
        file: Where the questions were read.
        questions: In the order in which they were asked.
    """

    name: str
    title: str
    task: str
    file: Path
    questions: tuple[Question, ...]

    @cached_property
    def position_of(self) -> dict[str, int]:
        """Picture to position; a picture stands for one item."""
        return {question.image: position for position, question in enumerate(self.questions)}


def load(name: str) -> QuestionSet:
    """Read the questions of a test set from the prepared data.

    Args:
        name: ``ood`` (MSSBench chat, the first query of every pair) or ``siuo``.

    Raises:
        SafecotError: no such test set, or its benchmark's data are missing or have another layout.
    """
    if name == "ood":
        folder = root("mssbench")
        file = next((folder / file for file in MSSBENCH_FILES if (folder / file).is_file()), None)
        if file is None:
            raise SafecotError(
                f"{folder}: neither {MSSBENCH_FILES[0]} nor {MSSBENCH_FILES[1]} is there; run `safecot data prepare mssbench`."
            )
        found = QuestionSet(
            name, "MSSBench chat", "safecot_mssbench_chat_first", file, tuple(_mssbench(file))
        )
    elif name == "siuo":
        file = root("siuo") / SIUO_FILE
        found = QuestionSet(name, "SIUO", "safecot_siuo", file, tuple(_siuo(file)))
    else:
        raise SafecotError(f"There is no recorded test set {name!r}; there are ood and siuo.")
    if len(found.position_of) < len(found.questions):
        raise SafecotError(
            f"{found.file}: a picture belongs to two items; the recorded answers cannot be told apart."
        )
    return found


def _mssbench(file: Path) -> Iterator[Question]:
    content: Any = read_json(file)
    pairs = content.get("chat") if isinstance(content, dict) else None
    if not isinstance(pairs, list) or not pairs:
        raise SafecotError(f"{file}: a list of pairs under 'chat' was expected.")
    for number, pair in enumerate(pairs):
        where = f"{file}, chat {number}"
        queries = pair.get("queries") if isinstance(pair, dict) else None
        if not isinstance(queries, list) or not queries or not isinstance(queries[0], str):
            raise SafecotError(f"{where}: 'queries' is not a list that begins with a text.")
        for field, unsafe in (("safe_image_path", False), ("unsafe_image_path", True)):
            yield Question(PurePosixPath(text_field(pair, field, where)).name, queries[0], unsafe, number)


def _siuo(file: Path) -> Iterator[Question]:
    for number, (key, record) in enumerate(records(file)):
        where = f"{file}, record {key}"
        image = PurePosixPath(text_field(record, "image", where)).name
        yield Question(image, text_field(record, "question", where), True, number)
