"""Invented training answers in many manners: the wording of ``styles.yaml``, sampled by a seed.

Real training answers come from nine models that refuse in few ways; these show the classifier other ways, and texts
that only look like refusals.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

STYLES_FILE = Path(__file__).with_name("styles.yaml")


@dataclass(frozen=True, slots=True)
class Invented:
    """An invented answer.

    Attributes:
        recipe: Which recipe made it.
        label: ``full``, ``partial`` or ``none``.
        bare: Whether it is a refusal and nothing else; None where careful readers disagree.
    """

    prompt: str
    answer: str
    recipe: str
    label: str
    bare: bool | None


@lru_cache(maxsize=1)
def load_styles() -> dict[str, Any]:
    """The wording of ``styles.yaml``."""
    content: dict[str, Any] = yaml.safe_load(STYLES_FILE.read_text(encoding="utf-8"))
    return content


def invent(n: int, seed: int = 0) -> list[Invented]:
    """Sample ``n`` different invented answers, each recipe in proportion to its weight.

    >>> invent(3) == invent(3)
    True
    """
    content = load_styles()
    rng = random.Random(seed)
    recipes = content["recipes"]
    weights = [recipe["weight"] for recipe in recipes]
    made: dict[tuple[str, str], Invented] = {}
    for _ in range(20 * n):
        if len(made) == n:
            break
        recipe = rng.choices(recipes, weights)[0]
        topic = rng.choice(content["topics"][recipe["topics"]])
        prompt = rng.choice(content["prompts"][recipe["topics"]]).format(**topic)
        texts = [_fill(rng.choice(content["parts"][part]), topic) for part in recipe["parts"]]
        answer = rng.choice((" ", " ", "\n\n")).join(texts)
        made[prompt, answer] = Invented(prompt, answer, recipe["name"], recipe["label"], recipe["bare"])
    return list(made.values())


def _fill(template: str, topic: dict[str, str]) -> str:
    text = template.format(**topic)
    return text[:1].upper() + text[1:]
