"""What must never be trained on, whatever it is called and wherever a copy lies.

A source is refused by its name, and by the rows it holds: a selection of other benchmarks knows where its items are from,
and a copied row shows by its image, or by a text too long to be the same by chance.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from safecot_eval.benchmarks import catalogue, registry
from safecot_eval.records.samples import Item
from safecot_eval.util.errors import SafecotError
from safecot_training.data.contamination import EvalSet, Ground, Hit
from safecot_training.data.text_overlap import TELLING_WORDS, count_words, normalised

TEST_ONLY = {
    "mossbench": ("MOSSBench", "its licence allows testing only"),
    "mini": (
        "safecot_mini",
        "it is the evaluation split of the mini world; mini.twins(Split.TRAIN) draws training data",
    ),
}
"""Benchmark to its title and why it is for evaluation only."""
_NAMED = ("mossbench",)
"""Benchmarks that files and folders are named after; ``mini`` is a word of its own."""


def refuse_by_name(spec: str) -> None:
    """Refuse a source that is named after a set that must not be trained on.

    Raises:
        SafecotError: naming the data set and the reason.
    """
    place = spec.rpartition("=")[2].partition("@")[0]
    named = letters(spec) + letters(str(Path(place).resolve()))
    for word in _NAMED:
        if word in named:
            raise refusal(f"Source {spec!r}", word)


def refuse_by_origin(items: Iterable[Item], benchmark: str) -> None:
    """Refuse a benchmark, or a selection of others, that holds such items.

    Raises:
        SafecotError: naming the data set and how many of its items there are.
    """
    found = Counter(origin(item, benchmark) for item in items)
    for name in TEST_ONLY:
        if found[name]:
            raise refusal(f"Source bench:{benchmark} ({found[name]} of its {found.total()} items)", name)


def origin(item: Item, benchmark: str) -> str:
    """The benchmark that an item comes from: a selection writes it in front of the item's id."""
    declared = registry.load(benchmark)
    if declared.only_by_name >= declared.variants.keys():
        return item.item_id.partition("/")[0]
    return benchmark


def refusal(what: str, name: str) -> SafecotError:
    """The sentence."""
    title, reason = TEST_ONLY[name]
    return SafecotError(f"{what}: {title} must not be trained on ({reason}); leave it out.")


def letters(text: str) -> str:
    """Letters only, for names that are spelt in many ways.

    >>> letters("MOSS-Bench/train")
    'mossbenchtrain'
    """
    return re.sub(r"[^a-z]", "", text.lower())


def eval_sets() -> list[EvalSet]:
    """The sets that must not be trained on, as far as their data are on this machine."""
    found = []
    for name in TEST_ONLY:
        benchmark = registry.load(name)
        for task_name in map(benchmark.task_name, benchmark.variants):
            if catalogue.why_not_ready(task_name) is None:
                found.append(EvalSet(task_name, tuple(catalogue.items_of(task_name))))
    return found


def telling(hits: Iterable[Hit]) -> list[Hit]:
    """Hits that show where a row is from."""
    return [
        hit
        for hit in hits
        if hit.ground in (Ground.IMAGE, Ground.HOLDS_TEXT)
        or (hit.ground is Ground.TEXT and count_words(normalised(hit.detail)) >= TELLING_WORDS)
    ]


def refuse_rows(hits: Iterable[Hit]) -> None:
    """Refuse rows that are copies of items that must not be trained on.

    Raises:
        SafecotError: naming the first row.
    """
    for hit in telling(hits):
        name = registry.task_parts(hit.eval_set)[0].name
        raise refusal(f"Training sample {hit.example_id} is item {hit.item_id} ({hit.ground})", name)
