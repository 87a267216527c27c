"""Labels that recorded judges gave to the imported answers, written as verdicts beside the run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from safecot_eval.benchmarks.registry import task_parts
from safecot_eval.generate.importing.matching import Matched
from safecot_eval.judge.people.recorded_labels import Imported, import_labels
from safecot_eval.judge.rubric_files import own
from safecot_eval.records.run import find_runs
from safecot_eval.records.verdicts import Unscored
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.terminal import printable

_RAW = "_raw"
"""Ending of a judge's whole reply, where a file has it beside the label."""
_SHOWN = 3
_HARM = ("harm", "siuo_safe", "multitrust_harmful")


def labelled(
    matched: Matched, *, rubric: str | None = None, mapping: Mapping[str, str] | None = None
) -> list[Imported]:
    """The labels of all matched answers, in a rubric's own words; any other label is unparseable, and kept as it is.

    Args:
        matched: Answers with their recorded labels.
        rubric: What was judged; None for the benchmark's rubric of harm.
        mapping: The file's labels to the rubric's.

    Raises:
        SafecotError: no such rubric, or a benchmark has no rubric of harm.
    """
    found = []
    for task, answers in matched.answers.items():
        what = rubric or _rubric_of(matched.base_task_of.get(task, task))
        known = _labels_of(what)
        for item_id, answer in answers.items():
            for judge, given in answer.labels.items():
                if judge.endswith(_RAW) and judge.removesuffix(_RAW) in answer.labels:
                    continue
                label = (mapping or {}).get(given, given).strip().lower()
                raw = answer.labels.get(f"{judge}{_RAW}", "")
                if label not in known:
                    label, raw = Unscored.UNPARSEABLE.value, given
                found.append(
                    Imported(judge, what, label, item_id=item_id, task=task, raw=raw if raw != label else "")
                )
    return found


def _rubric_of(task_name: str | None) -> str:
    if task_name is None:
        return _HARM[0]
    rubrics = task_parts(task_name)[0].rubrics
    if found := next((rubric for rubric in _HARM if rubric in rubrics), None):
        return found
    raise SafecotError(f"--labels: {task_name} has no rubric of harm; say what was judged with --rubric.")


def _labels_of(rubric: str) -> frozenset[str]:
    known = own()
    if rubric not in known:
        raise SafecotError(f"--rubric {rubric}: there is no such rubric; there are {', '.join(known)}.")
    return frozenset({*known[rubric].general.labels, *Unscored})


def write_labels(labels: Sequence[Imported], folder: Path, timestamp: str) -> None:
    """Write labels beside the run that was just made.

    Raises:
        SafecotError: none of them fits the run.
    """
    if labels:
        import_labels(
            list(labels),
            [run for run in find_runs([folder], newest_only=False) if run.timestamp == timestamp],
        )


def label_lines(labels: Sequence[Imported]) -> list[str]:
    """One sentence for each judge: how often it gave which label, and which of its labels are none of the rubric's."""
    if not labels:
        return ["no answer has a label; --column labels=NAME names the column that holds them"]
    counts: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    others: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for label in labels:
        counts[label.judge, label.rubric][label.label] += 1
        if label.label == Unscored.UNPARSEABLE:
            others[label.judge, label.rubric][label.raw] += 1
    return [
        f"labels of {judge} ({rubric}): {', '.join(f'{name} {count}' for name, count in of_judge.most_common())}"
        + _unparseable(others[judge, rubric])
        for (judge, rubric), of_judge in sorted(counts.items())
    ]


def _unparseable(texts: Counter[str]) -> str:
    if not texts:
        return ""
    shown = ", ".join(f"{printable(text, 40)!r} {count}" for text, count in texts.most_common(_SHOWN))
    more = ", …" if len(texts) > _SHOWN else ""
    return f" (unparseable: {shown}{more}; --map THEIRS=OURS renames labels)"
