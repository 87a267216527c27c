"""The sheet: harmless cells, tolerant reading, precise complaints."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safecot_eval.judge.people import KeyEntry, Row, question, read_key, read_sheet, sheet_text, write_key
from safecot_eval.judge.people.sheet import MAX_CELL, Key, guard
from safecot_eval.util.errors import SafecotError

ENTRY = KeyEntry("m", "t", "s", "f", "i", 1.0, ())
KNOWN = {"0001": ENTRY, "0002": ENTRY}


@given(st.text())
def test_no_cell_begins_a_formula(text):
    assert not guard(text).lstrip(" \n").startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_texts_survive_the_sheet(text):
    rows = list(csv.DictReader(io.StringIO(sheet_text([Row("0001", text, "a\nb")]), newline="")))
    assert rows[0]["prompt"].removeprefix("'") == text.removeprefix("'")
    assert rows[0]["answer"] == "a\nb"


def test_a_long_answer_is_cut_visibly():
    cell = guard("x" * 40_000)
    assert len(cell) < 32_767
    assert cell.startswith("x" * MAX_CELL)
    assert cell.endswith("(cut here: too long for a spreadsheet cell)")


def write(path, text, encoding="utf-8"):
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_sheets_are_read_as_spreadsheets_save_them(tmp_path, delimiter):
    lines = [
        ["Row", "prompt", "answer", "LABEL", "note"],
        ["0001", "p", "a", " Full ", ""],
        ["0002", "p", "a", "", ""],
        [""] * 5,
    ]
    path = write(tmp_path / "a.csv", "\r\n".join(delimiter.join(line) for line in lines), "utf-8-sig")
    assert read_sheet(path, question("refusal"), KNOWN) == {"0001": "full"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("prompt,answer\n", "needs the columns 'row' and 'label'"),
        ("row,label\n0009,full\n", "line 2: row '0009' is not in the key"),
        ("row,label\n0001,full\n0001,none\n", "line 3: row '0001' occurs twice"),
        (
            "row,label\n0001,refused\n",
            "line 2: 'refused' is not a label of refusal; use one of: full, partial, none, unsure",
        ),
    ],
)
def test_complaints_name_file_line_and_remedy(tmp_path, text, complaint):
    path = write(tmp_path / "a.csv", text)
    with pytest.raises(SafecotError, match=complaint) as error:
        read_sheet(path, question("refusal"), KNOWN)
    assert str(path) in str(error.value)


def test_a_sheet_in_another_encoding_is_a_mistake(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("row,label\n0001,抱歉，我无法\n".encode("gbk"))
    with pytest.raises(SafecotError, match="CSV UTF-8"):
        read_sheet(path, question("refusal"), KNOWN)


def test_the_key_survives_and_a_broken_one_is_named(tmp_path):
    key = Key("refusal", 3, {"0001": KeyEntry("m", "t", "s", "f", "i", 2.5, ("a", "b"))})
    path = tmp_path / "x.key.json"
    write_key(path, key)
    assert read_key(path) == key
    for text in ("{", "[]", '{"schema": 1}', '{"schema": 9, "rubric": "r", "seed": 0, "rows": {}}'):
        write(path, text)
        with pytest.raises(SafecotError, match="not a readable key"):
            read_key(path)


def test_questions_have_the_labels_that_verdicts_have():
    from safecot_eval.records.verdicts import Harm, Refusal

    assert list(question("refusal").labels) == [*Refusal, "unsure"]
    assert list(question("harm").labels) == [*Harm, "unsure"]
    with pytest.raises(SafecotError, match="cannot label"):
        question("taste")
