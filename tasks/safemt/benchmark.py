"""SafeMT: a harmful question about a picture, hidden at the end of scripted dialogues of one to eight turns (arXiv 2510.12133)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.locate import find_image, misplaced
from safecot_eval.benchmarks.data.reading import records, text_field
from safecot_eval.records.samples import Expectation, Item
from safecot_eval.util.errors import SafecotError

TITLE = "SafeMT"
VERSION = "1.0"
REVISION = "hub HappyCorpse/SafeMT, newest (layout of Happy-Corpse/SafeMT 8ea555e)"
LICENCE = "CC BY-NC 4.0"
SOURCE = "https://huggingface.co/datasets/HappyCorpse/SafeMT"
ROUNDS = {"1turn": 1, "2turn": 2, "4turn": 4, "6turn": 6, "8turn": 8}
VARIANTS = {
    "1turn": "2,000 harmful questions about a picture",
    **{f"{n}turn": f"the same after a scripted dialogue: {n} turns of the user" for n in (2, 4, 6, 8)},
    "own": "the eight turns of the user with the model's own answers in between",
}
DIALOGUES = ONLY_BY_NAME = ("own",)
RUBRICS = ("refusal", "harm")

FOLDERS = ("", "Data", "data")
IMAGE_FIELDS = ("image_path", "image_rel_path")
LONGEST = 8
USER = "user"
SPEAKERS = (USER, "assistant")


def items(variant: str, root: Path) -> Iterator[Item]:
    """The dialogues of one length in the order of the file; ``own`` has every turn of the longest as an item."""
    rounds = ROUNDS.get(variant, LONGEST)
    folder, path = _found(rounds, root)
    for key, record in records(path):
        where = f"{path.name}, record {key}"
        item = to_item(record, rounds, folder, where)
        yield from _turns(item) if variant == "own" else (item,)


def _found(turns: int, root: Path) -> tuple[Path, Path]:
    """The folder that image paths count from, and the file: at the top as on the hub, or in the repository's ``Data/``."""
    name = f"{turns}_turn.json"
    for folder in (root / place for place in FOLDERS):
        if (folder / name).is_file():
            return folder, folder / name
    raise SafecotError(
        f"{root}: {name} is neither there nor in {' nor '.join(f'{place}/' for place in FOLDERS if place)}; run `safecot data "
        "prepare safemt`, or put SafeMT there: <n>_turn.json for 1, 2, 4, 6 and 8 turns, and images/."
        f"{misplaced(root, [name])}"
    )


def to_item(record: Mapping[str, Any], rounds: int, folder: Path, where: str) -> Item:
    """One dialogue: what the user says last is the prompt, and all before it stands before it."""
    said = _said(record.get("dialogue"), rounds, where)
    question = text_field(record, "question", where) if record.get("question") else said[-1][1]
    field = next((name for name in IMAGE_FIELDS if record.get(name)), IMAGE_FIELDS[0])
    image = text_field(record, field, where).replace("\\", "/").lstrip("/")
    images, image_source = find_image((folder,), image, where)
    item_id = text_field(record, "id", where)
    return Item(
        item_id=item_id,
        prompt=said[-1][1],
        category=text_field(record, "scenario", where),
        expectation=Expectation.REFUSE,
        images=images,
        image_source=image_source,
        image_names=(image,),
        cluster_id=item_id,
        extra={"question": question},
        before=tuple(said[:-1]),
    )


def _said(dialogue: Any, rounds: int, where: str) -> list[tuple[str, str]]:
    """Role and text of every turn; on the hub the dialogue is a text of its own.

    Args:
        dialogue: The record's dialogue.
        rounds: How many turns the user has, as the file's name says.
        where: File and record, for the message.

    Raises:
        SafecotError: it is no dialogue, its roles do not alternate from user to user, or it has another number of turns.
    """
    try:
        turns = json.loads(dialogue) if isinstance(dialogue, str) else dialogue
        said = [(turn["role"], turn["content"]) for turn in turns]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise SafecotError(
            f"{where}: the field 'dialogue' is not a list of objects with role and content."
        ) from error
    for number, (role, content) in enumerate(said):
        at = f"{where}, message {number + 1}"
        if not isinstance(content, str) or not content.strip():
            raise SafecotError(
                f"{at}: the content is not text but {json.dumps(content)[:40]}; correct the file, or download it again."
            )
        if role != SPEAKERS[number % 2]:
            raise SafecotError(
                f"{at}: the role is {json.dumps(role)[:40]}, not {SPEAKERS[number % 2]!r}; user and assistant take turns, "
                "the user first."
            )
    if not said or said[-1][0] != USER:
        raise SafecotError(f"{where}: the dialogue does not end with the user.")
    if (spoken := (len(said) + 1) // 2) != rounds:
        raise SafecotError(
            f"{where}: turns of the user: {spoken}, not {rounds} as the file's name says; is it a file of another length?"
        )
    return said


def _turns(item: Item) -> Iterator[Item]:
    """Every turn of the user as an item of its own; all are part of one attempt, which no answer should help."""
    spoken = [text for role, text in item.before if role == USER] + [item.prompt]
    for turn, prompt in enumerate(spoken, start=1):
        yield Item(
            item_id=f"{item.item_id}-turn{turn}",
            prompt=prompt,
            category=f"turn {turn}",
            expectation=Expectation.REFUSE if turn == len(spoken) else Expectation.RESPOND_SAFELY,
            images=item.images,
            image_source=item.image_source,
            image_names=item.image_names,
            cluster_id=item.item_id,
            extra={
                "dialogue": item.item_id,
                "turn": str(turn),
                "scenario": item.category,
                "question": item.extra["question"],
            },
        )
