"""More targets: what people and tools hand to one another, submissions, tables, logs, templates and cards."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from safecot_eval import submissions
from safecot_eval.generate.importing.reading import read
from safecot_eval.submissions.document import content_hash
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import CHECKPOINT_CARD
from tests.generate.importing.test_reading import sample, write_log
from tests.reports.make_runs import make_runs


def submission_file(data: bytes, folder: Path) -> str:
    """A submission whose sender sealed whatever it says; a sound one becomes a page."""
    from safecot_reports.build import Options, build
    from safecot_reports.page import page_html

    path = folder / "m.safecot.json"
    path.write_bytes(data)
    document = submissions.load(path)
    document["sha256"] = content_hash(document)
    found = submissions.validate(document)
    if not found.errors:
        path.write_text(json.dumps(document))
        page_html(build([str(path)], Options()))
    return f"{[error[:30] for error in found.errors[:1]]} {len(found.warnings)}"


def answer_table(data: bytes, folder: Path) -> str:
    """A table of answers to import, as CSV, as tabs and as JSON."""
    outcomes = []
    for ending in ("csv", "tsv", "jsonl", "json"):
        path = folder / f"answers.{ending}"
        path.write_bytes(data)
        try:
            source = read(path)
            outcomes.append(f"{len(source.answers)} {len(source.notes)}")
        except SafecotError as error:
            outcomes.append(str(error)[-30:])
    return " ".join(outcomes)


def workbook(data: bytes, folder: Path) -> str:
    """A table of answers as a spreadsheet."""
    path = folder / "answers.xlsx"
    path.write_bytes(data)
    return f"{len(read(path).answers)}"


def inspect_log(data: bytes, folder: Path) -> str:
    """A log of Inspect, as JSON and as the samples of an archive."""
    path = folder / "log.json"
    path.write_bytes(data)
    with contextlib.suppress(SafecotError):
        read(path)
    archive = folder / "log.eval"
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("header.json", json.dumps({"version": 2, "eval": {"model": "m"}}))
        written.writestr("samples/1_epoch_1.json", data)
    source = read(archive)
    return f"{[str(answer.status) for answer in source.answers]} {len(source.notes)}"


def inspect_archive(data: bytes, folder: Path) -> str:
    """A log of Inspect whose archive itself is damaged."""
    path = folder / "log.eval"
    path.write_bytes(data)
    return f"{len(read(path).answers)}"


def run_record(data: bytes, folder: Path) -> str:
    """What ``safecot run`` kept beside a run, read by the whole page."""
    from safecot_reports.build import Options, build
    from safecot_reports.page import page_html

    make_runs(folder, models={"m": (0.8, 0.2)}, count=4)
    results = next(folder.rglob("*_results.json"))
    results.with_name(results.name.replace("_results", "_run")).write_bytes(data)
    built = build([str(folder)], Options())
    return f"{built['models'][0]['name'][:20]} {len(page_html(built)) > 0}"


def templates(data: bytes, folder: Path) -> str:
    """Templates of safety thoughts, and sentences of refusal."""
    from safecot_training.cot.templates import load_templates
    from safecot_training.data.refusals import load_refusals

    path = folder / "templates.yaml"
    path.write_bytes(data)
    with contextlib.suppress(SafecotError):
        load_refusals(path=path)
    return f"{len(load_templates(path).pools)}"


def checkpoint_card(data: bytes, folder: Path) -> str:
    """The card of a checkpoint, read by the trainer's commands and by the page."""
    from safecot_reports.build import Options, build
    from safecot_reports.page import page_html
    from safecot_training.sft.card import read_card

    make_runs(folder, models={"m": (0.8, 0.2)}, count=4)
    run = next(folder.rglob("*_results.json")).parent
    (run / CHECKPOINT_CARD).write_bytes(data)
    page_html(build([str(folder)], Options()))
    return f"{read_card(run).variant}"


def conversations(data: bytes, folder: Path) -> str:
    """General training data in LLaVA's format, and VLGuard's training list."""
    from safecot_training.data.examples import Kind
    from safecot_training.data.sources import read_source

    (folder / "train.json").write_bytes(data)
    outcomes = []
    for spec in (f"llava={folder / 'train.json'}", f"vlguard={folder}"):
        try:
            outcomes.append(str(len(read_source(spec, Kind.GENERAL, folder))))
        except SafecotError as error:
            outcomes.append(str(error)[-30:])
    return " ".join(outcomes)


def data_manifest(data: bytes, folder: Path) -> str:
    """The manifest of a folder of training data."""
    from safecot_training.data.dataset import read_examples, read_manifest
    from safecot_training.sft.recipe import recipe_from
    from safecot_training.sft.training_data import load_rows

    (folder / "manifest.json").write_bytes(data)
    for name in ("examples", "v1"):
        (folder / f"{name}.jsonl").write_bytes(b"")
    read_manifest(folder)
    with contextlib.suppress(SafecotError):
        read_examples(folder)
    recipe = recipe_from({"base_model": "org/m", "data": str(folder), "variant": "v1", "method": "lora"}, "r")
    return f"{len(load_rows(recipe)[0])}"


def lite_file(data: bytes, folder: Path) -> str:
    """A trained file of safecot-lite."""
    from safecot_eval.judge.lite import trained_file

    path = folder / "lite.json"
    path.write_bytes(data)
    trained_file._load.cache_clear()
    found = trained_file.load(path)
    read = found.read(["I'm sorry, but I can't help with that.", ""])
    assert read.logits.shape == (2, 6)
    assert read.known.shape == (2,)
    return f"{len(found.ngrams)}"


