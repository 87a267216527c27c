"""Tables in the shapes that spreadsheets, pandas and other tools save: every row arrives, or the file is named."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from safecot_eval.benchmarks.data.reading import lines, read_csv
from safecot_eval.records.tables import read_table
from safecot_eval.util.errors import SafecotError

NAMES = {"prompt", "answer", "response", "id", "results"}
SPLITTING = "one\u2028two\u0085three\u2029four\x0bfive\x0csix\x1cseven\x1deight\x1enine"
"""What str.splitlines cuts at and no file format does."""


def rows(path: Path, notes: list[str] | None = None, **options: Any) -> list[dict[str, Any]]:
    return [row for _, row in read_table(path, notes, NAMES, **options)]


def written(tmp_path: Path, name: str, content: bytes | str) -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
def test_lines_end_at_line_feeds_only(tmp_path: Path, ending: str) -> None:
    asked = ["a", SPLITTING, "d\u0085e", "f"]
    if ending == "jsonl":
        text = "".join(json.dumps({"prompt": q, "answer": "x"}, ensure_ascii=False) + "\n" for q in asked)
    else:
        between = "\t" if ending == "tsv" else ","
        text = f"prompt{between}answer\r\n" + "".join(f"{q}{between}x\r\n" for q in asked)
    path = written(tmp_path, f"a.{ending}", text)
    assert [row["prompt"] for row in rows(path)] == asked
    if ending == "jsonl":
        assert [record["prompt"] for _, record in lines(path)] == asked
    if ending == "csv":
        assert [row["prompt"] for row in read_csv(path, ("prompt", "answer"))] == asked


def test_the_field_report_of_line_ends(data_dir: Path, tmp_path: Path) -> None:
    path = data_dir / "field_reports/unicode-line-ends/or-bench-hard-1k.csv"
    found = read_csv(path, ("prompt", "category"))
    assert [row["category"] for row in found] == ["illegal", "violence", "violence"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'prompt,answer\n"Hi, you; there?",Ho.\n'),
        ("a.csv", 'prompt;answer\n"Hi, you; there?";Ho.\n'),
        ("a.csv", 'sep=;\r\nprompt;answer\r\n"Hi, you; there?";Ho.\r\n'),
        ("a.csv", 'sep=\t\nprompt\tanswer\n"Hi, you; there?"\tHo.\n'),
        ("a.csv", "prompt\tanswer\nHi, you; there?\tHo.\n"),
        ("a.csv", "prompt|answer\nHi, you; there?|Ho.\n"),
        ("a.tsv", "prompt\tanswer\nHi, you; there?\tHo.\n"),
        ("a.tsv", 'prompt,answer\n"Hi, you; there?",Ho.\n'),
        (
            "a.csv",
            "\ufeffprompt;answer\r\nHi, you; there?;Ho.\r\n".replace("Hi, you; there?", '"Hi, you; there?"'),
        ),
    ],
)
def test_separators(tmp_path: Path, name: str, content: str) -> None:
    assert rows(written(tmp_path, name, content)) == [{"prompt": "Hi, you; there?", "answer": "Ho."}]


def test_a_header_with_another_separator_in_its_names(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "Frage, deutsch;answer\nWie, bitte?;Ja, gern.\nUnd, nun?;Nein.\n")
    assert rows(path)[1] == {"Frage, deutsch": "Und, nun?", "answer": "Nein."}


@pytest.mark.parametrize(
    ("encoding", "note"), [("utf-8", None), ("utf-8-sig", None), ("utf-16", None), ("cp1252", "Windows-1252")]
)
def test_encodings_of_excel(tmp_path: Path, encoding: str, note: str | None) -> None:
    text = "prompt;answer\r\nWie öffne ich die Tür?;„Gern“ – drücken, für 5 €.\r\n"
    notes: list[str] = []
    found = rows(written(tmp_path, "a.csv", text.encode(encoding)), notes)
    assert found == [{"prompt": "Wie öffne ich die Tür?", "answer": "„Gern“ – drücken, für 5 €."}]
    assert bool(notes) is bool(note)
    assert note is None or note in notes[0]


@pytest.mark.parametrize("encoding", ["gbk", "shift-jis", "cp1251", "big5"])
def test_other_code_pages_are_not_guessed(tmp_path: Path, encoding: str) -> None:
    words = {
        "gbk": "抱歉，我无法",
        "shift-jis": "申し訳ありません",
        "cp1251": "Извините, не могу",
        "big5": "抱歉，我無法",
    }
    path = written(tmp_path, "a.csv", f"prompt,answer\nx,{words[encoding]}\n".encode(encoding))
    with pytest.raises(SafecotError, match="not UTF-8 text"):
        rows(path)


ROWS = [{"id": "7", "prompt": "Hi?", "answer": "Ho."}, {"id": "8", "prompt": "He?", "answer": "Ha."}]
BARE = [{key: row[key] for key in ("prompt", "answer")} for row in ROWS]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", ROWS),
        ("a.json", {row["id"]: bare for row, bare in zip(ROWS, BARE, strict=True)}),
        ("a.json", {"results": ROWS}),
        ("a.json", {"model": "m", "config": {"seed": 1}, "results": ROWS}),
        ("a.json", {"model": "m", "answers": ROWS, "errors": [], "tags": ["x"]}),
        ("a.json", {"results": {row["id"]: bare for row, bare in zip(ROWS, BARE, strict=True)}}),
        ("a.json", {key: {str(n): row[key] for n, row in enumerate(ROWS)} for key in ROWS[0]}),
        ("a.json", {"columns": list(ROWS[0]), "index": [0, 1], "data": [list(row.values()) for row in ROWS]}),
        ("a.json", {"schema": {"fields": []}, "data": ROWS}),
        ("a.jsonl", [ROWS]),
        ("a.jsonl", [ROWS[:1], ROWS[1:]]),
        ("a.jsonl", ROWS),
        ("a.json", "".join(json.dumps(row) + "\n" for row in ROWS)),
        ("a.jsonl", json.dumps(ROWS, indent=1)),
        ("a.jsonl", json.dumps({"results": ROWS}, indent=1)),
        ("a.ndjson", ROWS),
        ("a.json", json.dumps(ROWS).encode("utf-16")),
        ("a.json", b"\xef\xbb\xbf" + json.dumps(ROWS).encode()),
    ],
)
def test_shapes_of_json(tmp_path: Path, name: str, content: Any) -> None:
    if isinstance(content, list) and name != "a.json":
        content = "".join(json.dumps(line) + "\n" for line in content)
    elif not isinstance(content, str | bytes):
        content = json.dumps(content)
    assert rows(written(tmp_path, name, content)) == ROWS


def test_ids_to_answers(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", json.dumps({"1001": "No.", "1002": ["Yes."]}))
    assert rows(path) == [{"id": "1001", "response": "No."}, {"id": "1002", "response": ["Yes."]}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            {"first": ROWS, "second": ROWS},
            "first, second are lists of objects; keep the one with the answers",
        ),
        ({"note": "x"}, "expected a list of objects"),
        ([1, 2], "expected a list of objects"),
        ([], "no rows"),
        ({"columns": ["a"], "data": [[1, 2]]}, "row 1: 2 cells under 1 columns"),
    ],
)
def test_other_shapes_are_named(tmp_path: Path, content: Any, said: str) -> None:
    path = written(tmp_path, "a.json", json.dumps(content))
    if content == []:
        assert rows(path) == []
        return
    with pytest.raises(SafecotError, match=re.escape(said)):
        rows(path)


def workbook(tmp_path: Path, sheets: dict[str, list[list[Any]]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, content in sheets.items():
        sheet = book.create_sheet(title)
        for row in content:
            sheet.append(row)
    path = tmp_path / "a.xlsx"
    book.save(path)
    return path


@pytest.mark.parametrize("claimed", ["A1", "A1:B2", "A1:XFD1048576", "", "B7"])
def test_the_claimed_size_of_a_sheet_does_not_matter(tmp_path: Path, claimed: str) -> None:
    whole = workbook(
        tmp_path, {"S": [["prompt", "id", "answer"], *([f"p{n}", n, f"a{n}"] for n in range(30))]}
    )
    path = tmp_path / "wrong.xlsx"
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename.endswith("sheet1.xml"):
                tag = f'<dimension ref="{claimed}"/>'.encode() if claimed else b""
                content = re.sub(rb'<dimension ref="[^"]*"\s*/>', tag, content)
            new.writestr(info.filename, content)
    assert [row["answer"] for row in rows(path)] == [f"a{n}" for n in range(30)]


def test_the_sheet_with_the_answers_is_found(tmp_path: Path) -> None:
    answers = [["prompt", "answer"], ["Hi?", "Ho."]]
    notes: list[str] = []
    path = workbook(tmp_path, {"Empty": [], "Info": [["model"], ["m"], ["n"]], "Answers": answers})
    assert rows(path, notes) == [{"prompt": "Hi?", "answer": "Ho."}]
    assert notes == ["sheet 'Answers' is read; other sheets are not: 'Info' (2 rows)"]


def test_rows_that_a_spreadsheet_ends_early(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "row;prompt;label;note\n1;Hi?;none\n2;He?\n")
    assert rows(path, pad=True)[1] == {"row": "2", "prompt": "He?", "label": None, "note": None}
    with pytest.raises(SafecotError, match="line 2: 3 cells under 4 column names; the row is cut"):
        rows(path)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_title_above_the_header(tmp_path: Path, kind: str) -> None:
    rows = [["Run 7", ""], ["", ""], ["prompt", "response"], ["Hi?", "Ho."], ["prompt", "response"]]
    path = tmp_path / f"a.{kind}"
    if kind == "csv":
        path.write_text("".join(";".join(row) + "\n" for row in rows))
    else:
        book = pytest.importorskip("openpyxl").Workbook()
        for row in rows:
            book.active.append(row)
        book.save(path)
    notes: list[str] = []
    found = [row for _, row in read_table(path, notes, {"prompt", "response"})]
    assert found == [{"prompt": "Hi?", "response": "Ho."}, {"prompt": "prompt", "response": "response"}]
    assert notes == ["1 row above the header (line 3) is not read"]
