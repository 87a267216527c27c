"""Imports of version 0.1.0 that people's own task folders and scripts use; kept for one release, with a warning.

A finder at the end of ``sys.meta_path`` is asked only for modules that do not exist. It answers for those in ``MOVED``
with an empty module that takes every name from the new place, so that ``safecot_eval.samples.Item`` *is*
``safecot_eval.records.samples.Item``.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MOVED: dict[str, tuple[str, ...]] = {
    "safecot_eval.cards": ("safecot_eval.generate.cards",),
    "safecot_eval.catalogue": ("safecot_eval.benchmarks.catalogue",),
    "safecot_eval.data": ("safecot_eval.benchmarks.data",),
    "safecot_eval.data.prepare": ("safecot_eval.benchmarks.prepare",),
    "safecot_eval.demo": ("safecot_eval.cli.demo",),
    "safecot_eval.errors": ("safecot_eval.util.errors",),
    "safecot_eval.examples": ("safecot_eval.generate.examples",),
    "safecot_eval.images": ("safecot_eval.benchmarks.images",),
    "safecot_eval.importing": ("safecot_eval.generate.importing",),
    "safecot_eval.journal": ("safecot_eval.generate.journal",),
    "safecot_eval.labels": ("safecot_eval.judge.people", "safecot_eval.aggregate.corrected"),
    "safecot_eval.lite": ("safecot_eval.judge.lite",),
    "safecot_eval.merging": ("safecot_eval.records.merging",),
    "safecot_eval.metrics": (
        "safecot_eval.aggregate.metrics",
        "safecot_eval.aggregate.columns",
        "safecot_eval.aggregate.definitions",
    ),
    "safecot_eval.mini": ("safecot_eval.benchmarks.mini",),
    "safecot_eval.models": ("safecot_eval.generate.models",),
    "safecot_eval.paths": ("safecot_eval.util.paths",),
    "safecot_eval.plugin": ("safecot_eval.generate.plugin",),
    "safecot_eval.reasoning": ("safecot_eval.scoring.reasoning",),
    "safecot_eval.refusal": ("safecot_eval.scoring.refusal",),
    "safecot_eval.running": ("safecot_eval.generate",),
    "safecot_eval.runs": (
        "safecot_eval.records.run",
        "safecot_eval.aggregate.tables",
        "safecot_eval.records.json_files",
    ),
    "safecot_eval.samples": ("safecot_eval.records.samples",),
    "safecot_eval.selections": ("safecot_eval.benchmarks.selection",),
    "safecot_eval.submissions.dataset": ("safecot_reports.hub_dataset",),
    "safecot_eval.submissions.every_eval_ever": ("safecot_reports.every_eval_ever",),
    "safecot_eval.verdicts": ("safecot_eval.records.verdicts",),
    "safecot_training.contamination": ("safecot_training.data.contamination",),
    "safecot_training.examples": ("safecot_training.data.examples",),
    "safecot_training.sources": ("safecot_training.data.sources",),
}
"""Old module, or package with all that is below it, to where its names are now."""

NAMES: dict[str, str] = {
    "safecot_eval.benchmarks": "safecot_eval.benchmarks.registry",
    "safecot_eval.scoring": "safecot_eval.scoring.record",
}
"""Old modules that are packages now: their names are in this module."""

PUBLIC = frozenset(f"safecot_eval.{name}" for name in ("lite", "metrics", "mini", "refusal"))
"""Stay importable under these names; no warning."""


def homes(name: str) -> tuple[str, ...]:
    """Where a module's names are now; empty for a module that never moved.

    >>> homes("safecot_eval.mini.draw")
    ('safecot_eval.benchmarks.mini.draw',)
    """
    if name in MOVED:
        return MOVED[name]
    parent, _, last = name.rpartition(".")
    return tuple(f"{home}.{last}" for home in homes(parent)[:1]) if parent else ()


def old_name(package: str, name: str) -> Any:
    """The value that ``package``, a module in 0.1.0, had under ``name``.

    Raises:
        AttributeError: it had none.
    """
    if not name.startswith("_"):
        value = getattr(importlib.import_module(NAMES[package]), name, None)
        # A module is no name of 0.1.0: `from safecot_eval.scoring import refusal` asks here before it imports.
        if value is not None and not isinstance(value, ModuleType):
            _warn(f"{package}.{name}", f"{NAMES[package]}.{name}", stacklevel=4)
            return value
    raise AttributeError(f"module {package!r} has no attribute {name!r}")


class _Forward(ModuleType):
    """An old module: every name is looked up in the new ones."""

    _homes: tuple[str, ...]

    def __getattr__(self, name: str) -> Any:
        if not (name.startswith("__") and name.endswith("__")):
            for home in self._homes:
                module = importlib.import_module(home)
                if hasattr(module, name):
                    return getattr(module, name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


class Finder(MetaPathFinder, Loader):
    """Finds the modules of ``MOVED`` under their old names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer for old names only."""
        new = homes(fullname)
        if not new:
            return None
        if fullname not in PUBLIC and fullname.rpartition(".")[0] not in PUBLIC:
            _warn(fullname, new[0])
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """An empty module that forwards; it runs nothing of its own."""
        module = _Forward(spec.name)
        module._homes = homes(spec.name)
        importlib.import_module(module._homes[0])
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""


def install() -> None:
    """Put the finder behind all others, once."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.append(Finder())


def _warn(old: str, new: str, stacklevel: int = 3) -> None:
    warnings.warn(
        f"{old} is {new} since safecot-eval 0.2; the old name goes in the next release.",
        DeprecationWarning,
        stacklevel=stacklevel,
    )
