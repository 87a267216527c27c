"""Variant v1: chain-of-thought templates per risk category, and the refusal sentences that all variants share."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safecot_eval.records.samples import Expectation
from safecot_eval.util import safe_yaml
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256
from safecot_training.data.examples import Example
from safecot_training.data.refusals import choose

TEMPLATES = Path(__file__).parent / "cot_templates" / "v1.yaml"
PLACEHOLDER = "category"
_OF_A_PICTURE = re.compile(
    r"\b(?:images?|pictures?|photos?|photographs?|scenes?|shown|shows|visible|seen)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Pool:
    """The wordings of one risk category.

    Attributes:
        name: What ``{category}`` becomes.
        refuse: Wordings with the placeholder.
    """

    name: str
    refuse: tuple[str, ...]


@dataclass(frozen=True)
class Templates:
    """All pools of a template file.

    Attributes:
        template_id: ``<id>@<hash of the file>``.
        pools: By normalised spelling of the category.
        default: Wordings for categories without a pool.
        accept: Wordings for items that are safe to answer.
    """

    template_id: str
    pools: dict[str, Pool]
    default: tuple[str, ...]
    accept: tuple[str, ...]

    def pool(self, category: str) -> Pool:
        """The pool of a category, in any known spelling; the default pool under its own name otherwise."""
        found = self.pools.get(category_key(category))
        return found or Pool(re.sub(r"^\d+[-_ ]*", "", category).replace("_", " "), self.default)

    def cot(self, example: Example, seed: int) -> str:
        """Choose a chain of thought for an example: by seed and id, never by image or query."""
        return choose(self.wordings(example), "cot", seed, example.example_id)

    def wordings(self, example: Example) -> tuple[str, ...]:
        """All chains of thought that suit an example: a question without a picture gets none that speaks of one."""
        if example.expectation is Expectation.REFUSE:
            pool = self.pool(example.category)
            found = tuple(wording.format(category=pool.name) for wording in pool.refuse)
        else:
            found = self.accept
        if example.images:
            return found
        return tuple(wording for wording in found if not _OF_A_PICTURE.search(wording)) or found


def category_key(category: str) -> str:
    """Spelling that does not matter, taken away.

    >>> category_key("01-Illegal_Activitiy") == category_key("illegal activitiy")
    True
    """
    return re.sub(r"[\W_]+", " ", re.sub(r"^\d+[-_ ]*", "", category.lower())).strip()


def load_templates(path: Path = TEMPLATES) -> Templates:
    """Load a template file.

    Raises:
        SafecotError: unreadable, an empty pool, or a wording whose placeholders are not exactly those of its place.
    """
    content = safe_yaml.read_mapping(path)
    pools: dict[str, Pool] = {}
    categories = content.get("categories") or {}
    if not isinstance(categories, dict):
        raise SafecotError(f"{path}: categories must be a mapping of a category to its wordings.")
    for key, entry in categories.items():
        where = f"{path}, category {key!r}"
        refuse = _wordings(entry, "refuse", where, {PLACEHOLDER})
        pool = Pool(str(entry.get("name") or key), refuse)
        aliases = entry.get("aliases") or []
        if not isinstance(aliases, list):
            raise SafecotError(f"{where}: aliases must be a list of spellings.")
        for alias in (key, pool.name, *aliases):
            pools[category_key(str(alias))] = pool
    digest = sha256(path)
    return Templates(
        template_id=f"{content.get('id') or path.stem}@{digest[:8]}",
        pools=pools,
        default=_wordings(content.get("default"), "refuse", f"{path}, default", {PLACEHOLDER}),
        accept=_wordings(content, "accept", str(path), set()),
    )


def _wordings(entry: Any, key: str, where: str, wanted: set[str]) -> tuple[str, ...]:
    wordings = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(wordings, list) or not wordings:
        raise SafecotError(f"{where}: needs a list {key!r} of wordings.")
    for wording in wordings:
        try:
            parts = list(string.Formatter().parse(str(wording)))
        except ValueError as error:
            raise SafecotError(f"{where}: wording {wording!r} has unbalanced braces ({error}).") from error
        found = {name for _, name, _, _ in parts if name is not None}
        if found != wanted or any(form or conversion for _, _, form, conversion in parts):
            need = "the placeholder {category}" if wanted else "no placeholder"
            raise SafecotError(f"{where}: wording {wording!r} must hold {need} and nothing else in braces.")
    return tuple(str(wording) for wording in wordings)
