"""What a wildcard, a tag or the group asks for: leaves, each once, without those that run only by name.

Tags are written in the leaves' YAML files (``tag: [safecot-leaf, safecot_overrefusal]``). Their names match ``safecot_*``
as the leaves' do; a wildcard is therefore read as the leaves behind everything that it matches.
"""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Any

import yaml

from safecot_eval import benchmarks
from safecot_eval.util.errors import SafecotError

GROUP = "safecot"
ALL = "safecot-leaf"


def tags() -> dict[str, list[str]]:
    """Tag to its leaves, both in the order of their names; the tag of all leaves is among them."""
    found: dict[str, list[str]] = {}
    for name in benchmarks.names():
        benchmark = benchmarks.load(name)
        for leaf in map(benchmark.leaf, benchmark.variants):
            path = benchmark.folder / f"{leaf}.yaml"
            if not path.is_file():
                continue
            given = _read(path).get("tag", [ALL])
            for tag in [given] if isinstance(given, str) else given or ():
                found.setdefault(str(tag), []).append(leaf)
    return {tag: sorted(found[tag]) for tag in sorted(found)}


class _Loader(yaml.SafeLoader):
    """lmms-eval's own tags (``!function``) are none of our business."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = _Loader(path.read_text(encoding="utf-8")).get_single_data()
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SafecotError(f"{path}: not a readable YAML file ({' '.join(str(error).split())}).") from error
    if not isinstance(content, dict):
        raise SafecotError(f"{path}: a task file is a mapping (task: …, tag: …).")
    return content


def leaves_of(asked: str) -> list[str]:
    """Leaves behind a name, a wildcard, a tag or the group; empty where it is none of ours.

    >>> leaves_of("safecot_quick")
    ['safecot_quick']
    >>> "safecot_quick" in leaves_of("safecot_*")
    False
    """
    ours = benchmarks.leaves()
    if asked in ours:
        return [asked]
    known = tags()
    if asked == GROUP:
        asked = f"{benchmarks.LEAF_PREFIX}*"
    if asked in known:
        return known[asked]
    if "*" not in asked and "?" not in asked:
        return []
    matched = {leaf for leaf in fnmatch.filter(ours, asked) if not only_by_name(leaf)}
    for tag in fnmatch.filter(known, asked):
        matched.update(known[tag])
    return sorted(matched)


def only_by_name(leaf: str) -> bool:
    """Whether a leaf is left out of wildcards, tags and the group."""
    return benchmarks.leaf_parts(leaf)[0].only_by_name
