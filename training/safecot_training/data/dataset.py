"""Build a training data set: the ordered examples that all variants share, their images, and the manifest.

A data folder holds

================== ==========================================================================================
``examples.jsonl``  one example per line, in training order; the first N lines are the data set of size N
``images/``         images under the hash of their content
``held_out.jsonl``  source questions kept for evaluation, with task and item where they are a benchmark's
``v0.jsonl`` …      one file per variant in TRL's format, written by :mod:`safecot_training.cot.variants`
``manifest.json``   seeds, sources, counts, checks, and the hash of every file
================== ==========================================================================================
"""

from __future__ import annotations

import io
import shutil
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from safecot_eval import __version__
from safecot_eval.benchmarks import images, registry
from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.records.samples import Expectation, ImageSource
from safecot_eval.scoring.refusal import load_list
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
from safecot_training.data.bad_rows import BadRows
from safecot_training.data.contamination import EvalSet, carriers_of
from safecot_training.data.drawing import Draw, Plan
from safecot_training.data.examples import Example, Kind, require_unique_ids
from safecot_training.data.mixture import split_by_question
from safecot_training.data.refusals import choose_refusal, load_refusals

SCHEMA = 1
_FILES = ("examples.jsonl", "held_out.jsonl")
_OURS = {
    "manifest.json": {"safecot_version", "variants"},
    "examples.jsonl": {"id", "kind", "expectation", "query", "reply"},
    "held_out.jsonl": {"id", "cluster"},
}
"""The files of a data folder by keys that tell them, the one that is written last first."""
_MANIFEST = {
    "seed": int,
    "files": dict,
    "variants": dict,
    "contamination": dict,
    "categories": list,
    "benchmarks": list,
}


def build(
    safety: Sequence[Example],
    general: Sequence[Example],
    out: Path,
    plan: Plan,
    *,
    eval_sets: Sequence[EvalSet] = (),
    sources: Sequence[dict[str, Any]] = (),
    forbidden: Sequence[EvalSet] = (),
    bad: BadRows | None = None,
) -> dict[str, Any]:
    """Split, mix, check and write a data set.

    Pictures are opened for the examples that are drawn, and for no others. What is contaminated, or bad, among them is
    taken out and the rest drawn again, until nothing is; that is the data set that would be drawn had it never been there.

    Args:
        safety: Triplets.
        general: General questions with answers.
        out: Folder to write.
        plan: Seeds and sizes.
        eval_sets: What the training data must not hold. A benchmark that is also a source is compared by what was
            held out of it.
        sources: Descriptions of the sources for the manifest.
        forbidden: What must not be trained on by anybody; a row that is a copy of theirs always stops.
        bad: What to do with a row whose picture cannot be opened; the first one stops by default.

    Returns:
        The manifest.

    Raises:
        SafecotError: contamination, a bad picture, too few examples, or a full disk.
    """
    require_own_folder(out)
    require_unique_ids((*safety, *general), "The sources together")
    train, held_out = split_by_question(safety, plan.holdout, plan.seed)
    trained_on = {example.cluster_id for example in train}
    checked = [_without(eval_set, trained_on) for eval_set in eval_sets]
    bad = bad or BadRows()
    draw = Draw(plan, checked, forbidden, bad)
    mixed = draw.clean(train, general)
    # Recorded variants refuse in different words, which each variant's file holds.
    refusals = () if plan.protocol else load_refusals(plan.refusal_list)
    write_jsonl(
        out / "examples.jsonl",
        [
            _record(e, choose_refusal(e, refusals, plan.seed) if refusals else "", out, by_name=plan.by_name)
            for e in mixed
        ],
    )
    write_jsonl(
        out / "held_out.jsonl",
        [
            {"id": e.example_id, "cluster": e.cluster_id, "task": e.task_name, "item_id": e.item_id}
            for e in held_out
        ],
    )
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
        "refusals": list(refusals),
        "sources": list(sources),
        "counts": _counts(mixed),
        "categories": sorted({e.category for e in mixed if e.kind is Kind.SAFETY}),
        "benchmarks": sorted({e.source for e in mixed if e.kind is Kind.SAFETY}),
        "contamination": {
            "checked": [
                {
                    "set": e.name,
                    "items": len(e.items),
                    "without_pictures": sum(i.image_source is ImageSource.ABSENT for i in e.items),
                }
                for e in checked
            ],
            "dropped": len({hit.example_id for hit in draw.hits}),
            "grounds": dict(Counter(hit.ground.value for hit in draw.hits)),
        },
        "bad_rows": bad.as_dict(),
        "files": {name: sha256(out / name) for name in _FILES},
        "variants": {},
    }
    write_json(out / "manifest.json", manifest)
    return manifest


def require_own_folder(out: Path) -> None:
    """Refuse to write over files that are not an earlier data folder's; one whose making was interrupted has no manifest yet.

    Raises:
        SafecotError: a file of that name is somebody else's.
    """
    for name, keys in _OURS.items():
        path = out / name
        if path.is_file():
            if not keys <= _first_keys(path):
                raise SafecotError(f"{path}: is not a file of ours and would be replaced; name a new folder.")
            return


def _first_keys(path: Path) -> set[str]:
    """The keys of a JSON object, or of the first line of JSON lines; none where there is neither."""
    try:
        content = read_json(path) if path.suffix == ".json" else next(enumerate_jsonl(path), (0, {}))[1]
    except SafecotError:
        return set()
    return set(content)


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
    return replace(eval_set, items=tuple(kept), carriers=carriers_of(eval_set.items))


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
        **({"history": [list(pair) for pair in example.history]} if example.history else {}),
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
            history=tuple((question, answer) for question, answer in row.get("history") or ()),
        )
        pairs.append((example, row["reply"]))
    return pairs


def trained_clusters(folder: Path, ids: Collection[str]) -> dict[str, list[str]]:
    """Benchmark to the source questions of its items that are among the examples with these ids."""
    known = set(registry.names())
    found: dict[str, set[str]] = defaultdict(set)
    for _, row in enumerate_jsonl(folder / "examples.jsonl"):
        benchmark, _, cluster = str(row.get("cluster", "")).partition("/")
        if row.get("id") in ids and benchmark == row.get("source") and benchmark in known:
            found[benchmark].add(cluster)
    return {benchmark: sorted(clusters) for benchmark, clusters in sorted(found.items())}


def clusters_of(folder: Path) -> dict[str, str]:
    """Example id to source question."""
    return {row["id"]: str(row["cluster"]) for _, row in enumerate_jsonl(folder / "examples.jsonl")}


def held_out_clusters(folder: Path) -> dict[str, set[str]]:
    """Source (a benchmark, where it is one) to the source questions that were kept for evaluation.

    Raises:
        SafecotError: the file is missing or differs from the manifest.
    """
    manifest = read_manifest(folder)
    require_hash(folder / "held_out.jsonl", manifest["files"].get("held_out.jsonl", ""))
    found: dict[str, set[str]] = defaultdict(set)
    for _, row in enumerate_jsonl(folder / "held_out.jsonl"):
        source, _, cluster = str(row["cluster"]).partition("/")
        found[source].add(cluster)
    return dict(found)


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
