"""Guard models as judges: Llama Guard 3 and 4 (with pictures), Qwen3Guard-Gen, WildGuard; LlavaGuard and ShieldGemma 2 for pictures.

Such a model is asked in the only form that it was trained on, whatever a rubric's text says: ``guards.yaml`` has the forms. A
guard that says nothing about a rubric has no wording for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from safecot_eval.benchmarks.data.protocols import official_text
from safecot_eval.benchmarks.data.protocols.extract import extract
from safecot_eval.judge.rubric import BY_FIRST, IMAGE, Rubric, RubricSet
from safecot_eval.util.errors import SafecotError

TABLE = Path(__file__).with_name("guards.yaml")


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return found


def guard_of(model: str) -> str | None:
    """Which guard a served model is; None for a model that is asked in words.

    >>> guard_of("meta-llama/Llama-Guard-4-12B"), guard_of("Qwen/Qwen3Guard-Gen-8B"), guard_of("gpt-4o")
    ('llama_guard_vision', 'qwen3guard', None)
    """
    return next((name for name, one in _table().items() if re.search(one["models"], model, re.I)), None)


def wordings(guard: str) -> dict[str, RubricSet]:
    """The rubrics that a guard can judge by.

    Raises:
        SafecotError: its own words are in no data folder, or not in the installed transformers.
    """
    entry = _table()[guard]
    found = {}
    for name, reply in entry["rubrics"].items():
        template = _official_text(entry["template"]) if "template" in entry else ""
        rubric = Rubric(
            id=name,
            variant=guard,
            sees=tuple(entry.get("sees", ("prompt", "answer"))),
            replies=reply["replies"],
            title=f"{guard}: {name}",
            source=" ".join(entry["source"].split()),
            template=template,
            placeholders=entry.get("fields", {}),
            pattern=reply.get("pattern", ""),
            by_first_token=entry.get("probability") == BY_FIRST,
            as_conversation=not template and "policies" not in entry,
            one_picture=entry.get("one_picture", False),
        )
        if "policies" in entry:
            rubric = replace(rubric, parts=_by_policy(rubric, _policies(entry["policies"])))
        seeing = replace(rubric, sees=(IMAGE, *rubric.sees)) if entry["image"] else None
        found[name] = RubricSet(name, rubric, seeing=seeing, only_form=True)
    return found


def _by_policy(rubric: Rubric, policies: Mapping[str, str]) -> tuple[Rubric, ...]:
    return tuple(
        replace(rubric, variant=f"{rubric.variant}-{name}", title=name, template=text, one_picture=False)
        for name, text in policies.items()
    )


def _policies(where: Mapping[str, Any]) -> dict[str, str]:
    """A guard's policies as the installed transformers has them, read without importing it."""
    spec = find_spec("transformers")
    path = Path(str(spec.origin)).parent / where["file"] if spec is not None else Path(where["file"])
    try:
        found: dict[str, str] = extract(path.read_text(encoding="utf-8"), {"name": where["name"]})
    except (OSError, LookupError, SyntaxError, ValueError) as error:
        raise SafecotError(
            f"{path}: the policies {where['name']} cannot be read; install transformers 4.51 or later."
        ) from error
    return found


def _official_text(key: str) -> str:
    text = official_text(key)
    if not isinstance(text, str):
        raise SafecotError(f"The official wording {key} is not text; run `safecot data prepare protocols`.")
    return text


def for_model(model: str, sets: Mapping[str, RubricSet], *, asked: bool = False) -> dict[str, RubricSet]:
    """The rubrics as a model is to be asked: a guard's own wordings, or those that were chosen.

    Args:
        model: The served name.
        sets: The rubrics that were chosen.
        asked: They were named one by one: what the guard cannot judge is an error then, and else left out.

    Raises:
        SafecotError: the guard judges none of them, or one that was named is not among its own.
    """
    guard = guard_of(model)
    if guard is None:
        return dict(sets)
    own = wordings(guard)
    foreign = [name for name in sets if name not in own]
    if foreign and (asked or len(foreign) == len(sets)):
        raise SafecotError(f"{model} is a guard that judges {', '.join(own)} only, not {foreign[0]!r}.")
    return {name: own[name] for name in sets if name in own}
