"""Build a training data set: the ordered examples that all variants share, their images, and the manifest.

A data folder holds

================== ==========================================================================================
``examples.jsonl``  one example per line, in training order; the first N lines are the data set of size N
``images/``         images under the hash of their content
``held_out.jsonl``  source questions kept for evaluation
``v0.jsonl`` …      one file per variant in TRL's format, written by :mod:`safecot_training.cot.variants`
``manifest.json``   seeds, sources, counts, checks, and the hash of every file
================== ==========================================================================================
"""

from __future__ import annotations

import io
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from safecot_eval import __version__
from safecot_eval.benchmarks import images
from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.records.samples import Expectation
from safecot_eval.scoring.refusal import DEFAULT_LIST, load_list
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import (
    content_hash,
    read_json,
    replacing,
    sha256,
    sha256_of,
    write_json,
    write_jsonl,
)
from safecot_training.data import contamination
from safecot_training.data.contamination import EvalSet
from safecot_training.data.examples import Example, Kind, require_unique_ids
from safecot_training.data.mixture import balanced_order, mix, shuffled, split_by_question
from safecot_training.data.refusals import choose_refusal, load_refusals

SCHEMA = 1
ORDER_SEED = 1042
"""Seed of the recorded order (subsets of 50 to 1,000 of either half are its beginnings)."""
_MANIFEST = {
    "seed": int,
    "files": dict,
    "variants": dict,
    "contamination": dict,
    "categories": list,
    "benchmarks": list,
}


class OnContamination(StrEnum):
    """What to do with training examples that are in an evaluation set."""

    STOP = "stop"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that determines a data set beside its sources.

    Attributes:
        ratio: Safety parts and general parts.
        size: Number of examples, or None for as many as the ratio allows.
        holdout: Share of the safety sources' questions that is kept for evaluation.
        seed: Of the split, the order and the refusals.
        refusal_list: Phrase list whose sentences are learnt.
        on_contamination: Stop, or drop and count.
        protocol: ``safecot`` for the recorded order and targets; empty for ours.
        by_name: Name images and copy none; such data can be compared, not trained on.
    """

    ratio: tuple[int, int] = (1, 1)
    size: int | None = None
    holdout: float = 0.0
    seed: int = 0
    refusal_list: str = DEFAULT_LIST
    on_contamination: OnContamination = OnContamination.STOP
    protocol: str = ""
    by_name: bool = False


def build(
    safety: Sequence[Example],
    general: Sequence[Example],
    out: Path,
    plan: Plan,
    *,
    eval_sets: Sequence[EvalSet] = (),
    sources: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Split, check, mix and write a data set.

    Args:
        safety: Triplets.
        general: General questions with answers.
        out: Folder to write.
        plan: Seeds and sizes.
        eval_sets: What the training data must not hold. A benchmark that is also a source is compared by what was
            held out of it.
        sources: Descriptions of the sources for the manifest.

    Returns:
        The manifest.

    Raises:
        SafecotError: contamination, too few examples, or a full disk.
    """
    require_unique_ids((*safety, *general), "The sources together")
    train, held_out = split_by_question(safety, plan.holdout, plan.seed)
    trained_on = {example.cluster_id for example in train}
    checked = [_without(eval_set, trained_on) for eval_set in eval_sets]
    hits = contamination.find([*train, *general], checked)
    if plan.on_contamination is OnContamination.STOP:
        contamination.refuse_contaminated(hits)
    tainted = {hit.example_id for hit in hits}
    train = [example for example in train if example.example_id not in tainted]
    clean_general = [example for example in general if example.example_id not in tainted]
    order, order_seed = (shuffled, ORDER_SEED) if plan.protocol else (balanced_order, plan.seed)
    mixed = mix(train, clean_general, ratio=plan.ratio, size=plan.size, seed=order_seed, order=order)
    # Recorded variants refuse in different words, which each variant's file holds.
    refusals = () if plan.protocol else load_refusals(plan.refusal_list)
    write_jsonl(
        out / "examples.jsonl",
        [
            _record(e, choose_refusal(e, refusals, plan.seed) if refusals else "", out, by_name=plan.by_name)
            for e in mixed
        ],
    )
    write_jsonl(out / "held_out.jsonl", [{"id": e.example_id, "cluster": e.cluster_id} for e in held_out])
    manifest = {
        "schema": SCHEMA,
        "safecot_version": __version__,
        "seed": plan.seed,
        "ratio": list(plan.ratio),
        "size": len(mixed),
        "holdout": plan.holdout,
        "protocol": plan.protocol,
        "images": "named" if plan.by_name else "copied",
        "refusal_list": None if plan.protocol else load_list(plan.refusal_list).id,
        "sources": list(sources),
        "counts": _counts(mixed),
        "categories": sorted({e.category for e in mixed if e.kind is Kind.SAFETY}),
        "benchmarks": sorted({e.source for e in mixed if e.kind is Kind.SAFETY}),
        "contamination": {
            "checked": [{"set": e.name, "items": len(e.items)} for e in checked],
            "dropped": len(tainted),
            "grounds": dict(Counter(hit.ground.value for hit in hits)),
        },
        "files": {name: sha256(out / name) for name in ("examples.jsonl", "held_out.jsonl")},
        "variants": {},
    }
    write_json(out / "manifest.json", manifest)
    return manifest


