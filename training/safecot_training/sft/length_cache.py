"""Token lengths kept beside the data, so that a second start opens neither pictures nor texts again.

``DATA/lengths/NAME.json`` holds one number per row. NAME is a hash of everything on the base's side that changes a length
(tokenizer, template, processor and its pixel limits, versions), and a row's key one of everything on the data's (turns,
longest wording, pictures by their content). So nothing has to be deleted when anything changes: it is under another key.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import content_hash, read_json, sha256_of, write_json
from safecot_training.cot.targets import longest
from safecot_training.sft.collator import AnswerCollator
from safecot_training.sft.lengths import token_lengths
from safecot_training.sft.training_data import image_sizes
from safecot_training.sft.world import is_first_process

FOLDER = "lengths"


def kept_lengths(collator: AnswerCollator, rows: Sequence[dict[str, Any]], data: Path) -> list[int]:
    """Tokens per row as :func:`~safecot_training.sft.lengths.token_lengths` counts them, from the cache where it has them.

    A folder that cannot be written to is no obstacle: the lengths are then counted at every start.

    Args:
        collator: The one that makes the batches.
        rows: Training rows; their pictures are named by a hash of their content, as a data folder names them.
        data: The data folder.

    Raises:
        SafecotError: a picture cannot be read, or the processor cannot take it.
    """
    path = data / FOLDER / f"{base_key(collator)}.json"
    known = _read(path)
    keys = [row_key(row) for row in rows]
    missing = [index for index, key in enumerate(keys) if key not in known]
    if missing:
        absent = [rows[index] for index in missing]
        counted = token_lengths(collator, absent, image_sizes(absent))
        known.update(zip((keys[index] for index in missing), counted, strict=True))
        if is_first_process():
            _write(path, known)
    return [known[key] for key in keys]


def base_key(collator: AnswerCollator) -> str:
    """Hash of everything on the base's side that changes a length."""
    processor = collator.processor
    tokenizer = processor.tokenizer
    backend = getattr(tokenizer, "backend_tokenizer", None)
    words = backend.to_str() if backend is not None else json.dumps(tokenizer.get_vocab(), sort_keys=True)
    settings = processor.to_dict()
    return content_hash(
        [
            type(processor).__name__,
            sha256_of(words),
            processor.chat_template or tokenizer.chat_template,
            tokenizer.bos_token,
            json.loads(json.dumps(settings, sort_keys=True, default=str)),
            [collator.shape.lead, collator.shape.end],
            version("transformers"),
            version("tokenizers"),
        ]
    )[:16]


def row_key(row: dict[str, Any]) -> str:
    """Hash of everything on a row's side that changes its length."""
    return content_hash([row["prompt"], longest(row), [Path(name).name for name in row["images"]]])[:24]


def _read(path: Path) -> dict[str, int]:
    """What is kept; a file that is not one counts as none."""
    if not path.is_file():
        return {}
    try:
        content = read_json(path)
    except SafecotError:
        return {}
    return {key: value for key, value in content.items() if type(value) is int and value > 0}


def _write(path: Path, known: dict[str, int]) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        write_json(path, known, indent=0)
    except (OSError, SafecotError):
        return
