"""Why a generation ended: what a back end knows and the scoring of the same process needs.

lmms-eval hands ``process_results`` the text alone. A back end of ours notes the reason here under the sample's id
(``"length"`` where the token budget was used up); scoring reads it. Other back ends say nothing, and
:mod:`safecot_eval.runs` derives truncation from lmms-eval's token counts.
"""

from __future__ import annotations

_reasons: dict[str, str] = {}


def note_sample(sample_id: str, reason: str) -> None:
    """Remember why the generation of a sample ended (the latest note counts)."""
    _reasons[sample_id] = reason


def reason_of(sample_id: str) -> str | None:
    """The noted reason, or None.

    >>> note_sample("ab", "length")
    >>> reason_of("ab"), reason_of("cd")
    ('length', None)
    """
    return _reasons.get(sample_id)
