"""Where a benchmark's data are: the user's own copy first, then the cache, then ``data/`` in the benchmark's folder."""

from __future__ import annotations

from pathlib import Path

from safecot_eval.benchmarks import registry
from safecot_eval.benchmarks.data.sources import source
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import cache_dir, data_dir


def root(name: str) -> Path:
    """The data folder of a benchmark; a benchmark that draws its own data gets a folder in the cache.

    Args:
        name: A benchmark (a folder of ``tasks/``), or a data folder that belongs to none (``protocols``).

    Raises:
        SafecotError: the data are not on this machine; the sentence says how to obtain them.
    """
    folder = folder_of(name)
    if folder is None:
        return cache_dir() / name
    if (found := present(folder)) is not None:
        return found
    if name in registry.names() and (beside := registry.load(name).folder / "data").is_dir():
        return beside
    known = source(folder)
    if known is not None and (sentence := known.gated or known.by_hand):
        raise SafecotError(sentence)
    remedy = f"run `safecot data prepare {name}`, or put them" if known else "put them"
    raise SafecotError(
        f"The data of {name} are not on this machine: {remedy} at {folder}/ below the folder that "
        "SAFECOT_DATA_DIR names."
    )


def folder_of(name: str) -> str | None:
    """Name of a benchmark's data folder; None if it draws its own data.

    Raises:
        SafecotError: there is neither a benchmark nor a data folder of this name.
    """
    if name not in registry.names() and source(name) is not None:
        return name
    return registry.load(name).data


def present(folder: str) -> Path | None:
    """A data folder that exists: below ``SAFECOT_DATA_DIR``, else in the cache; None if neither does."""
    own = data_dir()
    candidates = ([own / folder] if own else []) + [cached(folder)]
    return next((path for path in candidates if path.is_dir()), None)


def cached(folder: str) -> Path:
    """Where downloads of a data folder go."""
    return cache_dir() / "data" / folder
