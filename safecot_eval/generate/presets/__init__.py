"""Prompting baselines: what can be had without training, so that a leaderboard shows what training adds."""

from __future__ import annotations

from safecot_eval.generate.presets.apply import applied
from safecot_eval.generate.presets.preset import Kind, Preset, load, names

__all__ = ["Kind", "Preset", "applied", "load", "names"]
