"""A preset is a YAML file with its texts and where its idea comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml

from safecot_eval.generate.presets import messages as chat
from safecot_eval.util import safe_yaml
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256_of

FOLDER = Path(__file__).parent


class Kind(StrEnum):
    """How a preset changes what a model is asked."""

    SYSTEM = "system"
    SUFFIX = "suffix"
    PROMPT = "prompt"
    SELF_CHECK = "self_check"


TEXTS = {
    Kind.SYSTEM: ("system",),
    Kind.SUFFIX: ("suffix",),
    Kind.PROMPT: ("prompt",),
    Kind.SELF_CHECK: ("check", "describe", "again"),
}
"""The texts that a preset of each kind must have."""


@dataclass(frozen=True)
class Preset:
    """One prompting baseline.

    Attributes:
        id: What ``--preset`` calls it.
        title: What the leaderboard adds to the model's name.
        kind: How it works.
        texts: Its wording, by role; of the kind ``prompt`` a text with ``{question}``, taken byte for byte.
        protocol: The protocol that it belongs to. Runs of different protocols share no column; a baseline has none, since
            it is there to be compared.
    """

    id: str
    title: str
    kind: Kind
    texts: Mapping[str, str]
    protocol: str = ""

    @property
    def sha256(self) -> str:
        """Hash of kind and wording: runs with another wording are not the same."""
        content = json.dumps([self.kind, dict(self.texts)], sort_keys=True, ensure_ascii=True)
        return sha256_of(content)


def names() -> list[str]:
    """Ids of the presets that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(asked: str) -> Preset:
    """Read a preset.

    Args:
        asked: An id, or a YAML file of the user's own.

    Raises:
        SafecotError: there is none of this name, or the file is no preset.
    """
    path = Path(asked).expanduser() if asked.endswith((".yaml", ".yml")) else FOLDER / f"{asked}.yaml"
    if not path.is_file():
        raise SafecotError(
            f"--preset: there is no {asked!r}; there are {', '.join(names())}, or give a YAML file."
        )
    try:
        content = safe_yaml.load(path.read_text(encoding="utf-8"))
        kind = Kind(content["kind"])
        texts = {name: str(content["texts"][name]) for name in TEXTS[kind]}
        if kind is not Kind.PROMPT:
            texts = {name: text.strip() for name, text in texts.items()}
        elif texts["prompt"].count(chat.QUESTION) != 1:
            raise ValueError(f"texts.prompt needs {chat.QUESTION} once")
        protocol = str(content.get("protocol") or "")
        return Preset(str(content["id"]), str(content["title"]), kind, texts, protocol)
    except (yaml.YAMLError, KeyError, TypeError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise SafecotError(
            f"{path}: not a preset ({reason}); it needs id, title, kind ({', '.join(Kind)}) and texts."
        ) from error
