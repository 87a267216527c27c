"""A preset is a YAML file with its texts and where its idea comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from pydantic import ValidationInfo, field_validator

from safecot_eval.generate.presets import messages as chat
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256_of
from safecot_eval.util.settings import Settings

FOLDER = Path(__file__).parent


class Kind(StrEnum):
    """How a preset changes what a model is asked."""

    SYSTEM = "system"
    SUFFIX = "suffix"
    PROMPT = "prompt"
    SELF_CHECK = "self_check"
    BLANK_IMAGE = "blank_image"


TEXTS = {
    Kind.SYSTEM: ("system",),
    Kind.SUFFIX: ("suffix",),
    Kind.PROMPT: ("prompt",),
    Kind.SELF_CHECK: ("check", "describe", "again"),
    Kind.BLANK_IMAGE: (),
}
"""The texts that a preset of each kind must have."""


class Preset(Settings):
    """One prompting baseline.

    Attributes:
        id: What ``--preset`` calls it.
        title: What the leaderboard adds to the model's name.
        kind: How it works.
        texts: Its wording, by role; of the kind ``prompt`` a text with ``{question}``, taken byte for byte.
        protocol: The protocol that it belongs to. Runs of different protocols share no column; a baseline has none, since
            it is there to be compared.
    """

    what: ClassVar[str] = "preset"
    help: ClassVar[str] = "docs/model-cards.md"

    id: str
    title: str
    kind: Kind
    texts: Mapping[str, str]
    protocol: str = ""

    @field_validator("texts")
    @classmethod
    def _texts_of_its_kind(cls, texts: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        if (kind := info.data.get("kind")) is None:  # wrong itself, which is said instead
            return texts
        if set(texts) != set(TEXTS[kind]):
            raise ValueError(f"a preset of the kind {kind} has the texts {', '.join(TEXTS[kind]) or '{}'}")
        if kind is not Kind.PROMPT:
            return {name: texts[name].strip() for name in TEXTS[kind]}
        if texts["prompt"].count(chat.QUESTION) != 1:
            raise ValueError(f"prompt needs {chat.QUESTION} once")
        return texts

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
    if asked.endswith((".yaml", ".yml")):
        return Preset.read(Path(asked).expanduser())
    path = FOLDER / f"{asked}.yaml"
    if not path.is_file():
        raise SafecotError(
            f"--preset: there is no {asked!r}; there are {', '.join(names())}, or give a YAML file."
        )
    return Preset.read(path)
