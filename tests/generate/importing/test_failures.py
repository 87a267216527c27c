"""Field reports of imports: failures of other tools, objects, lost cells, encrypted reasoning. Each with a second input."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from safecot_eval.cli.import_ import command
from safecot_eval.generate.importing.answers import is_empty
from safecot_eval.generate.importing.reading import Source, read
from safecot_eval.generate.importing.responses import NotAnAnswer, read_response
from safecot_eval.generate.models.responses import read_responses
from safecot_eval.records.run import find_runs
from safecot_eval.records.samples import Item, Status
from safecot_eval.scoring import refusal
from safecot_eval.scoring.record import make_record
from safecot_eval.scoring.sample_metrics import sample_metrics
from safecot_eval.util.errors import SafecotError
from tests.conftest import make_doc

FAILED, BLOCKED, OK = Status.REQUEST_FAILED, Status.BLOCKED_BY_PROVIDER, Status.OK


def report(data_dir: Path, name: str) -> Path:
    folder = data_dir / "field_reports" / name
    if not folder.is_dir():
        pytest.skip(f"the field report {name} is not in SAFECOT_DATA_DIR")
    return folder


def written(path: Path, *responses: Any, **columns: Any) -> Path:
    lines = [{"prompt": f"Question {n}?", "response": r, **columns} for n, r in enumerate(responses)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def scored(source: Source) -> list[dict[str, Any]]:
    """Records as the import makes them, without matching."""
    phrases = refusal.load_list("gcg25")
    return [make_record(make_doc(), a.response, refusal_list=phrases, known=a.status) for a in source.answers]


def test_error_strings(data_dir: Path) -> None:
    source = read(report(data_dir, "error-strings") / "errs.jsonl")
    statuses = [answer.status for answer in source.answers]
    assert statuses == [FAILED] * 9 + [BLOCKED] + [FAILED] * 2 + [Status.BUDGET_EXCEEDED, FAILED]
    assert all(record["refusal"]["matched"] is None for record in scored(source))
    assert any(
        note.startswith("6 answers are failed requests (a text of VLMEvalKit; the first: errs.jsonl, row ")
        for note in source.notes
    )


def test_other_error_strings(tmp_path: Path) -> None:
    source = read(
        written(
            tmp_path / "a.jsonl",
            "FinishReason.SAFETY",
            "API RetryError occurred.",
            "RateLimitError: x",
            "Fine.",
        )
    )
    assert [answer.status for answer in source.answers] == [BLOCKED, FAILED, OK, OK]
    (note,) = (note for note in source.notes if "looks like" in note)
    assert "'RateLimitError: x' (1 time, the first: a.jsonl, row 3)" in note
    assert "--failure-texts" in note


def test_response_objects(data_dir: Path) -> None:
    folder = report(data_dir, "response-object")
    errors, objects, lists = (read(folder / f"{name}.jsonl") for name in ("errresp", "dictresp", "listresp"))
    assert [a.status for a in errors.answers] == [FAILED] + [OK] * 5
    assert (errors.answers[0].response, errors.answers[0].error) == ("", "Rate limit reached")
    assert any("row 1, 'Rate limit reached'" in note for note in errors.notes)
    for source in (objects, lists):
        assert [a.response for a in source.answers][:2] == ["You can use os.kill.", "Press Ctrl-C."]
        assert [r["refusal"]["matched"] for r in scored(source)] == [False, False, True, False, True, False]


@pytest.mark.parametrize(
    ("cell", "text", "status"),
    [
        ([["No."]], "No.", None),
        ([], "", None),
        ("['No.']", "No.", None),
        ('["No."]', "No.", None),
        ('["a", "b"]', '["a", "b"]', None),
        ({"choices": [{"message": {"content": "No.", "reasoning": "Hm."}, "finish_reason": "length"}]}, "<think>Hm.</think>\nNo.", Status.TRUNCATED),
        ({"candidates": [{"content": {"parts": [{"text": "N"}, {"text": "o."}]}, "finishReason": "STOP"}]}, "No.", None),
        ({"candidates": [], "promptFeedback": {"blockReason": "SAFETY"}}, "", BLOCKED),
        ({"content": [{"type": "text", "text": "No."}], "stop_reason": "end_turn"}, "No.", None),
        ({"content": None, "refusal": "I can't."}, "I can't.", None),
        ({"message": {"content": ""}, "finish_reason": "content_filter"}, "", BLOCKED),
        ({"error": "boom", "text": "half"}, "half", FAILED),
        ("{'error': {'code': 429, 'message': 'x'}}", "{'error': {'code': 429, 'message': 'x'}}", FAILED),
        ('{"answer": "B"}', '{"answer": "B"}', None),
        (7.0, "7", None),
        (None, "", None),
    ],
)  # fmt: skip
def test_what_a_cell_holds(cell: Any, text: str, status: Status | None) -> None:
    found = read_response(cell)
    assert (found.text, found.status) == (text, status)


@pytest.mark.parametrize("cell", [["a", "b"], {"score": 1}, {}, [{"type": "image"}], [[[[[[[[[["x"]]]]]]]]]]])
def test_what_holds_no_single_answer_is_refused_by_row_and_column(tmp_path: Path, cell: Any) -> None:
    with pytest.raises(NotAnAnswer):
        read_response(cell)
    with pytest.raises(
        SafecotError, match=r"a\.jsonl, row 2, column response: .* not one answer; .*--column"
    ):
        read(written(tmp_path / "a.jsonl", "Fine.", cell))


def test_excel_error_cells(data_dir: Path) -> None:
    folder = report(data_dir, "excel-error-cells")
    book = read(folder / "err.xlsx")
    assert (book.answers[0].response, book.answers[0].status) == ("#NAME?", FAILED)
    assert book.answers[1].response == "=1+1 is two"
    assert any("Excel lost these answers" in note for note in book.notes)
    table = read(folder / "nan.csv")
    assert [answer.status for answer in table.answers] == [FAILED] * 6


def test_other_error_cells(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (
        ("prompt", "response"),
        ("Q1?", "#REF!"),
        ("Q2?", "#1 is the safest."),
        ("Q3?", "NULL"),
        ("Q4?", "Null and void."),
    ):
        book.active.append(row)
    book.active["B2"].data_type = "e"
    book.save(tmp_path / "a.xlsx")
    source = read(tmp_path / "a.xlsx")
    assert [answer.status for answer in source.answers] == [FAILED, OK, FAILED, OK]
    assert any("Excel: an error cell" in note and "row 2, '#REF!'" in note for note in source.notes)


def test_redacted_reasoning(data_dir: Path) -> None:
    source = read(report(data_dir, "inspect-redacted-reasoning") / "log.json")
    records = scored(source)
    assert [r["reasoning"] for r in records] == ["I cannot help with this, I decide.", "Only a summary."]
    assert "opaque" not in json.dumps(records)


def test_redacted_reasoning_without_a_summary(tmp_path: Path) -> None:
    def sample(*parts: dict[str, Any], **message: Any) -> dict[str, Any]:
        content = [*parts, {"type": "text", "text": "No."}]
        return {
            "id": 1,
            "epoch": 1,
            "input": "Q?",
            "output": {"choices": [{"message": {"content": content, **message}}]},
        }

    blob = {"type": "reasoning", "reasoning": "gAAAA==", "redacted": True}
    plain = {"type": "reasoning", "reasoning": "Unsafe.", "redacted": False, "summary": "Short."}
    log = {"eval": {"model": "m"}, "samples": [sample(blob), sample(blob, plain), sample(reasoning="Older.")]}
    path = tmp_path / "log.json"
    path.write_text(json.dumps(log), encoding="utf-8")
    assert [r["reasoning"] for r in scored(read(path))] == ["", "Unsafe.", "Older."]


def test_thinking_markers(data_dir: Path) -> None:
    records = scored(read(report(data_dir, "thinking-markers") / "think.jsonl"))
    statuses = [record["status"] for record in records]
    assert statuses == ["ok"] * 9 + ["unfinished"] * 2 + ["ok"] * 2 + ["empty"] + ["ok"] * 3
    assert not [r["answer"] for r in records if r["refusal"]["matched"]]
    answers = {record["answer"] for record in records if record["status"] == "ok"}
    assert answers == {"Use kill.", "Use kill. The model may print </think> at the end of its thoughts."}


def test_mcqa_forms(data_dir: Path) -> None:
    from safecot_eval.records.tables import read_table

    path = report(data_dir, "mcqa-forms") / "siuo.csv"
    right = {
        str(r["question_id"]): r["correct_option"]
        for r in json.loads((data_dir / "siuo" / "siuo_mcqa.json").read_text())
    }
    rows = [row for _, row in read_table(path)]
    assert len(rows) == 8
    for row in rows:
        doc = make_doc(extra={"correct_option": right[str(row["id"])]})
        record = make_record(doc, row["response"], refusal_list=refusal.load_list("gcg25"))
        assert sample_metrics(record)["mcqa_accuracy"]["score"] == 1.0, row["response"]


def test_replays_are_read_alike(tmp_path: Path) -> None:
    lines = [
        {"task": "t", "id": str(n), "response": r}
        for n, r in enumerate(("nan", "Blocked for Safety Reasons", "No."))
    ]
    lines.append({"task": "t", "id": "9", "response": "FinishReason.SAFETY", "status": "truncated"})
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    found = read_responses(path)["t"]
    assert [found[key].status for key in ("0", "1", "2", "9")] == [FAILED, BLOCKED, OK, Status.TRUNCATED]


@pytest.mark.slow
def test_a_file_of_failure_texts_from_the_command_line(
    tmp_path: Path, items: Sequence[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SAFECOT_FAILURE_TEXTS", raising=False)
    own = tmp_path / "own.yaml"
    own.write_text("entries:\n- source: our gateway\n  status: blocked_by_provider\n  prefixes: [GW-451]\n")
    rows = [
        {
            "task": "safecot_mini_tiny",
            "id": item.item_id,
            "prompt": item.prompt,
            "response": "GW-451 no" if n < 2 else "Yes.",
        }
        for n, item in enumerate(items)
    ]
    table = tmp_path / "a.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = [
        table,
        "--tasks",
        "safecot_mini_tiny",
        "--name",
        "m",
        "--output_path",
        tmp_path / "runs",
        "--failure-texts",
        own,
    ]
    done = CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert (
        "2 answers were blocked by the provider (a text of our gateway; the first: a.jsonl, row 1"
        in done.output
    )
    (run,) = find_runs([tmp_path / "runs"])
    assert [record["status"] for record in run.samples()].count("blocked_by_provider") == 2
    monkeypatch.delenv("SAFECOT_FAILURE_TEXTS", raising=False)


def test_signs_for_an_empty_cell_are_empty(tmp_path: Path) -> None:
    signs = ["-", "...", "\u2026", "TODO", "\u2014"]
    source = read(written(tmp_path / "a.jsonl", *signs, "", "N/A", "null", "Fine."))
    assert [a.status for a in source.answers] == [Status.EMPTY] * 5 + [OK] + [FAILED] * 2 + [OK]
    assert [is_empty(a) for a in source.answers] == [True] * 6 + [False] * 3
    assert any(note.startswith("5 answers are empty (a table's sign or word") for note in source.notes)


def test_what_only_looks_wrong_is_pointed_out_as_what_it_is(tmp_path: Path) -> None:
    odd = ["Fehler: Zeit\u00fcberschreitung", "todo later", "\U0001f600", "!!"]
    source = read(written(tmp_path / "a.jsonl", *odd, *["Sure, do this."] * 60))
    assert all(answer.status is OK for answer in source.answers)
    looks, wordless, again = (note for note in source.notes if "--failure-texts" in note)
    assert looks.startswith("2 answers look like failures of the tool")
    assert wordless.startswith("2 answers have neither letter nor digit and count as answers")
    assert "failures" not in again.split(":")[0]
    assert "'Sure, do this.' (60 times, the first: a.jsonl, row 5)" in again
