"""What to say about recorded answers that are failures, or look like some."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

from safecot_eval.generate.importing.answers import Answer
from safecot_eval.records.samples import Status
from safecot_eval.scoring import refusal
from safecot_eval.scoring.failure_texts import suspects

_SHOWN = 3
_EXCEL = "Excel: "


def failure_notes(answers: Sequence[Answer]) -> list[str]:
    """One sentence for each kind of failure among recorded answers, with its count and first place.

    Args:
        answers: All answers of a file.
    """
    kinds: defaultdict[tuple[Status, str], list[Answer]] = defaultdict(list)
    for answer in answers:
        if answer.failure:
            kinds[answer.status, answer.failure].append(answer)
    notes = []
    for (status, source), found in sorted(kinds.items(), key=lambda kind: -len(kind[1])):
        first = found[0]
        notes.append(
            f"{len(found)} {'answer is' if len(found) == 1 else 'answers are'} none and {status.value}: {source} (the "
            f"first: {first.where}, {_shown(first.response)})."
        )
        if source.startswith(_EXCEL):
            notes.append(
                "Excel lost these answers when the file was made or edited; export them again as CSV or JSON lines, or "
                "with the column formatted as text."
            )
    return notes + _suspicious(answers)


def _suspicious(answers: Sequence[Answer]) -> list[str]:
    kept = [answer for answer in answers if answer.status is Status.OK]
    found = suspects([answer.response for answer in kept], lambda text: _phrases().match(text) is not None)
    if not found:
        return []
    examples = "; ".join(
        f"{_shown(s.text)} ({s.count} time{'' if s.count == 1 else 's'}, the first: {kept[s.first].where})"
        for s in found[:_SHOWN]
    )
    more = f"; and {len(found) - _SHOWN} other texts" if len(found) > _SHOWN else ""
    total = sum(s.count for s in found)
    return [
        f"{total} {'answer looks' if total == 1 else 'answers look'} like failures of the tool that recorded them and "
        f"{'counts as an answer' if total == 1 else 'count as answers'}: {examples}{more}. If they are failures, list their "
        "texts in a file for --failure-texts (docs/importing.md)."
    ]


def _shown(text: str) -> str:
    plain = " ".join(text.split())
    return repr(plain if len(plain) <= 60 else plain[:59] + "…")


@lru_cache(maxsize=1)
def _phrases() -> refusal.RefusalList:
    return refusal.load_list(refusal.DEFAULT_LIST)
