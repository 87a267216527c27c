"""What a submission says about how a run was made: nothing secret, and nothing about the submitter's machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from safecot_eval.util.secrets import secret_free
from safecot_eval.util.terminal import printable

_PATH = re.compile(r"(?<![\w/:.])(?:~|[A-Za-z]:)?[/\\](?:[^\s,=:'\"]+[/\\])*[^\s,=:'\"]*")
_KEPT = ("command", "limit", "lmms_eval", "max_new_tokens", "described", "training")


def shareable(described: Mapping[str, Any], run_file: Mapping[str, Any]) -> dict[str, Any]:
    """Provenance for a submission.

    Args:
        described: What the leaderboard shows of a run (``safecot_eval.aggregate.provenance``).
        run_file: The run's ``_run.json``; empty for runs of plain lmms-eval.
    """
    packages = run_file.get("packages")
    identity = run_file.get("model_identity")
    imported = run_file.get("imported")
    kept = {key: _clean(described.get(key)) for key in _KEPT}
    return {
        **kept,
        "described": kept["described"] or [],
        "packages": {str(k): str(v) for k, v in packages.items()} if isinstance(packages, Mapping) else {},
        "model_identity": str(identity) if identity else None,
        "imported": _clean(imported) if isinstance(imported, Mapping) else None,
    }


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return without_paths(secret_free([printable(value)])[0])
    if isinstance(value, Mapping):
        return {str(key): _clean(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(entry) for entry in value]
    return value


def without_paths(text: str) -> str:
    """Absolute paths shortened to their last part; addresses stay.

    >>> without_paths("pretrained=/home/ann/models/vlm,base_url=http://host:8000/v1")
    'pretrained=vlm,base_url=http://host:8000/v1'
    """
    return _PATH.sub(lambda found: PurePath(found[0].replace("\\", "/")).name or "/", text)
