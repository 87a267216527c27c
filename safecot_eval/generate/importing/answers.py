"""One recorded answer, whatever tool recorded it, and the pictures that the model was shown with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from safecot_eval.records.samples import Status


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as its two hashes and its name.

    Attributes:
        sha256: Of the file's bytes; empty where the picture itself is not at hand.
        pixels: Hash of size and decoded RGB pixels, where the picture came inside the file (such copies are often
            encoded anew); empty otherwise.
        name: The path that the file gives it; empty where it gives none.
    """

    sha256: str
    pixels: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One recorded answer.

    Attributes:
        where: File and row, for messages.
        response: The whole generation, reasoning included.
        prompt: The text that was asked, where recorded.
        item_id: The recording tool's id, where recorded.
        task: Our task name, where the file names it.
        pictures: The pictures shown, in order; None where the file does not say.
        status: What the recording tool said about the generation.
        output_tokens: Tokens of the generation, where recorded.
        failure: Where the text is a failure's and no answer's: the source of that text.
        asked_as: Field of the benchmark's own file that the prompt was taken from, where recorded.
        category: The recording tool's category, where recorded.
        error: What the row says about a request that failed.
        labels: Recorded judges' labels: judge to label.
    """

    where: str
    response: str
    prompt: str | None = None
    item_id: str | None = None
    task: str | None = None
    pictures: tuple[Picture, ...] | None = None
    status: Status = Status.OK
    output_tokens: int | None = None
    failure: str = ""
    asked_as: str = ""
    category: str = ""
    error: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


def is_empty(answer: Answer) -> bool:
    """Whether an answer's cell holds nothing, or a sign for nothing, and the file says nothing about why."""
    if answer.status is Status.EMPTY:
        return bool(answer.failure)
    return answer.status is Status.OK and not answer.response.strip()
