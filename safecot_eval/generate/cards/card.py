"""A model card is a YAML file; ``safecot run --models`` takes the ids of ours and the files of a user's own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from safecot_eval.util import safe_yaml
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.terminal import printable

FOLDER = Path(__file__).parent / "models"
LONGEST_NAME = 120
_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")
_MONTH = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


class Difference(StrEnum):
    """Ways in which a provider's model is not asked as the others are."""

    IMAGE_LIMIT = "image_limit"
    SYSTEM_PROMPT = "system_prompt"
    SAMPLING = "sampling"
    CONTENT_FILTER = "content_filter"
    REASONING = "reasoning"


@dataclass(frozen=True)
class ModelCard:
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

    id: str
    name: str
    backend: str
    arguments: Mapping[str, str]
    provider: str = ""
    licence: str = ""
    released: str = ""
    tags: tuple[str, ...] = ()
    key_env: str | None = None
    gpus: int = 0
    system_role: bool = True
    differences: Mapping[str, str] = field(default_factory=dict)
    unverified: tuple[str, ...] = ()
    source: str = ""

    @property
    def model_args(self) -> str:
        """lmms-eval's ``key=value,key=value``."""
        return ",".join(f"{key}={value}" for key, value in self.arguments.items())

    def as_json(self) -> dict[str, Any]:
        """What is kept beside a run and shown on the leaderboard."""
        return {**asdict(self), "tags": list(self.tags), "unverified": list(self.unverified)}


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
        close = get_close_matches(part, known(), n=3)
        hint = f"did you mean {', '.join(close)}?" if close else "`safecot run --models list` shows all."
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
        SafecotError: the file is missing or no card (file and key are named).
    """
    try:
        content = safe_yaml.load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SafecotError(f"{path}: the model card cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise SafecotError(f"{path}: not valid YAML ({reason}).") from error
    if not isinstance(content, dict):
        raise SafecotError(f"{path}: a model card is a list of `key: value` lines; see docs/model-cards.md.")
    return parse(content, str(path))


def parse(content: Mapping[str, Any], where: str) -> ModelCard:
    """Check a card's content.

    Args:
        content: The keys and values.
        where: File, for messages.

    Raises:
        SafecotError: a key is missing, unknown or of another kind, or an argument looks like a secret.

    >>> parse({"id": "m", "backend": "safecot_baseline", "arguments": {"policy": "refuse_all"}}, "m.yaml").name
    'm'
    """
    from safecot_eval.util.secrets import is_secret

    unknown = [str(key) for key in content if key not in ModelCard.__dataclass_fields__]
    if unknown:
        raise SafecotError(f"{where}: unknown key {unknown[0]!r}; see docs/model-cards.md.")
    identifier = _text(content, "id", where)
    if not _ID.fullmatch(identifier):
        raise SafecotError(
            f"{where}: the id {identifier!r} may hold small letters, digits, '.', '_' and '-' only."
        )
    arguments = {key: _argument(value) for key, value in _mapping(content, "arguments", where).items()}
    for key, value in arguments.items():
        if is_secret(key):
            raise SafecotError(
                f"{where}: arguments.{key}: a card holds no keys; name the variable in key_env."
            )
        if "," in value or "=" in key:
            raise SafecotError(f"{where}: arguments.{key}: lmms-eval's arguments hold no commas.")
    differences = {key: str(value) for key, value in _mapping(content, "differences", where).items()}
    for key in differences:
        if key not in list(Difference):
            raise SafecotError(f"{where}: differences.{key} is none of {', '.join(Difference)}.")
    released = str(content.get("released") or "")
    if released and not _MONTH.fullmatch(released):
        raise SafecotError(f"{where}: released {released!r} is no year, year-month or date.")
    gpus = content.get("gpus", 0)
    if isinstance(gpus, bool) or not isinstance(gpus, int) or gpus < 0:
        raise SafecotError(f"{where}: gpus must be a whole number.")
    system_role = content.get("system_role", True)
    if not isinstance(system_role, bool):
        raise SafecotError(f"{where}: system_role is true or false.")
    unverified = _texts(content, "unverified", where)
    for name in unverified:
        if name not in ModelCard.__dataclass_fields__ and name not in differences:
            raise SafecotError(f"{where}: unverified names {name!r}, which the card does not have.")
    name = str(content.get("name") or identifier)
    if name != printable(name, LONGEST_NAME):
        raise SafecotError(f"{where}: the name must be printable and have at most {LONGEST_NAME} characters.")
    return ModelCard(
        id=identifier,
        name=name,
        backend=_text(content, "backend", where),
        arguments=arguments,
        provider=str(content.get("provider") or ""),
        licence=str(content.get("licence") or ""),
        released=released,
        tags=_texts(content, "tags", where),
        key_env=str(content["key_env"]) if content.get("key_env") else None,
        gpus=gpus,
        system_role=system_role,
        differences=differences,
        unverified=unverified,
        source=str(content.get("source") or ""),
    )


def _argument(value: Any) -> str:
    return str(value) if not isinstance(value, bool) else str(value).capitalize()


def _text(content: Mapping[str, Any], key: str, where: str) -> str:
    value = content.get(key)
    if not isinstance(value, str) or not value.strip():
        raise SafecotError(f"{where}: {key} is missing or not a text.")
    return value


def _mapping(content: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    value = content.get(key) or {}
    if not isinstance(value, dict):
        raise SafecotError(f"{where}: {key} must be `name: value` lines.")
    return {str(name): part for name, part in value.items()}


def _texts(content: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value: Sequence[Any] | None = content.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise SafecotError(f"{where}: {key} must be a list of texts.")
    return tuple(value)
