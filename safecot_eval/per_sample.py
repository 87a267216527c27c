"""Kept for one release: copies of ``_safecot_leaf`` in users' own task folders name this module."""

from safecot_eval.scoring.sample_metrics import (
    pair_answers_both,
    pair_both_right,
    pair_inverted,
    pair_refuses_both,
    rate,
)

__all__ = ["pair_answers_both", "pair_both_right", "pair_inverted", "pair_refuses_both", "rate"]
