"""Who is evaluated: a back end and its arguments, perhaps from a model card, perhaps with a prompting preset."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safecot_eval.generate.cards import ModelCard
from safecot_eval.generate.decoding import SEED, Decoding, protocol_of
from safecot_eval.generate.plan import RECORDED, parse_model_args
from safecot_eval.generate.presets import Preset
from safecot_eval.scoring import refusal
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256
from safecot_eval.util.paths import slug
from safecot_eval.util.secrets import keep_out_of_arguments

_NAMING = ("name", "policy", "peft", "pretrained", "model", "model_version")
_OF_SPEED = ("--batch_size", "--max_batch_size", "--device", "--verbosity", "--process_docs_parallel")


@dataclass(frozen=True)
class ModelUnderTest:
    """One row of a leaderboard to be.

    Attributes:
        model: lmms-eval's model id.
        arguments: Its arguments, without keys.
        card: The card they come from, if any.
        preset: The prompt, if it is not the benchmark's own.
        decoding: How answers are drawn, if not greedily.
        repeat: Which of how many runs with a seed each this is.
        seed: What answers are drawn with.
    """

    model: str
    arguments: Mapping[str, str]
    card: ModelCard | None = None
    preset: Preset | None = None
    decoding: Decoding | None = None
    repeat: tuple[int, int] = (1, 1)
    seed: int = SEED

    @property
    def display_name(self) -> str | None:
        """What the leaderboard calls it; None leaves that to lmms-eval (neither card, preset nor decoding).

        >>> from safecot_eval.generate.presets import load
        >>> ModelUnderTest("safecot_hf", {"pretrained": "Qwen/Qwen2.5-VL-3B-Instruct"}, None, load("ecso")).display_name
        'Qwen2.5-VL-3B-Instruct + ECSO-like self-check'
        """
        if self.card is None and self.preset is None and self.decoding is None:
            return None
        if self.card is not None:
            base = self.card.name
        else:
            value = next((self.arguments[key] for key in _NAMING if self.arguments.get(key)), self.model)
            base = value.rstrip("/").rsplit("/", 1)[-1]
        parts = [base, *(part.title for part in (self.preset, self.decoding) if part is not None)]
        number, count = self.repeat
        return " + ".join(parts) + (f", repeat {number} of {count}" if count > 1 else "")

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

    @property
    def protocol(self) -> str:
        """What sets its runs apart from greedy answers to the benchmarks' own prompts; empty for those."""
        return protocol_of(
            self.preset.protocol if self.preset else "", self.decoding.protocol if self.decoding else ""
        )

    def generation_options(self) -> list[str]:
        """lmms-eval's options for the decoding."""
        if self.decoding is None:
            return []
        options = ["--gen_kwargs", self.decoding.gen_kwargs(self.model, self.seed)]
        return [*options, "--seed", str(self.seed)] if self.decoding.sampled else options

    def repeated(self, count: int) -> list[ModelUnderTest]:
        """The runs of a repeated evaluation, each with a seed of its own."""
        return [replace(self, repeat=(n + 1, count), seed=self.seed + n) for n in range(count)]

    def folder(self, output: Path) -> Path | None:
        """Folder of its own below the output, where it has a display name."""
        return output / slug(self.display_name) if self.display_name else None

    def labels(self, settings: Mapping[str, Any], steps: Counter[str]) -> dict[str, Any]:
        """What is kept in ``<timestamp>_run.json`` beside the provenance.

        Args:
            settings: See :func:`settings`.
            steps: A self-check's counts; filled while the run goes on.
        """
        found: dict[str, Any] = {"settings": dict(settings), "protocol": self.protocol}
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
        if self.decoding is not None:
            found["decoding"] = {
                "id": self.decoding.id,
                "title": self.decoding.title,
                "settings": dict(self.decoding.settings),
                "sha256": self.decoding.sha256,
                "seed": self.seed if self.decoding.sampled else None,
                "repeat": list(self.repeat),
            }
        return found


