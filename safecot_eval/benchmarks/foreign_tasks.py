"""Names of lmms-eval's own tasks, told without importing it, so that a misspelt one is refused before a model is loaded or trained."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.near_names import near_names

PLUGINS = "LMMS_EVAL_PLUGINS"
"""lmms-eval's variable with packages whose tasks it knows as well."""
_OURS = "safecot_eval"
_NAMED = re.compile(
    r"^[ \t]*(?:-[ \t]*)?(?:[\"']?(?:task|group|tag)[\"']?[ \t]*:[ \t]*|-[ \t]*)(?:-[ \t]*)?[\"']?([\w.+-]+)",
    re.MULTILINE,
)
"""A line that gives a task, a group or a tag its name, or an entry of a list of such."""


def require_known(names: Iterable[str], include: Path | None = None) -> None:
    """Refuse names that lmms-eval has no task, group or tag for.

    Args:
        names: Of tasks that are not ours; wildcards are matched.
        include: Folder of further tasks.

    Raises:
        SafecotError: a name is unknown; names like it are given.
    """
    plugins = set(filter(None, os.environ.get(PLUGINS, "").split(","))) - {_OURS}
    spec = find_spec("lmms_eval")
    if plugins or spec is None or spec.origin is None:
        return  # nobody knows what those bring
    known = _names_in(Path(spec.origin).parent / "tasks")
    if include is not None:
        known = known | _names_in(include)
    for name in names:
        if "/" in name or name.endswith((".yaml", ".yml")) or name in known or fnmatch.filter(known, name):
            continue
        near = near_names(name, known)
        hint = (
            f"did you mean {' or '.join(near)}?" if near else "`python -m lmms_eval --tasks list` shows all."
        )
        raise SafecotError(f"--tasks: neither safecot-eval nor lmms-eval has a task {name!r}; {hint}")


@cache
def _names_in(folder: Path) -> frozenset[str]:
    """Every name in the task files of a folder; a few more than there are tasks, which only lets more names pass."""
    found: set[str] = set()
    # Some tasks are named by the template that they include, which has no ending.
    for path in {*folder.rglob("*.y*ml"), *folder.rglob("_default_template*")}:
        found.update(_NAMED.findall(path.read_text(encoding="utf-8", errors="replace")))
    return frozenset(found)
