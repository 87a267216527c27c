"""Benchmarks as folders: find them, load their items, name their lmms-eval tasks.

A benchmark is a folder ``tasks/<name>/`` with a ``benchmark.py`` that defines

* ``TITLE``, ``VERSION`` (raise it when prompts or data change), ``REVISION`` (of the data), ``LICENCE``, ``SOURCE``;
* ``VARIANTS``: ``{task suffix: one line}``; the empty suffix is the task without one;
* ``RUBRICS``: the judge rubrics that apply to its items, and ``RUBRICS_OF``: ``{task suffix: rubrics}`` for tasks with
  others;
* ``items(variant, root) -> Iterator[Item]``: the items of one task, read from the data folder ``root``;
* optionally ``DATA``: the data folder's name where it is not the benchmark's, or None for a benchmark that draws its
  own data;
* optionally ``REFUSAL_LISTS``: ``{task suffix: phrase list}`` for tasks that are not matched with the default list (a
  list's name, or a YAML file in the folder);
* optionally ``ALSO_REFUSE``: task suffixes whose items SafeCoT counts as items to refuse, though other safe answers are
  right, too: their CRR is shown beside the share of refusals;
* optionally ``ATTACK_RATE_BY_CATEGORY = True``: its published figure is the attack rate of each category over all of the
  category's items, and their mean: ``attack_rate`` beside the pooled ``asr``;
* optionally ``HARMONIC = True``: its published figure is the harmonic mean of refusing and answering: ``contextual`` beside
  ``balanced``;
* optionally ``DIALOGUES``: task suffixes whose items are the turns of dialogues (``extra`` has ``dialogue`` and ``turn``, the
  category is ``turn N``, the dialogue is the cluster);
* optionally ``ROUNDS``: ``{task suffix: turns}``, tasks that ask the same items (by id) after dialogues of so many turns; ``safecot
  dialogues`` makes the Safety Index of them;
* optionally ``ASPECTS``: scores made from several tasks, ``{aspect: {name: ((task suffix, category or empty, numbers), …)}}`` (see
  :mod:`safecot_eval.aggregate.aspects`);
* optionally ``ONLY_BY_NAME``: task suffixes, or True for all: no wildcard, tag or group runs these tasks (a selection of
  other tasks' items, say);
* optionally ``IMAGES_FROM``: where its images come from, as an advice, for a benchmark that means nothing without any one of
  them: a model is asked only when all are on disk (recorded answers need none);
* optionally ``recorded(root) -> Iterator[(model, item_id, response)]``: published answers to the items of the task
  without suffix, and ``recorded_in(variant, root)``, those to the items of another task; ``safecot data prepare`` turns
  them into replay files.

Nothing else registers it: a folder dropped in is found, here or below a folder that ``SAFECOT_TASKS_DIR`` names.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from safecot_eval.benchmarks.tables_read import noted
from safecot_eval.records.samples import Item
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import extra_tasks_dirs, tasks_dir
from safecot_eval.util.settings import Settings

TASK_PREFIX = "safecot_"
OTHER_PROMPT = "_asked_"
"""Between a task's name and a hash: answers to another wording, a task of their own that only imports make."""
OWN_QUESTIONS = f"{TASK_PREFIX}own_"
"""How tasks begin whose questions come from an imported file."""


_Recorded = Iterator[tuple[str, str, str]]


