"""A thousand mutated inputs each: no traceback, and no wrong number. A sample is counted right, or it is reported."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
from pathlib import Path

import pytest

from safecot_eval.aggregate import metrics
from safecot_eval.aggregate.reading import read
from safecot_eval.aggregate.tables import load_runs
from safecot_eval.generate.models.responses import Recorded, read_responses
from safecot_eval.judge.replies import read as read_reply
from safecot_eval.judge.rubric_files import own
from safecot_eval.records.run import find_runs
from safecot_eval.records.verdicts import Unscored
from safecot_eval.util.chat_client import Reply
from safecot_eval.util.errors import SafecotError
from tests.fuzz.mutate import mutate
from tests.reports.make_runs import make_runs

COUNT = 1000


def numbers(folder: Path) -> dict[object, object]:
    """Every number of the one run in a folder."""
    (run,) = find_runs([folder])
    columns = read(run)
    found: dict[object, object] = dict(metrics.run_metrics(columns))
    found["status"] = sorted(columns.status.tolist())
    table = load_runs(folder)
    found["table"] = (
        table.groupby(["evaluator", "label", "status"], observed=True, dropna=False).size().to_dict()
    )
    return found


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A run as ``safecot run`` leaves it, with the hashes of its files."""
    folder = make_runs(tmp_path / "sound", models={"m": (0.8, 0.2)}, count=12, judge=False)
    (run,) = find_runs([folder])
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (run.samples_path, run.results_path)
    }
    (run.folder / f"{run.timestamp}_run.json").write_text(json.dumps({"schema": 1, "files": files}))
    return folder


@pytest.mark.slow
def test_mutated_run_folders(sound: Path, tmp_path: Path) -> None:
    truth, draw = numbers(sound), random.Random(5)
    sentences: list[str] = []
    others = [path.read_bytes() for path in sound.rglob("*") if path.is_file()]
    for number in range(COUNT):
        folder = tmp_path / "mutated"
        shutil.copytree(sound, folder)
        chosen = draw.choice(
            [path for path in sorted(folder.rglob("*")) if path.suffix in (".jsonl", ".json")]
        )
        while chosen.name.endswith("_run.json"):  # what vouches for the others is not itself changed
            chosen = draw.choice(sorted(folder.rglob("*_[rs]*.json*")))
        chosen.write_bytes(mutate(chosen.read_bytes(), draw, others))
        try:
            assert numbers(folder) == truth, number
        except SafecotError as error:
            sentences.append(str(error))
        shutil.rmtree(folder)
    assert all("\n" not in sentence and str(folder) in sentence for sentence in sentences)
    print(f"{COUNT} mutated run folders: {len(sentences)} reported, the others count as before")
    assert len(sentences) > COUNT * 0.8


