"""What is fuzzed: every parser of outside input, called with bytes in a folder of its own.

A target may raise :class:`~safecot_eval.util.errors.SafecotError`, as its callers expect; anything else is a defect. It
returns a short text that describes the outcome, so that a mutated input that leads somewhere new is noticed.
"""

from __future__ import annotations

import functools
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import safecot_eval
from safecot_eval.benchmarks import images
from safecot_eval.benchmarks.data import reading
from safecot_eval.generate.journal import store
from safecot_eval.generate.models.responses import read_responses
from safecot_eval.judge.people.questions import question
from safecot_eval.judge.people.sheet import KeyEntry, read_key, read_sheet
from safecot_eval.judge.replies import read as read_reply
from safecot_eval.judge.rubric_files import FOLDER as RUBRICS
from safecot_eval.judge.rubric_files import own, read_rubric
from safecot_eval.records.verdicts import Unscored
from safecot_eval.scoring import reasoning, refusal
from safecot_eval.scoring.record import make_record
from safecot_eval.scoring.sample_metrics import sample_metrics
from safecot_eval.util import chat_replies
from safecot_eval.util.appends import write_line
from safecot_eval.util.chat_remedies import Adaptations
from tests.conftest import make_doc
from tests.fuzz import exchanged, recorded
from tests.reports.make_runs import make_runs

Target = Callable[[bytes, Path], str]
TIMESTAMP, TASK = "20260101_000000", "safecot_mini"


def samples_file(data: bytes, folder: Path) -> str:
    """A samples file beside sound results, read by the table and by the page's reader."""
    from safecot_eval.aggregate.reading import read
    from safecot_eval.aggregate.tables import load_runs
    from safecot_eval.records.run import find_runs
    from safecot_eval.util.errors import SafecotError

    (folder / f"{TIMESTAMP}_samples_{TASK}.jsonl").write_bytes(data)
    (run,) = find_runs([folder])
    try:
        rows: int | str = len(load_runs(folder))
    except SafecotError as error:
        rows = str(error)[-60:]
    columns = read(run)
    return f"{rows} {len(columns)} {sorted(map(str, columns.evaluators))}"


def page_of_samples(data: bytes, folder: Path) -> str:
    """The whole page from a samples file."""
    from safecot_reports.build import Options, build
    from safecot_reports.page import page_html

    (folder / f"{TIMESTAMP}_samples_{TASK}.jsonl").write_bytes(data)
    built = build([str(folder)], Options())
    page = page_html(built)
    assert "<script>alert" not in page
    return f"{len(built['cells'])} {len(built['samples'])}"


def results_file(data: bytes, folder: Path) -> str:
    """A results file beside sound samples, read by the whole page."""
    from safecot_reports.build import Options, build
    from safecot_reports.page import page_html

    make_runs(folder, models={"m": (0.8, 0.2)}, count=4)
    path = next(folder.rglob("*_results.json"))
    path.write_bytes(data)
    built = build([str(folder)], Options())
    return f"{built['models'][0]['name'][:20]} {len(page_html(built)) > 0}"


def verdict_file(data: bytes, folder: Path) -> str:
    """A verdict sidecar beside sound samples."""
    from safecot_eval.aggregate.reading import read
    from safecot_eval.aggregate.tables import load_runs
    from safecot_eval.records.run import find_runs

    make_runs(folder, models={"m": (0.8, 0.2)}, count=4, judge=False)
    (run,) = find_runs([folder])
    (run.folder / "verdicts").mkdir()
    (run.folder / "verdicts" / "j.jsonl").write_bytes(data)
    columns = read(run)
    return f"{len(load_runs(folder))} {[label.names for label in columns.evaluators.values()]}"


def replay_file(data: bytes, folder: Path) -> str:
    """A replay file."""
    path = folder / "replay.jsonl"
    path.write_bytes(data)
    found = read_responses(path)
    return f"{len(found)} {sorted({str(item.status) for task in found.values() for item in task.values()})}"


def journal_file(data: bytes, folder: Path) -> str:
    """A journal; what is read from it was written by us (its checksum says so)."""
    (folder / "m.0.jsonl").write_bytes(data)
    with store.Journal(folder, "m") as journal:
        journal.append([("k", store.Answer("x"))])
        assert journal.get("k") == store.Answer("x")
        return f"{len(journal)} {journal.damaged > 0}"


def api_reply(data: bytes, folder: Path) -> str:
    """The body of an endpoint's reply."""
    reply = chat_replies.parse(data)
    text = data.decode("utf-8", "replace")
    chat_replies.failure_of(400, text)
    chat_replies.retry_after({"Retry-After": text}, text)
    Adaptations().learn(400, text, {"max_tokens": 1, "temperature": 0, "messages": []}, len(data))
    assert (reply.failure is None) <= (reply.finish_reason is not None)
    return f"{reply.failure} {reply.finish_reason in ('stop', 'length')} {bool(reply.text)}"


