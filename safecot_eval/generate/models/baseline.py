"""``safecot_baseline``: the two ends that every leaderboard should show.

A model that refuses everything has a perfect CRR and a CAR of zero; one that answers everything has the reverse.
Whatever lies between them is what a benchmark measures.
"""

from __future__ import annotations

from collections.abc import Sequence

from lmms_eval.api.instance import GenerationResult, Instance

from safecot_eval.generate.finish_reasons import STOP
from safecot_eval.generate.models.base import SafecotModel, result
from safecot_eval.generate.models.policies import POLICIES
from safecot_eval.util.errors import SafecotError


class SafecotBaseline(SafecotModel):
    """Gives one answer to everything.

    Args:
        policy: ``refuse_all`` or ``answer_all``.
        name: Name on the leaderboard; the policy if not given.

    Raises:
        SafecotError: another policy.
    """

    model_id = "safecot_baseline"

    def __init__(self, policy: str = "refuse_all", name: str | None = None) -> None:
        super().__init__()
        if policy not in POLICIES:
            raise SafecotError(f"safecot_baseline: policy={policy} is none of {', '.join(POLICIES)}.")
        self.policy, self.name = policy, name or policy
        self.answer = POLICIES[policy]

    def answers(self, requests: Sequence[Instance]) -> list[GenerationResult]:
        """The same answer to every request."""
        return [result(self.answer, STOP) for _ in requests]
