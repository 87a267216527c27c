"""lmms-eval in this process: every patch of it, each with its reason, and the call that tells whether it worked.

lmms-eval has an entry-point group for models and none for anything else that a harness around it needs, so that some of its
functions are replaced. ``PATCHES`` lists all of them; nothing is replaced that is not listed there. The first three stay from
the moment when lmms-eval loads our plugin, the others for the time of one run. ``safecot_eval.util.files`` steps around one
more change, lmms-eval's own to filelock, by a class of another name.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from loguru import logger

from safecot_eval.benchmarks import catalogue, registry, selection
from safecot_eval.benchmarks.selection import why_not
from safecot_eval.generate.plan import RECORDED
from safecot_eval.scoring import reasoning
from safecot_eval.util import hub
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import extra_tasks_dirs, tasks_dir

SEEN_IN = "0.7.3"
"""The version of lmms-eval that all of this was read in."""

TASK_FOLDERS = "lmms_eval.tasks:TaskManager.initialize_tasks"
WILDCARDS = "lmms_eval.tasks:TaskManager.match_tasks"
FILTERS = "lmms_eval.api.task:ConfigurableTask.apply_filters"
MANAGER = "lmms_eval.__main__:TaskManager"
ONE_CONFIGURATION = "lmms_eval.__main__:cli_evaluate_single"
TRACKER = "lmms_eval.__main__:EvaluationTracker"
MODEL = "lmms_eval.models:get_model"
BARS = "tqdm.std:tqdm.__init__"
REASONING_TAGS = "lmms_eval.evaluator:strip_reasoning_tags"
METRIC_HUB = "sys:modules"

PATCHES = {
    TASK_FOLDERS: "there is no entry point for tasks, and LMMS_EVAL_PLUGINS registers none: our folder is added to those that "
    "are searched",
    WILDCARDS: "a wildcard asks for tasks whose data may not be here, and a task without data ends the whole run: they are left "
    "out, with one sentence each",
    FILTERS: "samples are scored one by one, four at a time, which leaves a judge idle: after the filters it sees all of them at "
    "once; and of the answers of --repeats the filters keep the first: all are scored",
    MANAGER: "two thousand task files are read though only ours are asked for, which takes seconds",
    ONE_CONFIGURATION: "an exception is printed with its traceback and the exit status is 0: what happened is kept, and a user's "
    "mistake gets out as one sentence",
    TRACKER: "files are written as they come, and errors in writing are a warning: they go to a hidden folder and are moved when "
    "they are whole",
    MODEL: "there is no hook between a model and its requests: the journal and the prompting presets go there",
    METRIC_HUB: "the package `evaluate` is imported for one function that our tasks never call, and loads every transformers "
    "pipeline, half of lmms-eval's start: it is put off until somebody asks it for something",
    REASONING_TAGS: "scorers of other people's tasks take the whole text for an answer: lmms-eval knows <think> only, and leaves them "
    "a thought that never ended, where a letter or a `no` would count",
    BARS: "each back end draws a progress bar for each chunk: ours counts over all of them",
}
"""What is replaced (module:attribute) and why."""

FALLBACK = 'use --include_path "$(safecot tasks-path)" instead'
_MARK = "_safecot_hooked"


def install_hooks() -> bool:
    """Let every ``TaskManager`` find our tasks, and a configured judge see all samples of a task; once per process.

    Returns:
        Whether tasks can be found. False means that lmms-eval has changed; a warning says what to do.
    """
    try:
        manager, name = _place(TASK_FOLDERS)
        if getattr(manager, _MARK, False):
            return True
        originals = [getattr(*_place(target)) for target in (TASK_FOLDERS, WILDCARDS)]
        setattr(manager, name, _with_our_folder(originals[0]))
        setattr(*_place(WILDCARDS), _without_missing_data(originals[1]))
        setattr(manager, _MARK, True)
    except (ImportError, AttributeError) as error:
        logger.warning("safecot tasks are not registered: lmms-eval has changed ({}); {}.", error, FALLBACK)
        return False
    try:
        holder, name = _place(FILTERS)
        setattr(holder, name, _then_judged(getattr(holder, name)))
    except (ImportError, AttributeError) as error:
        logger.warning("Samples will be judged one by one: lmms-eval has changed ({}).", error)
    return True


@contextmanager
def built_models(change: Callable[[Any], Any]) -> Iterator[None]:
    """Have each model that lmms-eval builds pass through a function."""

    class Built:
        """A model class whose instances are changed."""

        def __init__(self, cls: Any) -> None:
            self._cls = cls

        def __getattr__(self, name: str) -> Any:
            return getattr(self._cls, name)

        def create_from_arg_string(self, *arguments: Any, **options: Any) -> Any:
            return change(self._cls.create_from_arg_string(*arguments, **options))

    with _replaced(MODEL, lambda original: lambda *a, **k: Built(original(*a, **k))):
        yield


@contextmanager
def written_to(folder: Path) -> Iterator[None]:
    """Let lmms-eval's tracker write below another folder than the one on its command line."""
    with _replaced(TRACKER, lambda original: lambda **k: original(**{**k, "output_path": str(folder)})):
        yield


