"""Conversations: who said what, which picture was shown, and one example for each answer.

A conversation of several turns is several targets: each answer is learnt behind the turns before it.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from safecot_eval.benchmarks.data.locate import IMAGE_SUFFIXES
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import unreadable
from safecot_eval.util.wording import counted
from safecot_training.data.bad_rows import BadRows
from safecot_training.data.examples import GENERAL_CATEGORY, Example, Kind, example_from, text_of

_ASKING = ("human", "user", "prompter")
_ANSWERING = ("gpt", "assistant", "model", "bot", "chatgpt", "bard", "bing")
_SILENT = ("system", "developer")
PLACE = re.compile(r"<image>", re.IGNORECASE)

_Image = TypeVar("_Image")

Exchange = tuple[str, str]
"""A question and its answer."""


def from_llava(path: Path, images: Path, kind: Kind, bad: BadRows) -> list[Example]:
    """Examples of a file in LLaVA's conversation format (ShareGPT4V, LLaVA-Instruct …).

    Raises:
        SafecotError: the file is unreadable, or a row is malformed and bad rows stop the build.
    """
    examples: list[Example] = []
    for number, record in enumerate(json_list(path), start=1):
        with bad.skipped():
            where = f"{path}, record {number}"
            key = "messages" if "conversations" not in record and "messages" in record else "conversations"
            turns = objects(record.get(key), f"{where}: {key!r}")
            names = _image_names(record, where)
            require_places(turns, len(names), where)
            examples.extend(
                from_exchanges(
                    exchanges(turns, f"{where}: {key!r}"),
                    {
                        "id": f"{path.stem}:{record.get('id', number)}:{number}",
                        "images": [str((images / name).resolve()) for name in answered(turns, names, where)],
                        "expectation": "answer",
                        "category": GENERAL_CATEGORY if kind is Kind.GENERAL else record.get("category"),
                    },
                    path,
                    number,
                    kind,
                    path.stem,
                )
            )
    return examples


def from_exchanges(
    said: Sequence[Exchange], shared: Mapping[str, Any], path: Path, number: int, kind: Kind, source: str
) -> list[Example]:
    """One example per exchange of a conversation; the later ones have the earlier ones before them.

    Raises:
        SafecotError: see :func:`safecot_training.data.examples.read_triplets`.
    """
    own = str(shared["id"])
    examples = []
    for turn, ((question, answer), images) in enumerate(
        zip(said, shown(said, shared["images"]), strict=True)
    ):
        record = {
            **shared,
            "images": images,
            "id": own if turn == 0 else f"{own}:turn{turn + 1}",
            "cluster": own,
            "query": question,
            "answer": answer,
            "history": [list(pair) for pair in said[:turn]],
        }
        examples.append(example_from(record, path, number, kind, source))
    return examples


def shown(said: Sequence[Exchange], images: Sequence[_Image]) -> list[list[_Image]]:
    """The pictures that each question may be about: none whose place (``<image>``) is in a later one.

    Pictures without a place are shown from the start.

    >>> shown([("Hi?", "Hi!"), ("<image> And this?", "A cat."), ("Sure?", "Yes.")], ["a"])
    [[], ['a'], ['a']]
    >>> shown([("What is it?", "A cat."), ("Sure?", "Yes.")], ["a"])
    [['a'], ['a']]
    """
    places = list(itertools.accumulate(len(PLACE.findall(question)) for question, _ in said))
    return [[*images[:count], *images[places[-1] :]] for count in places]


def from_vlguard(root: Path, bad: BadRows) -> list[Example]:
    """Examples of VLGuard's training set: ``train.json``, and images in ``train/`` (the unpacked zip), ``images/`` or beside it.

    Raises:
        SafecotError: the file is unreadable, or a row is malformed and bad rows stop the build.
    """
    path = root / "train.json"
    examples: list[Example] = []
    for number, record in enumerate(json_list(path), start=1):
        with bad.skipped():
            where = f"{path}, record {number}"
            harm = "/".join(
                str(record[key]) for key in ("harmful_category", "harmful_subcategory") if record.get(key)
            )
            image = find_picture(
                (root / "train", root / "images", root), str(record.get("image") or ""), where
            )
            for turn, pair in enumerate(objects(record.get("instr-resp"), f"{where}: 'instr-resp'")):
                key = next(
                    (k for k in ("instruction", "unsafe_instruction", "safe_instruction") if k in pair), ""
                )
                refuse = key != "safe_instruction"
                row = {
                    "id": f"vlguard:{record.get('id', number)}:{number}:{turn}",  # two published records share an id
                    "image": str(image.resolve()),
                    "query": pair.get(key),
                    "category": harm or ("unsafe instruction" if refuse else "harmless"),
                    "expectation": "refuse" if refuse else "answer",
                    "answer": pair.get("response"),
                    "cluster": record.get("id", number),
                }
                examples.append(example_from(row, path, number, Kind.SAFETY, "vlguard"))
    return examples


def find_picture(folders: Sequence[Path], name: str, where: str) -> Path:
    """A picture by its recorded name, in the first folder that has it; a copy with another ending counts.

    Raises:
        SafecotError: no folder has it, or the name leads out of them.
    """
    if not name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise SafecotError(f"{where}: the image path {name!r} is empty or leads out of the data folder.")
    for folder in folders:
        path = folder / name
        for candidate in (path, *(path.with_name(path.stem + ending) for ending in IMAGE_SUFFIXES)):
            if candidate.is_file():
                return candidate
    looked = ", ".join(str(folder / name) for folder in folders)
    raise SafecotError(f"{where}: the image is missing; looked for {looked}.")


def exchanges(turns: Sequence[Mapping[str, Any]], where: str) -> list[Exchange]:
    r"""Every question that is answered; a system turn is not a question, and what one speaker says in several turns is one.

    Raises:
        SafecotError: there is none, a turn's speaker is unknown (a tool's results are nothing that is trained on), or a turn is
            no text.

    >>> turns = [{"from": "system", "value": "Be kind."}, {"from": "human", "value": "Hi?"}, {"from": "gpt", "value": "Hi!"}]
    >>> exchanges(turns, "a.json, record 1")
    [('Hi?', 'Hi!')]
    >>> exchanges([{"role": "user", "content": "A sum."}, {"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": 2}], "b")
    [('A sum.\n1 + 1?', '2')]
    """
    found = [
        (question, answer)
        for (kind, question), (next_kind, answer) in itertools.pairwise(_spoken(turns, where))
        if (kind, next_kind) == ("question", "answer")
    ]
    if not found:
        raise SafecotError(f"{where} needs a question and an answer.")
    return found


def answered(turns: Sequence[Mapping[str, Any]], images: Sequence[_Image], where: str) -> list[_Image]:
    """The pictures of a conversation, less those whose place is in a last question that nobody answers.

    >>> turns = [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": "A cat."}, {"from": "human", "value": "<image>?"}]
    >>> answered(turns, ["cat", "dog"], "a.json, record 1")
    ['cat']
    """
    places = [(kind, len(PLACE.findall(words))) for kind, words in _spoken(turns, where)]
    if not places or places[-1][0] == "answer":
        return [*images]
    before, last = sum(count for _, count in places[:-1]), places[-1][1]
    return [*images[:before], *images[before + last :]]


def _spoken(turns: Sequence[Mapping[str, Any]], where: str) -> list[tuple[str, str]]:
    """Who speaks ("question" or "answer") and the words; what one speaker says in several turns is one."""
    said: list[tuple[str, str]] = []
    for number, turn in enumerate(turns):
        speaker = str(turn.get("from") or turn.get("role") or "").lower()
        if speaker in _SILENT:
            continue
        if speaker not in ("", *_ASKING, *_ANSWERING):
            raise SafecotError(
                f"{where}, turn {number + 1}: unknown speaker {speaker[:40]!r}; known are {', '.join(_ASKING + _ANSWERING)}."
            )
        # Files that name no speakers alternate, beginning with the question.
        asks = speaker in _ASKING if speaker else len(said) % 2 == 0
        kind, words = "question" if asks else "answer", _words(turn, f"{where}, turn {number + 1}")
        if said and said[-1][0] == kind:
            said[-1] = (kind, f"{said[-1][1]}\n{words}")
        else:
            said.append((kind, words))
    return said


def _words(turn: Mapping[str, Any], where: str) -> str:
    """What a turn says: LLaVA's ``value``, or ``content``."""
    return plain(turn["value"] if "value" in turn else turn.get("content"), where)


def plain(content: Any, where: str) -> str:
    r"""The text of a turn; of its parts, a picture becomes its place in the text, and parts of other kinds are left out.

    Raises:
        SafecotError: it is neither text nor a list of parts.

    >>> plain([{"type": "image"}, {"type": "text", "text": "What is it?"}], "here")
    '<image>\nWhat is it?'
    """
    if not isinstance(content, list):
        return text_of(content, where)
    texts = []
    for part in objects(content, where):
        if part.get("type") in ("image", "image_url"):
            texts.append("<image>")
        elif part.get("type") == "text":
            texts.append(text_of(part.get("text"), where))
    return "\n".join(texts)


def read_conversations(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number from 1, record) of a file in LLaVA's format; ``conversations`` is a list of objects in each.

    Raises:
        SafecotError: unreadable, or not in this format.
    """
    for number, record in enumerate(json_list(path), start=1):
        turns = objects(record.get("conversations"), f"{path}, record {number}: 'conversations'")
        yield number, {**record, "conversations": turns}


def json_list(path: Path) -> list[dict[str, Any]]:
    """The records of a JSON file.

    Raises:
        SafecotError: unreadable, or no list of objects.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise SafecotError(f"{path}: not a JSON file ({error}).") from error
    if not isinstance(content, list):
        raise SafecotError(f"{path}: must be a JSON list of records.")
    return objects(content, f"{path}: the list")


def objects(content: Any, where: str) -> list[dict[str, Any]]:
    """A list of JSON objects; nothing is an empty one.

    Raises:
        SafecotError: anything else.
    """
    if content is None:
        return []
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise SafecotError(f"{where} must hold JSON objects ({{…}}) and nothing else.")
    return content


def _image_names(record: Mapping[str, Any], where: str) -> list[str]:
    given = record.get("image") or record.get("images") or []
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SafecotError(f"{where}: 'image' must be a path or a list of paths.")
    return names


def require_places(turns: Sequence[Mapping[str, Any]], files: int, where: str) -> None:
    """Refuse a conversation with more places for pictures than pictures: its questions are about what is not shown."""
    said = (_words(turn, f"{where}, turn {number}") for number, turn in enumerate(turns, start=1))
    places = sum(len(PLACE.findall(words)) for words in said)
    if places > files:
        raise SafecotError(
            f"{where}: its turns say <image> {counted(places, 'time')} and it has {counted(files, 'picture')}; "
            f"give one for each, or take the record out."
        )
