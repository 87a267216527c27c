"""What to say about recorded answers that are failures, or look like some."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

from safecot_eval.generate.importing.answers import Answer
from safecot_eval.records.samples import Status
from safecot_eval.scoring import refusal
from safecot_eval.scoring.failure_texts import Why, suspects
from safecot_eval.util.wording import counted

_SHOWN = 3
_EXCEL = "Excel: "


def failure_notes(answers: Sequence[Answer]) -> list[str]:
    """One sentence for each kind of failure among recorded answers, with its count and first place.

    Args:
        answers: All answers of a file.
    """
    kinds: defaultdict[tuple[Status, str, str], list[Answer]] = defaultdict(list)
    for answer in answers:
        if answer.failure:
            kinds[answer.status, answer.failure, re.sub(r"\d+", "#", answer.error)].append(answer)
    notes = []
    for (status, source, _), found in sorted(kinds.items(), key=lambda kind: -len(kind[1])):
        first = found[0]
        one, many = _SAID[status]
        notes.append(
            f"{counted(len(found), 'answer')} {one if len(found) == 1 else many} ({_plain(source)}; the first: "
            f"{first.where}, {_shown(first.response.strip() or first.error)})."
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
    notes = []
    for why, (one, many) in _LOOKS.items():
        such = [suspect for suspect in found if suspect.why is why]
        if not such:
            continue
        examples = "; ".join(
            f"{_shown(s.text)} ({counted(s.count, 'time')}, the first: {kept[s.first].where})"
            for s in such[:_SHOWN]
        )
        more = f"; and {counted(len(such) - _SHOWN, 'other text')}" if len(such) > _SHOWN else ""
        total = sum(s.count for s in such)
        notes.append(
            f"{counted(total, 'answer')} {one if total == 1 else many}: {examples}{more}. If such a text is not an answer of the model, "
            "list it in a file for --failure-texts (docs/importing.md)."
        )
    return notes


_LOOKS = {
    Why.ERROR: (
        "looks like a failure of the tool that recorded it and counts as an answer",
        "look like failures of the tool that recorded them and count as answers",
    ),
    Why.NO_WORD: (
        "has neither letter nor digit and counts as an answer",
        "have neither letter nor digit and count as answers",
    ),
    Why.AGAIN: (
        "is a short text that comes again, and counts as an answer",
        "are short texts that come again word for word, and count as answers",
    ),
}
_SAID = {
    Status.REQUEST_FAILED: ("is a failed request", "are failed requests"),
    Status.BLOCKED_BY_PROVIDER: ("was blocked by the provider", "were blocked by the provider"),
    Status.UNFINISHED: ("is unfinished", "are unfinished"),
    Status.BUDGET_EXCEEDED: ("ran out of its budget", "ran out of their budget"),
    Status.EMPTY: ("is empty", "are empty"),
    Status.TRUNCATED: ("is cut off", "are cut off"),
}


def _plain(source: str) -> str:
    """Where a failure's text comes from, without the place in a tool's code that the table names.

    >>> _plain("VLMEvalKit, vlmeval/api and vlmeval/vlm (e8e78f0), which tests by this beginning")
    'a text of VLMEvalKit'
    >>> _plain("Envoy: a proxy's local reply as text"), _plain("the row's own 'error'")
    ('a text of Envoy', "the row's own 'error'")
    """
    if source.startswith(("a ", "an ", "the ")):
        return source
    return "a text of " + re.sub(r"(?:, \w+/.*| [(][0-9a-f.]+[)].*|: an? .* as text)$", "", source)


def _shown(text: str) -> str:
    plain = " ".join(text.split())
    return repr(plain if len(plain) <= 60 else plain[:59] + "…")


@lru_cache(maxsize=1)
def _phrases() -> refusal.RefusalList:
    return refusal.load_list(refusal.DEFAULT_LIST)
