"""safecot-eval: how safe a vision-language model is, and how often it refuses what it should have answered.

The public Python surface is small and loads lazily, so that ``import safecot_eval`` costs milliseconds:

* :func:`safecot_eval.load_runs`: run folders to one tidy table;
* :mod:`safecot_eval.scoring.refusal`: phrase matching;
* :mod:`safecot_eval.aggregate.metrics`: rates with intervals from that table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safecot_eval.aggregate.tables import load_runs

__version__ = "0.1.0"
__all__ = ["__version__", "load_runs"]


def __getattr__(name: str) -> Any:
    """Import ``load_runs`` only when somebody asks for it (it needs pandas)."""
    if name == "load_runs":
        from safecot_eval.aggregate.tables import load_runs

        return load_runs
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
