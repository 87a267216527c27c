"""Benchmark data: where they are, how to get them, whether they are what they should be."""

from __future__ import annotations

from safecot_eval.benchmarks.data.roots import root

__all__ = ["root"]
