"""What a run's training key says: variant, mixture, size; and which runs stand for v0, v1 and v2 of a base model.

The keys are the recorded ones. ``v1_new_data`` are the newer v1 templates: they are what the last recorded scripts test
as v1, so that they stand for v1 wherever they were recorded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Variant(StrEnum):
    """The paper's variants, and the base model."""

    BASE = "base"
    V0 = "v0"
    V1 = "v1"
    V2 = "v2"


CHAIN = tuple(Variant)
PREFERRED: Mapping[Variant, tuple[str, ...]] = {
    Variant.BASE: ("origin",),
    Variant.V0: ("v0",),
    Variant.V1: ("v1_new_data", "v1_new_data_1-1", "v1"),
    Variant.V2: ("v2", "v2_tem0.7"),
}
"""Which training stands for a variant, the first that was recorded; else the plainest of the variant."""

DIFFERENT = {
    "1-1": "2,030 safety + 1,700 general examples",
    "1-3": "1,930 safety + 5,000 general examples",
    "safety_only": "no general data",
    "useful": "with 500 benign questions about the unsafe pictures",
    "new_data": "the newer templates",
    "llama": "2,030 safety + 2,030 general examples (“v1_llama”)",
    "nsfw": "another safety source (“nsfw”)",
    "qwen": "thoughts written by Qwen-VL-Chat",
    "qwenvl": "thoughts written by Qwen2-VL-7B",
    "llava_guard": "thoughts written by LlavaGuard-7B",
    "tem0.7": "“tem0.7”, not described",
}
"""The last part of a key to what it changes, as far as the recorded training script (eafa278) or the key itself says."""

_VARIANT = re.compile(r"(?:^|_)(v[012])(?=_|$)")
_SIZE = re.compile(r"_(\d+(?:\.\d+)?)k$")
_TAILS = tuple(sorted(DIFFERENT, key=len, reverse=True))


@dataclass(frozen=True, slots=True)
class Training:
    """A training key, taken apart.

    Attributes:
        key: As in the file name (``:`` is written ``-``).
        variant: Base, v0, v1 or v2; None if the key names none of them.
        size: Samples per half of the mixture; None if the key does not say.
        stem: The key without its last part, size or change: what the run is to be compared with; empty for a variant's
            plain key.
        change: The last part; empty for a variant's plain key.
    """

    key: str
    variant: Variant | None
    size: int | None
    stem: str
    change: str

    @property
    def different(self) -> str:
        """What the last part changes, in words."""
        if self.size is not None:
            return f"{self.size} samples of each half"
        if self.key == Variant.V1:
            return "the older templates"
        return DIFFERENT.get(self.change, f"“{self.change or self.key}”, not described")


def parse(key: str) -> Training:
    """Take a training key apart.

    >>> parse("v1_new_data_0.5k").size, parse("v1_new_data_1-3").stem, parse("v2_useful").change
    (500, 'v1_new_data', 'useful')
    >>> parse("origin").variant, parse("something").variant
    (<Variant.BASE: 'base'>, None)
    """
    if key == "origin":
        return Training(key, Variant.BASE, None, "", "")
    found = _VARIANT.search(key)
    variant = Variant(found[1]) if found else None
    if sized := _SIZE.search(key):
        return Training(key, variant, round(1000 * float(sized[1])), key[: sized.start()], sized[0][1:])
    tail = next((tail for tail in _TAILS if key.endswith(f"_{tail}")), "")
    if not tail and found and found.end() < len(key):
        tail = key[found.end() + 1 :]
    return Training(key, variant, None, key[: -len(tail) - 1] if tail else "", tail)


def chain(keys: Iterable[str]) -> dict[Variant, str]:
    """Which of a base model's trainings stand for the base and the variants; a variant without any is left out.

    >>> [str(key) for key in chain(["v2_useful", "v1", "origin", "v1_new_data", "v2"]).values()]
    ['origin', 'v1_new_data', 'v2']
    """
    there = [parse(key) for key in keys]
    found: dict[Variant, str] = {}
    for variant in CHAIN:
        of_variant = {training.key: training for training in there if training.variant is variant}
        preferred = next((key for key in PREFERRED[variant] if key in of_variant), None)
        plain = sorted(key for key, training in of_variant.items() if _is_plain(training))
        if preferred or plain:
            found[variant] = preferred or plain[0]
    return found


def _is_plain(training: Training) -> bool:
    return training.size is None and training.change not in ("useful", "safety_only", "nsfw", "1-3")


def reference(training: Training, keys: Sequence[str]) -> str | None:
    """The run that a changed mixture is compared with: its own stem, else what stands for its variant.

    >>> reference(parse("v1_new_data_1-3"), ["v1", "v1_new_data"]), reference(parse("v2_qwen"), ["v2_tem0.7"])
    ('v1_new_data', 'v2_tem0.7')
    """
    if training.stem and training.stem in keys:
        return training.stem
    if training.variant is None:
        return None
    found = chain(keys).get(training.variant)
    return found if found != training.key else None


def sizes(keys: Iterable[str]) -> dict[str, dict[int | None, str]]:
    """Data-efficiency curves: stem to size (None is everything) to key; stems of two sizes or more.

    >>> sizes(["v1", "v1_0.5k", "v1_0.05k", "v2"])
    {'v1': {50: 'v1_0.05k', 500: 'v1_0.5k', None: 'v1'}}
    """
    keys = list(keys)
    curves: dict[str, dict[int, str]] = {}
    for training in map(parse, keys):
        if training.size is not None:
            curves.setdefault(training.stem, {})[training.size] = training.key
    return {
        stem: {**dict(sorted(found.items())), **({None: stem} if stem in keys else {})}
        for stem, found in sorted(curves.items())
        if len(found) + (stem in keys) > 1
    }
