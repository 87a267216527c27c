"""The checkpoint card: ``safecot_checkpoint.json`` and ``README.md`` in every checkpoint folder."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from safecot_eval.records.json_files import spelled, unspelled
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import content_hash, read_json, write_json, write_text
from safecot_eval.util.paths import CHECKPOINT_CARD


@dataclass(frozen=True, slots=True)
class CheckpointCard:
    """What a consumer of a checkpoint wants to know; read by ``safecot_hf`` and the leaderboard.

    Attributes:
        variant: ``base``, ``v0``, ``v1`` or ``v2``.
        samples: Training examples.
        train_loss: Last logged training loss (nats per assistant token).
        loss_history: (optimiser step, loss) pairs, at most 200 of them.
        recipe: The recipe's values.
        recipe_hash: Hash of what changes the result.
        data_manifest_hash: Hash of the data manifest as far as it concerns the variant.
        seed: The recipe's.
        base_model: The recipe's.
        base_revision: Commit of the base where it came from a hub, else the recipe's revision.
        in_distribution_categories: Risk categories that were trained on, by the base as well where it is a checkpoint of ours.
        in_distribution_benchmarks: Data sets of the safety half; of the base as well.
        form: ``merged`` (whole model) or ``adapter``.
        assistant_tokens: Tokens that bore loss, over the whole run: the variants' budgets differ, and this says how; 0 where
            the answers were sampled.
        mixture: Safety parts and general parts of the data, ``1:1``; empty for cards before 0.2.
        steps: Optimiser steps taken.
        trained_clusters: Benchmark to the source questions of its items that were trained on; of the base as well.
        validation_history: (optimiser step, loss on the examples kept out) pairs.
        probe_history: Of ``template`` and ``lite``: (optimiser step, CRR, CAR, balanced rate, share scored) of examples kept out.
        best_step: Optimiser step of the exported checkpoint where the recipe keeps the best; None where it does not, or where no
            checkpoint could be measured and the last is exported.
        base_fingerprint: Of the base's weights (:func:`safecot_eval.generate.models.weights.fingerprint`); empty if unknown.
        rewards: Of GRPO: see :func:`reward_summary`.
        preset: Prompt preset that the checkpoint was trained under, and is to be asked under; empty for none.
    """

    variant: str
    samples: int
    train_loss: float
    loss_history: list[list[float]]
    recipe: dict[str, object]
    recipe_hash: str
    data_manifest_hash: str
    seed: int
    base_model: str
    in_distribution_categories: list[str]
    in_distribution_benchmarks: list[str]
    base_revision: str = ""
    form: str = "merged"
    assistant_tokens: int = 0
    preset: str = ""
    mixture: str = ""
    steps: int = 0
    base_fingerprint: str = ""
    validation_history: list[list[float]] = dataclasses.field(default_factory=list)
    probe_history: dict[str, list[list[float | None]]] = dataclasses.field(default_factory=dict)
    trained_clusters: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    rewards: dict[str, Any] = dataclasses.field(default_factory=dict)
    best_step: int | None = None

    @property
    def short_id(self) -> str:
        """Six digits that differ between runs of other recipes, data or bases."""
        return content_hash([self.recipe_hash, self.data_manifest_hash, self.base_fingerprint])[:6]

    def write(self, folder: Path) -> None:
        """Write both files.

        Raises:
            SafecotError: the disk is full.
        """
        write_json(folder / CHECKPOINT_CARD, self.as_json())
        write_text(folder / "README.md", self.readme())

    def as_json(self) -> dict[str, Any]:
        """What is in the file; a loss that is no number is there as the text ``NaN``, ``Infinity`` or ``-Infinity``."""
        return {**dataclasses.asdict(self), **{key: spelled(getattr(self, key)) for key in _MEASURED}}

    def readme(self, licence: Mapping[str, str] | None = None) -> str:
        """The model card; for the hub with ``license`` and what belongs to it."""
        header = {
            **(licence or {}),
            "library_name": "peft" if self.form == "adapter" else "transformers",
            "pipeline_tag": "image-text-to-text",
            # a base on this machine has no page on the hub to link to
            **({"base_model": self.base_model} if licence is None or "/" in self.base_model else {}),
            "tags": ["safecot", f"safecot-{self.variant}", "safety"],
        }
        recipe = yaml.safe_dump(
            {k: v for k, v in self.recipe.items() if v not in ("", {}, None)}, sort_keys=False
        )
        return f"""---
{yaml.safe_dump(header, sort_keys=False)}---

# SafeCoT {self.variant} on {self.base_model}

{_SENTENCE.get(self.variant, "A base model.")}{_BY_PREFERENCE.get(str(self.recipe.get("objective")), "")} Method: SafeCoT (arXiv 2506.08399); data, templates and
hyper-parameters are this recipe's, since the paper's are not public.

| | |
|---|---|
| training examples | {self.samples} |
| assistant tokens trained on | {self.assistant_tokens} |
{self._training()}
| recipe | `{self.recipe_hash[:16]}` |
| data manifest | `{self.data_manifest_hash[:16]}` |
| risk categories | {", ".join(self.in_distribution_categories) or "none"} |
| safety data | {", ".join(self.in_distribution_benchmarks) or "none"} |

Scores on these categories and data sets are in-distribution. Licences: the base model's licence holds for these
weights, and the licences of the training sets named above hold as well (MM-SafetyBench is CC BY-NC 4.0, MultiTrust is
for non-commercial research). This checkpoint is a research artefact; measure it before relying on it.