@pytest.mark.parametrize("content", ["{", "", "[]", "\x00"])
def test_damaged_hashes_are_named(content: str, sound: Path, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(sound, folder)
    (path,) = folder.rglob("*_run.json")
    path.write_text(content)
    with pytest.raises(SafecotError, match=rf"{re.escape(str(path))}: damaged"):
        numbers(folder)


@pytest.mark.slow
def test_mutated_runs_of_plain_lmms_eval(sound: Path, tmp_path: Path) -> None:
    """Without hashes beside them: a changed verdict, status or label contradicts another field and is reported.

    Changed words of an answer are not a number; everything that is counted is written twice or checked.
    """
    (run,) = find_runs([sound])
    (run.folder / f"{run.timestamp}_run.json").unlink()
    lines = run.samples_path.read_text().splitlines()
    truth, draw, reported = numbers(sound), random.Random(6), 0
    changes = (
        lambda r, line: r["refusal"].update(matched=not r["refusal"]["matched"]),
        lambda r, line: r["refusal"].update(matched=draw.choice([None, 1, "true", []])),
        lambda r, line: r.update(status=draw.choice(["unfinished", "OK", "", None, "blocked"])),
        lambda r, line: r.pop(draw.choice(sorted(r.keys() - {"schema", "image_sha256", "rubrics", "extra"}))),
        lambda r, line: r.update(expectation=draw.choice(["Refuse", None, 1])),
        lambda r, line: r.update(sample_id=draw.choice(["", "x" * 16, 7, "1" * 17, None])),
        lambda r, line: line.update(crr_template={"score": 0.5}),
        lambda r, line: line.pop("safecot"),
        lambda r, line: r.update(verdicts=draw.choice([{}, "x", [1], [{"judge": "j"}]])),
        lambda r, line: line.update(safecot=draw.choice([None, [], "text"])),
    )
    for _ in range(COUNT):
        chosen = draw.randrange(len(lines))
        line = json.loads(lines[chosen])
        if line["safecot"]["status"] != "ok":
            continue
        draw.choice(changes)(line["safecot"], line)
        changed = [*lines[:chosen], json.dumps(line), *lines[chosen + 1 :]]
        if draw.random() < 0.1:
            changed = [*lines, lines[chosen]]
        run.samples_path.write_text("\n".join(changed) + "\n")
        try:
            assert numbers(sound) == truth, line
        except SafecotError:
            reported += 1
    print(f"{reported} of about {COUNT} changed lines reported")
    assert reported > COUNT * 0.7


def test_mutated_judge_replies() -> None:
    """A label only where the reply holds that word, not negated, and no other label; everything else is unscored."""
    draw, scored = random.Random(8), 0
    seeds = [
        b"full",
        b"partial",
        b"none.",
        b"**full**",
        b"Label: none",
        b"not full",
        b"full or none",
        b"FULL!",
        b"{}",
    ]
    rubric = own()["refusal"].general
    for _ in range(COUNT):
        text = mutate(draw.choice(seeds), draw, seeds).decode("utf-8", "replace")
        reading = read_reply(Reply(text, "stop"), rubric, constrained=False)
        text = text.rpartition("</think>")[2]  # what a judge that reasons says in the end
        words = {
            word
            for word in ("full", "partial", "none")
            if re.search(rf"(?<![\w-]){word}(?![\w-])", text, re.I)
        }
        whole = text.strip().strip("\"'`*_.:;!()[]{}<> \n").casefold()
        if reading.label in rubric.labels:
            scored += 1
            assert words == {reading.label} or whole == reading.label, text
            assert not re.search(rf"(?<![\w-])not {reading.label}(?![\w-])", text, re.I)
        else:
            assert reading.label in {label.value for label in Unscored}
    print(f"{COUNT} mutated judge replies: {scored} hold one label, the others are unscored")
    assert 0 < scored < COUNT


@pytest.mark.slow
def test_mutated_replay_files(tmp_path: Path) -> None:
    """Whatever is read is an answer that the file holds under that task and id."""
    draw, path = random.Random(7), tmp_path / "r.jsonl"
    sentences: list[str] = []
    rows = [
        {
            "task": f"safecot_{n % 2}",
            "id": str(n),
            "response": f"answer {n}",
            "status": "ok",
            "output_tokens": n,
        }
        for n in range(10)
    ]
    whole = "".join(json.dumps(row) + "\n" for row in rows).encode()
    for _ in range(COUNT):
        path.write_bytes(mutate(whole, draw, [whole]))
        try:
            found = read_responses(path)
        except SafecotError as error:
            sentences.append(str(error))
            continue
        written = [json.loads(line) for line in path.read_bytes().split(b"\n") if line.strip()]
        read_back = [
            (task, item, answer.response)
            for task, answers in found.items()
            for item, answer in answers.items()
        ]
        assert sorted(read_back) == sorted(
            (str(row["task"]), str(row["id"]), row["response"]) for row in written
        )
        assert all(isinstance(answer, Recorded) for answers in found.values() for answer in answers.values())
    assert all(str(path) in sentence for sentence in sentences)
    print(f"{COUNT} mutated replay files: {len(sentences)} refused, the others read as they are")
