"""Where a jury's votes come from: verdicts beside runs, or the recorded judges of a published set."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safecot_eval.judge.jury.jury import Ballot, Jury
from safecot_eval.judge.meta_evaluation.labelled import LabelSet
from safecot_eval.judge.people.adjudicate import RunName, write_verdicts
from safecot_eval.records.run import Run
from safecot_eval.records.samples import SCORED, Record
from safecot_eval.records.verdicts import Unscored, outcome_of
from safecot_eval.scoring.language import unread
from safecot_eval.util.errors import SafecotError

PHRASES = "phrases"
"""The member that is the run's own phrase list."""
_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Case:
    """A ballot with the place of its answer."""

    run: Run
    sample_id: str
    ballot: Ballot


def of_runs(runs: Sequence[Run], members: Sequence[str], rubric: str, human: str | None) -> Iterator[Case]:
    """Ballots on all scored answers of runs.

    Args:
        runs: Runs with verdicts beside them.
        members: Judge ids; ``judge/rubric`` for a verdict by another rubric, ``phrases`` for the run's phrase list.
        rubric: What the jury judges.
        human: Judge id of the people whose labels count; None for none.
    """
    asked = [_asked(member, rubric) for member in members]
    for run in runs:
        said: defaultdict[str, dict[tuple[str, str], Mapping[str, Any]]] = defaultdict(dict)
        for verdict in run.verdicts():
            said[verdict["sample_id"]][verdict["judge"], verdict["rubric"]] = verdict
        for record in run.samples():
            if record["status"] not in SCORED:
                continue
            given = {(v["judge"], v["rubric"]): v for v in record["verdicts"]} | said[record["sample_id"]]
            votes, chances = zip(*(_vote(record, given, *one) for one in asked), strict=True)
            label = given.get((human or "", rubric))
            wanted = None if label is None else outcome_of(rubric)[1].get(label["label"])
            ballot = Ballot(
                model=run.model,
                prompt=record["prompt"],
                cluster=f"{record['benchmark']}/{record['cluster_id']}",
                answer=record["answer"],
                votes=votes,
                chances=chances,
                wanted=wanted,
            )
            yield Case(run, record["sample_id"], ballot)


def _asked(member: str, rubric: str) -> tuple[str, str]:
    judge, slash, own = member.rpartition("/")
    return (judge, own) if slash and outcome_of(own)[0] else (member, rubric)


def _vote(
    record: Record, given: Mapping[tuple[str, str], Mapping[str, Any]], judge: str, rubric: str
) -> tuple[bool | None, float | None]:
    if judge == PHRASES:
        return record["refusal"]["matched"], None
    verdict = given.get((judge, rubric))
    if verdict is None:
        return None, None
    vote = outcome_of(rubric)[1].get(verdict["label"])
    chance = verdict.get("probability")
    return vote, float(chance) if vote is not None and isinstance(chance, int | float) else None


def of_set(labels: LabelSet, members: Sequence[str]) -> list[Ballot]:
    """Ballots of a published set's recorded judges, with its people's labels.

    Raises:
        SafecotError: a member is none of the recorded judges, or the data are not there.
    """
    rows = labels.rows()
    outcome = outcome_of(labels.rubric)[1]
    for member in members:
        if member not in rows[0].recorded:
            known = ", ".join(rows[0].recorded) or "none"
            raise SafecotError(f"{member} is not a recorded judge of {labels.name}; there are: {known}.")
    questions = Counter(row.prompt for row in rows)
    return [
        Ballot(
            model=row.model,
            prompt=row.prompt,
            # The same question about several pictures, or one case asked in two ways, must not be on both sides.
            cluster=row.prompt
            if questions[row.prompt] > len({r.model for r in rows})
            else row.item_id.rsplit("-", 1)[0],
            answer=row.answer,
            votes=tuple(outcome.get(row.recorded[member]) for member in members),
            wanted=outcome.get(row.human),
        )
        for row in rows
    ]


def write(jury: Jury, cases: Sequence[Case]) -> tuple[dict[Path, int], Counter[str]]:
    """Judge answers and write the verdicts beside their runs.

    An answer on which fewer than half of the members voted is ``unsure``; one in a language that the signs do not read is
    ``unsupported_language``.

    Returns:
        File to number of verdicts, and label to count.
    """
    by_label = {value: label for label, value in reversed(list(outcome_of(jury.rubric)[1].items()))}
    groups: defaultdict[RunName, list[dict[str, Any]]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for start in range(0, len(cases), _AT_ONCE):
        part = cases[start : start + _AT_ONCE]
        chances = jury.probability([case.ballot for case in part]).tolist()
        for case, chance in zip(part, chances, strict=True):
            run = case.run
            name = RunName(str(run.folder), run.model, run.task, run.timestamp)
            verdict: dict[str, Any] = {"sample_id": case.sample_id, "task": run.task, "stamp": run.timestamp}
            verdict |= {"rubric": jury.rubric, "rubric_hash": jury.id, "judge": jury.id}
            verdict |= _label(jury, case.ballot, chance, by_label)
            counts[verdict["label"]] += 1
            groups[name].append(verdict)
    return write_verdicts(groups, jury.id, None), counts


def _label(jury: Jury, ballot: Ballot, chance: float, by_label: Mapping[bool, str]) -> dict[str, Any]:
    missing = sum(vote is None for vote in ballot.votes)
    if 2 * missing > len(ballot.votes):
        failure = f"{missing} of {len(ballot.votes)} members gave no label"
        return {"label": Unscored.UNSURE.value, "failure": failure, "decoding": "classifier"}
    if jury.uses_signs and unread(ballot.answer) is not None:
        failure = "the answer's language is not read"
        return {"label": Unscored.UNSUPPORTED_LANGUAGE.value, "failure": failure, "decoding": "classifier"}
    yes = chance >= jury.threshold
    return {
        "label": by_label[yes],
        "probability": round(chance if yes else 1 - chance, 4),
        "decoding": "classifier",
    }
