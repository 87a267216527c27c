"""More targets: what people and tools hand to one another, submissions, tables, logs, templates and cards."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from safecot_eval import submissions
from safecot_eval.errors import SafecotError
from safecot_eval.importing.reading import read
from safecot_eval.submissions.document import content_hash
from tests.importing.test_reading import sample, write_log
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
    from safecot_training.templates import load_refusals, load_templates

    path = folder / "templates.yaml"
    path.write_bytes(data)
    with contextlib.suppress(SafecotError):
        load_refusals(path=path)
    return f"{len(load_templates(path).pools)}"


def checkpoint_card(data: bytes, folder: Path) -> str:
    """The card of a checkpoint, read by the trainer's commands and by the page."""
    from safecot_reports.build import Options, build
    from safecot_reports.page import page_html
    from safecot_training.card import CARD, read_card

    make_runs(folder, models={"m": (0.8, 0.2)}, count=4)
    run = next(folder.rglob("*_results.json")).parent
    (run / CARD).write_bytes(data)
    page_html(build([str(folder)], Options()))
    return f"{read_card(run).variant}"


def seeds() -> dict[str, tuple[Any, list[bytes]]]:
    """Every target with sound inputs to start from."""
    from safecot_training.templates import REFUSALS, TEMPLATES

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
