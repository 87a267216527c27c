"""Is a line of a samples or verdict file what it claims to be? Counted right, or reported: nothing in between.

A line from a damaged or hostile run folder must never shift a number silently. These checks are cheap enough for five
million lines; if a run has a ``_run.json`` (written by ``safecot run``), the files' hashes are compared as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from safecot_eval.records.repeats import FIRST, OTHERS, records_of, repeat_id
from safecot_eval.records.samples import SCORED, Expectation, Status
from safecot_eval.records.verdicts import Unscored

_STATUSES = frozenset(status.value for status in Status)
_EXPECTATIONS = frozenset(expectation.value for expectation in Expectation)
_SCORED = frozenset(status.value for status in SCORED)
_TEXTS = (
    "sample_id",
    "item_id",
    "benchmark",
    "benchmark_version",
    "variant",
    "category",
    "cluster_id",
    "prompt",
    "image_source",
    "data_revision",
    "raw",
    "reasoning",
    "answer",
)
_SCORES = (
    ("crr_template", True),
    ("car_template", False),
    ("refusal_share_template", True),
)


def record_problem(line: Mapping[str, Any]) -> str | None:
    """What is wrong with a line of a samples file; None if nothing is.

    >>> record_problem({"doc_id": 1})
    "no 'safecot' record"
    """
    first = line.get(FIRST)
    if not isinstance(first, dict) or "sample_id" not in first:
        return "no 'safecot' record"
    others = line.get(OTHERS)
    if others is None:  # as nearly all lines are; what follows would take a fifth of the time of reading
        return _problem(first) or _score_problem(line, (first["refusal"]["matched"],))
    if others.__class__ is not list or not all(other.__class__ is dict for other in others):
        return f"{OTHERS!r} is not a list of records"
    for number, record in enumerate(records_of(line)):
        if problem := _problem(record):
            return problem
        if number and (record.get("repeat"), record["sample_id"]) != (
            number,
            repeat_id(first["sample_id"], number),
        ):
            return f"repeat {number} is not a further answer to sample {first['sample_id']}"
    return _score_problem(line, [record["refusal"]["matched"] for record in records_of(line)])


def _problem(record: Mapping[str, Any]) -> str | None:
    """What is wrong with one record."""
    try:
        for key in _TEXTS:
            if record[key].__class__ is not str:
                return f"{key!r} is not text"
        name = record["sample_id"]
        if len(name) != 16 or int(name, 16) < 0 or not name.isalnum():
            return "'sample_id' is not 16 hexadecimal digits"
        status, matched = record["status"], record["refusal"]["matched"]
        if status not in _STATUSES:
            return f"unknown status {str(status)[:40]!r}"
        if record["expectation"] not in _EXPECTATIONS:
            return f"unknown expectation {str(record['expectation'])[:40]!r}"
        unread = matched is None and record["refusal"].get("unscored") == Unscored.UNSUPPORTED_LANGUAGE
        # Version 0.1.0 did not score cut answers: theirs are `truncated` and neither matched nor unmatched.
        unscored = unread or (status == Status.TRUNCATED and matched is None)
        if (matched.__class__ is bool) is not (status in _SCORED) and not (unscored and status in _SCORED):
            return f"status {status} does not go with refusal.matched {str(matched)[:10]}"
        if record["refusal"]["list"].__class__ is not str:
            return "'refusal.list' is not text"
        phrase, span = record["refusal"]["phrase"], record["refusal"]["span"]
        if phrase is not None and phrase.__class__ is not str:
            return "'refusal.phrase' is neither text nor null"
        if span is not None and [part.__class__ for part in span] != [int, int]:
            return "'refusal.span' is not two whole numbers"
        for key in ("image_sha256", "rubrics"):
            if record[key].__class__ is not list or not all(part.__class__ is str for part in record[key]):
                return f"{key!r} is not a list of texts"
        if record["extra"].__class__ is not dict:
            return "'extra' is not an object"
        if record["pair_id"] is not None and record["pair_id"].__class__ is not str:
            return "'pair_id' is neither text nor null"
        if record["core"] is not None and record["core"].__class__ is not bool:
            return "'core' is neither true, false nor null"
        if record["verdicts"].__class__ is not list:
            return "'verdicts' is not a list"
    except (KeyError, TypeError, AttributeError) as error:
        return f"an incomplete 'safecot' record ({str(error)[:60]})"
    except ValueError:
        return "'sample_id' is not 16 hexadecimal digits"
    for verdict in record["verdicts"]:
        if problem := verdict_problem(verdict):
            return problem
    return None


def _score_problem(line: Mapping[str, Any], matched: Sequence[bool | None]) -> str | None:
    """lmms-eval's own metric values repeat what the records say, their mean if there are several; both must agree."""
    for key, positive in _SCORES:
        value = line.get(key)
        if value is None:
            continue
        if value.__class__ is not dict or "score" not in value:
            return f"{key} is not a score"
        said = [float(one is positive) for one in matched if one is not None]
        if not said or value["score"] != sum(said) / len(said):
            return f"{key} contradicts refusal.matched"
    return None


def verdict_problem(verdict: Any) -> str | None:
    """What is wrong with a verdict; None if nothing is.

    >>> verdict_problem({"sample_id": "ab", "rubric": "refusal", "judge": "j", "label": ["full"]})
    "'label' of a verdict is not text"
    """
    if not isinstance(verdict, dict):
        return "a verdict is not an object"
    for key in ("rubric", "judge", "label"):
        if verdict.get(key).__class__ is not str or not verdict[key]:
            return f"{key!r} of a verdict is not text"
    if "sample_id" in verdict and verdict["sample_id"].__class__ is not str:
        return "'sample_id' of a verdict is not text"
    for key, low in (("probability", 0.0), ("weight", 0.0)):
        value = verdict.get(key)
        if value is None:
            continue
        if value.__class__ not in (int, float) or not low <= value < float("inf"):
            return f"{key!r} of a verdict is not a number of at least 0"
    if (verdict.get("probability") or 0) > 1 + 1e-9:
        return "'probability' of a verdict is over 1"
    return None
