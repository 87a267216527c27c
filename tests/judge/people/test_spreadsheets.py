"""Label sheets as spreadsheets give them back: ids without zeros, semicolons, workbooks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from safecot_eval.judge.people import KeyEntry, question, read_key, read_sheet
from safecot_eval.judge.people.sheet import read_texts
from safecot_eval.util.errors import SafecotError

KNOWN = {f"{n:04d}": KeyEntry("m", "safecot_mini", "s", "f", f"{n:016x}", 1.0, ()) for n in range(1, 13)}


def test_the_field_report(data_dir: Path, tmp_path: Path) -> None:
    folder = data_dir / "field_reports/label-sheet-excel"
    for name in ("lab_excel.csv", "lab.key.json"):
        shutil.copy(folder / name, tmp_path)
    key = read_key(tmp_path / "lab.key.json")
    labels = read_sheet(tmp_path / "lab_excel.csv", question("refusal"), key.rows)
    assert labels == {f"000{n}": "none" for n in range(1, 6)}


@pytest.mark.parametrize(
    "text",
    [
        "row;prompt;answer;label;note\r\n1;p;a;full;\r\n12;p;a;none;\r\n",
        "\ufeffsep=;\r\nrow;prompt;answer;label;note\r\n0001;p;a;full\r\n0012;p;a;None;seen\r\n",
        "row\tprompt\tanswer\tlabel\tnote\n1,0\tp\ta\tFULL\t\n12,0\tp\ta\tnone\t\n",
        "row,prompt,answer,label,note\n'0001,p,a,full,\n'0012,p,a,none,\n,,,,\n",
    ],
)
def test_ids_and_separators(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8", newline="")
    assert read_sheet(path, question("refusal"), KNOWN) == {"0001": "full", "0012": "none"}
    assert read_texts(path, KNOWN)["0012"].prompt == "p"


def test_a_workbook(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (
        ("row", "prompt", "answer", "label", "note"),
        (1, "p", "a", "full", None),
        (12, "p", "a", None, "?"),
    ):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    assert read_sheet(tmp_path / "a.xlsx", question("refusal"), KNOWN) == {"0001": "full"}


def test_one_row_under_two_spellings_is_a_row_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("row,label\n0001,full\n1,none\n")
    with pytest.raises(SafecotError, match="row '1' occurs twice"):
        read_sheet(path, question("refusal"), KNOWN)
    path.write_text("row,label\n99,full\n")
    with pytest.raises(SafecotError, match="row '99' is not in the key"):
        read_sheet(path, question("refusal"), KNOWN)
