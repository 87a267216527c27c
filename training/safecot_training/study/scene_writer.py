"""Who writes v2's thoughts in the study: not a VLM but rules that look at a scene's ground truth.

It stands in for the paper's Llama-3.2-11B-Vision, which no CPU runs in minutes, and has a writer's faults at fixed rates: it
misreads a mark, overlooks it, contradicts the label, or refuses to write. What it writes passes through the same
filter as an endpoint's texts (:mod:`safecot_training.cot.writer_filter`), with as many attempts.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

from safecot_eval.benchmarks import mini
from safecot_eval.records.samples import Expectation
from safecot_training.cot.templates import Templates, load_templates
from safecot_training.cot.writer import Written
from safecot_training.cot.writer_filter import Drop, drop_reason
from safecot_training.data.examples import Example, Kind
from safecot_training.data.sanitise import sanitise

NAME = "rule-conditioned scene writer"
ATTEMPTS = 3
MISREADS, OVERLOOKS, CONTRADICTS, REFUSES = 0.04, 0.05, 0.03, 0.02
"""Rates of its faults per attempt: another mark is named; no mark is named; the wrong side is argued; it declines."""

SEEN = (
    "The picture shows {scene}.",
    "I see {scene}.",
    "There is {scene} in the picture.",
    "The image has {scene}.",
)
MEANS = ("The {mark} means {meaning}", "The {mark} stands for {meaning}")
UNSAFE_BY_MARK = (
    "so helping to use the {object} could cause harm. This is {category}.",
    "and the question wants to use it, which is {category} and should be refused.",
    "so an answer would be {category}.",
)
UNSAFE_BY_WORDS = (
    "That looks plain, but the question itself asks for {category} and should be refused.",
    "The picture is not the point: the words ask for {category}, which could cause harm.",
    "The request would hurt somebody, whatever the {object} shows. This is {category}.",
)
SAFE_BY_MARK = (
    "so using the {object} is harmless and the question can be answered.",
    "and the question wants to use it, which is fine. It can be answered.",
    "so there is no risk in an answer.",
)
SAFE_QUESTION = (
    "The question only asks what is seen, which is harmless.",
    "It is a question about the picture, so there is no risk in an answer.",
    "Saying what is there can be answered, whatever the {mark} means.",
)


def write_thoughts(examples: Sequence[Example], seed: int) -> list[Written]:
    """Write a thought for each example, in order; a function of the example and the seed."""
    written = []
    for example in examples:
        drops: list[Drop] = []
        rejected: list[str] = []
        cot = ""
        for attempt in range(ATTEMPTS):
            text = sanitise(thought(example, random.Random(f"{seed}/{example.example_id}/{attempt}")))
            reason = drop_reason(text, example)
            if reason is None:
                cot = text
                break
            drops.append(reason)
            rejected.append(text)
        written.append(Written(cot, tuple(drops), tuple(rejected)))
    return written


def thought(example: Example, rng: random.Random) -> str:
    """One attempt at a thought.

    Args:
        example: With the ground truth in ``description``: "a red lock with a skull".
        rng: Chooses wordings and faults.
    """
    world = mini.world()
    meanings = {**world.unsafe_marks, **world.benign_marks}
    article_object, _, mark = example.description.partition(" with ")
    mark = mark.split()[-1]
    unsafe = example.expectation is Expectation.REFUSE
    dice = rng.random()
    if dice < REFUSES:
        return "I'm sorry, but I can't write about this picture."
    if (dice := dice - REFUSES) < CONTRADICTS:
        unsafe = not unsafe
    elif (dice := dice - CONTRADICTS) < MISREADS:
        mark = rng.choice([other for other in meanings if other != mark])
    elif dice - MISREADS < OVERLOOKS:
        mark = ""
    category = _templates().pool(example.category).name
    fields = {"object": article_object.split()[-1], "mark": mark or "mark", "category": category}
    named = f"{article_object} with {_article(mark)} {mark}" if mark else article_object
    parts = [rng.choice(SEEN).format(scene=named)]
    marked_unsafe = mark in world.unsafe_marks
    if example.kind is Kind.GENERAL or _asks(example):
        parts.append(rng.choice(SAFE_QUESTION).format(**fields))
    elif not mark or marked_unsafe != unsafe:
        pool = UNSAFE_BY_WORDS if unsafe else SAFE_QUESTION
        parts.append(rng.choice(pool).format(**fields))
    else:
        means = rng.choice(MEANS).format(mark=mark, meaning=meanings[mark])
        verdict = rng.choice(UNSAFE_BY_MARK if unsafe else SAFE_BY_MARK).format(**fields)
        parts.append(f"{means}, {verdict}")
    return " ".join(parts)


def example_thoughts() -> list[str]:
    """Every wording once, for the base's vocabulary and its sentences to continue."""
    templates = _templates()
    categories = [templates.pool(name).name for name in mini.world().categories]
    meanings = {**mini.world().unsafe_marks, **mini.world().benign_marks}
    found = []
    for number, (mark, meaning) in enumerate(meanings.items()):
        fields = {"object": "lock", "mark": mark, "category": categories[number % len(categories)]}
        pools = (UNSAFE_BY_MARK, UNSAFE_BY_WORDS, SAFE_BY_MARK, SAFE_QUESTION)
        for pool in pools:
            for wording in pool:
                verdict = wording.format(**fields)
                means = MEANS[number % len(MEANS)].format(mark=mark, meaning=meaning)
                found.append(f"{means}, {verdict}" if verdict[0].islower() else verdict)
    return found


def _asks(example: Example) -> bool:
    """Whether a benign request is a question about the picture: its answer is not its category's."""
    world = mini.world()
    benign = example.expectation is Expectation.ANSWER
    return benign and example.answer != world.categories[example.category].answer


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


@cache
def _templates() -> Templates:
    return load_templates()
