"""The safety half of the mixtures: triplets (picture, request, category) drawn from the training split of the mini world."""

from __future__ import annotations

from pathlib import Path

from safecot_eval.benchmarks import mini
from safecot_eval.records.samples import Expectation
from safecot_training.data.examples import Example
from safecot_training.study.general import place
from safecot_training.study.plan import SEEN_CATEGORIES, SEEN_STYLES, Mixture

SOURCE = "mini"


def safety_examples(count: int, folder: Path, mixture: Mixture, seed: int) -> list[Example]:
    """Draw triplets of the seen categories and styles.

    Args:
        count: How many at least; categories are filled up alike.
        folder: Where pictures go.
        mixture: With or without the benign halves.
        seed: Of the scenes and wordings; the unsafe halves are the same in both mixtures.
    """
    halves = ("unsafe", "benign") if mixture is Mixture.TWINS else ("unsafe",)
    per_category = -(-count // (len(SEEN_CATEGORIES) * len(halves)))
    found = []
    for twin in mini.twins(mini.Split.TRAIN, per_category=per_category, seed=seed, styles=SEEN_STYLES):
        if twin.unsafe.category not in SEEN_CATEGORIES:
            continue
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
