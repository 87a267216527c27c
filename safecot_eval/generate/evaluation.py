"""One run from plan to published files: lock, journal, lmms-eval, checks, provenance."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext

from safecot_eval.generate import closing, lmms_eval, provenance, publishing
from safecot_eval.generate.journal.lock import hold, results_name
from safecot_eval.generate.journal.session import FOLDER, Session, attached, rank, world_size
from safecot_eval.generate.plan import Plan
from safecot_eval.util.progress import event


def evaluate(plan: Plan, arguments: Sequence[str], session: Session, argv: Sequence[str]) -> str | None:
    """Run lmms-eval on a plan and publish what it wrote.

    Args:
        plan: What to run.
        arguments: lmms-eval's command line.
        session: The journal's settings; holds the counts afterwards.
        argv: Our own command line, for the provenance.

    Returns:
        Closing words; None on ranks other than 0.

    Raises:
        SafecotError: a user's mistake, a lock held by another process, or results that could not be written.
        RuntimeError: lmms-eval failed otherwise.
    """
    started = time.monotonic()
    if not plan.other_tasks:
        lmms_eval.defer_metric_hub()  # before anything below imports lmms-eval
    journal = plan.output / FOLDER
    name = results_name(plan.model_args)
    first = rank() == 0
    with hold(journal, name) if first else nullcontext():
        with publishing.staging_folder(journal, name) if first else nullcontext(journal) as staging:
            with lmms_eval.written_to(staging), attached(session), lmms_eval.without_bars():
                results = lmms_eval.evaluate(arguments, only_ours=not plan.other_tasks)
            if results is None or not first:
                return None
            exact = not any(argument.startswith("--offset") for argument in arguments)
            folder, timestamp = publishing.publish(
                staging,
                plan.output,
                results if exact else {},
                list(plan.task_names),
                sort=world_size() > 1,
            )
        content = provenance.describe(
            folder,
            timestamp,
            argv=argv,
            task_names=list(plan.task_names),
            session=session,
            results=results,
            seconds=time.monotonic() - started,
        )
        content.update(plan.labels)
        provenance.write(folder, timestamp, content)
        event("written", folder=str(folder), stamp=timestamp, **content["passes"]["generate"])
        return closing.finish(plan, folder, session.tally)