class Benchmark(Settings):
    """What a benchmark folder declares.

    Attributes:
        name: Folder name.
        title: Name for tables.
        version: Comparability version of prompts and data; part of every record.
        revision: Revision of the data it was written against.
        licence: Licence of the data.
        source: Where the data come from.
        variants: Task suffix to one-line description.
        rubrics: Judge rubrics that apply.
        rubrics_of: Task suffix to its rubrics, where they are others.
        folder: Where its files are.
        data: Name of its data folder; None for a benchmark that draws its own data.
        refusal_lists: Task suffix to phrase list, for tasks with another than the default.
        also_refuse: Task suffixes whose items are also read as items to refuse.
        dialogues: Task suffixes whose items are the turns of dialogues.
        rounds: Task suffix to the turns of its dialogues, where the same items are asked after dialogues of several lengths.
        aspects: Scores that are made from several tasks.
        attack_rate_by_category: Whether the mean of its categories' attack rates is its published figure.
        harmonic: Whether the harmonic mean of CRR and CAR is its published figure.
        only_by_name: Task suffixes that no wildcard, tag or group runs.
        images_from: Where its images come from, where a model is asked only when all are on disk.
        recorded: Yields published answers as (model, item id, response); None where there are none.
        recorded_in: The same for a task with a suffix.
    """

    what: ClassVar[str] = "benchmark"
    help: ClassVar[str] = "docs/tasks.md"
    model_config = ConfigDict(alias_generator=str.upper)

    name: str
    title: str
    version: str
    revision: str
    licence: str
    source: str
    variants: Mapping[str, str]
    rubrics: tuple[str, ...]
    rubrics_of: Mapping[str, tuple[str, ...]] = {}
    folder: Path
    data: str | None = None
    refusal_lists: Mapping[str, str] = {}
    also_refuse: frozenset[str] = frozenset()
    attack_rate_by_category: bool = False
    harmonic: bool = False
    dialogues: frozenset[str] = frozenset()
    rounds: Mapping[str, int] = {}
    aspects: Mapping[str, Mapping[str, tuple[tuple[str, str, tuple[str, ...]], ...]]] = {}
    only_by_name: frozenset[str] = frozenset()
    images_from: str | None = None
    recorded: Callable[[Path], _Recorded] | None = Field(None, validation_alias="recorded")
    recorded_in: Callable[[str, Path], _Recorded] | None = Field(None, validation_alias="recorded_in")
    yield_items: Callable[[str, Path], Iterator[Item]] = Field(validation_alias="items")

    @field_validator("only_by_name", mode="before")
    @classmethod
    def _all_by_name(cls, value: Any, info: ValidationInfo) -> Any:
        """``True`` stands for every variant."""
        return frozenset(info.data.get("variants", ())) if value is True else value or frozenset()

    def task_name(self, variant: str) -> str:
        """Name of the lmms-eval task for a variant."""
        return f"{TASK_PREFIX}{self.name}" + (f"_{variant}" if variant else "")

    def refusal_list(self, variant: str) -> str | None:
        """The phrase list that the benchmark wants a task's answers matched with, a name or a file; None for the default."""
        name = self.refusal_lists.get(variant)
        return str(self.folder / name) if name is not None and name.endswith((".yaml", ".yml")) else name

    def items(self, variant: str, root: Path) -> list[Item]:
        """Load one task's items.

        Args:
            variant: A key of ``variants``.
            root: The benchmark's data folder.

        Raises:
            SafecotError: the data are missing or malformed (file and record are named), or two items have one id.
        """
        if variant not in self.variants:
            raise SafecotError(f"{self.name} has no variant {variant!r}; it has: {', '.join(self.variants)}.")
        with noted() as tables:
            try:
                found = list(self.yield_items(variant, root))
            except SafecotError as error:
                raise SafecotError(_with_folder(str(error), list(tables))) from error
            except Exception as error:
                raise SafecotError(_where_it_failed(self.folder / "benchmark.py", error)) from error
        if (doubled := _doubled(found)) is not None:
            place = next(iter(tables)) if len(tables) == 1 else root
            raise SafecotError(
                f"{place}: {self.task_name(variant)} {doubled}; answers are told apart by their item's id, so delete what is "
                "there twice, or give every item an id of its own."
            )
        return found


def _with_folder(sentence: str, tables: Sequence[Path]) -> str:
    """A sentence that starts with the bare name of a file that was read, with the file's whole path instead.

    >>> _with_folder("a.csv, line 3: empty.", [Path("/data/set/a.csv")])
    '/data/set/a.csv, line 3: empty.'
    """
    for path in reversed(tables):
        if sentence.startswith((f"{path.name},", f"{path.name}:")):
            return f"{path}{sentence[len(path.name) :]}"
    return sentence


def _doubled(items: Sequence[Item]) -> str | None:
    """Which id several items have, and how many such ids there are; None where every item has an id of its own."""
    counts = Counter(item.item_id for item in items)
    doubled = [item_id for item_id, count in counts.items() if count > 1]
    if not doubled:
        return None
    places = [str(number) for number, item in enumerate(items, start=1) if item.item_id == doubled[0]]
    further = len(doubled) - 1
    more = f", and {further} more such id{'s' if further > 1 else ''}" if further else ""
    return (
        f"has {counts[doubled[0]]} items with the id {doubled[0]!r} (items {', '.join(places[:3])}"
        f"{', …' if len(places) > 3 else ''} of {len(items)}{more})"
    )


def _folders() -> dict[str, Path]:
    """Benchmark name to its folder; the project's own come first."""
    found: dict[str, Path] = {}
    for parent in (tasks_dir(), *extra_tasks_dirs()):
        for path in sorted(parent.glob("*/benchmark.py")):
            if path.parent.name in found:
                raise SafecotError(
                    f"{path.parent}: there is a benchmark of this name already ({found[path.parent.name]}); "
                    "rename the folder."
                )
            found[path.parent.name] = path.parent
    return found


def names() -> list[str]:
    """Names of all benchmark folders."""
    return sorted(_folders())


