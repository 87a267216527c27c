"""Files of settings that people write in YAML, as pydantic models; a mistake is one sentence with its file and line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from safecot_eval.util import safe_yaml
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import unreadable
from safecot_eval.util.near_names import near_names


class Settings(BaseModel):
    """A mapping of known keys. A key without a value counts as absent; a number or a date may stand where text belongs.

    Attributes:
        what: What such a file is called in messages.
        help: Where its keys are explained.
    """

    # Input stays out of messages: it may be a key that somebody wrote into the wrong file.
    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True
    )
    what: ClassVar[str] = "file of settings"
    help: ClassVar[str] = "docs"

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            raise ValueError("the content should be `key: value` lines")
        return {key: value for key, value in content.items() if value is not None}

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            SafecotError: it cannot be read, is not YAML, or breaks a rule of the model (file, line and key are named).
        """
        try:
            text = path.read_text(encoding="utf-8")
            content = safe_yaml.load(text)
        except OSError as error:
            raise unreadable(path, error) from error
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise SafecotError(
                f"{path}: not a valid {cls.what}: not YAML ({' '.join(str(error).split())})."
            ) from error
        return cls.check(content, str(path), text)

    @classmethod
    def check(cls, content: Any, where: str, text: str = "") -> Self:
        """Build the model from parsed values.

        Args:
            content: The values.
            where: File, for messages.
            text: The YAML text that the values come from, for line numbers.

        Raises:
            SafecotError: a value breaks a rule.
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            place, problem = _first_problem(error, content, cls)
            line = safe_yaml.line_of(text, place) if text and place else None
            spot = f"{where}, line {line}" if line else where
            raise SafecotError(f"{spot}: not a valid {cls.what}: {problem}; see {cls.help}.") from None


def _first_problem(
    error: ValidationError, content: Any, model: type[BaseModel]
) -> tuple[tuple[str | int, ...], str]:
    """The place of the first broken rule among the values, and what is wrong there."""
    found = error.errors(include_url=False, include_input=False)
    first = found[0]
    if first["type"] == "extra_forbidden":
        *above, key = map(str, first["loc"])
        near = near_names(key, _keys_below(model, above), most=1)
        hint = f", did you mean {near[0]!r}?" if near else ""
        return first["loc"], f"{'.'.join(above)}{': ' if above else ''}unknown key {key!r}{hint}"
    if first["type"] == "missing":
        return first["loc"][:-1], f"{'.'.join(map(str, first['loc']))} is missing"
    place = _within(first["loc"], content)
    # Every branch of a union says what it would have taken.
    said = [_plain(one["msg"]) for one in found if _within(one["loc"], content) == place]
    name = ".".join(map(str, place))
    return place, (f"{name}: " if name else "") + " or ".join(dict.fromkeys(said))


def _keys_below(model: type[BaseModel], above: list[str]) -> list[str]:
    """The keys of a model, or of one that it holds; none where what it holds is no model."""
    for name in above:
        held = model.model_fields[name].annotation if name in model.model_fields else None
        if not (isinstance(held, type) and issubclass(held, BaseModel)):
            return []
        model = held
    return list(model.model_fields)


def _within(loc: tuple[str | int, ...], content: Any) -> tuple[str | int, ...]:
    """A location without pydantic's own marks (names of union branches, ``[key]``): the part that leads to a value."""
    place: list[str | int] = []
    for part in loc:
        keys = (
            content
            if isinstance(content, Mapping)
            else range(len(content))
            if isinstance(content, list)
            else ()
        )
        if part not in keys:
            break
        content = content[part]
        place.append(part)
    return tuple(place)


_PLAIN = {
    "Value error, ": "",
    "Input should": "should",
    "String should": "should",
    "a valid dictionary": "`name: value` lines",
    "a valid tuple": "a list",
    "a valid integer": "a whole number",
    "a valid boolean": "true or false",
    "a valid string": "text",
}


def _plain(message: str) -> str:
    """Its message in words for people who write YAML."""
    for theirs, ours in _PLAIN.items():
        message = message.replace(theirs, ours)
    return message
