"""The JSON Schema of a submission, and what a value breaks of it in words that say where."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

SHOWN = 40
"""Characters of a value or key in a message: it comes from somebody else's file."""


@cache
def schema(name: str) -> Mapping[str, Any]:
    """One of the schemas beside this module."""
    content: Mapping[str, Any] = json.loads(
        (Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8")
    )
    return content


def problems(value: Any, rules: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for everything in a parsed JSON value that breaks a schema.

    >>> list(problems({"a": "x"}, {"properties": {"a": {"type": "integer"}}}))
    ['a: should be of type integer']
    """
    for error in _validator()(rules).iter_errors(value):
        yield f"{_place(error)}: {_sentence(error)}"


@cache
def _validator() -> type[Validator]:
    """The newest draft's, but 3.0 is no integer: codes are indexes in Python."""
    import jsonschema

    checker = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    made: type[Validator] = jsonschema.validators.extend(
        jsonschema.Draft202012Validator, {"items": _items}, type_checker=checker
    )
    return made


def _items(validator: Validator, rules: Any, values: Any, _: Any) -> Iterator[ValidationError]:
    """Each distinct entry once: a list has an entry per sample and few different ones, or jsonschema takes seconds."""
    if not validator.is_type(values, "array"):
        return
    seen: set[tuple[type, Any]] = set()
    for index, value in enumerate(values):
        if not isinstance(value, dict | list):
            key = (type(value), value)
            if key in seen:
                continue
            seen.add(key)
        yield from validator.descend(value, rules, path=index)


def _place(error: ValidationError) -> str:
    return error.json_path.removeprefix("$").removeprefix(".") or "the document"


def _sentence(error: ValidationError) -> str:
    """What the schema wants; of the value no more than a few characters, where jsonschema's own message repeats it whole."""
    wanted, value = error.validator_value, error.instance
    match error.validator:
        case "type":
            return f"should be of type {' or '.join([wanted] if isinstance(wanted, str) else wanted)}"
        case "required":
            return f"{next(key for key in wanted if key not in value)!r} is missing"
        case "additionalProperties":
            extra = next(key for key in value if key not in error.schema["properties"])
            return f"{extra[:SHOWN]!r} is not a key of this format"
        case "enum":
            return f"should be one of {', '.join(map(str, wanted))}"
        case "pattern":
            return f"{value[:SHOWN]!r} does not have the form {wanted}"
        case "minimum" | "maximum":
            return f"{value} is out of range"
        case "minItems" | "maxItems" | "minLength" | "maxLength":
            return f"{len(value)} {'characters' if isinstance(value, str) else 'entries'} are too few or too many"
        case rule:
            return f"breaks the rule {rule!r} of the format"
