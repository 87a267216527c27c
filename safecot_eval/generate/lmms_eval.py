"""Call lmms-eval in this process and find out whether it worked: it exits 0 on most failures."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from safecot_eval.util.errors import SafecotError


def evaluate(arguments: Sequence[str], *, only_ours: bool) -> dict[str, Any] | None:
    """Run ``lmms-eval eval`` with these arguments.

    Args:
        arguments: As on lmms-eval's command line.
        only_ours: Index our task folder alone: reading lmms-eval's two thousand task files takes seconds.

    Returns:
        lmms-eval's results; None on ranks other than 0.

    Raises:
        SafecotError: a user's mistake surfaced inside lmms-eval.
        RuntimeError: lmms-eval failed otherwise (it has printed its traceback).
    """
    if only_ours:
        defer_metric_hub()
    from lmms_eval import __main__ as host
    from lmms_eval import models  # noqa: F401  (loads our plugin)

    outcome: dict[str, Any] = {"results": None, "error": None}
    original_single, original_manager = host.cli_evaluate_single, host.TaskManager

    def single(args: Any) -> Any:
        try:
            results, samples = original_single(args)
        except Exception as error:
            outcome["error"] = error
            if (mistake := _user_mistake(error)) is not None:
                raise SystemExit(
                    2
                ) from mistake  # past lmms-eval's own handler, which would print a traceback
            raise
        outcome["results"] = results
        return results, samples

    def manager(verbosity: str = "INFO", include_path: Any = None, **options: Any) -> Any:
        from safecot_eval.util.paths import extra_tasks_dirs, tasks_dir

        paths = [include_path] if isinstance(include_path, str) else list(include_path or [])
        ours = [str(path) for path in (tasks_dir(), *extra_tasks_dirs())]
        return original_manager(
            verbosity, include_path=[*paths, *ours], **{**options, "include_defaults": False}
        )

    host.cli_evaluate_single = single
    if only_ours:
        host.TaskManager = manager
    argv = sys.argv
    sys.argv = ["lmms-eval", *arguments]
    try:
        host.cli_evaluate()
    except SystemExit as stop:
        if isinstance(stop.code, str):
            raise SafecotError(stop.code.removeprefix("safecot: ")) from stop
        if outcome["error"] is None and stop.code not in (None, 0):
            raise RuntimeError(f"lmms-eval stopped with status {stop.code}.") from stop
    finally:
        sys.argv = argv
        host.cli_evaluate_single, host.TaskManager = original_single, original_manager
    error = outcome["error"]
    if error is not None:
        mistake = _user_mistake(error)
        if mistake is not None:
            raise mistake
        raise RuntimeError(f"lmms-eval failed: {type(error).__name__}: {error}") from error
    results = outcome["results"]
    return results if isinstance(results, dict) else None


def defer_metric_hub() -> None:
    """Put off importing the package ``evaluate`` until lmms-eval asks it for a metric.

    lmms-eval imports it for one function that our tasks never call, and it costs half of lmms-eval's start: it loads
    every transformers pipeline.
    """
    if "evaluate" in sys.modules:
        return

    class Deferred(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):  # asked by tools that look at every loaded module
                raise AttributeError(name)
            del sys.modules["evaluate"]
            return getattr(importlib.import_module("evaluate"), name)

    sys.modules["evaluate"] = Deferred("evaluate")


def _user_mistake(error: BaseException) -> SafecotError | None:
    """Look for one of our own errors behind what lmms-eval and tenacity wrapped around it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, SafecotError):
            return seen
        last_attempt = getattr(seen, "last_attempt", None)
        seen = (
            (last_attempt.exception() if last_attempt is not None else None)
            or seen.__cause__
            or seen.__context__
        )
    return None
