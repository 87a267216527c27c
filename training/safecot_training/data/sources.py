"""Where training data come from. A source is written ``KIND=PATH`` on the command line.

=================================  =========================================================================
``FILE.jsonl``, ``FILE.parquet``   triplets (:mod:`safecot_training.data.examples`)
``bench:NAME[:VARIANT]=DIR``       any benchmark folder of ours (MM-SafetyBench, MultiTrust …) as refusal data
``vlguard=DIR``                    VLGuard's ``train.json`` with its images (or ``DIR/images``)
``llava=FILE.json[@IMAGES]``       ShareGPT4V and every set in LLaVA's conversation format; first turn
``hub=NAME[@SPLIT]``               a Hugging Face vision set with ``messages``, ``conversations`` or
                                   ``question`` and ``answer``, and an ``image`` or ``images`` column
=================================  =========================================================================
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks import registry
from safecot_eval.benchmarks.images import to_rgb
from safecot_eval.records.samples import Expectation
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256
from safecot_training.data.contamination import EvalSet
from safecot_training.data.examples import GENERAL_CATEGORY, Example, Kind, example_from, read_triplets
from safecot_training.data.sanitise import sanitise

TEST_ONLY = {"mossbench": ("MOSSBench", "its licence allows testing only")}
"""Data sets that their makers keep for evaluation, by a word that their files and folders are named with."""


def read_source(spec: str, kind: Kind, cache: Path) -> list[Example]:
    """Read one source.

    Args:
        spec: See the table above.
        kind: Half of the mixture.
        cache: Folder for images that a hub set holds inside its tables.

    Raises:
        SafecotError: unknown form, missing files, malformed records, or data that must not be trained on.
    """
    _refuse_test_only(spec)
    form, separator, rest = spec.partition("=")
    if not separator:
        return read_triplets(existing(spec), kind)
    if form.startswith("bench:"):
        return _from_benchmark(form.removeprefix("bench:"), existing(rest))
    if form == "vlguard":
        return list(_from_vlguard(existing(rest)))
    if form == "llava":
        file, _, images = rest.partition("@")
        return list(_from_llava(existing(file), Path(images) if images else Path(file).parent, kind))
    if form == "hub":
        name, _, split = rest.partition("@")
        return list(_from_hub(name, split or "train", kind, cache))
    raise SafecotError(
        f"Unknown source {spec!r}; write FILE.jsonl, bench:NAME=DIR, vlguard=DIR, llava=FILE or hub=NAME."
    )


def _refuse_test_only(spec: str) -> None:
    """Refuse a source whose licence forbids training on it.

    Raises:
        SafecotError: naming the data set and the reason.
    """
    place = spec.rpartition("=")[2].partition("@")[0]
    named = re.sub(r"[^a-z]", "", spec.lower()) + re.sub(r"[^a-z]", "", str(Path(place).resolve()).lower())
    for word, (name, reason) in TEST_ONLY.items():
        if word in named:
            raise SafecotError(f"Source {spec!r}: {name} must not be trained on ({reason}); leave it out.")


def read_eval_set(spec: str) -> EvalSet:
    """Read an evaluation set ``LEAF=DIR``, e.g. ``safecot_mm_safetybench_sd_typo=data/mm_safetybench``.

    Raises:
        SafecotError: unknown leaf or missing data.
    """
    leaf, separator, root = spec.partition("=")
    if not separator:
        raise SafecotError(f"Evaluation set {spec!r}: write LEAF=DIR, the task's name and its data folder.")
    benchmark, variant = registry.leaf_parts(leaf)
    return EvalSet(leaf, tuple(benchmark.items(variant, existing(root))))


def existing(path: str) -> Path:
    """A file or folder that a source names.

    Raises:
        SafecotError: there is none.
    """
    found = Path(path).expanduser()
    if not found.exists():
        raise SafecotError(f"{found}: no such file or folder.")
    return found


def _from_benchmark(name: str, root: Path) -> list[Example]:
    bench_name, _, variant = name.partition(":")
    benchmark = registry.load(bench_name)
    chosen = [variant] if variant or "" in benchmark.variants else list(benchmark.variants)
    examples = []
    for each in chosen:
        for item in benchmark.items(each, root):
            if item.expectation is not Expectation.REFUSE:
                continue  # an evaluation set has no helpful answers to learn from
            examples.append(
                Example(
                    example_id=f"{bench_name}:{each}:{item.item_id}",
                    query=sanitise(item.prompt),
                    category=item.category,
                    expectation=Expectation.REFUSE,
                    answer="",
                    images=item.images,
                    source=bench_name,
                    cluster_id=f"{bench_name}/{item.cluster_id or item.item_id}",
                    texts=tuple(
                        item.extra[key] for key in ("question", "changed_question") if key in item.extra
                    ),
                )
            )
    return examples


def _from_vlguard(root: Path) -> Iterator[Example]:
    path = root / "train.json"
    folder = root / "images" if (root / "images").is_dir() else root
    for number, record in enumerate(_json_list(path), start=1):
        harm = "/".join(
            str(record[key]) for key in ("harmful_category", "harmful_subcategory") if record.get(key)
        )
        pairs = _objects(record.get("instr-resp"), f"{path}, record {number}: 'instr-resp'")
        for turn, pair in enumerate(pairs):
            key = next(
                (k for k in ("instruction", "unsafe_instruction", "safe_instruction") if k in pair), ""
            )
            refuse = key != "safe_instruction"
            yield example_from(
                {
                    "id": f"vlguard:{record.get('id', number)}:{turn}",
                    "image": str((folder / str(record.get("image"))).resolve()),
                    "query": pair.get(key),
                    "category": harm or ("unsafe instruction" if refuse else "harmless"),
                    "expectation": "refuse" if refuse else "answer",
                    "answer": pair.get("response"),
                    "cluster": record.get("id", number),
                },
                path,
                number,
                Kind.SAFETY,
                "vlguard",
            )


def _from_llava(path: Path, images: Path, kind: Kind) -> Iterator[Example]:
    for number, record in read_conversations(path):
        where = f"{path}, record {number}: 'conversations'"
        question, answer = first_exchange(record["conversations"], "value", where)
        given = record.get("image") or []
        names = [given] if isinstance(given, str) else given
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise SafecotError(f"{path}, record {number}: 'image' must be a path or a list of paths.")
        yield example_from(
            {
                "id": f"{path.stem}:{record.get('id', number)}:{number}",
                "images": [str((images / name).resolve()) for name in names],
                "query": question,
                "answer": answer,
                "expectation": "answer",
                "category": GENERAL_CATEGORY if kind is Kind.GENERAL else record.get("category"),
            },
            path,
            number,
            kind,
            path.stem,
        )


def read_conversations(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number from 1, record) of a file in LLaVA's format; ``conversations`` is a list of objects in each.

    Raises:
        SafecotError: unreadable, or not in this format.
    """
    for number, record in enumerate(_json_list(path), start=1):
        turns = _objects(record.get("conversations"), f"{path}, record {number}: 'conversations'")
        yield number, {**record, "conversations": turns}


