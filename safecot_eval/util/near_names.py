"""Which known names somebody may have meant who gave one that is unknown."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def near_names(asked: str, known: Iterable[str], *, most: int = 3, cutoff: float = 0.6) -> list[str]:
    """Names that begin with the one asked for, shortest first; only where there is none, those with a near spelling.

    Args:
        asked: The unknown name. Case does not matter.
        known: The names that there are.
        most: How many to return.
        cutoff: How near a spelling must be, in [0, 1] (:func:`difflib.get_close_matches`).

    >>> near_names("safecot_mssbench", ["safecot_mossbench", "safecot_mssbench_chat", "safecot_mssbench_embodied"])
    ['safecot_mssbench_chat', 'safecot_mssbench_embodied']
    >>> near_names("safecot_nimi", ["safecot_mini", "safecot_siuo"], most=1)
    ['safecot_mini']
    """
    spelled: dict[str, str] = {}
    for name in known:
        spelled.setdefault(name.casefold(), name)
    wanted = asked.casefold()
    if wanted and (begin := [name for key, name in spelled.items() if key.startswith(wanted)]):
        return sorted(begin, key=len)[:most]
    return [spelled[key] for key in get_close_matches(wanted, spelled, n=most, cutoff=cutoff)]