def model_under_test(
    model: str | None,
    model_args: str,
    card: ModelCard | None,
    preset: Preset | None,
    decoding: Decoding | None = None,
    *,
    move_keys: bool = True,
) -> ModelUnderTest:
    """Put together what was asked for, and move keys into the environment.

    Args:
        model: ``--model``; None where a card says it.
        model_args: ``--model_args``; with a card they win over the card's.
        card: ``--card``.
        preset: ``--preset``.
        decoding: ``--decoding``.
        move_keys: Put the card's API key where the back end looks for it. A matrix does not: each of its models has
            another key, and a process of its own.

    Raises:
        SafecotError: neither model nor card, both, or a preset or decoding for a model that does not generate.
    """
    if (model is None) == (card is None):
        raise SafecotError("safecot run needs one of --model ID, --card CARD and --models CARD,CARD…")
    chosen = card.backend if card is not None else str(model)
    arguments = {**(card.arguments if card is not None else {}), **parse_model_args(model_args)}
    if preset is not None and chosen in RECORDED:
        raise SafecotError(
            f"--preset {preset.id}: {chosen} generates nothing, so no prompt changes its answers."
        )
    if decoding is not None and chosen in RECORDED:
        raise SafecotError(
            f"--decoding {decoding.id}: {chosen} generates nothing, so there is nothing to sample."
        )
    if card is not None and card.key_env:
        key = os.environ.get(card.key_env)
        if not key:
            raise SafecotError(
                f"{card.id}: the environment variable {card.key_env} with its API key is not set."
            )
        if move_keys:
            os.environ["OPENAI_API_KEY"] = key
    return ModelUnderTest(chosen, keep_out_of_arguments(chosen, arguments), card, preset, decoding)


def repeats_of(
    chosen: ModelUnderTest, repeats: int | None, options: Sequence[str]
) -> tuple[list[ModelUnderTest], list[str]]:
    """The runs that a decoding asks for, each with a seed of its own, and the options that remain for lmms-eval.

    Without a decoding ``--repeats`` is lmms-eval's own: one run, all of whose answers are scored.

    Args:
        chosen: The model.
        repeats: ``--repeats``.
        options: Further options, among them perhaps ``--seed``: the first run's.

    Raises:
        SafecotError: generation settings from two sides, or repeats of an answer that is always the same.
    """
    decoding = chosen.decoding
    if decoding is None:
        return [chosen], [*options, *(["--repeats", str(repeats)] if repeats is not None else [])]
    if any(option.split("=")[0].replace("-", "_") == "__gen_kwargs" for option in options):
        raise SafecotError(
            f"--decoding {decoding.id} and --gen_kwargs both say how answers are drawn; give one."
        )
    if not decoding.sampled:
        if repeats is not None and repeats > 1:
            raise SafecotError(f"--repeats {repeats}: --decoding {decoding.id} always draws the same answer.")
        return [chosen], list(options)
    seed, rest = _seed_among(options)
    return replace(chosen, seed=seed).repeated(repeats or 1), rest


def _seed_among(options: Sequence[str]) -> tuple[int, list[str]]:
    """lmms-eval's ``--seed`` (of four it is torch's, the third), and the other options."""
    rest, given = [], str(SEED)
    words = iter(options)
    for word in words:
        name, equals, value = word.partition("=")
        if name == "--seed":
            given = value if equals else next(words, "")
        else:
            rest.append(word)
    parts = given.split(",")
    try:
        return int(parts[2] if len(parts) > 2 else parts[0]), rest
    except ValueError as error:
        raise SafecotError(f"--seed {given}: a whole number was expected.") from error


def settings(
    limit: str | None,
    refusal_list: str | None,
    markers: str | None,
    options: Sequence[str],
    items: Path | None = None,
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
        **({"items": sha256(items)} if items else {}),
    }
