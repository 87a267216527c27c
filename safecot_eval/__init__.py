"""safecot-eval: how safe a vision-language model is, and how often it refuses what it should have answered.

The public Python surface is small and loads lazily, so that ``import safecot_eval`` costs milliseconds:

* :func:`safecot_eval.load_runs`: run folders to one tidy table;
* ``safecot_eval.refusal``: phrase matching (:mod:`safecot_eval.scoring.refusal`);
* ``safecot_eval.metrics``: rates with intervals from that table (:mod:`safecot_eval.aggregate.metrics`);
* ``safecot_eval.lite``: the embedded classifier (:mod:`safecot_eval.judge.lite`);
* ``safecot_eval.mini``: the world that ``safecot_mini`` is drawn from (:mod:`safecot_eval.benchmarks.mini`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from safecot_eval import _moved

if TYPE_CHECKING:
    from safecot_eval.aggregate import metrics
    from safecot_eval.aggregate.tables import load_runs
    from safecot_eval.benchmarks import mini
    from safecot_eval.judge import lite
    from safecot_eval.scoring import refusal

__version__ = "0.2.0"
__all__ = ["__version__", "lite", "load_runs", "metrics", "mini", "refusal"]

_moved.install()

_PUBLIC = {
    "lite": "safecot_eval.judge.lite",
    "metrics": "safecot_eval.aggregate.metrics",
    "mini": "safecot_eval.benchmarks.mini",
    "refusal": "safecot_eval.scoring.refusal",
}


def __getattr__(name: str) -> Any:
    """Import a public name only when somebody asks for it (``load_runs`` needs pandas)."""
    if name == "load_runs":
        from safecot_eval.aggregate.tables import load_runs

        return load_runs
    if name in _PUBLIC:
        return importlib.import_module(_PUBLIC[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
