"""Safecot-lite on answers of models that it did not learn from, worked out once: two scripts need the same readings.

A reading is kept in the cache folder, under a hash of what was learned from, what was read, and lite's own code.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from safecot_eval.judge import lite
from safecot_eval.judge.lite.corpus import Corpus
from safecot_eval.judge.lite.data import Source
from safecot_eval.judge.lite.evaluate import Reading, leave_one_model_out, read_lite
from safecot_eval.judge.lite.model import Head
from safecot_eval.judge.lite.train import data_digest
from safecot_eval.util.paths import cache_dir


def left_out(
    corpus: Corpus, source: Source, *, new_prompts: bool = False, head: Head | None = None
) -> Reading:
    """As :func:`safecot_eval.judge.lite.evaluate.leave_one_model_out`, by lite itself."""
    return leave_one_model_out(corpus, source, read_once, new_prompts=new_prompts, head=head)


def read_once(train: Corpus, test: Corpus, head: Head) -> Reading:
    """:func:`~safecot_eval.judge.lite.evaluate.read_lite`, or what it said before."""
    parts = (head.name, data_digest(train.rows), data_digest(test.rows), _code())
    key = hashlib.sha256(" ".join(parts).encode()).hexdigest()[:32]
    path = cache_dir() / "bench" / "lite" / f"{key}.npz"
    if path.exists():
        with np.load(path) as kept:
            return Reading(kept["probability"], kept["decided"], kept["positive"])
    reading = read_lite(train, test, head)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez(file, probability=reading.probability, decided=reading.decided, positive=reading.positive)
    return reading


@lru_cache(maxsize=1)
def _code() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(lite.__file__).parent.iterdir()):
        if path.suffix in (".py", ".yaml"):
            digest.update(path.read_bytes())
    return digest.hexdigest()
