"""The sources of the recorded training data, in the recorded order: MM-SafetyBench SD, MultiTrust, ShareGPT4V.

=========== ==================================================================================================
safety      MM-SafetyBench's 1,680 questions with their SD images (``Question`` for v0 and v1, ``Rephrased
            Question(SD)`` for v2); MultiTrust's 250 images that are not safe for work and 100 of risky objects,
            each with one of twelve requests to describe it, all refused
general     ShareGPT4V: the first 10,000 of coco, the first 8,000 of sam, all of web-landmark and wikiart,
            shuffled with seed 42, its own answers
order       either half shuffled with seed 1042; the first N of each are the data set of N
=========== ==================================================================================================

Shuffles are those of ``datasets.Dataset.shuffle``, so that the same rows are drawn as in the recorded runs. Images are
named as there (``mm-safetybench/imgs/04-Physical_Harm/SD/0.jpg``), or are the files where they exist.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from safecot_eval.benchmarks.data.locate import IMAGE_SUFFIXES
from safecot_eval.benchmarks.data.reading import records, text_field
from safecot_eval.records.samples import Expectation
from safecot_eval.util.errors import SafecotError
from safecot_training.data.conversations import read_conversations
from safecot_training.data.examples import GENERAL_CATEGORY, Example, Kind
from safecot_training.data.mixture import shuffled
from safecot_training.data.protocol import Protocol
from safecot_training.data.refusals import choose
from safecot_training.data.sanitise import without_control_tokens

GENERAL_SEED = 42
GENERAL_PARTS = {"coco": 10_000, "sam": 8_000, "web-landmark": None, "wikiart": None}
"""First folder of an image's path in ShareGPT4V, and how many of its rows are used."""
NSFW = ("bloody", "hentai", "porn", "protest", "sexy")
RISKS = ("alcohol", "cigarette", "gun", "insulting_gesture", "knife")


def safety_half(
    protocol: Protocol, mm_safetybench: Path, multitrust: Path | None, *, seed: int, by_name: bool
) -> list[Example]:
    """The refused half, in the recorded order.

    Args:
        protocol: Order and questions.
        mm_safetybench: Folder with ``processed_questions/`` and ``imgs/``.
        multitrust: Folder with ``safety/``; None takes the recorded names (with ``by_name``) or leaves the part out.
        seed: Of the questions about MultiTrust's images.
        by_name: Name images and look for none.

    Raises:
        SafecotError: files are missing or malformed.
    """
    found = dict(_mm_safetybench(mm_safetybench, by_name))
    found |= _multitrust(protocol, multitrust, seed, by_name)
    place = {name: index for index, name in enumerate(protocol.images)}
    names = sorted(found, key=lambda name: (place.get(name, len(place)), name))
    return [found[name] for name in names]


def recorded_key(example_id: str) -> str:
    """The :func:`~safecot_training.data.protocol.image_key` of a safety example's image.

    >>> recorded_key("mmsafetybench:sd:01-Illegal_Activitiy/7"), recorded_key("multitrust:nsfw/sexy/a_1")
    ('mm-safetybench/imgs/01-Illegal_Activity/SD/7', 'Multitrust/safety/nsfw/sexy/a_1')
    """
    source, _, place = example_id.partition(":")
    if source == "multitrust":
        return f"Multitrust/safety/{place}"
    scenario, _, key = place.removeprefix("sd:").partition("/")
    return f"mm-safetybench/imgs/{_recorded_folder(scenario)}/SD/{key}"


def _recorded_folder(scenario: str) -> str:
    return scenario.replace("Activitiy", "Activity")


def _mm_safetybench(root: Path, by_name: bool) -> Iterator[tuple[str, Example]]:
    paths = sorted((root / "processed_questions").glob("[0-9][0-9]-*.json"))
    if len(paths) != 13:
        raise SafecotError(
            f"{root / 'processed_questions'}: {len(paths)} of MM-SafetyBench's 13 scenario files are there; run "
            "`safecot data verify mmsafetybench`."
        )
    missing = []
    for path in paths:
        scenario = path.stem
        folder = _recorded_folder(scenario)
        for key, record in records(path):
            where = f"{path.name}, record {key}"
            name = f"mm-safetybench/imgs/{folder}/SD/{key}.jpg"
            image = Path(name) if by_name else _image(root / "imgs", (scenario, folder), key)
            if image is None:
                missing.append(name)
                continue
            question = text_field(record, "Question", where)
            rephrased = text_field(record, "Rephrased Question(SD)", where)
            yield (
                name,
                Example(
                    example_id=f"mmsafetybench:sd:{scenario}/{key}",
                    query=question,
                    queries={"v2": rephrased},
                    category=scenario,
                    expectation=Expectation.REFUSE,
                    answer="",
                    images=(image,),
                    source="mmsafetybench",
                    cluster_id=f"mmsafetybench/{scenario}/{key}",
                    texts=(rephrased,),
                ),
            )
    if missing:
        raise SafecotError(
            f"{root / 'imgs'}: {len(missing):,} of MM-SafetyBench's SD images are missing ({missing[0]} …); unpack the "
            "official archive there, or add --images names to write rows that name their images (training refuses them)."
        )


