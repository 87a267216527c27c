"""Match recorded answers to items: the same text and the same pictures, or an id. Nothing is matched on a guess."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from safecot_eval.benchmarks import catalogue, registry
from safecot_eval.generate.importing.answers import Answer
from safecot_eval.generate.importing.index import (
    AMBIGUOUS,
    DATED_ID,
    NO_ID,
    NO_PICTURE,
    NO_PROMPT,
    NO_TASK,
    NOTHING,
    OTHER_FIELD,
    OTHER_PICTURE,
    OTHER_WORDING,
    Found,
    Index,
    normal,
    plain_id,
)
from safecot_eval.records.samples import ImageSource, Item
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.wording import agreeing, counted

OTHER_TASK = "its task is not among those that were asked for"
_TELLING = (
    OTHER_PICTURE,
    OTHER_WORDING,
    AMBIGUOUS,
    NO_PICTURE,
    OTHER_FIELD,
    NO_PROMPT,
    DATED_ID,
    NO_ID,
    NO_TASK,
    NOTHING,
)
"""Reasons, the most telling first."""
_LISTED = 6


@dataclass
class Matched:
    """What became of the answers.

    Attributes:
        answers: Task to item id to answer.
        items: Task to all its items, as they were asked: with another wording, or without the picture that nobody compared.
        base_task_of: Task to the task that its items come from (a wording of its own is a task of its own); None for questions
            of the file's own.
        revision: Of questions of the file's own: a hash of them.
        how: Ground of the match (``prompt and picture``, ``prompt``, ``id``, ``id and prompt`` …) to how many.
        how_of: The same for each answer: (task, item id) to ground.
        left: Answers that fit no item, with the reason.
        missing: Task to ids of its items that have no answer.
        notes: What a reader should know, one sentence each.
    """

    answers: dict[str, dict[str, Answer]] = field(default_factory=dict)
    items: dict[str, list[Item]] = field(default_factory=dict)
    base_task_of: dict[str, str | None] = field(default_factory=dict)
    revision: str = ""
    how: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    how_of: dict[tuple[str, str], str] = field(default_factory=dict)
    left: list[tuple[Answer, str]] = field(default_factory=list)
    missing: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def match(
    answers: Sequence[Answer],
    task_names: Mapping[str, Sequence[Item]],
    *,
    pictures: bool = True,
    ids_alone: bool = False,
    other_prompt: bool = False,
) -> Matched:
    """Match answers to the items of some tasks.

    A task takes all answers that fit it, beginning with the task that most of them fit; among tasks that fit equally many,
    the one that they fill more of. Where that does not decide, the user must.

    Args:
        answers: In any order.
        task_names: Task to its items.
        pictures: Compare pictures; otherwise the prompt (or the id) must decide alone.
        ids_alone: An id without a prompt counts: the user has said whose task it is.
        other_prompt: Take answers to another wording, told by their id or picture, as tasks of their own.

    Raises:
        SafecotError: nothing fits, two tasks fit equally, or two different answers fit one item.
    """
    done = Matched()
    done.left += [(a, OTHER_TASK) for a in answers if a.task is not None and a.task not in task_names]
    rest = [answer for answer in answers if answer.task is None or answer.task in task_names]
    found = {}
    loaded: dict[str, Sequence[Item]] = dict(task_names)
    for task_name, items in task_names.items():
        index = Index(
            items,
            siblings=_siblings(task_name, loaded),
            pictures=pictures,
            ids_alone=ids_alone,
            other_prompt=other_prompt,
        )
        found[task_name] = [
            (answer, index.find(answer)) for answer in rest if answer.task in (None, task_name)
        ]
    for task_name, in_task in found.items():
        _refuse_a_shifted_counter(task_name, in_task, loaded)
    placed = _place(done, _fits(found), task_names)
    reasons: defaultdict[int, set[str]] = defaultdict(set)
    for answer, fate in (pair for in_task in found.values() for pair in in_task):
        reasons[id(answer)].add(fate.how)
    for answer in rest:
        if id(answer) not in placed:
            told = reasons[id(answer)]
            done.left.append((answer, next((reason for reason in _TELLING if reason in told), OTHER_TASK)))
    if not done.answers:
        raise _nothing_fits(done, len(answers), task_names)
    for task, of_task in done.answers.items():
        done.missing[task] = [item.item_id for item in done.items[task] if item.item_id not in of_task]
    done.notes += _notes(done)
    return done


_Key = tuple[str, bool]
"""A task, and whether its items were asked in other words than its own."""
_Fit = tuple[Answer, Found, Item]


def _siblings(task_name: str, loaded: dict[str, Sequence[Item]]) -> list[Item]:
    """Items of the benchmark's other tasks, as far as they are here; what is loaded is kept."""
    try:
        benchmark, own = registry.task_parts(task_name)
    except SafecotError:
        return []
    found: list[Item] = []
    for variant in benchmark.variants:
        if variant == own or variant == f"{own}_tiny" or own == f"{variant}_tiny":
            continue
        name = benchmark.task_name(variant)
        if name not in loaded:
            try:
                loaded[name] = catalogue.items_of(name)
            except SafecotError:
                loaded[name] = ()
        found += loaded[name]
    return found


