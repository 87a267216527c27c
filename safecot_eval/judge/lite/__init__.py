"""safecot-lite: a small refusal and compliance classifier that runs on any CPU, without a server.

>>> from safecot_eval import lite
>>> lite.load().predict(["I'm sorry, but I can't help with that."]).labels
[<LiteLabel.FULL_REFUSAL: 'full_refusal'>]
"""

from __future__ import annotations

from safecot_eval.judge.lite.model import (
    CLASSES,
    RUBRIC_LABEL,
    HarmPredictions,
    LiteLabel,
    LiteModel,
    LitePredictions,
)
from safecot_eval.judge.lite.placement import Where
from safecot_eval.judge.lite.trained_file import load

__all__ = [
    "CLASSES",
    "RUBRIC_LABEL",
    "HarmPredictions",
    "LiteLabel",
    "LiteModel",
    "LitePredictions",
    "Where",
    "load",
]
