"""In-run judging: what happens when a judge is configured in the environment (``SAFECOT_JUDGE_URL``).

lmms-eval scores one document after the other (four at a time), so that a judge asked there would be idle most of the
time. Its filters see all responses of a task at once, but not which documents they belong to, which ``--limit``,
``--offset`` and several ranks make ambiguous. The plugin therefore calls :func:`prefetch` right after lmms-eval has
applied a task's filters and before it scores the first document: all samples are judged together, and
:func:`verdicts` only looks them up. Whatever goes wrong here becomes a named ``missing`` verdict; nothing is raised.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from loguru import logger

from safecot_eval.judge import guards, rubric_files
from safecot_eval.judge.endpoint.cache import VerdictCache, default_path
from safecot_eval.judge.endpoint.endpoint import URL, Endpoint, configured
from safecot_eval.judge.endpoint.remote import RemoteJudge
from safecot_eval.judge.replies import ParsedJudgement
from safecot_eval.judge.work import JudgeRequest, verdict_of, work_of
from safecot_eval.records.samples import Record
from safecot_eval.records.verdicts import Unscored
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.wording import agreeing, counted

_lock = threading.Lock()
_judged: dict[tuple[str, str], list[dict[str, Any]]] = {}
_said: set[str] = set()
_broken: list[str] = []


def configured_at_all() -> bool:
    """Whether the environment names a judge."""
    return bool(os.environ.get(URL))


def describe() -> str | None:
    """Name the configured judge; None if there is none."""
    if not configured_at_all():
        return None
    try:
        endpoint = configured()
    except SafecotError as error:
        return f"configured, but unusable: {error}"
    return endpoint.described() if endpoint else None


def check() -> None:
    """Raise SafecotError where a judge is configured and cannot be used."""
    endpoint = configured()
    if endpoint is not None:
        RemoteJudge(endpoint).check()


def prefetch(records: Sequence[Record]) -> None:
    """Judge all samples of a task with full concurrency and keep the verdicts for :func:`verdicts`."""
    if not configured_at_all():
        _say_once(
            "No judge is configured (SAFECOT_JUDGE_URL), so there will be no *_judge metrics; `safecot judge RUNS` can "
            "judge these runs later."
        )
        return
    fresh = [record for record in records if _key(record) not in _judged]
    found: dict[tuple[str, str], list[dict[str, Any]]] = {_key(record): [] for record in fresh}
    endpoint, trouble = _endpoint()
    sets = rubric_files.own()
    try:
        sets = guards.for_model(endpoint.model, sets) if endpoint else sets
    except SafecotError as error:
        endpoint, trouble = None, str(error)
    work = [
        piece
        for record in {_key(r): r for r in fresh}.values()
        for piece in work_of(record, {n: sets[n] for n in record["rubrics"] if n in sets}, record)
    ]
    name = endpoint.judge_id if endpoint else "unreachable"

    def emit(piece: JudgeRequest, reading: ParsedJudgement, cut: int) -> None:
        found[_key(piece.record)].append(verdict_of(piece, reading, name, cut))

    if endpoint is not None:
        judge = RemoteJudge(endpoint, _cache())
        trouble = _in_own_thread(lambda: judge.judge(work, emit))
        if advice := judge.advice():
            logger.warning("{}", advice.replace("the same command asks", "`safecot judge RUNS` asks"))
    if trouble:
        _broken[:] = [trouble]
        _say_once(
            f"The judge failed; the run goes on, and its missing verdicts can be had later: {trouble}",
            "WARNING",
        )
    given = {(_key(piece.record), v["rubric"]) for piece in work for v in found[_key(piece.record)]}
    for piece in work:
        if (_key(piece.record), piece.set.id) not in given:
            reading = ParsedJudgement(Unscored.MISSING, failure=trouble or "not judged")
            found[_key(piece.record)].append(verdict_of(piece, reading, name, 0))
    failed = sum(v["label"] == Unscored.MISSING for of_one in found.values() for v in of_one)
    if failed and not trouble:
        logger.warning(
            "{} of {} {} missing (the judge gave no reply); `safecot judge RUNS` asks again.",
            failed,
            counted(len(work), "verdict"),
            agreeing(failed, "is", "are"),
        )
    with _lock:
        _judged.update(found)


def verdicts(record: Record) -> list[dict[str, Any]]:
    """Verdicts on one record; empty if no judge is configured."""
    if not configured_at_all():
        return []
    if _key(record) not in _judged:
        prefetch([record])  # a host that scores without applying filters first
    with _lock:
        return _judged.pop(_key(record), [])


def _endpoint() -> tuple[Endpoint | None, str]:
    """The judge, or why there is none; one that failed once in this process is not tried again."""
    if _broken:
        return None, _broken[0]
    try:
        endpoint = configured()
    except SafecotError as error:
        return None, str(error)
    if endpoint is not None:
        _say_once(f"Judged during the run by {endpoint.described()}.")
    return endpoint, ""


def _key(record: Record) -> tuple[str, str]:
    return str(record["sample_id"]), str(record["raw"])


def _cache() -> Path | None:
    """The cache's path, or None if it cannot be used: a run is worth more than a cache."""
    try:
        with VerdictCache(default_path()):
            return default_path()
    except SafecotError as error:
        _say_once(f"{error} Judging goes on without it.")
        return None


def _in_own_thread(run: Callable[[], None]) -> str:
    """Run in a thread of its own, if no event loop can be in the way; returns what went wrong."""
    trouble: list[str] = []

    def guarded() -> None:
        try:
            run()
        except SafecotError as error:
            trouble.append(str(error))
        except Exception as error:
            trouble.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    thread.join()
    return trouble[0] if trouble else ""


def _say_once(sentence: str, level: str = "INFO") -> None:
    if sentence not in _said:
        _said.add(sentence)
        logger.log(level, "{}", sentence)
