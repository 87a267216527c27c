"""What lmms-eval loads: our models, and hooks that let its TaskManager see our tasks and a judge see all responses.

lmms-eval has an entry-point group for models (``lmms_eval.models``) but none for tasks, and its ``LMMS_EVAL_PLUGINS``
does not register tasks in 0.7. The model entry point therefore also teaches ``TaskManager`` our task folder. The hook
is idempotent and imports nothing heavy; where lmms-eval has changed so that it cannot work, one sentence names the
way round (``--include_path "$(safecot tasks-path)"``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from loguru import logger

from safecot_eval.benchmarks import catalogue, selection
from safecot_eval.benchmarks.selection import why_not
from safecot_eval.generate.plan import RECORDED
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import extra_tasks_dirs, tasks_dir

FALLBACK = 'use --include_path "$(safecot tasks-path)" instead'
_MARK = "_safecot_hooked"

MODELS = {
    "safecot_hf": "safecot_eval.generate.models.hf.SafecotHF",
    "safecot_openai": "safecot_eval.generate.models.api.SafecotOpenAI",
    "safecot_replay": "safecot_eval.generate.models.replay.SafecotReplay",
    "safecot_baseline": "safecot_eval.generate.models.baseline.SafecotBaseline",
}
"""lmms-eval model id to class. The classes are imported only when selected."""


def manifests() -> list[Any]:
    """Return our models' manifests and install the task hook; lmms-eval calls this when it is imported."""
    from lmms_eval.models.registry_v2 import ModelManifest

    install_task_hook()
    return [ModelManifest(model_id=model, chat_class_path=path) for model, path in MODELS.items()]


def install_task_hook() -> bool:
    """Let every ``TaskManager`` find our tasks.

    Returns:
        Whether tasks can be found. False means that lmms-eval has changed; a warning says what to do.
    """
    try:
        from lmms_eval.tasks import TaskManager

        if getattr(TaskManager, _MARK, False):
            return True
        TaskManager.initialize_tasks = _with_our_folder(TaskManager.initialize_tasks)
        TaskManager.match_tasks = _without_missing_data(TaskManager.match_tasks)
        setattr(TaskManager, _MARK, True)
        install_judge_hook()
    except (ImportError, AttributeError) as error:
        logger.warning("safecot tasks are not registered: lmms-eval has changed ({}); {}.", error, FALLBACK)
        return False
    return True


def install_judge_hook() -> None:
    """Let a configured judge see all responses of a task at once; without the hook it sees them one by one."""
    try:
        from lmms_eval.api.task import ConfigurableTask

        original = ConfigurableTask.apply_filters
    except (ImportError, AttributeError) as error:
        logger.warning("Samples will be judged one by one: lmms-eval has changed ({}).", error)
        return

    def apply_filters(self: Any) -> Any:
        from safecot_eval.generate.task import judge_together

        outcome = original(self)
        judge_together(self)
        return outcome

    ConfigurableTask.apply_filters = apply_filters


def _with_our_folder(original: Callable[..., Any]) -> Callable[..., Any]:
    def initialize_tasks(
        self: Any, include_path: str | list[str] | None = None, include_defaults: bool = True
    ) -> Any:
        paths = [include_path] if isinstance(include_path, str) else list(include_path or [])
        try:
            ours = [str(path) for path in (tasks_dir(), *extra_tasks_dirs())]
        except SafecotError as error:
            raise SystemExit(f"safecot: {error}") from error
        # Without the defaults a caller wants exactly the folders it names.
        if include_defaults:
            paths += [path for path in ours if path not in paths]
        return original(self, include_path=paths, include_defaults=include_defaults)

    return initialize_tasks


def _without_missing_data(original: Callable[..., Any]) -> Callable[..., Any]:
    """A wildcard asks for what is there: leaves without data are left out, with one sentence each.

    A tag that a wildcard matches stands for its leaves, so that none is run twice; a tag or the group that is named in
    full stays, without the leaves that cannot run. A leaf that is named in full stays, and says itself what is missing.
    """

    def match_tasks(self: Any, task_list: Iterable[str]) -> Any:
        asked = list(task_list)
        tags = selection.tags()
        model = getattr(self, "model_name", None)
        recorded = not isinstance(model, str) or model in RECORDED
        chosen: dict[str, None] = {}
        missing: dict[str, str] = {}

        def can_run(leaf: str) -> bool:
            sentence = why_not(leaf, recorded=recorded)
            if sentence:
                missing[leaf] = sentence
            return not sentence

        for name in original(self, asked):
            if name in asked:
                chosen[name] = None
            elif name in tags or name == selection.GROUP:
                chosen.update(dict.fromkeys(filter(can_run, selection.leaves_of(name))))
            elif not catalogue.is_leaf(name) or (not selection.only_by_name(name) and can_run(name)):
                chosen[name] = None
        for tag in tags:  # what a tag or the group expands to, later
            if tag in asked or (tag == selection.ALL and selection.GROUP in asked):
                self.task_index[tag]["task"] = list(filter(can_run, tags[tag]))
        for leaf, sentence in missing.items():
            logger.warning("{} is left out: {}", leaf, sentence)
        return list(chosen)

    return match_tasks