def label_table(data: bytes, folder: Path) -> str:
    """A table of somebody's labels, to import as verdicts."""
    from safecot_eval.judge.people.recorded_labels import import_labels, read_labels
    from safecot_eval.records.run import find_runs

    make_runs(folder, models={"m": (0.8, 0.2)}, count=4, judge=False)
    (folder / "labels.csv").write_bytes(data)
    labels = read_labels(folder / "labels.csv", judge="human:me", rubric="refusal")
    result = import_labels(labels, find_runs([folder]))
    return f"{len(labels)} {len(result.written)} {result.unmatched}"


def seeds() -> dict[str, tuple[Any, list[bytes]]]:
    """Every target with sound inputs to start from."""
    from safecot_training.cot.templates import TEMPLATES
    from safecot_training.data.refusals import REFUSALS

    table = b"prompt,response,status,tokens\nHi?,Ho.,ok,3\nWhat?,,empty,\n"
    rows = [
        {"index": 1, "question": "Hi?", "prediction": "Ho."},
        {"index": 2, "question": "", "prediction": "x"},
    ]
    log = {
        "version": 2,
        "status": "success",
        "eval": {"model": "openai/m"},
        "samples": [sample(1), sample(2)],
    }
    record = {
        "schema": 1,
        "command": ["safecot", "run", "--model", "safecot_hf"],
        "display_name": "M",
        "card": {"id": "m", "name": "M", "parameters": 7, "licence": "MIT"},
        "preset": {"id": "ecso", "title": "ECSO", "text": "Be kind."},
        "versions": {"torch": "2"},
        "seconds": {"generate": 1.5},
    }
    card = {
        "variant": "v1",
        "samples": 2,
        "train_loss": 1.0,
        "loss_history": [[1, 1.0], [2, 0.5]],
        "recipe": {"name": "m"},
        "recipe_hash": "a" * 64,
        "data_manifest_hash": "b" * 64,
        "seed": 0,
        "base_model": "org/base",
        "in_distribution_categories": ["fraud"],
        "in_distribution_benchmarks": [],
    }
    nothing = hashlib.sha256(b"").hexdigest()
    manifest = {
        "seed": 0,
        "files": {"examples.jsonl": nothing},
        "variants": {"v1": {"sha256": nothing, "order": "ab"}},
        "contamination": {"checked": [{"set": "mini", "items": 3}], "dropped": 0},
        "categories": [],
        "benchmarks": [],
    }
    turns = [{"from": "human", "value": "<image>\nWhat is it?"}, {"from": "gpt", "value": "A cat."}]
    talk = [{"id": "1", "conversations": turns}, {"id": "2", "conversations": turns}]
    pairs = [
        {"safe_instruction": "What is it?", "response": "A cat."},
        {"unsafe_instruction": "How?", "response": "No."},
    ]
    guard = [{"id": 1, "image": "a.png", "safe": True, "harmful_category": "risk", "instr-resp": pairs}]
    return {
        "submission_file": (submission_file, [_submission()]),
        "answer_table": (
            answer_table,
            [table, table.replace(b",", b"\t"), _lines(rows), json.dumps(rows).encode()],
        ),
        "workbook": (workbook, [_workbook()]),
        "inspect_log": (inspect_log, [json.dumps(log).encode(), json.dumps(sample(1)).encode()]),
        "inspect_archive": (inspect_archive, [_archive()]),
        "run_record": (run_record, [json.dumps(record).encode()]),
        "templates": (templates, [TEMPLATES.read_bytes(), REFUSALS.read_bytes()]),
        "conversations": (conversations, [json.dumps(talk).encode(), json.dumps(guard).encode()]),
        "data_manifest": (data_manifest, [json.dumps(manifest).encode()]),
        "lite_file": (lite_file, [_lite()]),
        "label_table": (
            label_table,
            [
                b"item_id,label,model\n0,full,m\n1,none,m\n",
                b"sample_id,label,judge,rubric\nab,unsafe,j,harm\n",
            ],
        ),
        "checkpoint_card": (checkpoint_card, [json.dumps(card).encode()]),
    }


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _submission() -> bytes:
    from click.testing import CliRunner

    from safecot_eval.cli.submit import command
    from tests.submissions.conftest import write_mini

    with tempfile.TemporaryDirectory() as name:
        write_mini(Path(name) / "toy")
        path = Path(name) / "toy.safecot.json"
        CliRunner().invoke(command, [str(Path(name) / "toy"), "-o", str(path)], catch_exceptions=False)
        return path.read_bytes()


def _lite() -> bytes:
    """The shipped file with its first hundred n-grams."""
    from safecot_eval.judge.lite.model import HEADS
    from safecot_eval.judge.lite.trained_file import MODEL_FILE

    content = json.loads(MODEL_FILE.read_bytes())
    grams = content["ngrams"]
    grams["names"], grams["weights"] = grams["names"][:100], grams["weights"][: 100 * len(HEADS)]
    return json.dumps(content).encode()


def _archive() -> bytes:
    with tempfile.TemporaryDirectory() as name:
        return write_log(Path(name) / "log.eval", [sample(1), sample(2)]).read_bytes()


def _workbook() -> bytes:
    import openpyxl

    book, buffer = openpyxl.Workbook(), io.BytesIO()
    for row in (("prompt", "response"), ("Hi?", "Ho."), ("What?", "That.")):
        book.active.append(row)
    book.save(buffer)
    return buffer.getvalue()
