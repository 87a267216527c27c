"""Check a JSON value against the part of JSON Schema that our schemas use, and say where it fails.

The schema files are complete JSON Schemas, for everybody's tools; this small reader spares the package a dependency, and
the tests hold it against a full implementation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


@cache
def schema(name: str) -> Mapping[str, Any]:
    """One of the schemas beside this module."""
    content: Mapping[str, Any] = json.loads(
        (Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8")
    )
    return content


def problems(value: Any, rules: Mapping[str, Any], root: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """Yield a sentence for everything in a value that breaks a schema.

    Args:
        value: A parsed JSON value.
        rules: The schema of this value.
        root: The whole schema, for references.
        where: Place of the value, for the sentences.

    >>> list(problems({"a": "x"}, {"properties": {"a": {"type": "integer"}}}, {}))
    ['a: text where a whole number belongs']
    """
    if "$ref" in rules:
        yield from problems(value, root["$defs"][rules["$ref"].removeprefix("#/$defs/")], root, where)
        return
    place = where or "the document"
    kinds = rules.get("type")
    allowed = [kinds] if isinstance(kinds, str) else kinds
    if allowed and not any(_is(value, kind) for kind in allowed):
        yield f"{place}: {_name(value)} where {' or '.join(map(_NAMES.__getitem__, allowed))} belongs"
        return
    if "enum" in rules and value not in rules["enum"]:
        yield f"{place}: is none of {', '.join(map(str, rules['enum']))}"
    if "const" in rules and value != rules["const"]:
        yield f"{place}: is not {rules['const']}"
    if isinstance(value, str):
        yield from _text_problems(value, rules, place)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if value < rules.get("minimum", value) or value > rules.get("maximum", value):
            yield f"{place}: {value} is out of range"
    elif isinstance(value, list):
        if not rules.get("minItems", 0) <= len(value) <= rules.get("maxItems", len(value)):
            yield f"{place}: {len(value)} entries are too few or too many"
        if "items" in rules:
            for index, entry in enumerate(value):
                yield from problems(entry, rules["items"], root, f"{where}[{index}]")
    elif isinstance(value, dict):
        yield from _object_problems(value, rules, root, where)


def _object_problems(
    value: Mapping[str, Any], rules: Mapping[str, Any], root: Mapping[str, Any], where: str
) -> Iterator[str]:
    known = rules.get("properties", {})
    for key in rules.get("required", ()):
        if key not in value:
            yield f"{where or 'the document'}: {key!r} is missing"
    for key, entry in value.items():
        place = f"{where}.{key[:60]}" if where else key[:60]
        extra = rules.get("additionalProperties", {})
        if key in known:
            yield from problems(entry, known[key], root, place)
        elif extra is False:
            yield f"{place}: is not a key of this format"
        elif isinstance(extra, dict):
            yield from problems(entry, extra, root, place)


def _text_problems(value: str, rules: Mapping[str, Any], place: str) -> Iterator[str]:
    if not rules.get("minLength", 0) <= len(value) <= rules.get("maxLength", len(value)):
        yield f"{place}: {len(value)} characters are too few or too many"
    if "pattern" in rules and re.search(rules["pattern"], value) is None:
        yield f"{place}: {value[:40]!r} does not have the form {rules['pattern']}"


_NAMES = {
    "object": "an object",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _name(value: Any) -> str:
    return next((_NAMES[kind] for kind in _NAMES if _is(value, kind)), "something else")
