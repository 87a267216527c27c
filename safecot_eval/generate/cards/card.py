"""A model card is a YAML file; ``safecot run --models`` takes the ids of ours and the files of a user's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BeforeValidator,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    field_validator,
    model_validator,
)

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.near_names import near_names
from safecot_eval.util.secrets import is_secret
from safecot_eval.util.settings import Settings
from safecot_eval.util.terminal import printable

FOLDER = Path(__file__).parent / "models"
LONGEST_NAME = 120
_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


class Difference(StrEnum):
    """Ways in which a provider's model is not asked as the others are."""

    IMAGE_LIMIT = "image_limit"
    SYSTEM_PROMPT = "system_prompt"
    SAMPLING = "sampling"
    CONTENT_FILTER = "content_filter"
    REASONING = "reasoning"


def _argument(value: Any) -> str:
    """As lmms-eval's command line spells it."""
    return str(value).capitalize() if isinstance(value, bool) else str(value)


class ModelCard(Settings):
    """What is known about a model.

    Attributes:
        id: What ``--models`` calls it.
        name: What the leaderboard calls it.
        backend: lmms-eval's model id.
        arguments: Its model arguments; a key is never among them.
        provider: Who publishes or serves it.
        licence: Of the weights; ``proprietary`` for closed models.
        released: Year, month or day.
        tags: For ``--models tag:NAME``.
        key_env: Environment variable with the API key; None if none is needed.
        gpus: Accelerators a job needs.
        system_role: Whether its chat template takes a system message together with an image.
        differences: What its provider does differently, one sentence each.
        unverified: Fields (or differences) that were written from memory and not checked against the source.
        source: Where to check them.
    """

    what: ClassVar[str] = "model card"
    help: ClassVar[str] = "docs/model-cards.md"

    id: str
    name: str = ""
    backend: Annotated[str, StringConstraints(pattern=r"\S")]
    arguments: Mapping[str, Annotated[str, BeforeValidator(_argument)]] = {}
    provider: str = ""
    licence: str = ""
    released: Annotated[str, BeforeValidator(str)] = ""
    tags: tuple[str, ...] = ()
    key_env: str | None = None
    gpus: Annotated[StrictInt, Field(ge=0)] = 0
    system_role: StrictBool = True
    differences: Mapping[Difference, str] = {}
    unverified: tuple[str, ...] = ()
    source: str = ""

    @field_validator("id")
    @classmethod
    def _id_for_the_command_line(cls, value: str) -> str:
        if not _ID.fullmatch(value):
            raise ValueError(f"{value!r} may hold small letters, digits, '.', '_' and '-' only")
        return value

    @field_validator("arguments")
    @classmethod
    def _arguments_for_lmms_eval(cls, values: Mapping[str, str]) -> Mapping[str, str]:
        for key, value in values.items():
            if is_secret(key):
                raise ValueError(f"{key}: a card holds no keys; name the variable in key_env")
            if "," in value or "=" in key:
                raise ValueError(f"{key}: lmms-eval's arguments hold no commas")
        return values

    @field_validator("released")
    @classmethod
    def _released_on_a_day(cls, value: str) -> str:
        if value and not _DATE.fullmatch(value):
            raise ValueError(f"{value!r} is not a year, year-month or date")
        return value

    @model_validator(mode="after")
    def _names(self) -> Self:
        if not self.name:
            object.__setattr__(self, "name", self.id)
        if self.name != printable(self.name, LONGEST_NAME):
            raise ValueError(f"name: it must be printable and have at most {LONGEST_NAME} characters")
        for name in self.unverified:
            if name not in type(self).model_fields and name not in self.differences:
                raise ValueError(f"unverified: names {name!r}, which the card does not have")
        return self

    @property
    def model_args(self) -> str:
        """lmms-eval's ``key=value,key=value``."""
        return ",".join(f"{key}={value}" for key, value in self.arguments.items())

    def as_json(self) -> dict[str, Any]:
        """What is kept beside a run and shown on the leaderboard."""
        return self.model_dump(mode="json")


def known() -> dict[str, Path]:
    """Ids of the cards that come with the package, and their files."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def find(asked: str) -> list[tuple[str, ModelCard]]:
    """Cards for ``--models``.

    Args:
        asked: Ids, files and ``tag:NAME``, separated by commas; tags choose among the package's own cards.

    Returns:
        What ``--card`` calls each model (an id or a file), and its card; in the order given, each once.

    Raises:
        SafecotError: an unknown id or tag, a file that is no card, or two cards of one id or one name.
    """
    cards: dict[str, tuple[str, ModelCard]] = {}
    names: dict[str, str] = {}
    for part in filter(None, (word.strip() for word in asked.split(","))):
        for card in _cards_of(part):
            if card.id in cards and cards[card.id][1] == card:
                continue
            if card.id in cards:
                raise SafecotError(f"--models: two different cards have the id {card.id!r}; rename one.")
            if card.name in names:
                raise SafecotError(
                    f"--models: {card.id} and {names[card.name]} are both called {card.name!r} and would be one row; "
                    "rename one."
                )
            cards[card.id] = (card.id if part.startswith("tag:") else part, card)
            names[card.name] = card.id
    if not cards:
        raise SafecotError("--models names no model; give ids, card files or tag:NAME, separated by commas.")
    return list(cards.values())


def _cards_of(part: str) -> list[ModelCard]:
    if part.startswith("tag:"):
        tag = part.removeprefix("tag:")
        chosen = [card for card in map(load, known().values()) if tag in card.tags]
        if not chosen:
            tags = sorted({tag for card in map(load, known().values()) for tag in card.tags})
            raise SafecotError(f"--models: no card has the tag {tag!r}; there are {', '.join(tags)}.")
        return chosen
    if part.endswith((".yaml", ".yml")) or "/" in part:
        return [load(Path(part).expanduser())]
    if part not in known():
        near = near_names(part, known())
        hint = f"did you mean {' or '.join(near)}?" if near else "`safecot run --models list` shows all."
        raise SafecotError(f"--models: there is no card {part!r}; {hint}")
    return [load(known()[part])]


def table() -> str:
    """The package's cards, one line each."""
    cards = [load(path) for path in known().values()]
    width = max(len(card.id) for card in cards)
    return "\n".join(
        f"{card.id:<{width}}  {card.name} ({card.provider}; {card.licence}; {card.released}; {', '.join(card.tags)})"
        for card in cards
    )


def load(path: Path) -> ModelCard:
    """Read one card.

    Raises:
        SafecotError: the file is missing or no card (file, line and key are named).
    """
    return ModelCard.read(path)
