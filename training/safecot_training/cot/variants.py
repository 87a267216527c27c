"""Write a variant's training file from a data folder: ``v0.jsonl``, ``v1.jsonl`` or ``v2.jsonl``.

A v2 text that fails the filter in every attempt is replaced by the v1 template of the same example, so that all variants
keep the same examples in the same order; the manifest says how often that happened, and ``v2_review.jsonl`` shows
samples of what was kept and everything that was dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from safecot_eval.records.samples import Expectation
from safecot_eval.util.files import content_hash, sha256, write_json, write_jsonl
from safecot_training.cot.targets import Marker, Reasons, Variant, Wordings, training_row
from safecot_training.cot.templates import Templates, load_templates
from safecot_training.cot.writer import WriterConfig, Written, write_cots
from safecot_training.data.dataset import read_examples, read_manifest
from safecot_training.data.examples import Example, stable_unit
from safecot_training.data.sanitise import sanitise

REVIEW_SAMPLES = 50
Writer = Callable[[Sequence[Example]], list[Written]]


def write_variant(
    folder: Path,
    variant: Variant,
    *,
    marker: Marker = Marker.SAFETY_REASONING,
    reasons: Reasons = Reasons.ALL,
    templates: Templates | None = None,
    writer: WriterConfig | Writer | None = None,
    writer_name: str = "",
    max_wordings: int | None = None,
) -> dict[str, Any]:
    """Write the training file of one variant and enter it in the manifest.

    Args:
        folder: A data folder.
        variant: Which one.
        marker: Pair of markers around the chain of thought.
        reasons: Which examples get a chain of thought.
        templates: For v1 and for what v2's writer could not write; the shipped ones by default.
        writer: For v2: an endpoint, or a function from examples to texts.
        writer_name: What to call a writer that is a function.
        max_wordings: Draw from so many chains of thought per category at most, and so many refusals; all by default.

    Returns:
        The variant's entry in the manifest.

    Raises:
        SafecotError: the data folder is incomplete or changed, or the endpoint is down.
        ValueError: v2 without a writer.
    """
    manifest = read_manifest(folder)
    pairs = read_examples(folder)
    templates = templates or load_templates()
    seed = int(manifest["seed"])
    reasoned = [example for example, _ in pairs if variant is not Variant.V0 and reasons.apply_to(example)]
    thoughts = {example.example_id: templates.wordings(example)[:max_wordings] for example in reasoned}
    refusals = tuple(manifest.get("refusals") or ())[:max_wordings]
    entry: dict[str, Any] = {
        "marker": marker.value,
        "reasons": reasons.value,
        "templates": templates.template_id if reasoned else None,
        "max_wordings": max_wordings,
    }
    if variant is Variant.V2:
        if writer is None:
            raise ValueError("v2 needs a writer")
        if isinstance(writer, WriterConfig):
            written = write_cots(reasoned, writer, folder / "v2_replies.jsonl")
            writer_name = writer.model
        else:
            written = writer(reasoned)
        texts = {e.example_id: sanitise(w.cot) for e, w in zip(reasoned, written, strict=True) if w.cot}
        thoughts.update({example_id: (text,) for example_id, text in texts.items()})
        entry["writer"] = {
            "model": writer_name,
            "written": len(texts),
            "template_instead": len(reasoned) - len(texts),
            "dropped_attempts": dict(Counter(drop.value for w in written for drop in w.drops)),
        }
        write_jsonl(folder / "v2_review.jsonl", _review(reasoned, written, seed))
    rows = []
    for example, reply in pairs:
        several = refusals and example.expectation is Expectation.REFUSE
        replies = refusals if several else (reply,)
        wordings = Wordings(thoughts.get(example.example_id, ()), replies, marker)
        images = [str(path.relative_to(folder)) for path in example.images]
        shown = wordings.drawn(seed, example.example_id, 0)
        rows.append(training_row(example, images, shown, variant, wordings=wordings))
    write_jsonl(folder / f"{variant}.jsonl", rows)
    entry["sha256"] = sha256(folder / f"{variant}.jsonl")
    entry["order"] = content_hash([[row["id"], row["images"], row["prompt"]] for row in rows])
    manifest["variants"][variant.value] = entry
    write_json(folder / "manifest.json", manifest)
    return entry


def _review(examples: Sequence[Example], written: Sequence[Written], seed: int) -> list[dict[str, Any]]:
    """Everything that was dropped, and a seeded sample of what was kept, for a person to read."""
    rows: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    for example, result in zip(examples, written, strict=True):
        shown = {"id": example.example_id, "category": example.category, "query": example.query}
        rows.extend(
            {**shown, "dropped": drop.value, "text": text}
            for drop, text in zip(result.drops, result.rejected, strict=True)
        )
        if result.cot:
            kept.append({**shown, "dropped": None, "text": result.cot})
    kept.sort(key=lambda row: stable_unit("review", seed, row["id"]))
    return [*rows, *kept[:REVIEW_SAMPLES]]