def _without(eval_set: EvalSet, trained_on: set[str]) -> EvalSet:
    """Leave out the source questions that the split gave to training."""
    sources = {cluster.partition("/")[0] for cluster in trained_on}
    name = eval_set.name.removeprefix("safecot_")
    own = [source for source in sources if name == source or name.startswith(f"{source}_")]
    kept = (
        item
        for item in eval_set.items
        if not any(f"{source}/{item.cluster_id or item.item_id}" in trained_on for source in own)
    )
    return replace(eval_set, items=tuple(kept))


def _record(example: Example, refusal: str, out: Path, *, by_name: bool) -> dict[str, Any]:
    if by_name:
        placed = [(path.as_posix(), "") for path in example.images]
    else:
        placed = [place_image(path, out / "images") for path in example.images]
    return {
        "id": example.example_id,
        "kind": example.kind.value,
        "category": example.category,
        "expectation": example.expectation.value,
        "query": example.query,
        "reply": refusal if example.expectation is Expectation.REFUSE else example.answer,
        "images": [name for name, _ in placed],
        "image_sha256": [digest for _, digest in placed],
        "source": example.source,
        "cluster": example.cluster_id,
        "texts": list(example.texts),
        "description": example.description,
        **({"queries": dict(example.queries)} if example.queries else {}),
    }


def _counts(mixed: Sequence[Example]) -> dict[str, Any]:
    return {
        "kind": dict(Counter(e.kind.value for e in mixed)),
        "expectation": dict(Counter(e.expectation.value for e in mixed)),
        "category": dict(sorted(Counter(e.category for e in mixed if e.kind is Kind.SAFETY).items())),
    }


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a data folder's manifest.

    Raises:
        SafecotError: there is none, or it is not one of ours.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        raise SafecotError(f"{folder}: no manifest.json; build the data with `safecot train data` first.")
    manifest = read_json(path)
    for key, kind in _MANIFEST.items():
        if not isinstance(manifest.get(key), kind):
            raise SafecotError(f"{path}: {key!r} is missing or of the wrong kind; build the data again.")
    for variant, entry in manifest["variants"].items():
        if not isinstance(entry, dict):
            raise SafecotError(f"{path}: the entry of variant {variant!r} is not an object; write it again.")
    return manifest


def manifest_hash(manifest: dict[str, Any], variant: str) -> str:
    """Hash of a manifest as far as it concerns one variant."""
    others = {key: value for key, value in manifest.items() if key != "variants"}
    return content_hash({**others, "variant": manifest["variants"].get(variant)})


def read_examples(folder: Path) -> list[tuple[Example, str]]:
    """Read the ordered examples of a data folder.

    Returns:
        (example, reply) pairs: the reply is the refusal or the answer, the same in every variant.

    Raises:
        SafecotError: the file is missing or differs from the manifest.
    """
    manifest = read_manifest(folder)
    require_hash(folder / "examples.jsonl", manifest["files"].get("examples.jsonl", ""))
    pairs = []
    for _, row in enumerate_jsonl(folder / "examples.jsonl"):
        example = Example(
            example_id=row["id"],
            query=row["query"],
            category=row["category"],
            expectation=Expectation(row["expectation"]),
            answer=row["reply"] if row["expectation"] == Expectation.ANSWER else "",
            images=tuple(folder / name for name in row["images"]),
            source=row["source"],
            cluster_id=row["cluster"],
            kind=Kind(row["kind"]),
            texts=tuple(row["texts"]),
            description=row["description"],
            queries=row.get("queries") or {},
        )
        pairs.append((example, row["reply"]))
    return pairs


def require_hash(path: Path, expected: str) -> None:
    """Refuse a file that is not the one the manifest speaks of.

    Raises:
        SafecotError: missing or changed.
    """
    if not path.is_file():
        raise SafecotError(f"{path}: missing; build it again (`safecot train data`, `safecot train cot`).")
    if sha256(path) != expected:
        raise SafecotError(
            f"{path}: changed since its manifest was written; build it again, or take your edits into the sources."
        )


def place_image(source: Path, folder: Path) -> tuple[str, str]:
    """Put an image under its content's name; 16-bit and float grey as an 8-bit PNG, which the trainer would clip to white.

    Returns:
        Its path relative to the folder's parent, and its sha256.

    Raises:
        SafecotError: the image cannot be read, or the disk is full.
    """
    scaled = _scaled(source)
    digest = sha256(source) if scaled is None else sha256_of(scaled)
    target = folder / f"{digest[:20]}{source.suffix.lower() if scaled is None else '.png'}"
    if not target.is_file():
        with replacing(target) as scratch:
            if scaled is None:
                shutil.copyfile(source, scratch)
            else:
                scratch.write_bytes(scaled)
    return f"{folder.name}/{target.name}", digest


def _scaled(source: Path) -> bytes | None:
    """A picture as an 8-bit PNG if it holds more bits a pixel than the trainer's loader can convert."""
    from PIL import Image

    try:
        with Image.open(source) as image:
            if images.has_eight_bits(image):
                return None
    except OSError:
        return None  # what is no image is refused when it is read
    stream = io.BytesIO()
    images.open_image(source).save(stream, format="PNG")
    return stream.getvalue()
