"""Where training data come from. A source is written ``KIND=PATH`` on the command line.

=================================  =========================================================================
``FILE.jsonl``, ``FILE.parquet``   triplets (:mod:`safecot_training.data.examples`)
``bench:NAME[:VARIANT]=DIR``       any benchmark folder of ours (MM-SafetyBench, MultiTrust …) as refusal data; what is
                                   evaluated on it later must be held out
``vlguard=DIR``                    VLGuard's ``train.json`` with its images in ``train/``, as the evaluation reads ``test/``
``llava=FILE.json[@IMAGES]``       ShareGPT4V and every set in LLaVA's conversation format; every answer is a target
``hub=NAME[@SPLIT]``               a Hugging Face vision set with ``messages``, ``conversations`` or
                                   ``question`` and ``answer``, and an ``image`` or ``images`` column
=================================  =========================================================================

No picture is decoded here: only the rows that are drawn for the data set have theirs opened.
"""

from __future__ import annotations

from pathlib import Path

from safecot_eval.benchmarks import registry
from safecot_eval.records.samples import Expectation, ImageSource, Item
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256
from safecot_training.data import test_only
from safecot_training.data.bad_rows import BadRows
from safecot_training.data.contamination import EvalSet
from safecot_training.data.conversations import from_llava, from_vlguard
from safecot_training.data.examples import Example, Kind, read_triplets
from safecot_training.data.hub_rows import from_hub
from safecot_training.data.sanitise import sanitise

DEFAULT_VARIANT = {"mmsafetybench": "sd"}
"""Variant of a benchmark that asks one question in several ways, where none is named: what the paper trained on."""


def read_source(spec: str, kind: Kind, cache: Path, bad: BadRows | None = None) -> list[Example]:
    """Read one source.

    Args:
        spec: See the table above.
        kind: Half of the mixture.
        cache: Folder for images that a hub set holds inside its tables.
        bad: What to do with rows that cannot be used; the first one stops by default.

    Raises:
        SafecotError: unknown form, missing files, malformed records, or data that must not be trained on.
    """
    bad = bad or BadRows()
    test_only.refuse_by_name(spec)
    form, separator, rest = spec.partition("=")
    if not separator:
        return read_triplets(existing(spec), kind, bad)
    if form.startswith("bench:"):
        return _from_benchmark(form.removeprefix("bench:"), existing(rest), bad)
    if form == "vlguard":
        return from_vlguard(existing(rest), bad)
    if form == "llava":
        file, _, images = rest.partition("@")
        folder = Path(images).expanduser() if images else Path(file).expanduser().parent
        return from_llava(existing(file), folder, kind, bad)
    if form == "hub":
        name, _, split = rest.partition("@")
        return from_hub(name, split or "train", kind, cache, bad)
    raise SafecotError(
        f"Unknown source {spec!r}; write FILE.jsonl, bench:NAME=DIR, vlguard=DIR, llava=FILE or hub=NAME."
    )


def read_eval_set(spec: str) -> EvalSet:
    """Read an evaluation set ``TASK=DIR``, e.g. ``safecot_mm_safetybench_sd_typo=data/mm_safetybench``.

    Raises:
        SafecotError: unknown task or missing data.
    """
    task_name, separator, root = spec.partition("=")
    if not separator:
        raise SafecotError(f"Evaluation set {spec!r}: write TASK=DIR, the task's name and its data folder.")
    benchmark, variant = registry.task_parts(task_name)
    return EvalSet(task_name, tuple(benchmark.items(variant, existing(root))))


def existing(path: str) -> Path:
    """A file or folder that a source names.

    Raises:
        SafecotError: there is none.
    """
    found = Path(path).expanduser()
    if not found.exists():
        raise SafecotError(f"{found}: no such file or folder.")
    return found


def _from_benchmark(name: str, root: Path, bad: BadRows) -> list[Example]:
    """What a benchmark wants refused, in the variant that was told; one example for items that are the same.

    Without a variant: the one of :data:`DEFAULT_VARIANT`, the one without a suffix, or all but the tiny ones. A question
    about a picture that is not on disk is a bad row: without its picture it may be harmless.
    """
    bench_name, _, variant = name.partition(":")
    benchmark = registry.load(bench_name)
    told = variant or DEFAULT_VARIANT.get(bench_name, "")
    if told or "" in benchmark.variants:
        chosen = [told]
    else:
        chosen = [each for each in benchmark.variants if not each.endswith("_tiny")]
    found = {each: benchmark.items(each, root) for each in chosen}
    test_only.refuse_by_origin((item for items in found.values() for item in items), bench_name)
    examples: dict[tuple[str, tuple[Path, ...]], Example] = {}
    for each, items in found.items():
        for item in items:
            # An evaluation set has no helpful answers to learn from.
            if item.expectation is not Expectation.REFUSE:
                continue
            with bad.skipped():
                if item.image_source is ImageSource.ABSENT:
                    raise SafecotError(
                        f"{name}: the image {', '.join(item.image_names)} of item {item.item_id} is not on disk; "
                        f"{benchmark.images_from or f'`safecot data prepare {bench_name}` says what is missing'}."
                    )
                examples.setdefault((item.prompt, item.images), _refused(item, bench_name, each))
    return list(examples.values())


def _refused(item: Item, benchmark: str, variant: str) -> Example:
    return Example(
        example_id=f"{benchmark}:{variant}:{item.item_id}",
        query=sanitise(item.prompt),
        category=item.category,
        expectation=Expectation.REFUSE,
        answer="",
        images=item.images,
        source=benchmark,
        cluster_id=f"{benchmark}/{item.cluster_id or item.item_id}",
        texts=tuple(item.extra[key] for key in ("question", "changed_question") if key in item.extra),
        task_name=registry.load(benchmark).task_name(variant),
        item_id=item.item_id,
    )


def describe(spec: str) -> dict[str, str]:
    """A source for the manifest: how it was named, and the hash of its file where it is one file."""
    path = Path(spec.rpartition("=")[2].partition("@")[0]).expanduser()
    named = {"source": f"{spec.partition('=')[0]}={path.name}" if "=" in spec else path.name}
    return {**named, "sha256": sha256(path)} if path.is_file() else named