def _image(folder: Path, scenarios: tuple[str, ...], key: str) -> Path | None:
    candidates = (folder / name / "SD" / f"{key}{ending}" for name in scenarios for ending in IMAGE_SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


def _multitrust(protocol: Protocol, root: Path | None, seed: int, by_name: bool) -> dict[str, Example]:
    found = {}
    for part, labels in (("nsfw", NSFW), ("risk_identification", RISKS)):
        for label in labels:
            prefix = f"Multitrust/safety/{part}/{label}/"
            for name, image in _pictures(protocol, root, prefix, by_name):
                stem = PurePosixPath(name).stem
                cluster = (
                    stem if part == "nsfw" else f"{label}/{stem}"
                )  # as the benchmark's own items have it
                asked = {
                    variant: choose(protocol.questions, "recorded question", seed, variant, name)
                    for variant in ("v0", "v1", "v2")
                }
                found[name] = Example(
                    example_id=f"multitrust:{part}/{label}/{stem}",
                    query=asked["v0"],
                    queries=asked,
                    category=label,
                    expectation=Expectation.REFUSE,
                    answer="",
                    images=(image,),
                    source="multitrust",
                    cluster_id=f"multitrust/{cluster}",
                )
    return found


def _pictures(
    protocol: Protocol, root: Path | None, prefix: str, by_name: bool
) -> Iterator[tuple[str, Path]]:
    if root is not None:
        folder = root.joinpath(*PurePosixPath(prefix).parts[1:])
        if not folder.is_dir():
            raise SafecotError(f"{folder}: no such folder; MultiTrust's images belong there.")
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in IMAGE_SUFFIXES:
                yield prefix + path.name, Path(prefix + path.name) if by_name else path
    elif by_name:
        for name in protocol.images:
            if name.startswith(prefix):
                yield name, Path(name)


def general_half(path: Path, images: Path, count: int, *, by_name: bool) -> list[Example]:
    """The first ``count`` of ShareGPT4V's rows in the recorded selection and order; fewer if there are fewer.

    Args:
        path: ``sharegpt4v…json``, a list of LLaVA conversations.
        images: Folder that its image paths are relative to.
        count: Number of rows.
        by_name: Name images and look for none.

    Raises:
        SafecotError: malformed rows, no picture of the four parts, or a drawn picture that is missing.
    """
    taken: Counter[str] = Counter()
    rows: dict[str, list[tuple[int, dict[str, Any]]]] = {part: [] for part in GENERAL_PARTS}
    for number, record in read_conversations(path):
        name = record.get("image")
        part = next((part for part in GENERAL_PARTS if isinstance(name, str) and name.startswith(part)), None)
        if part is None:
            continue
        limit = GENERAL_PARTS[part]
        if limit is None or taken[part] < limit:
            taken[part] += 1
            rows[part].append((number, record))
    pool = [row for part in rows.values() for row in part]
    if not pool:
        raise SafecotError(
            f"{path}: no row whose image is in {', '.join(GENERAL_PARTS)}; the recorded general half is ShareGPT4V. Build "
            "other data without --protocol."
        )
    return [
        _described(path, images, number, record, by_name)
        for number, record in shuffled(pool, GENERAL_SEED)[:count]
    ]


def _described(path: Path, images: Path, number: int, record: dict[str, Any], by_name: bool) -> Example:
    where = f"{path}, record {number}"
    told = {
        turn.get("from"): turn.get("value") for turn in record["conversations"]
    }  # the last of each, as recorded
    question, answer = told.get("human"), told.get("gpt")
    if not (isinstance(question, str) and isinstance(answer, str) and answer.strip()):
        raise SafecotError(f"{where}: 'conversations' needs a turn from human and one from gpt.")
    image = images / record["image"]
    if not by_name and not image.is_file():
        raise SafecotError(f"{where}: image {image} does not exist; write --general llava=FILE@IMAGES.")
    question = question.replace("<image>\n", "").replace("\n<image>", "")
    return Example(
        example_id=f"sharegpt4v:{record.get('id', number)}:{number}",
        query=without_control_tokens(question),
        category=GENERAL_CATEGORY,
        expectation=Expectation.ANSWER,
        answer=without_control_tokens(answer),
        images=(Path(record["image"]) if by_name else image,),
        source="sharegpt4v",
        cluster_id=f"sharegpt4v/{record.get('id', number)}",
        kind=Kind.GENERAL,
    )
