"""Write v0, v1 and v2 as recorded: the prompts, refusals, templates and thoughts of the prepared SafeCoT data.

=========  ==============  =====================================================================
variant    prompt          answer of the safety half
=========  ==============  =====================================================================
``v0``     plain           a refusal of v0
``v1``     cot             a template of the category, directly followed by a refusal of v1
``v2``     cot             a recorded thought with its refusal, or a text by your writer and a refusal of v2
=========  ==============  =====================================================================

The general half is ShareGPT4V's own answer under the cot prompt in every variant, without a thought. There are no markers
around a thought: scoring takes the whole generation, as the recorded evaluation does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import content_hash, sha256, write_json, write_jsonl
from safecot_training.cot.targets import Variant, training_row
from safecot_training.cot.writer import WriterConfig, write_cots
from safecot_training.cot.writer_filter import Drop
from safecot_training.data.dataset import read_examples, read_manifest
from safecot_training.data.examples import Example, Kind
from safecot_training.data.protocol import Protocol, pool_key
from safecot_training.data.recorded_sources import recorded_key
from safecot_training.data.refusals import choose
from safecot_training.data.sanitise import without_control_tokens


def write_recorded(
    folder: Path, variant: Variant, protocol: Protocol, *, writer: str | WriterConfig = "llama"
) -> dict[str, Any]:
    """Write the training file of one variant and enter it in the manifest.

    Args:
        folder: A data folder that was built with ``--protocol safecot``.
        variant: Which one.
        protocol: Prompts, refusals, templates and thoughts.
        writer: For v2: whose recorded thoughts (``llama``, ``qwenvl``, ``llavaguard``), or an endpoint.

    Returns:
        The variant's entry in the manifest.

    Raises:
        SafecotError: the data folder is incomplete, changed or another protocol's, an example has no recorded thought,
            or the endpoint is down.
    """
    manifest = read_manifest(folder)
    if not manifest.get("protocol"):
        raise SafecotError(f"{folder}: not built with --protocol safecot; build it again with that option.")
    seed = int(manifest["seed"])
    examples = [example for example, _ in read_examples(folder)]
    safety = [example for example in examples if example.kind is Kind.SAFETY]
    entry: dict[str, Any] = {
        "protocol": manifest["protocol"],
        "recorded_data": protocol.digest,
        "prompt": protocol.prompt_name(variant, general=False),
        "marker": None,
        "reasons": "safety",
        "templates": f"recorded@{protocol.digest[:8]}" if variant is Variant.V1 else None,
    }
    if variant is Variant.V2 and isinstance(writer, WriterConfig):
        targets, entry["writer"] = _written(folder, safety, protocol, writer, seed)
    elif variant is Variant.V2:
        targets, entry["writer"] = (
            recorded_thoughts(safety, protocol, str(writer)),
            {"model": f"recorded: {writer}"},
        )
    else:
        targets = {example.example_id: rule_based(example, variant, protocol, seed) for example in safety}
    rows = [
        training_row(
            example,
            [path.relative_to(folder).as_posix() for path in example.images],
            targets.get(example.example_id, example.answer),
            variant,
            protocol.user_turn(
                protocol.prompt_name(variant, general=example.kind is Kind.GENERAL), example.asked(variant)
            ),
        )
        for example in examples
    ]
    write_jsonl(folder / f"{variant}.jsonl", rows)
    entry["sha256"] = sha256(folder / f"{variant}.jsonl")
    entry["order"] = content_hash([row["id"] for row in rows])
    manifest["variants"][variant.value] = entry
    write_json(folder / "manifest.json", manifest)
    return entry


def rule_based(example: Example, variant: Variant, protocol: Protocol, seed: int) -> str:
    """The answer of v0 or v1: template and refusal are drawn by the seed and the example's id."""
    refusal = choose(protocol.refusals[variant], "recorded refusal", seed, variant, example.example_id)
    if variant is Variant.V0:
        return refusal
    return choose(protocol.pool(example.category), "recorded template", seed, example.example_id) + refusal


def recorded_thoughts(examples: list[Example], protocol: Protocol, writer: str) -> dict[str, str]:
    """Recorded targets of v2 by example id.

    Raises:
        SafecotError: an example has none.
    """
    recorded = protocol.thoughts(writer)
    lacking = [e.example_id for e in examples if recorded_key(e.example_id) not in recorded]
    if lacking:
        raise SafecotError(
            f"{protocol.folder}: {len(lacking)} of {len(examples)} safety examples have no thought recorded by {writer} "
            f"({lacking[0]} …); llama's thoughts cover all, or give a writer of yours to `safecot train cot`."
        )
    return {
        e.example_id: without_control_tokens(recorded[recorded_key(e.example_id)].target) for e in examples
    }


def _written(
    folder: Path, examples: list[Example], protocol: Protocol, config: WriterConfig, seed: int
) -> tuple[dict[str, str], dict[str, Any]]:
    """Texts by an endpoint for the recorded instruction, unfiltered as recorded; an empty one is the refusal alone."""
    instructions = {
        thought.category: thought.writer_prompt for thought in protocol.thoughts("llama").values()
    }

    def prompt(example: Example) -> str:
        return _instruction(example, instructions)

    written = write_cots(examples, config, folder / "v2_replies.jsonl", prompt=prompt, drop=_empty)
    targets = {}
    for example, result in zip(examples, written, strict=True):
        refusal = choose(protocol.refusals["v2"], "recorded refusal", seed, "v2", example.example_id)
        targets[example.example_id] = without_control_tokens(result.cot) + refusal
    told = {
        "model": config.model,
        "written": sum(bool(result.cot) for result in written),
        "template_instead": 0,
        "dropped_attempts": dict(Counter(drop.value for result in written for drop in result.drops)),
    }
    return targets, told


def _instruction(example: Example, instructions: Mapping[str, str]) -> str:
    key = pool_key(example.category)
    if key not in instructions:
        raise SafecotError(f"Sample {example.example_id}: no recorded writer's instruction for {key!r}.")
    return instructions[key]


def _empty(text: str, example: Example, finish_reason: str | None = None) -> Drop | None:
    return None if text.strip() else Drop.EMPTY
