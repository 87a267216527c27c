"""Draw a mixture, and draw again without what turns out contaminated or bad, until nothing does.

Pictures are opened for the examples that are drawn, and for no others: of 100,000 source pictures a set of 1,000 opens 500.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from safecot_eval.benchmarks import images
from safecot_eval.scoring.refusal import DEFAULT_LIST
from safecot_eval.util.errors import SafecotError
from safecot_training.data import contamination, test_only
from safecot_training.data.bad_rows import BadRows
from safecot_training.data.contamination import EvalSet, Hit
from safecot_training.data.examples import Example
from safecot_training.data.mixture import balanced_order, mix, shuffled

ORDER_SEED = 1042
"""Seed of the recorded order (subsets of 50 to 1,000 of either half are its beginnings)."""


class OnContamination(StrEnum):
    """What to do with training examples that are in an evaluation set."""

    STOP = "stop"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that determines a data set beside its sources.

    Attributes:
        ratio: Safety parts and general parts.
        size: Number of examples, or None for as many as the ratio allows.
        holdout: Share of the safety sources' questions that is kept for evaluation.
        seed: Of the split, the order and the refusals.
        refusal_list: Phrase list whose sentences are learnt.
        on_contamination: Stop, or drop and count.
        protocol: ``safecot`` for the recorded order and targets; empty for ours.
        by_name: Name images and copy none; such data can be compared, not trained on.
    """

    ratio: tuple[int, int] = (1, 1)
    size: int | None = None
    holdout: float = 0.0
    seed: int = 0
    refusal_list: str = DEFAULT_LIST
    on_contamination: OnContamination = OnContamination.STOP
    protocol: str = ""
    by_name: bool = False


@dataclass
class Draw:
    """Draws a data set without what is contaminated or bad.

    Attributes:
        plan: Sizes, seeds, and what to do with contamination.
        checked: What the training data must not hold.
        forbidden: What nobody must train on.
        bad: What to do with bad pictures.
        hits: Every drawn example that was in one of ``checked``.
    """

    plan: Plan
    checked: Sequence[EvalSet]
    forbidden: Sequence[EvalSet]
    bad: BadRows
    hits: list[Hit] = field(default_factory=list)

    def clean(self, train: Sequence[Example], general: Sequence[Example]) -> list[Example]:
        """The mixture, in order.

        Raises:
            SafecotError: contamination or a bad picture where those stop, a copy of what is forbidden, or too few examples.
        """
        plan = self.plan
        order, seed = (shuffled, ORDER_SEED) if plan.protocol else (balanced_order, plan.seed)
        everything = [*train, *general]
        seen: set[str] = set()
        out: set[str] = set()
        while True:
            mixed = mix(
                [example for example in train if example.example_id not in out],
                [example for example in general if example.example_id not in out],
                ratio=plan.ratio,
                size=plan.size,
                seed=seed,
                order=order,
            )
            new = [example for example in mixed if example.example_id not in seen]
            if not new:
                return mixed
            seen |= {example.example_id for example in new}
            out |= self._unfit(new, everything)

    def _unfit(self, drawn: Sequence[Example], everything: Sequence[Example]) -> set[str]:
        """Ids of the drawn examples that cannot be used."""
        usable = []
        for example in drawn:
            with self.bad.skipped():
                if not self.plan.by_name:
                    _require_pictures(example)
                usable.append(example)
        test_only.refuse_rows(contamination.find(usable, self.forbidden, everything))
        hits = contamination.find(usable, self.checked, everything)
        if self.plan.on_contamination is OnContamination.STOP:
            contamination.refuse_contaminated(hits)
        self.hits.extend(hits)
        left = {example.example_id for example in usable}
        return {hit.example_id for hit in hits} | {e.example_id for e in drawn if e.example_id not in left}


def _require_pictures(example: Example) -> None:
    """Fetch and open an example's pictures.

    Raises:
        SafecotError: one cannot be opened.
    """
    if example.fetch is not None:
        example.fetch()
    for path in example.images:
        try:
            images.open_image(path)
        except SafecotError as error:
            raise SafecotError(f"{path} (sample {example.example_id}): {error}") from error