def _from_hub(name: str, split: str, kind: Kind, cache: Path) -> Iterator[Example]:
    import datasets

    try:
        rows = datasets.load_dataset(name, split=split)
    except (OSError, ValueError, datasets.exceptions.DatasetNotFoundError) as error:
        raise SafecotError(
            f"hub={name}@{split}: cannot be loaded ({' '.join(str(error).split())})."
        ) from error
    folder = cache / name.replace("/", "--")
    folder.mkdir(parents=True, exist_ok=True)
    for number, row in enumerate(rows, start=1):
        images = row.get("images") if row.get("images") is not None else [row.get("image")]
        paths = []
        for index, image in enumerate(image for image in images if image is not None):
            paths.append(folder / f"{number}-{index}.png")
            try:
                to_rgb(image).save(paths[-1])
            except ValueError as error:
                raise SafecotError(
                    f"hub={name}@{split}, row {number}: the image cannot be used ({error})."
                ) from error
        question, answer = _turns(row, f"hub={name}@{split}, row {number}")
        yield example_from(
            {
                "id": f"{name}:{row.get('id', number)}:{number}",
                "images": [str(path.resolve()) for path in paths],
                "query": question,
                "answer": answer,
                "category": row.get("category"),
                "expectation": row.get("expectation"),
            },
            folder / f"{split}.jsonl",
            number,
            kind,
            name,
        )


def _turns(row: Mapping[str, Any], where: str) -> tuple[Any, Any]:
    """First question and answer of a hub row, in any of the common layouts."""
    for column, text in (("messages", "content"), ("conversations", "value")):
        if turns := row.get(column):
            said = f"{where}: {column!r}"
            question, answer = first_exchange(_objects(turns, said), text, said)
            return _plain(question), _plain(answer)
    return _plain(row.get("question") or row.get("query")), _plain(row.get("answer"))


_ASKING = ("human", "user", "prompter")
_ANSWERING = ("gpt", "assistant", "model", "bot", "chatgpt", "bard", "bing")


def first_exchange(turns: list[dict[str, Any]], text: str, where: str) -> tuple[Any, Any]:
    """The first question that is answered; a system turn before it is not a question.

    Raises:
        SafecotError: there is none, or a turn's speaker is unknown.

    >>> turns = [{"from": "system", "value": "Be kind."}, {"from": "human", "value": "Hi?"}, {"from": "gpt", "value": "Hi!"}]
    >>> first_exchange(turns, "value", "a.json, record 1")
    ('Hi?', 'Hi!')
    """
    said: list[tuple[str, Any]] = []
    for number, turn in enumerate(turns):
        speaker = str(turn.get("from") or turn.get("role") or "").lower()
        if speaker in ("system", "developer", "tool"):
            continue
        if speaker not in ("", *_ASKING, *_ANSWERING):
            raise SafecotError(f"{where}, turn {number + 1}: unknown speaker {speaker[:40]!r}.")
        # Files that name no speakers alternate, beginning with the question.
        asks = speaker in _ASKING if speaker else len(said) % 2 == 0
        said.append(("question" if asks else "answer", turn.get(text)))
    for (kind, question), (next_kind, answer) in itertools.pairwise(said):
        if (kind, next_kind) == ("question", "answer"):
            return question, answer
    raise SafecotError(f"{where} needs a question and an answer.")


def _plain(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text")) for part in content if part.get("type") == "text")
    return str(content or "")


def _json_list(path: Path) -> list[dict[str, Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SafecotError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise SafecotError(f"{path}: not a JSON file ({error}).") from error
    if not isinstance(content, list):
        raise SafecotError(f"{path}: must be a JSON list of records.")
    return _objects(content, f"{path}: the list")


def _objects(content: Any, where: str) -> list[dict[str, Any]]:
    """A list of JSON objects; nothing is an empty one."""
    if content is None:
        return []
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise SafecotError(f"{where} must hold JSON objects ({{…}}) and nothing else.")
    return content


def describe(spec: str) -> dict[str, str]:
    """A source for the manifest: how it was named, and the hash of its file where it is one file."""
    path = Path(spec.rpartition("=")[2].partition("@")[0]).expanduser()
    named = {"source": f"{spec.partition('=')[0]}={path.name}" if "=" in spec else path.name}
    return {**named, "sha256": sha256(path)} if path.is_file() else named
