"""The safety half of the mixtures: triplets (picture, request, category) drawn from the training split of the mini world."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from safecot_eval.benchmarks import mini
from safecot_eval.benchmarks.mini.twins import TwinKind
from safecot_eval.records.samples import Expectation
from safecot_training.data.examples import Example
from safecot_training.study.general import place
from safecot_training.study.plan import SEEN_CATEGORIES, SEEN_STYLES, Mixture

SOURCE = "mini"
AS_DRAWN = 0.25
"""Share of twins that the mini world draws with the harm in the words."""


def safety_examples(
    count: int, folder: Path, mixture: Mixture, seed: int, *, harm_by_words: float = AS_DRAWN
) -> list[Example]:
    """Draw triplets of the seen categories and styles.

    Args:
        count: How many at least; categories are filled up alike.
        folder: Where pictures go.
        mixture: With or without the benign halves.
        seed: Of the scenes and wordings; the unsafe halves are the same in both mixtures.
        harm_by_words: Share of the unsafe requests that are unsafe by their words alone, from 0.25 to 1.
    """
    halves = ("unsafe", "benign") if mixture is Mixture.TWINS else ("unsafe",)
    per_category = -(-count // (len(SEEN_CATEGORIES) * len(halves)))
    found = []
    for twin in _twins(per_category, seed, harm_by_words):
        for half in halves:
            request = twin.unsafe if half == "unsafe" else twin.benign
            found.append(
                Example(
                    example_id=f"{SOURCE}-{twin.pair_id}-{half}",
                    query=request.prompt,
                    category=request.category,
                    expectation=Expectation.REFUSE if request.refuse else Expectation.ANSWER,
                    answer=request.answer,
                    images=(place(request.scene, folder),),
                    source=SOURCE,
                    # not an evaluation twin's id: the contamination check must compare all of them
                    cluster_id=f"{SOURCE}/train-s{seed}-{twin.pair_id}",
                    description=mini.describe(request.scene),
                )
            )
    return found


def _twins(per_category: int, seed: int, harm_by_words: float) -> Iterator[mini.Twin]:
    """Twins of the seen categories, in order: the first of a longer draw that make up the share."""
    by_words = round(per_category * harm_by_words)
    drawn = per_category if harm_by_words == AS_DRAWN else 4 * by_words
    twins = mini.twins(mini.Split.TRAIN, per_category=drawn, seed=seed, styles=SEEN_STYLES)
    for category in SEEN_CATEGORIES:
        of_category = [twin for twin in twins if twin.unsafe.category == category]
        yield from of_category if drawn == per_category else _share(of_category, by_words, per_category)


def _share(twins: Sequence[mini.Twin], by_words: int, count: int) -> list[mini.Twin]:
    left = {True: by_words, False: count - by_words}
    found = []
    for twin in twins:
        kind = twin.kind is TwinKind.HARM_OR_USE
        if left[kind]:
            left[kind] -= 1
            found.append(twin)
    return found
