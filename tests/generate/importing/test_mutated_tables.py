"""Three hundred mutated tables, logs and replies: one sentence or answers, and no row goes without a count."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from safecot_eval.generate.importing import Source, match, read
from safecot_eval.generate.importing.columns import KNOWN
from safecot_eval.records.samples import Item
from safecot_eval.records.tables import read_table
from safecot_eval.util.errors import SafecotError
from tests.fuzz.mutate import mutate
from tests.generate.importing.conftest import reply

COUNT = 300
TASK = "of_no_benchmark"
REPLIES: tuple[Callable[[str], Any], ...] = (
    lambda text: text,
    lambda text: [text],
    lambda text: {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]},
    lambda text: {"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "SAFETY"}]},
    lambda text: {"error": {"code": 429, "message": text}},
    lambda text: {"content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": text}]},
)
_LEFT_OUT = re.compile(r"^(\d+) (?:further|conversations?|samples?|questions?|answers? of other models)\b")


def lines(rows: Sequence[Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def table(rows: Sequence[dict[str, Any]], separator: str, encoding: str = "utf-8") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def shapes(items: Sequence[Item]) -> dict[str, bytes]:
    """One file of every shape that is read, with an answer to each of twelve items."""
    asked = [(item, reply(n)) for n, item in enumerate(items[:12])]
    rows = [
        {"id": i.item_id, "question": i.prompt, "image": str(i.images[0]), "response": said}
        for i, said in asked
    ]
    turns = [[{"role": "user", "content": i.prompt}] for i, _ in asked]
    pieces = [
        {
            "conversation_id": str(n),
            "role": role,
            "sequence": at,
            "original_value": text,
            "converted_value": text,
        }
        for n, (item, said) in enumerate(asked)
        for at, role, text in ((0, "user", item.prompt), (1, "assistant", said))
    ]
    attempts = [
        {"entry_type": "attempt", "uuid": str(n), "status": 2, "prompt": i.prompt, "outputs": [said, said]}
        for n, (i, said) in enumerate(asked)
    ]
    samples = [
        {"id": n, "epoch": 1, "input": turns[n], "output": {"choices": [{"message": {"content": said}}]}}
        for n, (_, said) in enumerate(asked)
    ]
    return {
        "plain.csv": table(rows, ","),
        "german.csv": table([{**row, "response": "Für später: „nein“."} for row in rows], ";", "cp1252"),
        "excel.txt": table(rows, "\t", "utf-16"),
        "title.csv": b"Run 7,,,\n\n" + table(rows, ","),
        "lines.jsonl": lines(rows),
        "replies.jsonl": lines(
            [{**row, "response": REPLIES[n % len(REPLIES)](row["response"])} for n, row in enumerate(rows)]
        ),
        "list.json": json.dumps(rows).encode(),
        "by_id.json": json.dumps({row["id"]: row for row in rows}).encode(),
        "by_column.json": json.dumps(
            {name: {str(n): row[name] for n, row in enumerate(rows)} for name in rows[0]}
        ).encode(),
        "wrapped.json": json.dumps({"results": rows, "model": "m"}).encode(),
        "inspect.json": json.dumps({"eval": {"model": "m"}, "samples": samples}).encode(),
        "messages.jsonl": lines(
            [{"messages": [*turns[n], {"role": "assistant", "content": s}]} for n, (_, s) in enumerate(asked)]
        ),
        "evalscope.jsonl": lines(
            [
                {
                    "model": "m",
                    "messages": turns[n],
                    "model_output": {"choices": [{"message": {"content": s}}]},
                }
                for n, (_, s) in enumerate(asked)
            ]
        ),
        "garak.report.jsonl": lines([{"entry_type": "init"}, *attempts]),
        "01-Locks.json": json.dumps(
            {
                str(n): {"Question": i.prompt, "Rephrased Question": "?", "ans": {"m": {"text": s}}}
                for n, (i, s) in enumerate(asked)
            }
        ).encode(),
        "omnisafebench.jsonl": lines(
            [
                {"test_case_id": i.item_id, "model_response": s, "metadata": {"jailbreak_prompt": i.prompt}}
                for i, s in asked
            ]
        ),
        "promptfoo.json": json.dumps(
            {
                "results": {
                    "version": 3,
                    "results": [
                        {"prompt": {"raw": i.prompt}, "provider": {"id": "m"}, "response": {"output": s}}
                        for i, s in asked
                    ],
                }
            }
        ).encode(),
        "pyrit.json": json.dumps(pieces).encode(),
    }


def units(path: Path, source: Source) -> int:
    """How many answers a file has, counted apart from the reader of answers."""
    if source.kind == "inspect":
        return len(json.loads(path.read_bytes())["samples"])
    rows = [row for _, row in read_table(path, None, KNOWN)]
    if source.kind == "garak":
        last: dict[
            Any, list[Any]
        ] = {}  # an attempt is written when it is asked, and again when it is evaluated
        for number, row in enumerate(rows):
            if row.get("entry_type") == "attempt":
                outputs = row.get("outputs")
                last[str(row["uuid"]) if row.get("uuid") else number] = (
                    outputs if isinstance(outputs, list) else []
                )
        return sum(max(1, len(outputs)) for outputs in last.values())
    if source.kind == "MM-SafetyBench":
        return sum(max(1, len(row["ans"])) if isinstance(row.get("ans"), dict) else 1 for row in rows)
    if source.kind == "pyrit":
        return len({str(row.get("conversation_id")) for row in rows})
    return len(rows)


def counted(source: Source) -> int:
    """Answers that were read, and those that a note says were not."""
    return len(source.answers) + sum(
        int(found[1]) for note in source.notes if (found := _LEFT_OUT.match(note))
    )


def placed(source: Source, items: Sequence[Item]) -> int | None:
    """Answers that have an item, are left over with a reason, or came twice; None if nothing fits at all."""
    try:
        found = match(source.answers, {TASK: items})
    except SafecotError:
        return None
    again = sum(int(n) for note in found.notes for n in re.findall(r": (\d+) answers? came twice", note))
    return sum(map(len, found.answers.values())) + len(found.left) + again


@pytest.mark.slow
def test_no_traceback_and_no_row_without_a_count(items: Sequence[Item], tmp_path: Path) -> None:
    draw, sound = random.Random(16), shapes(items)
    others = list(sound.values())
    refused: list[tuple[int, str]] = []
    for number in range(COUNT):
        name = list(sound)[number % len(sound)]
        path = tmp_path / name
        path.write_bytes(sound[name] if number < len(sound) else mutate(sound[name], draw, others))
        try:
            source = read(path)
        except SafecotError as error:
            refused.append((number, str(error)))
            continue
        assert counted(source) == units(path, source), (number, name)
        assert placed(source, items) in (None, len(source.answers)), (number, name)
    assert all("\n" not in sentence for _, sentence in refused)
    assert all(number >= len(sound) for number, _ in refused), refused[0]
    assert COUNT / 10 < len(refused) < COUNT * 9 / 10
