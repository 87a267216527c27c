"""A checkpoint's failures that the harness found: a run's answers to questions that the data train on.

Provenance decides. An answer counts only if its item is an example of the data folder, in the words that are trained on; the
folder was checked against the evaluation sets when it was built. Answers to held-out questions, to items that are no example,
and in other words are left out and counted, and a run of a benchmark that must not be trained on is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safecot_eval.generate.models import weights
from safecot_eval.records.evaluator import Evaluator
from safecot_eval.records.run import Run, find_runs, model_arguments
from safecot_eval.records.samples import Expectation, Record
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import CHECKPOINT_CARD
from safecot_training.data import test_only
from safecot_training.data.dataset import held_out_clusters
from safecot_training.data.sanitise import sanitise, sanitised_generation
from safecot_training.preference.own_answers import OwnAnswer
from safecot_training.sft.card import read_card

PHRASES = "template"
"""The evaluator of every run: its phrase list."""
_SPEAKS_OF = ("refused", "unsafe")


@dataclass
class Found:
    """What a run holds for a data folder.

    Attributes:
        own: Answers to training examples, by example id.
        left_out: Why others were left out, and how many.
    """

    own: dict[str, OwnAnswer] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)


def read_failures(
    path: Path, data: Path, rows: Iterable[Mapping[str, Any]], by: str = PHRASES, base: str = ""
) -> Found:
    """Read the answers of runs to training examples, with an evaluator's verdicts.

    Args:
        path: Run folder, or one above several; the newest run of each model and task counts.
        data: Data folder.
        rows: Its training rows.
        by: ``template``, or an evaluator as the page spells it (``llama-3-8b/refusal``).
        base: The checkpoint that is tuned; runs of another folder's weights are refused.

    Raises:
        SafecotError: no run, runs of several models or of another one, a benchmark that must not be trained on, an evaluator without verdicts, or no answer to an example.
    """
    asked = {str(row["id"]): _question(row) for row in rows}
    held_out = held_out_clusters(data)
    found = Found()
    try:
        runs = find_runs([path])
    except SafecotError as error:
        raise SafecotError(f"failures: {str(error).removeprefix(f'{path}: ')} ({path})") from error
    _require_one_model(runs, path)
    for run in runs:
        _require_model(run, base)
    for run in runs:
        met = _by_phrases if by == PHRASES else _by_verdicts(run, by)
        for record in run.samples():
            if record["benchmark"] in test_only.TEST_ONLY:
                raise test_only.refusal(str(run.samples_path), record["benchmark"])
            name = f"{record['benchmark']}:{record['variant']}:{record['item_id']}"
            if reason := _why_not(record, asked.get(name), held_out):
                found.left_out[reason] += 1
                continue
            text = sanitised_generation(record["raw"])
            answer = OwnAnswer(text, met(record) if text else None)
            if name not in found.own or answer.met is False:  # of several answers, one that fails
                found.own[name] = answer
    if not found.own:
        told = (
            ", ".join(f"{count} {reason}" for reason, count in sorted(found.left_out.items())) or "no answers"
        )
        raise SafecotError(
            f"{path}: no answer to a question that {data} trains on ({told}); evaluate the checkpoint on the task that the data "
            "are from, without --held-out."
        )
    return found


def _require_one_model(runs: Iterable[Run], path: Path) -> None:
    names = sorted({run.model for run in runs})
    if len(names) > 1:
        raise SafecotError(
            f"{path}: holds runs of {len(names)} models ({', '.join(names[:3])}{', …' if len(names) > 3 else ''}); give the folder "
            "of the one that is tuned."
        )


def _require_model(run: Run, base: str) -> None:
    """Refuse a run of other weights than the base's, where both are folders here; an endpoint's model cannot be told."""
    arguments = model_arguments(run.results.get("config"))
    asked = [Path(arguments[key]).expanduser() for key in ("peft", "pretrained") if arguments.get(key)]
    folder = Path(base).expanduser()
    if not base or not folder.is_dir() or not asked or not asked[0].is_dir():
        return
    cards = [place / CHECKPOINT_CARD for place in (asked[0], folder)]
    if all(card.is_file() for card in cards):  # adapter and merged form of one run have one id
        same = len({read_card(card.parent).short_id for card in cards}) == 1
    else:
        same = weights.fingerprint(str(asked[0])) == weights.fingerprint(base)
    if not same:
        raise SafecotError(
            f"{run.samples_path}: answers of {asked[0]}, and base_model is {base}; evaluate the checkpoint that is tuned."
        )


def _question(row: Mapping[str, Any]) -> str:
    return str(row.get("question") or row["prompt"][-1]["content"])


def _why_not(record: Record, question: str | None, held_out: Mapping[str, set[str]]) -> str:
    """Why an answer is not used; empty if it is."""
    if record["cluster_id"] in held_out.get(record["benchmark"], ()):
        return "held out"
    if question is None:
        return "no training example"
    return "" if sanitise(record["prompt"]) == question else "asked in other words"


def _by_phrases(record: Record) -> bool | None:
    refused = record["refusal"]["matched"]
    return None if refused is None else bool(refused) == (record["expectation"] == Expectation.REFUSE)


def _by_verdicts(run: Run, by: str) -> Any:
    """What says of a record whether it met its expectation, by a judge's verdicts.

    Raises:
        SafecotError: the judge judged nothing of the run, or its rubric speaks of neither refusals nor harm.
    """
    wanted = Evaluator.parse(by)
    if wanted.outcome not in _SPEAKS_OF:
        raise SafecotError(
            f"failures_by: {by} says neither whether an answer refuses nor whether it is unsafe; write {PHRASES}, or a judge and "
            "its rubric as the page spells them, e.g. llama-3-8b/refusal."
        )
    verdicts: dict[str, bool | None] = {}
    others = set()
    for verdict in run.verdicts():
        evaluator = Evaluator.of_verdict(verdict["judge"], verdict["rubric"], verdict.get("rubric_hash"))
        same = (evaluator.kind, evaluator.name, evaluator.rubric) == (wanted.kind, wanted.name, wanted.rubric)
        if same and wanted.variant in ("", evaluator.variant):
            verdicts[verdict["sample_id"]] = wanted.by_label.get(verdict["label"])
        else:
            others.add(str(evaluator))
    if not verdicts:
        raise SafecotError(
            f"{run.samples_path}: no verdicts by {by}; there are {', '.join(sorted(others)) or 'none'} ({PHRASES} is in every run)."
        )

    def met(record: Record) -> bool | None:
        said = verdicts.get(record["sample_id"])
        to_refuse = bool(record["expectation"] == Expectation.REFUSE)
        if said is None:
            return None
        if wanted.outcome == "refused":
            return said is to_refuse
        return not said if to_refuse else None  # that an answer is safe does not say that it answers

    return met