def _refuse_a_shifted_counter(
    task_name: str, in_task: Sequence[tuple[Answer, Found]], loaded: dict[str, Sequence[Item]]
) -> None:
    """Stop where ids only count the rows, from another number than the benchmark does: every answer would be shifted.

    Raises:
        SafecotError: they do, and no prompt or picture confirms an id.
    """
    hows = {fate.how for _, fate in in_task if fate.item is not None}
    if not hows & {"id", "id, in another wording"} or any(
        how.startswith(("id and", "prompt")) for how in hows
    ):
        return
    given = {plain_id(answer.item_id) for answer, _ in in_task if answer.item_id is not None}
    if len(given) < 2 or not all(name.isdecimal() for name in given):
        return
    known = _numbers(task_name, loaded)
    first, last = min(map(int, given)), max(map(int, given))
    from_zero = first == 0 < min(known, default=0)
    from_one = first == 1 and min(known, default=1) == 0 and last == max(known) + 1
    if from_zero or from_one:
        raise SafecotError(
            f"The ids of the file count from {first} to {last}, those of {task_name} are numbers from {min(known)} to "
            f"{max(known)}, and no prompt says which answer is whose: matched by these ids, answers would go to the wrong "
            "items. Give a column of prompts, or the benchmark's own ids (--questions writes both)."
        )


def _numbers(task_name: str, loaded: dict[str, Sequence[Item]]) -> set[int]:
    """The ids of a whole benchmark that are numbers; a task's own selection may begin anywhere."""
    of_benchmark: list[Item] = [*loaded[task_name], *_siblings(task_name, loaded)]
    try:
        benchmark, own = registry.task_parts(task_name)
        if own.endswith("_tiny"):
            of_benchmark += catalogue.items_of(benchmark.task_name(own.removesuffix("_tiny")))
    except SafecotError:
        pass  # no benchmark of the catalogue, or its data are not here
    names = (plain_id(name) for item in of_benchmark for name in (item.item_id, *item.aliases))
    return {int(name) for name in names if name.isdecimal()}


def _fits(found: Mapping[str, Sequence[tuple[Answer, Found]]]) -> dict[_Key, list[_Fit]]:
    """What fits where; an answer that fits a task in the task's own words is not taken for another wording."""
    fits: dict[_Key, list[_Fit]] = {}
    own = {
        id(a)
        for in_task in found.values()
        for a, fate in in_task
        if fate.item is not None and not fate.worded
    }
    for task_name, in_task in found.items():
        for answer, fate in in_task:
            if fate.item is not None and not (fate.worded and id(answer) in own):
                fits.setdefault((task_name, fate.worded), []).append((answer, fate, fate.item))
    return fits


def _place(
    done: Matched, fits: Mapping[_Key, list[_Fit]], task_names: Mapping[str, Sequence[Item]]
) -> set[int]:
    """Give every answer to one item; returns the answers that have a place (by identity)."""
    placed: set[int] = set()
    clashes: dict[int, tuple[str, set[tuple[Any, ...]]]] = {}
    waiting = dict(fits)
    while waiting:
        left = {
            key: [
                fit
                for fit in waiting[key]
                if id(fit[0]) not in placed
                and _question(key[0], fit[2]) not in clashes.get(id(fit[0]), ("", set()))[1]
            ]
            for key in waiting
        }
        best = _best({key: of for key, of in left.items() if of}, task_names)
        if best is None:
            break
        del waiting[best]
        _take(done, best, left[best], task_names[best[0]], placed, clashes)
    for name, (sentence, _) in clashes.items():
        if name not in placed:
            raise SafecotError(sentence)
    return placed


def _best(fits: Mapping[_Key, list[_Fit]], task_names: Mapping[str, Sequence[Item]]) -> _Key | None:
    def rank(key: _Key) -> tuple[int, float]:
        return len(fits[key]), len({item.item_id for _, _, item in fits[key]}) / len(task_names[key[0]])

    ranked = sorted(fits, key=rank, reverse=True)
    if not ranked:
        return None
    equal = [key for key in ranked if rank(key) == rank(ranked[0])]
    if len(equal) > 1 and set.intersection(*({id(answer) for answer, _, _ in fits[key]} for key in equal)):
        names = " and ".join(task_name for task_name, _ in equal)
        raise SafecotError(
            f"The answers fit {names} equally well; say which with --tasks, or with a column 'task'."
        )
    return ranked[0]