@cache
def load(name: str) -> Benchmark:
    """Import ``tasks/<name>/benchmark.py``.

    Raises:
        SafecotError: no such folder, or the module lacks a declaration.
    """
    folder = _folders().get(name)
    if folder is None:
        raise SafecotError(f"There is no benchmark {name!r}; there are: {', '.join(names())}.")
    path = folder / "benchmark.py"
    module_name = f"safecot_tasks_{name}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise SafecotError(f"{path}: Python cannot import this file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except SafecotError:
        raise
    except Exception as error:
        raise SafecotError(_where_it_failed(path, error)) from error
    keys = [str(field.validation_alias) for field in Benchmark.model_fields.values()]
    declared = {key: getattr(module, key) for key in keys if hasattr(module, key)}
    return Benchmark.check({"DATA": name, **declared, "NAME": name, "FOLDER": folder}, str(path))


def _where_it_failed(path: Path, error: Exception) -> str:
    """A benchmark's own mistake in one sentence, with its line."""
    if isinstance(error, SyntaxError):
        line = error.lineno
    else:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = frames[-1].lineno if frames else None
    reason = " ".join(str(error).split())
    return f"{path}{f', line {line}' if line else ''}: {type(error).__name__}: {reason}"


def task_parts(task_name: str) -> tuple[Benchmark, str]:
    """Benchmark and variant of a task name.

    Raises:
        SafecotError: the name belongs to no benchmark.
    """
    stem = task_name.removeprefix(TASK_PREFIX)
    for name in sorted(names(), key=len, reverse=True):
        if stem == name or stem.startswith(name + "_"):
            benchmark = load(name)
            variant = stem[len(name) + 1 :]
            if variant in benchmark.variants:
                return benchmark, variant
    raise SafecotError(f"Task {task_name!r} belongs to no benchmark folder under {tasks_dir()}.")


def also_refuse(task_name: str) -> bool:
    """Whether a task's items are also read as items to refuse (``ALSO_REFUSE``); False for a task that is not here.

    >>> also_refuse("safecot_siuo"), also_refuse("safecot_siuo_mcqa"), also_refuse("unheard_of")
    (True, False, False)
    """
    return _also_refuse(task_name, tuple(extra_tasks_dirs()))


@cache
def _also_refuse(task_name: str, _folders: tuple[Path, ...]) -> bool:
    try:
        benchmark, variant = task_parts(base_task(task_name))
    except SafecotError:
        return False
    return variant in benchmark.also_refuse


def attack_rate_by_category(task_name: str) -> bool:
    """Whether a task's benchmark publishes the mean of its categories' attack rates; False for a task that is not here.

    >>> attack_rate_by_category("safecot_mmsafetybench_sd"), attack_rate_by_category("safecot_figstep")
    (True, False)
    """
    return _attack_rate_by_category(task_name, tuple(extra_tasks_dirs()))


@cache
def _attack_rate_by_category(task_name: str, _folders: tuple[Path, ...]) -> bool:
    try:
        return task_parts(task_name)[0].attack_rate_by_category
    except SafecotError:
        return False


def harmonic(task_name: str) -> bool:
    """Whether a task's benchmark publishes the harmonic mean of CRR and CAR; False for a task that is not here.

    >>> harmonic("safecot_mmsafety_plus_gen"), harmonic("safecot_figstep")
    (True, False)
    """
    return _harmonic(task_name, tuple(extra_tasks_dirs()))


@cache
def _harmonic(task_name: str, _folders: tuple[Path, ...]) -> bool:
    try:
        return task_parts(task_name)[0].harmonic
    except SafecotError:
        return False


def base_task(task: str) -> str:
    """The task that a task's items come from: a task of another wording has a name of its own.

    >>> base_task("safecot_figstep_asked_1a2b3c")
    'safecot_figstep'
    """
    return task.partition(OTHER_PROMPT)[0]


def has_dialogues(task_name: str) -> bool:
    """Whether a task's items are the turns of dialogues; False for a task that is not here.

    >>> has_dialogues("safecot_mini_dialogues"), has_dialogues("safecot_mini")
    (True, False)
    """
    return _has_dialogues(task_name, tuple(extra_tasks_dirs()))


@cache
def _has_dialogues(task_name: str, _folders: tuple[Path, ...]) -> bool:
    try:
        benchmark, variant = task_parts(task_name)
    except SafecotError:
        return False
    return variant in benchmark.dialogues


def turns_of(task_name: str) -> tuple[str, int] | None:
    """Benchmark and turns of a task that is one length of several (``ROUNDS``); None for others, and for a task that is not here.

    >>> turns_of("safecot_safemt_4turn"), turns_of("safecot_safemt_own")
    (('safemt', 4), None)
    """
    try:
        benchmark, variant = task_parts(task_name)
    except SafecotError:
        return None
    return (benchmark.name, benchmark.rounds[variant]) if variant in benchmark.rounds else None


def task_names() -> dict[str, str]:
    """All task names with their one-line descriptions."""
    found = {}
    for name in names():
        benchmark = load(name)
        found.update({benchmark.task_name(variant): line for variant, line in benchmark.variants.items()})
    return found


# What 0.1.0 called them; tasks of its users import these for one release more.
leaf_parts = task_parts
leaves = task_names
