"""``safecot train data --protocol safecot``: a data folder with v0, v1 and v2 as recorded, in one go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data import roots
from safecot_eval.util.errors import SafecotError
from safecot_training.cot.recorded import recorded_thoughts, write_recorded
from safecot_training.cot.targets import Variant
from safecot_training.data import sources
from safecot_training.data.contamination import EvalSet
from safecot_training.data.dataset import build, read_manifest
from safecot_training.data.drawing import Plan
from safecot_training.data.protocol import load_protocol
from safecot_training.data.recorded_sources import general_half, safety_half

BENCHMARKS = ("mmsafetybench", "multitrust")


def build_recorded(
    out: Path,
    plan: Plan,
    *,
    safety: Sequence[str] = (),
    general: Sequence[str] = (),
    thoughts: str = "llama",
    eval_sets: Sequence[EvalSet] = (),
) -> dict[str, Any]:
    """Build the examples and write all three variants.

    Args:
        out: Folder to write.
        plan: With ``protocol`` set.
        safety: ``bench:mmsafetybench=DIR``, ``bench:multitrust=DIR``; folders on this machine are found by themselves.
        general: At most one ``llava=FILE[@IMAGES]``; none builds the safety half alone.
        thoughts: Whose recorded thoughts v2 gets, or ``none`` to leave v2 to ``safecot train cot``.
        eval_sets: What the training data must not hold.

    Returns:
        The manifest.

    Raises:
        SafecotError: prepared data, benchmark files or images are missing, or another source was named.
    """
    protocol = load_protocol()
    named = _folders(safety)
    mm_safetybench = named.get("mmsafetybench") or roots.root("mmsafetybench")
    multitrust = named.get("multitrust")
    if multitrust is None and not plan.by_name:  # by name, the recorded names will do
        multitrust = roots.root("multitrust")
    refused = safety_half(protocol, mm_safetybench, multitrust, seed=plan.seed, by_name=plan.by_name)
    if thoughts != "none":
        recorded_thoughts(refused, protocol, thoughts)  # said before anything is written
    answered = []
    if general:
        file, images = _conversations(general)
        parts_safety, parts_general = plan.ratio
        count = len(refused) * parts_general // max(1, parts_safety)
        answered = general_half(file, images, count, by_name=plan.by_name)
    build(
        refused,
        answered,
        out,
        plan,
        eval_sets=eval_sets,
        sources=[
            sources.describe(spec)
            for spec in (
                f"bench:mmsafetybench:sd={mm_safetybench}",
                *([f"bench:multitrust={multitrust}"] if multitrust else []),
                *general,
            )
        ],
    )
    for variant in Variant:
        if variant is not Variant.V2 or thoughts != "none":
            write_recorded(out, variant, protocol, writer=thoughts)
    return read_manifest(out)


def _folders(specs: Sequence[str]) -> dict[str, Path]:
    named = {}
    for spec in specs:
        form, _, place = spec.partition("=")
        name = form.removeprefix("bench:").removesuffix(":sd")
        if name not in BENCHMARKS or not place:
            raise SafecotError(
                f"--protocol safecot trains on MM-SafetyBench and MultiTrust, not on {spec!r}; leave it out, or write "
                "bench:mmsafetybench=DIR or bench:multitrust=DIR."
            )
        named[name] = sources.existing(place)
    return named


def _conversations(specs: Sequence[str]) -> tuple[Path, Path]:
    form, _, rest = specs[0].partition("=")
    if len(specs) > 1 or form != "llava" or not rest:
        raise SafecotError(
            "--protocol safecot takes its general half from ShareGPT4V: write --general llava=FILE.json@IMAGES, once."
        )
    file, _, images = rest.partition("@")
    path = sources.existing(file)
    return path, Path(images).expanduser() if images else path.parent