@contextmanager
def without_bars() -> Iterator[None]:
    """Silence the progress bars of lmms-eval and its back ends."""

    def silent(original: Callable[..., None]) -> Callable[..., None]:
        return lambda self, *a, **k: original(self, *a, **{**k, "disable": True})

    with _replaced(BARS, silent):
        yield


def evaluate(arguments: Sequence[str], *, only_ours: bool) -> dict[str, Any] | None:
    """Run ``lmms-eval eval`` with these arguments and find out whether it worked.

    Args:
        arguments: As on lmms-eval's command line.
        only_ours: Index our task folder alone.

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

    def told(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def single(args: Any) -> Any:
            try:
                results, samples = original(args)
            except Exception as error:
                outcome["error"] = error
                if (mistake := _user_mistake(error)) is not None:
                    raise SystemExit(
                        2
                    ) from mistake  # past lmms-eval's handler, which would print a traceback
                raise
            outcome["results"] = results
            return results, samples

        return single

    argv = sys.argv
    sys.argv = ["lmms-eval", *arguments]
    try:
        with ExitStack() as stack:
            stack.enter_context(_replaced(ONE_CONFIGURATION, told))
            if only_ours:
                stack.enter_context(_replaced(MANAGER, _of_our_folders))
            elif not any(argument.partition("=")[0] == "--reasoning_tags" for argument in arguments):
                stack.enter_context(_replaced(REASONING_TAGS, _split_off))
            host.cli_evaluate()
    except SystemExit as stop:
        if isinstance(stop.code, str):
            raise SafecotError(stop.code.removeprefix("safecot: ")) from stop
        if outcome["error"] is None and stop.code not in (None, 0):
            raise RuntimeError(f"lmms-eval stopped with status {stop.code}.") from stop
    finally:
        sys.argv = argv
    error = outcome["error"]
    if error is not None:
        mistake = _user_mistake(error)
        if mistake is not None:
            raise mistake
        raise RuntimeError(f"lmms-eval failed: {type(error).__name__}: {error}") from error
    results = outcome["results"]
    return results if isinstance(results, dict) else None


def defer_metric_hub() -> None:
    """Put off importing the package ``evaluate`` until lmms-eval asks it for a metric."""
    if "evaluate" in sys.modules:
        return

    class Deferred(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):  # asked by tools that look at every loaded module
                raise AttributeError(name)
            del sys.modules["evaluate"]
            return getattr(importlib.import_module("evaluate"), name)

    sys.modules["evaluate"] = Deferred("evaluate")


def _place(target: str) -> tuple[Any, str]:
    """The object that holds what a line of ``PATCHES`` names, and the attribute."""
    if target not in PATCHES:
        raise KeyError(target)
    module, _, path = target.partition(":")
    *outer, name = path.split(".")
    holder: Any = importlib.import_module(module)
    for part in outer:
        holder = getattr(holder, part)
    return holder, name


@contextmanager
def _replaced(target: str, change: Callable[[Any], Any]) -> Iterator[None]:
    holder, name = _place(target)
    kept = vars(holder)[
        name
    ]  # as it stands there: a partialmethod gives a new function each time it is asked for
    setattr(holder, name, change(getattr(holder, name)))
    try:
        yield
    finally:
        setattr(holder, name, kept)


def _our_folders() -> list[str]:
    return [str(path) for path in (tasks_dir(), *extra_tasks_dirs())]


def _listed(include_path: str | list[str] | None) -> list[str]:
    return [include_path] if isinstance(include_path, str) else list(include_path or [])


def _with_our_folder(original: Callable[..., Any]) -> Callable[..., Any]:
    def initialize_tasks(
        self: Any, include_path: str | list[str] | None = None, include_defaults: bool = True
    ) -> Any:
        paths = _listed(include_path)
        try:
            ours = _our_folders()
        except SafecotError as error:
            raise SystemExit(f"safecot: {error}") from error
        # Without the defaults a caller wants exactly the folders it names.
        if include_defaults:
            paths += [path for path in ours if path not in paths]
        return original(self, include_path=paths, include_defaults=include_defaults)

    return initialize_tasks


def _of_our_folders(original: Callable[..., Any]) -> Callable[..., Any]:
    def manager(verbosity: str = "INFO", include_path: Any = None, **options: Any) -> Any:
        paths = [*_listed(include_path), *_our_folders()]
        return original(verbosity, include_path=paths, **{**options, "include_defaults": False})

    return manager


def _split_off(_original: Callable[..., Any]) -> Callable[..., Any]:
    markers = reasoning.chosen_markers()
    return lambda text, _tags: reasoning.split(text, markers).answer


def _then_judged(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def apply_filters(self: Any) -> Any:
        from safecot_eval.generate.task import score_together

        outcome = original(self)
        score_together(self)
        return outcome

    return apply_filters


def _require_images(name: str, recorded: bool) -> None:
    """A task that is named in full, and that means nothing without its images, ends the process before a model is asked."""
    if recorded or not catalogue.is_task(name) or catalogue.why_not_ready(name) is not None:
        return
    if registry.task_parts(name)[0].images_from and (reason := catalogue.lacking_images(name)):
        raise SystemExit(f"safecot: {name}: {reason}")


def _without_missing_data(original: Callable[..., Any]) -> Callable[..., Any]:
    """A wildcard asks for what is there: tasks without data are left out, with one sentence each.

    A tag that a wildcard matches stands for its tasks, so that none is run twice; a tag or the group that is named in
    full stays, without the tasks that cannot run. A task that is named in full stays, and says itself what is missing.
    """

    def match_tasks(self: Any, task_list: Iterable[str]) -> Any:
        asked = list(task_list)
        tags = selection.tags()
        model = getattr(self, "model_name", None)
        recorded = not isinstance(model, str) or model in RECORDED
        chosen: dict[str, None] = {}
        missing: dict[str, str] = {}

        def can_run(task_name: str) -> bool:
            sentence = why_not(task_name, recorded=recorded)
            if sentence:
                missing[task_name] = sentence
            return not sentence

        for name in original(self, asked):
            if name in asked:
                _require_images(name, recorded)
                chosen[name] = None
            elif name in tags or name == selection.GROUP:
                chosen.update(dict.fromkeys(filter(can_run, selection.task_names_of(name))))
            elif not catalogue.is_task(name) or (not selection.only_by_name(name) and can_run(name)):
                chosen[name] = None
        for tag in tags:  # what a tag or the group expands to, later
            if tag in asked or (tag == selection.ALL and selection.GROUP in asked):
                self.task_index[tag]["task"] = list(filter(can_run, tags[tag]))
        for task_name, sentence in missing.items():
            logger.warning("{} is left out: {}", task_name, sentence)
        return list(chosen)

    return match_tasks


def _user_mistake(error: BaseException) -> SafecotError | None:
    """Look for one of our own errors, or one of the hub's, behind what lmms-eval and tenacity wrapped around it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, SafecotError):
            return seen
        if reason := hub.why_nothing(seen):
            return SafecotError(
                f"lmms-eval did not get a data set (or model) that it asked the hub for: {reason}."
            )
        last_attempt = getattr(seen, "last_attempt", None)
        seen = (
            (last_attempt.exception() if last_attempt is not None else None)
            or seen.__cause__
            or seen.__context__
        )
    return None
