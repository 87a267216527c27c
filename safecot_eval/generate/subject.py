"""Who is evaluated: a back end and its arguments, perhaps from a model card, perhaps with a prompting preset."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safecot_eval.generate.cards import ModelCard
from safecot_eval.generate.plan import RECORDED, parse_model_args
from safecot_eval.generate.presets import Preset
from safecot_eval.scoring import refusal
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.secrets import keep_out_of_arguments

_NAMING = ("name", "policy", "peft", "pretrained", "model", "model_version")
_OF_SPEED = ("--batch_size", "--max_batch_size", "--device", "--verbosity", "--process_docs_parallel")


@dataclass(frozen=True)
class Subject:
    """One row of a leaderboard to be.

    Attributes:
        model: lmms-eval's model id.
        arguments: Its arguments, without keys.
        card: The card they come from, if any.
        preset: The prompting baseline, if any.
    """

    model: str
    arguments: Mapping[str, str]
    card: ModelCard | None = None
    preset: Preset | None = None

    @property
    def display_name(self) -> str | None:
        """What the leaderboard calls it; None leaves that to lmms-eval (neither card nor preset).

        >>> from safecot_eval.generate.presets import load
        >>> Subject("safecot_hf", {"pretrained": "Qwen/Qwen2.5-VL-3B-Instruct"}, None, load("ecso")).display_name
        'Qwen2.5-VL-3B-Instruct + ECSO-like self-check'
        """
        if self.card is None and self.preset is None:
            return None
        if self.card is not None:
            base = self.card.name
        else:
            value = next((self.arguments[key] for key in _NAMING if self.arguments.get(key)), self.model)
            base = value.rstrip("/").rsplit("/", 1)[-1]
        return f"{base} + {self.preset.title}" if self.preset else base

    @property
    def counted_arguments(self) -> dict[str, str]:
        """The arguments with the preset's hash: what decides the answers (see ``journal.identity``)."""
        preset = {"preset": f"{self.preset.id}@{self.preset.sha256}"} if self.preset else {}
        if self.preset is not None and not self.system_role:
            preset["system_role"] = "user"
        return {**self.arguments, **preset}

    @property
    def system_role(self) -> bool:
        """Whether a system message may be sent."""
        return self.card.system_role if self.card is not None else True

    def folder(self, output: Path) -> Path | None:
        """Folder of its own below the output, where it has a display name."""
        return output / re.sub(r"[^\w.+-]+", "_", self.display_name) if self.display_name else None

    def labels(self, settings: Mapping[str, Any], steps: Counter[str]) -> dict[str, Any]:
        """What is kept in ``<stamp>_run.json`` beside the provenance.

        Args:
            settings: See :func:`settings`.
            steps: A self-check's counts; filled while the run goes on.
        """
        found: dict[str, Any] = {"settings": dict(settings)}
        if self.display_name:
            found["display_name"] = self.display_name
        if self.card is not None:
            found["card"] = self.card.as_json()
        if self.preset is not None:
            found["preset"] = {
                "id": self.preset.id,
                "title": self.preset.title,
                "kind": self.preset.kind.value,
                "sha256": self.preset.sha256,
                "system_role": self.system_role,
                "steps": steps,
            }
        return found


def subject(
    model: str | None,
    model_args: str,
    card: ModelCard | None,
    preset: Preset | None,
    *,
    move_keys: bool = True,
) -> Subject:
    """Put together what was asked for, and move keys into the environment.

    Args:
        model: ``--model``; None where a card says it.
        model_args: ``--model_args``; with a card they win over the card's.
        card: ``--card``.
        preset: ``--preset``.
        move_keys: Put the card's API key where the back end looks for it. A matrix does not: each of its models has
            another key, and a process of its own.

    Raises:
        SafecotError: neither model nor card, both, or a preset for a model that does not generate.
    """
    if (model is None) == (card is None):
        raise SafecotError("safecot run needs one of --model ID, --card CARD and --models CARD,CARD…")
    chosen = card.backend if card is not None else str(model)
    arguments = {**(card.arguments if card is not None else {}), **parse_model_args(model_args)}
    if preset is not None and chosen in RECORDED:
        raise SafecotError(
            f"--preset {preset.id}: {chosen} is asked nothing, so that no prompt changes its answers."
        )
    if card is not None and card.key_env:
        key = os.environ.get(card.key_env)
        if not key:
            raise SafecotError(
                f"{card.id}: the environment variable {card.key_env} with its API key is not set."
            )
        if move_keys:
            os.environ["OPENAI_API_KEY"] = key
    return Subject(chosen, keep_out_of_arguments(chosen, arguments), card, preset)


def settings(
    limit: str | None, refusal_list: str | None, markers: str | None, options: Sequence[str]
) -> dict[str, Any]:
    """Everything beside the model that makes two runs of a task the same; options of speed are left out."""
    phrases = refusal_list or os.environ.get("SAFECOT_REFUSAL_LIST")
    counted: list[str] = []
    keep = True
    for option in options:
        if option.startswith("--"):
            keep = option.split("=", 1)[0].replace("-", "_").replace("__", "--", 1) not in _OF_SPEED
        if keep:
            counted.append(option)
    return {
        "limit": limit,
        "refusal_list": refusal.load_list(phrases).id if phrases else None,  # None: each task's own
        "reasoning_markers": markers or os.environ.get("SAFECOT_REASONING_MARKERS") or None,
        "options": counted,
    }
