"""A variant's training file in the forms that other trainers read; images are named by absolute path.

=================  ====================================================  ==========================================
format             files                                                 described by
=================  ====================================================  ==========================================
``llamafactory``   ``safecot_V.json``, ``dataset_info.json``             LLaMA-Factory, data/README.md (sharegpt, images)
``ms-swift``       ``safecot_V.jsonl``                                   ms-swift, Custom dataset (messages, images)
``axolotl``        ``safecot_V.jsonl``                                   axolotl, docs/multimodal (type: chat_template)
``sharegpt``       ``safecot_V.json``                                    LLaVA's conversations, which ``llava=`` reads
=================  ====================================================  ==========================================

The first three formats learn the last answer of a row, or all answers, as their trainers are told; their own collators decide what
bears loss. Templates and refusals are those that the file shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import read_json, write_json, write_jsonl
from safecot_eval.util.wording import agreeing, counted
from safecot_training.data.dataset import read_manifest, require_hash

PLACE = "<image>"


class Format(StrEnum):
    """Whose form."""

    LLAMAFACTORY = "llamafactory"
    MS_SWIFT = "ms-swift"
    AXOLOTL = "axolotl"
    SHAREGPT = "sharegpt"


def export_data(
    folder: Path, variant: str, form: Format, out: Path, *, count: int | None = None
) -> list[Path]:
    """Write a variant in another trainer's form.

    Args:
        folder: A data folder of ours.
        variant: ``v0``, ``v1`` or ``v2``, already written.
        form: Whose.
        out: Folder to write.
        count: The first so many rows; all by default.

    Returns:
        The files written.

    Raises:
        SafecotError: no such variant, changed files, too few rows, a ``dataset_info.json`` that is no JSON object, or a full disk.
    """
    manifest = read_manifest(folder)
    if variant not in manifest["variants"]:
        raise SafecotError(
            f"{folder}: variant {variant} is not written yet; run `safecot train cot --data {folder} --variant {variant}`."
        )
    path = folder / f"{variant}.jsonl"
    require_hash(path, manifest["variants"][variant].get("sha256", ""))
    rows = [row for _, row in enumerate_jsonl(path)]
    if count is not None and count > len(rows):
        raise SafecotError(
            f"{path}: {counted(count, 'row')} {agreeing(count, 'was', 'were')} asked for, but there {agreeing(len(rows), 'is', 'are')} {len(rows)}."
        )
    entries = [_ENTRY[form](row, _images(row, folder)) for row in rows[:count]]
    name, register = f"safecot_{variant}", out / "dataset_info.json"
    # LLaMA-Factory's own register, where `out` is its data folder: all other entries stay.
    known = read_json(register) if form is Format.LLAMAFACTORY and register.is_file() else {}
    out.mkdir(parents=True, exist_ok=True)
    if form in (Format.LLAMAFACTORY, Format.SHAREGPT):
        written = [out / f"{name}.json"]
        write_json(written[0], entries)
    else:
        written = [out / f"{name}.jsonl"]
        write_jsonl(written[0], entries)
    if form is Format.LLAMAFACTORY:
        written.append(register)
        write_json(register, {**known, name: _info(written[0].name)})
    return written


def _images(row: Mapping[str, Any], folder: Path) -> list[str]:
    return [str((folder / name).resolve()) for name in row["images"]]


def _turns(row: Mapping[str, Any], images: Sequence[str]) -> list[dict[str, str]]:
    """Role and text of every turn; a place for each image stands before the first question."""
    turns = [
        {"role": turn["role"], "content": turn["content"]} for turn in (*row["prompt"], *row["completion"])
    ]
    turns[0] = {"role": turns[0]["role"], "content": PLACE * len(images) + turns[0]["content"]}
    return turns


def _messages(row: Mapping[str, Any], images: Sequence[str]) -> dict[str, Any]:
    return {"messages": _turns(row, images), "images": list(images)}


def _axolotl(row: Mapping[str, Any], images: Sequence[str]) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    for number, turn in enumerate(_turns(row, ())):
        shown = [{"type": "image", "path": path} for path in images] if number == 0 else []
        messages.append(
            {"role": turn["role"], "content": [*shown, {"type": "text", "text": turn["content"]}]}
        )
    return {"messages": messages}


def _sharegpt(row: Mapping[str, Any], images: Sequence[str]) -> dict[str, Any]:
    speaker = {"user": "human", "assistant": "gpt", "system": "system"}
    said = [{"from": speaker[turn["role"]], "value": turn["content"]} for turn in _turns(row, ())]
    said[0]["value"] = f"{PLACE}\n" * len(images) + said[0]["value"]
    entry: dict[str, Any] = {"id": row["id"], "conversations": said}
    if images:
        entry["image"] = images[0] if len(images) == 1 else list(images)
    return entry


_ENTRY: dict[Format, Callable[[Mapping[str, Any], Sequence[str]], dict[str, Any]]] = {
    Format.LLAMAFACTORY: _messages,
    Format.MS_SWIFT: _messages,
    Format.AXOLOTL: _axolotl,
    Format.SHAREGPT: _sharegpt,
}


def _info(file: str) -> dict[str, Any]:
    """The entry of LLaMA-Factory's register of data sets."""
    return {
        "file_name": file,
        "formatting": "sharegpt",
        "columns": {"messages": "messages", "images": "images"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
        },
    }
