"""Why a generation ended: what a back end knows and the scoring of the same process needs.

lmms-eval hands ``process_results`` the text alone. A back end of ours notes the reason here under the sample's id;
scoring reads it. Other back ends say nothing, and :mod:`safecot_eval.records.run` derives truncation from lmms-eval's token
counts.
"""

from __future__ import annotations

from safecot_eval.records.samples import Status

STOP = "stop"
LENGTH = "length"
IMAGE_ABSENT = "image_absent"

_reasons: dict[str, str] = {}

_STATUS = {
    LENGTH: Status.TRUNCATED,
    IMAGE_ABSENT: Status.IMAGE_UNREADABLE,
    **{status.value: status for status in Status if status is not Status.OK},
}


def note_sample(sample_id: str, reason: str) -> None:
    """Remember why the generation of a sample ended (the latest note counts).

    Args:
        sample_id: The sample.
        reason: ``stop`` (it was complete), ``length`` (the token budget was used up), ``image_absent`` (the model was
            asked without the image), or a :class:`~safecot_eval.records.samples.Status` that a replay file states.
    """
    _reasons[sample_id] = reason


def forget(sample_id: str) -> None:
    """Drop an earlier note: the sample is about to be asked again, perhaps of a back end that says nothing."""
    _reasons.pop(sample_id, None)


def reason_of(sample_id: str) -> str | None:
    """The noted reason, or None.

    >>> note_sample("ab", LENGTH)
    >>> reason_of("ab"), reason_of("cd")
    ('length', None)
    """
    return _reasons.get(sample_id)


def status_of(sample_id: str) -> Status | None:
    """The status that the noted reason implies; None if the text decides.

    >>> note_sample("ab", LENGTH)
    >>> status_of("ab")
    <Status.TRUNCATED: 'truncated'>
    >>> note_sample("ab", STOP)
    >>> status_of("ab") is None
    True
    """
    return _STATUS.get(_reasons.get(sample_id, STOP))