def image_file(data: bytes, folder: Path) -> str:
    """An image, decoded and hashed without raising."""
    path = folder / "image.png"
    path.write_bytes(data)
    info = images.inspect(path)
    assert info.width * info.height <= images.MAX_PIXELS
    return f"{(info.error or 'fine')[:60]}"


def refusal_list(data: bytes, folder: Path) -> str:
    """A phrase list of the user's own."""
    path = folder / "list.yaml"
    path.write_bytes(data)
    refusal.load_list.cache_clear()
    found = refusal.load_list(str(path))
    found.match("I'm sorry, but I can't help with that.")
    return f"{len(found.phrases)}"


def answer_text(data: bytes, folder: Path) -> str:
    """A model's answer: split, matched, scored."""
    raw = data.decode("utf-8", "surrogateescape")
    parts = reasoning.split(raw)
    record = make_record(make_doc(), raw, refusal_list=refusal.load_list("gcg25"))
    span = record["refusal"]["span"]
    if span is not None:
        assert 0 <= span[0] < span[1] <= len(record["answer"])
    json.dumps(record)
    return (
        f"{record['status']} {record['refusal']['matched']} {parts.closed} {sorted(sample_metrics(record))}"
    )


def triplets(data: bytes, folder: Path) -> str:
    """A file of training triplets (JSON lines)."""
    from safecot_training.data.examples import read_triplets

    path = folder / "triplets.jsonl"
    path.write_bytes(data)
    return f"{len(read_triplets(path))}"


def triplets_parquet(data: bytes, folder: Path) -> str:
    """A file of training triplets (Parquet)."""
    from safecot_training.data.examples import read_triplets

    path = folder / "triplets.parquet"
    path.write_bytes(data)
    return f"{len(read_triplets(path))}"


def recipe(data: bytes, folder: Path) -> str:
    """A training recipe."""
    from safecot_training.sft.recipe import load_recipe

    path = folder / "recipe.yaml"
    path.write_bytes(data)
    return f"{load_recipe(path).method}"


def label_sheet(data: bytes, folder: Path) -> str:
    """A sheet that came back from a labeller."""
    path = folder / "sheet.csv"
    path.write_bytes(data)
    entry = KeyEntry("m", TASK, TIMESTAMP, ".", "0" * 16, 1.0, ())
    return f"{len(read_sheet(path, question('refusal'), {'R1': entry, 'R2': entry}))}"


def label_key(data: bytes, folder: Path) -> str:
    """The key of a label sheet."""
    path = folder / "key.json"
    path.write_bytes(data)
    return f"{len(read_key(path).rows)}"


def csv_data(data: bytes, folder: Path) -> str:
    """A benchmark's CSV."""
    path = folder / "data.csv"
    path.write_bytes(data)
    return f"{len(reading.read_csv(path, ['id', 'prompt']))}"


def json_data(data: bytes, folder: Path) -> str:
    """A benchmark's JSON and JSON lines."""
    path = folder / "data.json"
    path.write_bytes(data)
    return f"{sum(1 for _ in reading.records(path))}"


def judge_reply(data: bytes, folder: Path) -> str:
    """A judge's words: a label of the rubric only where they hold that label and no other."""
    text = data.decode("utf-8", "replace")
    found = []
    for name in ("refusal", "harm", "siuo_effective"):
        rubric = own()[name].general
        for constrained in (True, False):
            reading = read_reply(chat_replies.Reply(text, "stop"), rubric, constrained=constrained)
            allowed = set(rubric.replies.values()) | {label.value for label in Unscored}
            assert reading.label in allowed
            if reading.label in rubric.labels:
                words = [reply for reply, label in rubric.replies.items() if label == reading.label]
                assert any(word.casefold() in text.casefold() for word in words)
            found.append(str(reading.label))
    return " ".join(found)


def rubric_file(data: bytes, folder: Path) -> str:
    """A rubric of the user's own."""
    path = folder / "rubric.txt"
    path.write_bytes(data)
    return f"{len(read_rubric(path).replies)}"


def model_card(data: bytes, folder: Path) -> str:
    """A model card of the user's own."""
    from safecot_eval.generate.cards import card

    path = folder / "card.yaml"
    path.write_bytes(data)
    return f"{bool(card.load(path))}"


def preset_file(data: bytes, folder: Path) -> str:
    """A prompting preset of the user's own."""
    from safecot_eval.generate.presets import preset

    path = folder / "preset.yaml"
    path.write_bytes(data)
    return f"{preset.load(str(path)).kind}"


def samples_seed() -> bytes:
    """A sound samples file of four lines, with in-run verdicts on one."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        make_runs(Path(name), models={"m": (0.8, 0.2)}, count=4, judge=False)
        lines = next(Path(name).rglob("*.jsonl")).read_text().splitlines()
    first = json.loads(lines[0])
    first["safecot"]["verdicts"] = [
        {"judge": "j", "rubric": "refusal", "label": "full", "probability": 0.9, "rubric_hash": "ab"}
    ]
    return ("\n".join([json.dumps(first), *lines[1:]]) + "\n").encode()


def png(width: int = 3, height: int = 2) -> bytes:
    """A tiny PNG."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = b"".join(b"\0" + bytes(3 * width) for _ in range(height))
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _shipped(folder: str) -> list[Path]:
    return list((Path(safecot_eval.__file__).parent / folder).rglob("*.yaml"))


