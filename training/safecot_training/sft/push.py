"""Upload a checkpoint to the Hugging Face hub, under the licence of its base and without paths of this machine.

Fine-tuned weights are derived from the base's, so the base's licence goes with them: it is read from the model card of the
base, and an upload without one is refused. Weights, card and licence are one commit: nothing is ever up there without it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from safecot_eval.util import safe_yaml
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.hub import require_name, uploading
from safecot_eval.util.paths import CHECKPOINT_CARD
from safecot_training.sft.card import CheckpointCard, read_card

_KEYS = ("license", "license_name", "license_link")
_PATHS = ("base_model", "data", "rejected", "distributed")
"""Recipe values that may be paths of this machine."""
_CHAIN = 10


def push(folder: Path, repository: str, *, licence: str = "", public: bool = False) -> str:
    """Upload one form of a checkpoint.

    Args:
        folder: ``merged`` or ``adapter`` of a run.
        repository: ``owner/name``; created if it is not there.
        licence: The hub's id of the base's licence, if its model card does not say it.
        public: Everybody may see it; private otherwise.

    Returns:
        Its address.

    Raises:
        SafecotError: the repository's name is none, the base's licence is unknown or another than was told, an adapter of a base that is on this machine
            only, or the hub refused.
    """
    require_name(repository)
    card = read_card(folder)
    if card.form == "adapter" and is_path(card.base_model):
        raise SafecotError(
            f"{folder}: an adapter of {card.base_model}, which nobody else has; push the merged form, or train from the base's "
            "hub id."
        )
    header = licence_of(card.base_model, card.base_revision, licence)
    replaced = _replaced(folder, shared(card), header)
    with uploading(repository) as api:
        from huggingface_hub import CommitOperationAdd

        files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
        operations = [
            CommitOperationAdd(
                path_in_repo=name, path_or_fileobj=content if isinstance(content, bytes) else str(content)
            )
            for name, content in {**files, **replaced}.items()
            if not any(part.startswith(".") for part in Path(name).parts)
        ]
        address = api.create_repo(repository, repo_type="model", private=not public, exist_ok=True)
        api.create_commit(
            repository,
            operations,
            repo_type="model",
            commit_message=f"Upload a SafeCoT checkpoint ({card.variant})",
        )
    return str(address)


def licence_of(base: str, revision: str, told: str = "", *, depth: int = 0) -> dict[str, str]:
    """The licence that the base's model card states.

    A base that is a checkpoint of ours has its own base's.

    Args:
        base: Hub id or folder.
        revision: Of the hub id.
        told: What the user says.
        depth: How many bases were gone through.

    Returns:
        ``license`` and, for licences without an id of the hub's, ``license_name`` and ``license_link``.

    Raises:
        SafecotError: it states none and nothing was told, or another was told.
    """
    folder = Path(base).expanduser()
    if is_path(base):
        stated = _front_matter(folder / "README.md")
        if not stated.get("license") and (folder / CHECKPOINT_CARD).is_file() and depth < _CHAIN:
            card = read_card(folder)
            return licence_of(card.base_model, card.base_revision, told, depth=depth + 1)
    else:
        stated = _hub_card(base, revision)
    found = {key: str(stated[key]) for key in _KEYS if stated.get(key)}
    if "license" not in found:
        if not told:
            raise SafecotError(
                f"{base}: its model card states no licence, and these weights are derived from it; find it out, and give the "
                "hub's id of it with --license."
            )
        return {"license": told}
    if told and told != found["license"]:
        raise SafecotError(
            f"--license {told}: the model card of {base} states {found['license']}, which holds for these weights as well."
        )
    return found


def is_path(base: str) -> bool:
    """Whether a base is a folder and not a hub id.

    >>> is_path("org/model"), is_path("/data/base"), is_path("./base"), is_path("runs/v1/merged")
    (False, True, True, True)
    """
    return base.startswith(("/", ".", "~")) or base.count("/") != 1 or Path(base).is_dir()


def shared(card: CheckpointCard) -> CheckpointCard:
    """A card without paths of this machine: of each the last name is left."""
    recipe = {
        key: Path(str(value)).name if key in _PATHS and value and is_path(str(value)) else value
        for key, value in card.recipe.items()
    }
    base = Path(card.base_model).name if is_path(card.base_model) else card.base_model
    return dataclasses.replace(card, recipe=recipe, base_model=base)


def _replaced(folder: Path, card: CheckpointCard, licence: Mapping[str, str]) -> dict[str, bytes]:
    """Files that go up otherwise than they lie here."""
    files = {
        CHECKPOINT_CARD: json.dumps(card.as_json(), indent=2, ensure_ascii=False) + "\n",
        "README.md": card.readme(licence),
    }
    return {name: text.encode() for name, text in files.items()}


def _front_matter(path: Path) -> dict[str, Any]:
    """The block of YAML at the top of a model card; empty if there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    if not text.startswith("---\n") or "\n---" not in text[4:]:
        return {}
    try:
        content = safe_yaml.load(text[4:].split("\n---", 1)[0])
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _hub_card(base: str, revision: str) -> dict[str, Any]:
    """Metadata of a model on the hub.

    Raises:
        SafecotError: the hub does not answer for it.
    """
    from huggingface_hub import HfApi

    try:
        data = HfApi(library_name="safecot-eval").model_info(base, revision=revision or None).card_data
    except Exception as error:  # as in uploading
        said = " ".join(str(error).split())[:200]
        raise SafecotError(
            f"{base}: the hub does not say its licence ({type(error).__name__}: {said}); try again, or check the base's name."
        ) from error
    return {} if data is None else dict(data.to_dict())
