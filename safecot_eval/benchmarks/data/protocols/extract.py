"""Texts out of the files of other projects, read as data: Python by its syntax tree, YAML by its keys."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from safecot_eval.util import safe_yaml


def extract(content: str, how: Mapping[str, Any]) -> Any:
    r"""Take one text from a file's content.

    Args:
        content: The file.
        how: One of these says which text: ``name``, a variable of a Python file (``number``: which of its assignments,
            counted from 0); ``templates``, all f-strings in the body of a function; ``calls``, the arguments of the calls of a method (all of them, joined); ``keys`` alone, the
            way through a YAML file; none of them, the whole file. ``keys`` leads on from there; ``strip: true`` takes
            white space from the ends, ``strip: start`` from the start.

    Returns:
        A text, or a list or dict of texts.

    Raises:
        LookupError: there is no such variable, call or key.
        SyntaxError: the file is no Python.
        ValueError: what is there is no constant.

    >>> extract("P = 'a' 'b'\nP = f'Say {P}'", {"name": "P", "number": 1})
    'Say {P}'
    >>> extract("a: [{b: c}]", {"keys": ["a", 0, "b"]})
    'c'
    """
    found: Any = content
    if "name" in how:
        found = _constant(_assigned(content, how["name"])[how.get("number", 0)])
    elif "templates" in how:
        found = list(_templates(content, how["templates"]))
    elif "calls" in how:
        found = list(_arguments(content, how["calls"]))
    elif "keys" in how:
        found = safe_yaml.load(content)
    for key in how.get("keys", ()):
        found = found[key]
    if isinstance(found, tuple | set):
        found = list(found)
    if how.get("strip") == "start":
        return found.lstrip()
    return found.strip() if how.get("strip") else found


def _tree(content: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # an escape of theirs that Python no longer likes
        return ast.parse(content)


def _assigned(content: str, name: str) -> list[ast.expr]:
    """What is assigned to a name anywhere in a file, in the order of the lines."""
    values = [
        node.value
        for node in ast.walk(_tree(content))
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and name in _targets(node)
    ]
    return sorted(values, key=lambda value: value.lineno)


def _targets(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [ast.unparse(target) for target in targets]


def _templates(content: str, function: str) -> Iterator[str]:
    """The f-strings of a function as templates, in the order of the lines."""
    bodies = [
        node
        for node in ast.walk(_tree(content))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function
    ]
    strings = [node for body in bodies for node in ast.walk(body) if isinstance(node, ast.JoinedStr)]
    for node in sorted(strings, key=lambda node: (node.lineno, node.col_offset)):
        yield str(_constant(node))


def _arguments(content: str, method: str) -> Iterator[Any]:
    """The constants in the arguments of the calls of a method, in the order of the lines."""
    calls = [
        node
        for node in ast.walk(_tree(content))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method
    ]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        for argument in call.args:
            value = _constant(argument)
            yield from value if isinstance(value, tuple | list) else (value,)


def _constant(node: ast.expr) -> Any:
    """A literal, one that is stripped, or an f-string as the template that it is."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "strip":
        return str(_constant(node.func.value)).strip()
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{" + ast.unparse(part.value) + "}"
            for part in node.values
            if isinstance(part, ast.Constant | ast.FormattedValue)
        )
    return ast.literal_eval(node)