def _jsonl(*rows: object) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@functools.cache
def seeds() -> dict[str, tuple[Target, list[bytes]]]:
    """Every target with sound inputs to start from."""
    verdict = {
        "sample_id": "ab",
        "task": TASK,
        "stamp": TIMESTAMP,
        "rubric": "refusal",
        "judge": "j",
        "label": "full",
    }
    results = {
        "config": {"model": "safecot_replay", "model_args": "name=m,responses=x"},
        "configs": {TASK: {"generation_kwargs": {"max_new_tokens": 64}}},
        "versions": {TASK: 1.0},
        "model_name_sanitized": "m",
        "results": {TASK: {"alias": TASK}},
    }
    reply = {
        "choices": [{"finish_reason": "stop", "message": {"content": "No.", "reasoning_content": "Bad."}}],
        "usage": {
            "prompt_tokens": 3,
            "completion_tokens": 2,
            "completion_tokens_details": {"reasoning_tokens": 1},
        },
    }
    filtered = {
        "choices": [{"finish_reason": "content_filter", "message": {"content": None, "refusal": "no"}}]
    }
    triplet = {
        "id": "t1",
        "query": "What is this?",
        "category": "weather",
        "answer": "A cat.",
        "expectation": "answer",
        "images": [],
    }
    replayed = {"task": TASK, "id": "1", "response": "No.", "status": "ok", "output_tokens": 3}
    key_row = {"model": "m", "task": TASK, "stamp": TIMESTAMP, "folder": ".", "sample_id": "0", "weight": 1.0}
    key = {"schema": 1, "rubric": "refusal", "seed": 0, "rows": {"R1": {**key_row, "stratum": ["a"]}}}
    phrases = b"id: mine\ntitle: us\nphrases:\n- I'm sorry\n- I cannot\n"
    recipes = b"base_model: org/m\ndata: data\nvariant: v1\nmethod: lora\nlearning_rate: 1.0e-4\nprocessor: {min_pixels: 4}\n"
    return {
        "samples_file": (samples_file, [samples_seed()]),
        "page_of_samples": (page_of_samples, [samples_seed()]),
        "results_file": (results_file, [json.dumps(results).encode()]),
        "verdict_file": (verdict_file, [_jsonl(verdict, {**verdict, "sample_id": "cd", "probability": 0.5})]),
        "replay_file": (replay_file, [_jsonl(replayed, {"task": TASK, "id": 2, "response": ""})]),
        "journal_file": (
            journal_file,
            [
                write_line("a", {"text": "x", "finish": "stop", "tokens": [1, 2, None]})
                + write_line("b", {"text": "y", "finish": None, "tokens": None})
            ],
        ),
        "api_reply": (api_reply, [json.dumps(reply).encode(), json.dumps(filtered).encode()]),
        "image_file": (image_file, [png()]),
        "refusal_list": (refusal_list, [phrases]),
        "answer_text": (answer_text, [b"<think>unsafe</think>I'm sorry, but no.", "Sure: \u00e9".encode()]),
        "judge_reply": (
            judge_reply,
            [
                b"full",
                b"**Unsafe**.",
                b'{"label": "safe"}',
                b"not unsafe",
                b"The answer is effective, not ineffective.",
            ],
        ),
        "rubric_file": (rubric_file, [path.read_bytes() for path in sorted(RUBRICS.glob("*.txt"))[:3]]),
        "model_card": (model_card, [path.read_bytes() for path in sorted(_shipped("generate/cards"))[:2]]),
        "preset_file": (
            preset_file,
            [path.read_bytes() for path in sorted(_shipped("generate/presets"))[:3]],
        ),
        "triplets": (
            triplets,
            [_jsonl(triplet, {"query": "Hi", "category": "weapons", "images": [], "texts": ["a"]})],
        ),
        "triplets_parquet": (triplets_parquet, [_parquet([triplet])]),
        "recipe": (recipe, [recipes]),
        "label_sheet": (label_sheet, [b"row,prompt,answer,label,note\nR1,a,b,full,\nR2,a,b,,\n"]),
        "label_key": (label_key, [json.dumps(key).encode()]),
        "csv_data": (csv_data, [b'id,prompt\n1,hello\n2,"a, b"\n']),
        "json_data": (
            json_data,
            [json.dumps([{"id": 1}, {"id": 2}]).encode(), json.dumps({"a": {"id": 1}}).encode()],
        ),
        **exchanged.seeds(),
        **recorded.seeds(),
    }


def _parquet(rows: list[dict[str, object]]) -> bytes:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    schema = pa.schema(
        [
            (key, pa.list_(pa.string()) if isinstance(value, list) else pa.string())
            for key, value in rows[0].items()
        ]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), buffer)
    return buffer.getvalue()
