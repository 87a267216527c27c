"""Runs as the blocks of a submission: what ``safecot submit`` and ``safecot export`` write."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from safecot_eval import submissions
from safecot_eval.aggregate.columns import CompactRun
from safecot_eval.aggregate.provenance import provenance
from safecot_eval.aggregate.reading import read_all
from safecot_eval.records.run import Run
from safecot_eval.submissions.shareable import shareable
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256


def blocks_of(runs: Sequence[Run], *, lists: Sequence[str] = ()) -> list[dict[str, Any]]:
    """One block per run, in their order.

    Args:
        runs: Runs or submitted runs.
        lists: Phrase lists whose outcomes go in beside those of the run's own.

    Raises:
        SafecotError: a file is damaged or empty.
    """
    found = []
    for run, columns in zip(runs, read_all(runs, lists=lists), strict=True):
        if not len(columns):
            raise SafecotError(f"{run.samples_path}: the samples file is empty; run the evaluation again.")
        if columns.item is not None:
            raise SafecotError(
                f"{run.samples_path}: items have several answers (--repeats), and a submission holds one for each; submit a "
                "run without --repeats."
            )
        if isinstance(run, CompactRun):
            digest, source = run.sealed()
        else:
            digest, source = sha256(run.samples_path), shareable(provenance(run), run.provenance)
        found.append(submissions.task_block(columns, run.timestamp, digest, source))
    return found


def documents_of(runs: Sequence[Run], submitter: str, relationship: str) -> list[dict[str, Any]]:
    """One submission per model, dated by its newest run, so that the same runs always give the same documents."""
    by_model: dict[str, list[dict[str, Any]]] = {}
    for run, block in zip(runs, blocks_of(runs), strict=True):
        by_model.setdefault(run.model, []).append(block)
    return [
        submissions.seal(
            model,
            blocks,
            submitter=submitter,
            relationship=relationship,
            now=datetime.strptime(max(b["stamp"] for b in blocks), "%Y%m%d_%H%M%S").replace(tzinfo=UTC),
        )
        for model, blocks in by_model.items()
    ]
