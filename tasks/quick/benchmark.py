"""A quick look: 500 items of six benchmarks, the same ones everywhere, half to refuse and half to answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from safecot_eval.benchmarks import catalogue
from safecot_eval.benchmarks.registry import task_parts
from safecot_eval.records.samples import Expectation, ImageSource, Item
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256_of

TITLE = "Quick selection"
VERSION = "1.0"
REVISION = "selection 1 of the tasks named in tasks/quick/README.md"
LICENCE = "those of its benchmarks; MOSSBench's items must not be trained on"
SOURCE = "tasks/quick"
VARIANTS = {"": "500 items of six benchmarks: 250 to refuse, 250 to answer"}
RUBRICS = ("refusal", "harm")
DATA = None
ONLY_BY_NAME = True

QUOTAS = (  # task, expectation, items
    ("safecot_mossbench", Expectation.ANSWER, 150),
    ("safecot_xstest", Expectation.ANSWER, 100),
    ("safecot_mossbench_contrast", Expectation.REFUSE, 75),
    ("safecot_mmsafetybench_typo_tiny", Expectation.REFUSE, 60),
    ("safecot_figstep", Expectation.REFUSE, 50),
    ("safecot_xstest", Expectation.REFUSE, 40),
    ("safecot_harmbench_mm", Expectation.REFUSE, 25),
)


def items(variant: str, root: Path) -> Iterator[Item]:
    """The chosen items of each task; ids and clusters get the benchmark's name in front.

    Raises:
        SafecotError: a task lacks its data: a selection of what happens to be there could not be compared.
    """
    for task_name, expectation, quota in QUOTAS:
        if (reason := catalogue.why_not_ready(task_name)) is not None:
            raise SafecotError(f"the quick selection needs {task_name}. {reason}")
        name = task_parts(task_name)[0].name
        for item in choose(catalogue.items_of(task_name), expectation, quota, task_name):
            yield replace(
                item,
                item_id=f"{name}/{item.item_id}",
                category=f"{name}: {item.category}",
                cluster_id=f"{name}/{item.cluster_id or item.item_id}",
                pair_id=None,
                core=None,
            )


def choose(found: Sequence[Item], expectation: Expectation, quota: int, salt: str) -> list[Item]:
    """Take ``quota`` items, one category after the other, each in the order of a hash; one item of a cluster.

    Items whose image is missing, and those outside a benchmark's core, are passed over. Nothing is drawn at random and nothing
    depends on the order of the file.

    >>> made = [Item(str(n), "?", "ab"[n % 2], Expectation.ANSWER) for n in range(10)]
    >>> sorted(item.category for item in choose(made, Expectation.ANSWER, 4, "x"))
    ['a', 'a', 'b', 'b']
    """
    strata: dict[str, dict[str, Item]] = defaultdict(dict)
    eligible = [
        item
        for item in found
        if item.expectation is expectation
        and item.image_source is not ImageSource.ABSENT
        and item.core is not False
    ]
    for item in sorted(eligible, key=lambda item: _digest(salt, item.item_id)):
        strata[item.category].setdefault(item.cluster_id or item.item_id, item)
    waiting = [list(strata[category].values()) for category in sorted(strata)]
    chosen: list[Item] = []
    while len(chosen) < quota and any(waiting):
        for queue in waiting:
            if queue and len(chosen) < quota:
                chosen.append(queue.pop(0))
    return chosen


def _digest(salt: str, item_id: str) -> str:
    return sha256_of(f"{salt}/{item_id}")