```yaml
{recipe}```
"""

    def _training(self) -> str:
        """The rows of the table that say how training went."""
        if not self.rewards:
            return f"| last training loss | {self.train_loss:.4f} nats per token |"
        last = ", ".join(f"{name} {value:.3f}" for name, value in self.rewards["last"].items())
        return (
            f"| last mean rewards (1 is all) | {last} |\n"
            f"| sampled answers left out, because a reward could not be determined | {self.rewards['left_out']:.1%} |"
        )


def reward_summary(log: list[dict[str, Any]]) -> dict[str, Any]:
    """What GRPO's log says of its rewards.

    Returns:
        ``history`` ((optimiser step, mean weighted reward) pairs), ``last`` (each reward's last mean) and ``left_out`` (share of
        the sampled answers that lacked a reward).
    """
    entries = [entry for entry in log if "left_out" in entry]
    last: dict[str, float] = {}
    for entry in entries:
        for key, value in entry.items():
            if key.startswith("rewards/") and key.endswith("/mean") and value is not None:
                last[key.split("/")[1]] = round(value, 6)
    history = [[entry["step"], entry["reward"]] for entry in entries if entry.get("reward") is not None]
    left_out = sum(entry["left_out"] for entry in entries) / len(entries) if entries else 0.0
    return {"history": loss_points(history), "last": last, "left_out": round(left_out, 6)}


def loss_points(history: list[list[float]], limit: int = 200) -> list[list[float]]:
    """Thin a loss curve evenly; its last point stays.

    >>> loss_points([[1, 3.0], [2, 2.0], [3, 1.0]], limit=2)
    [[1, 3.0], [3, 1.0]]
    """
    every = -(-len(history) // limit)
    return history[::-every][::-1] if history else []


def read_card(folder: Path) -> CheckpointCard:
    """Read the card of a checkpoint folder.

    Raises:
        SafecotError: there is none, or it is not one.
    """
    path = folder / CHECKPOINT_CARD
    if not path.is_file():
        raise SafecotError(f"{folder}: no {CHECKPOINT_CARD}; the folder was not written by `safecot train`.")
    content = read_json(path)
    if unknown := sorted(set(content) - {field.name for field in dataclasses.fields(CheckpointCard)}):
        raise _no_card(path, f"unknown key {unknown[0]!r}")
    values = {key: unspelled(value) if key in _MEASURED else value for key, value in content.items()}
    try:
        TypeAdapter(CheckpointCard).validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(map(str, first["loc"]))
        problem = f"{name} is missing" if first["type"] == "missing" else f"{name}: {first['msg'].lower()}"
        raise _no_card(path, problem) from None
    return CheckpointCard(**values)


@dataclass(frozen=True, slots=True)
class LearntBefore:
    """What a base had been trained on: the steps of a chain (SFT, then DPO) add up.

    Attributes: see :class:`CheckpointCard`.
    """

    in_distribution_categories: list[str] = dataclasses.field(default_factory=list)
    in_distribution_benchmarks: list[str] = dataclasses.field(default_factory=list)
    trained_clusters: dict[str, list[str]] = dataclasses.field(default_factory=dict)


def learnt_before(base: str, revision: str | None = None) -> LearntBefore:
    """What a base was trained on by its card, here or on a hub; nothing for a base that is no checkpoint of ours.

    Raises:
        SafecotError: its card is none.
    """
    folder = Path(base).expanduser()
    if not folder.is_dir():
        from transformers.utils import cached_file

        found = cached_file(
            base, CHECKPOINT_CARD, revision=revision or None,
            _raise_exceptions_for_missing_entries=False, _raise_exceptions_for_connection_errors=False,
            _raise_exceptions_for_gated_repo=False,
        )  # fmt: skip
        if found is None:
            return LearntBefore()
        folder = Path(found).parent
    if not (folder / CHECKPOINT_CARD).is_file():
        return LearntBefore()
    card = read_card(folder)
    return LearntBefore(
        card.in_distribution_categories, card.in_distribution_benchmarks, card.trained_clusters
    )


def require_replaceable(folder: Path, form: str) -> None:
    """Refuse to write a form of a checkpoint over anything but an earlier one of its kind: what is there is removed.

    Raises:
        SafecotError: the folder holds something else, or is a file.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    found = f"something else than an earlier {form} checkpoint"
    if (folder / CHECKPOINT_CARD).is_file() and read_card(folder).form == form:
        own = (path.name for path in sorted(folder.iterdir()) if not _WRITTEN.fullmatch(path.name))
        if (name := next(own, None)) is None:
            return
        found = f"{name}, which is not of the {form} checkpoint there"
    raise SafecotError(f"{folder}: holds {found} and would be removed; name a new folder.")


def _no_card(path: Path, problem: str) -> SafecotError:
    return SafecotError(
        f"{path}: not a checkpoint card: {problem}; restore the card that `safecot train` wrote."
    )


_WRITTEN = re.compile(r"[\w.-]+\.(?:safetensors|json|jinja|model)|(?:merges|vocab)\.txt|README\.md")
"""Names of the files that an export writes."""
_MEASURED = ("train_loss", "loss_history", "validation_history", "probe_history", "rewards")
_SENTENCE = {
    "v0": "Fine-tuned to refuse or to answer, without a chain of thought.",
    "v1": "Fine-tuned to write a templated safety thought, then to refuse or to answer.",
    "v2": "Fine-tuned to write a safety thought about the image and the question, then to refuse or to answer.",
}
_BY_PREFERENCE = {
    "dpo": " Tuned by preference (DPO) on top of its base: such answers before worse ones.",
    "kto": " Tuned by labels (KTO) on top of its base: towards such answers, and away from undesirable ones.",
    "grpo": " Tuned by rewards (GRPO) on top of its base: towards sampled answers that earned more than others.",
}