def _take(
    done: Matched,
    key: _Key,
    fits: Sequence[_Fit],
    items: Sequence[Item],
    placed: set[int],
    clashes: dict[int, tuple[str, set[tuple[Any, ...]]]],
) -> None:
    task_name, worded = key
    chosen: dict[str, Answer] = {}
    asked: dict[str, Item] = {}
    grounds: dict[str, str] = {}
    repeated = 0
    for answer, fate, item in fits:
        earlier = chosen.get(item.item_id)
        if earlier is None:
            chosen[item.item_id] = answer
            asked[item.item_id] = _as_asked(item, answer if worded else None, seen=fate.seen)
            done.how[fate.how] += 1
            grounds[item.item_id] = fate.how
        elif (earlier.response, earlier.status) == (answer.response, answer.status):
            repeated += 1
        else:
            sentence = (
                f"{answer.where}: {task_name} has a different answer to item {item.item_id!r} already ({earlier.where}); "
                "keep one of them."
            )
            clashes.setdefault(id(answer), (sentence, set()))[1].add(_question(task_name, item))
            continue
        placed.add(id(answer))
    task = f"{task_name}{registry.OTHER_PROMPT}{_wording(chosen.values())}" if worded else task_name
    done.answers[task], done.base_task_of[task] = chosen, task_name
    done.how_of |= {(task, item_id): how for item_id, how in grounds.items()}
    done.items[task] = [asked.get(item.item_id) or _as_asked(item, None, seen=False) for item in items]
    if repeated:
        done.notes.append(
            f"{task}: {counted(repeated, 'answer')} came twice, word for word; each counts once."
        )


def _question(task_name: str, item: Item) -> tuple[Any, ...]:
    """What is asked, whichever selection of a benchmark (``_tiny``) asks it."""
    try:
        name = registry.task_parts(task_name)[0].name
    except SafecotError:
        name = task_name
    return name, item.item_id, item.asked_as or item.prompt, item.image_names


def _as_asked(item: Item, answer: Answer | None, *, seen: bool) -> Item:
    """An item with the prompt of an answer in another wording, and without a rendered picture that nobody compared."""
    if item.image_source is ImageSource.RENDERED and not seen:
        item = replace(item, images=(), image_source=ImageSource.ABSENT)
    return item if answer is None or answer.prompt is None else replace(item, prompt=answer.prompt)


def _wording(answers: Iterable[Answer]) -> str:
    """A short name for a set of prompts: two models that were asked the same have the same task."""
    prompts = sorted({normal(answer.prompt or "") for answer in answers})
    return hashlib.sha256(json.dumps(prompts).encode()).hexdigest()[:6]


def _nothing_fits(done: Matched, count: int, task_names: Mapping[str, Sequence[Item]]) -> SafecotError:
    reasons = Counter(reason for _, reason in done.left)
    said = "; ".join(f"{number}: {reason}" for reason, number in sorted(reasons.items()))
    asked = (
        ", ".join(task_names)
        if 0 < len(task_names) <= _LISTED
        else f"the {len(task_names)} tasks that are here"
    )
    return SafecotError(
        f"None of {counted(count, 'answer')} fits an item of {asked} ({said}). Is the data "
        "of the benchmark here (`safecot data list`), and are the prompts unchanged? --own-questions --expect refuse makes "
        "a benchmark of the file's own questions."
    )


def _notes(done: Matched) -> list[str]:
    notes = []
    absent = [
        task for task, items in done.items.items() if any(i.image_source is ImageSource.ABSENT for i in items)
    ]
    if absent:
        notes.append(
            f"the pictures of {', '.join(absent)} are not on disk, or are not those that the model was shown: matched by "
            "prompt, id or picture name, image_source absent"
        )
    lost = sum(
        "picture" not in done.how_of[task, item_id]
        and bool(answer.pictures)
        and not all(picture.sha256 for picture in answer.pictures or ())
        for task, answers in done.answers.items()
        for item_id, answer in answers.items()
    )
    if lost:
        notes.append(
            f"{counted(lost, 'picture')} {agreeing(lost, 'is', 'are')} neither where the table says nor called as the benchmark calls "
            f"{agreeing(lost, 'it', 'them')}, and {agreeing(lost, 'was', 'were')} not compared; "
            "--images FOLDER tells where paths start"
        )
    worded = [task for task, task_name in done.base_task_of.items() if task != task_name]
    if worded:
        notes.append(
            f"{', '.join(worded)}: asked in other words than the benchmark's, and so a task of its own"
        )
    return notes
