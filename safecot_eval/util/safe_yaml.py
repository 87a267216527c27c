"""YAML from other people: plain values only, keys that are text, and no alias bombs.

``yaml.safe_load`` makes no objects, and yet nine lines of aliases can stand for a billion values, which the first message
that prints one would unfold; and it reads ``? :`` as a key that is nothing, where whoever reads the keys expects names.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import unreadable

MAX_CHARACTERS = 4 * 2**20
MAX_VALUES = 200_000
_KEYS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")


def load(text: str) -> Any:
    r"""Read a YAML document.

    Raises:
        yaml.YAMLError: not YAML, object tags, a key that is not text, too large, or aliases that unfold to over
            ``MAX_VALUES`` values.

    >>> load("a: &x [1, 2]\nb: *x")
    {'a': [1, 2], 'b': [1, 2]}
    """
    if len(text) > MAX_CHARACTERS:
        raise yaml.YAMLError(f"longer than {MAX_CHARACTERS // 2**20} Mi characters")
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}, set()) > MAX_VALUES:
            raise yaml.YAMLError(f"its aliases unfold to over {MAX_VALUES} values")
        return loader.construct_document(node)
    finally:
        loader.dispose()


def read_mapping(
    path: Path, needs: str = "must be a mapping; see the shipped file for its shape"
) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Args:
        path: The file.
        needs: What such a file must be, for the message about one that is something else: "must be a mapping".

    Raises:
        SafecotError: unreadable, not YAML as :func:`load` reads it, or no mapping.
    """
    try:
        content = load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable(path, error) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SafecotError(f"{path}: not a readable YAML file ({' '.join(str(error).split())}).") from error
    if not isinstance(content, dict):
        raise SafecotError(f"{path}: {needs}.")
    return content


def line_of(text: str, place: Sequence[str | int]) -> int | None:
    r"""Line of a key or an entry, from 1; that of the nearest one above it that is there.

    >>> line_of("a: 1\nb:\n  - 2\n  - {c: 3}", ["b", 1, "c"])
    4
    """
    node, line = yaml.SafeLoader(text).get_single_node(), None
    for part in place:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            pair = (node.value[part], node.value[part])
        else:
            pair = None
        if pair is None:
            return line
        line, node = pair[0].start_mark.line + 1, pair[1]
    return line


def _size(node: yaml.Node, known: dict[int, int], open_nodes: set[int]) -> int:
    """Values in a node with its aliases unfolded."""
    name = id(node)
    if name in known:
        return known[name]
    if name in open_nodes:
        raise yaml.YAMLError("an alias that holds itself")
    if isinstance(node, yaml.ScalarNode):
        return 1
    if isinstance(node, yaml.MappingNode):
        for key, _ in node.value:
            if key.tag not in _KEYS:
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: a key is not text; write it in quotes")
    open_nodes.add(name)
    parts = [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]
    known[name] = 1 + sum(_size(part, known, open_nodes) for part in parts)
    open_nodes.discard(name)
    return known[name]
