"""Why a generation ended: what a back end knows and scoring needs, carried by the text itself.

lmms-eval (0.7.3) hands ``process_results`` nothing but texts. It passes on the object that a back end returned as the text of
its ``GenerationResult``, through its filters and into its files, so that a text which knows how it ended arrives where it is
scored, each repeat with its own. Two of lmms-eval's options make new texts on the way, and what they make knows nothing:
``--reasoning_tags`` cuts the reasoning out (our tasks set it to ``none``), and ``--use_cache`` stores texts alone (``safecot run``
refuses it). Then, and with back ends of others, :mod:`safecot_eval.records.run` derives truncation from token counts.
"""

from __future__ import annotations

from typing import Any, Self

from safecot_eval.records.samples import Status

STOP = "stop"
LENGTH = "length"
IMAGE_ABSENT = "image_absent"

_STATUS = {
    LENGTH: Status.TRUNCATED,
    IMAGE_ABSENT: Status.IMAGE_UNREADABLE,
    **{status.value: status for status in Status if status is not Status.OK},
}


class Ended(str):
    """The text of a generation, and why it ended.

    Args:
        text: The whole generation.
        finish_reason: ``stop`` (it was complete), ``length`` (the token budget was used up), ``image_absent`` (the model was asked
            without the image), a :class:`~safecot_eval.records.samples.Status`, or None where nobody knows.

    >>> Ended("Sorry", "length"), Ended("Sorry", "length").finish_reason
    ('Sorry', 'length')
    """

    finish_reason: str | None

    def __new__(cls, text: str = "", finish_reason: str | None = None) -> Self:
        """A text, equal to one that knows nothing."""
        made = super().__new__(cls, text)
        made.finish_reason = finish_reason
        return made

    def strip(self, chars: str | None = None, /) -> Ended:
        """Without the blanks around it: lmms-eval's ``ConfigurableTask.process_results`` strips every text before ours."""
        return Ended(super().strip(chars), self.finish_reason)


def reason_of(text: Any) -> str | None:
    """Why a text ended, or None.

    >>> reason_of(Ended("a", "stop")), reason_of("a")
    ('stop', None)
    """
    return text.finish_reason if isinstance(text, Ended) else None


def status_of(text: Any) -> Status | None:
    """The status that the reason implies; None where the text decides.

    >>> status_of(Ended("a", "length")), status_of(Ended("a", "stop"))
    (<Status.TRUNCATED: 'truncated'>, None)
    """
    return _STATUS.get(reason_of(text) or STOP)
