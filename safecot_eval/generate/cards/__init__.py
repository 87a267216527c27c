"""Model cards: what is to be evaluated, what it is called, and what its provider does differently."""

from __future__ import annotations

from safecot_eval.generate.cards.card import Difference, ModelCard, find, known, load, table

__all__ = ["Difference", "ModelCard", "find", "known", "load", "table"]
