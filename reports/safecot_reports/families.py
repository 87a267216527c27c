"""Which models belong together: families by name, and the chains that SafeCoT training makes (base, v0, v1, v2)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

_STEP = re.compile(r"^(?P<stem>.+?)[\s_\-:+/](?P<step>base|origin|original|v\d+)$", re.IGNORECASE)
_BASELINES = ("refuse_all", "answer_all")
_UNTRAINED = re.compile(r"(?:^|[\s/_-])(?:random|untrained)(?:$|[\s/_-])", re.IGNORECASE)
_FIRST = ("base", "origin", "original")
_WORD = re.compile(r"[^\W\d_]+")


def is_reference(name: str) -> bool:
    """Whether a model only marks what others are held against: a baseline, or one that says it was never trained.

    >>> [is_reference(name) for name in ("refuse_all", "tiny-random-LlavaForCausalLM", "randomizer-7b")]
    [True, True, False]
    """
    return name in _BASELINES or bool(_UNTRAINED.search(name))


def family(name: str) -> str:
    """The first word of a model's name, without the organisation.

    >>> family("Qwen/Qwen2.5-VL-7B-Instruct"), family("HuggingFaceM4--Idefics3-8B-Llama3"), family("123")
    ('qwen', 'idefics', '123')
    """
    short = re.split(r"/|--", name)[-1] or name
    found = _WORD.search(short)
    return found.group().lower() if found else short.lower()


def chains(models: Mapping[str, Mapping[str, Any] | None]) -> list[list[str]]:
    """Models in the order base, v0, v1, v2, wherever at least two of one chain are there.

    The checkpoint file says what a model was trained from and by which variant; without one the end of the name does
    (``llava_origin``, ``llava_v0``). Of several checkpoints of one variant the one with most samples stands for it.

    Args:
        models: Name to what its checkpoint file says (None if there is none).

    >>> chains({"m_v1": None, "m_origin": None, "m_v0": None, "llava-v1.6": None})
    [['m_origin', 'm_v0', 'm_v1']]
    """
    members: defaultdict[str, dict[int, tuple[float, str]]] = defaultdict(dict)
    for name, training in models.items():
        for stem, step, size in _places(name, training):
            best = members[stem].get(step)
            if best is None or (size, name) > best:
                members[stem][step] = (size, name)
    for stem, steps in members.items():  # a base that goes by its plain name
        if -1 not in steps:
            plain = [name for name in models if _short(name) == stem]
            if plain:
                steps[-1] = (0.0, plain[0])
    return [
        [steps[step][1] for step in sorted(steps)]
        for _, steps in sorted(members.items())
        if len(steps) > 1 and steps.keys() & {-1, 0}
    ]


def _places(name: str, training: Mapping[str, Any] | None) -> Iterable[tuple[str, int, float]]:
    if training is not None:
        step = re.fullmatch(r"v(\d+)", str(training.get("variant") or ""))
        base = str(training.get("base_model") or "")
        if step and base:
            samples = training.get("samples")
            yield _short(base), int(step[1]), float(samples) if isinstance(samples, int | float) else 0.0
            return
    found = _STEP.match(name)
    if found:
        step_name = found["step"].lower()
        yield _short(found["stem"]), -1 if step_name in _FIRST else int(step_name[1:]), 0.0


def _short(name: str) -> str:
    return PurePosixPath(name.replace("--", "/")).name
