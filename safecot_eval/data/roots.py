"""Where a benchmark's data are: the user's own copy first, then the cache."""

from __future__ import annotations

from pathlib import Path

from safecot_eval import benchmarks
from safecot_eval.errors import SafecotError
from safecot_eval.paths import cache_dir, data_dir


def root(name: str) -> Path:
    """The data folder of a benchmark; a benchmark that draws its own data gets a folder in the cache.

    Args:
        name: Benchmark name (a folder of ``tasks/``).

    Raises:
        SafecotError: the data are not on this machine; the sentence says how to obtain them.
    """
    folder = benchmarks.load(name).data
    if folder is None:
        return cache_dir() / name
    own = data_dir()
    if own is not None and (own / folder).is_dir():
        return own / folder
    cached = cache_dir() / "data" / folder
    if cached.is_dir():
        return cached
    raise SafecotError(
        f"The data of {name} are not on this machine: run `safecot data prepare {name}`, or put them at {folder}/ "
        "below the folder that SAFECOT_DATA_DIR names."
    )
