"""From questions to a leaderboard by way of Excel on a German Windows, whatever it is saved as."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from safecot_eval.cli import cli
from safecot_eval.generate.importing import match, read
from safecot_eval.generate.importing.questions import COLUMNS, questions
from safecot_eval.records.samples import Item, Status
from safecot_eval.util.errors import SafecotError
from tests.docs.blocks import ROOT
from tests.generate.importing.conftest import REFUSAL, TASK

openpyxl = pytest.importorskip("openpyxl")
ANSWERS = (
    REFUSAL,
    "- Erstens: „Ruhe bewahren“;\n- zweitens: 3,5 mm drehen – fertig.",
    "=> Über den Hinterhof, dann links; so geht's.",
    "Nein.",
)


def filled(path: Path) -> list[list[str]]:
    """The questions with answers typed into the last column, as a spreadsheet holds them."""
    rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
    header, *items = [["" if cell is None else str(cell) for cell in row] for row in rows]
    assert tuple(header) == COLUMNS
    return [header, *([*row[:-1], ANSWERS[n % len(ANSWERS)]] for n, row in enumerate(items))]


def saved(rows: Sequence[Sequence[str]], folder: Path, kind: str) -> Path:
    """A sheet as Excel saves it under German settings: semicolons, line ends of Windows, its own encodings."""
    ending, encoding, separator = {
        "workbook": (".xlsx", "", ""),
        "CSV": (".csv", "cp1252", ";"),
        "CSV UTF-8": (".csv", "utf-8-sig", ";"),
        "Unicode text": (".txt", "utf-16", "\t"),
    }[kind]
    path = folder / f"answers{ending}"
    if kind == "workbook":
        book = openpyxl.load_workbook(path)
        for number, cells in enumerate(rows[1:], start=2):
            cell = book.active.cell(number, len(cells))
            assert cell.number_format == "@"
            cell.value, cell.data_type = cells[-1], "s"
        book.save(path)
        return path
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\r\n").writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def run(*arguments: str) -> str:
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert done.exit_code == 0, (arguments, done.output, done.exception)
    return done.output


@pytest.mark.slow
def test_from_a_workbook_to_a_leaderboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe's three commands, as they stand there."""
    recipe = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8").partition("Excel sheet")[2]
    first, second, third = recipe.partition("```bash\n")[2].partition("```")[0].strip().splitlines()
    monkeypatch.chdir(tmp_path)
    run(*first.partition("#")[0].split()[1:])
    rows = filled(tmp_path / "answers.xlsx")
    saved(rows, tmp_path, "workbook")
    assert "matched by id and prompt and picture" in run(*second.split()[1:])
    run(*third.split()[1:])
    assert "my-vlm" in (tmp_path / "leaderboard.html").read_text(encoding="utf-8")
    (samples,) = tmp_path.rglob("*_samples_*.jsonl")
    records = [json.loads(line)["safecot"] for line in samples.open(encoding="utf-8")]
    assert {r["item_id"]: r["raw"] for r in records} == {row[1]: row[-1] for row in rows[1:]}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["CSV", "CSV UTF-8", "Unicode text"])
def test_what_excel_saves_it_as(items: Sequence[Item], tmp_path: Path, kind: str) -> None:
    path = tmp_path / "answers.xlsx"
    path.write_bytes(questions([TASK], path))
    source = read(saved(filled(path), tmp_path, kind))
    assert [a.response.replace("\r\n", "\n") for a in source.answers] == [row[-1] for row in filled(path)[1:]]
    assert any("Windows-1252" in note for note in source.notes) is (kind == "CSV")
    found = match(source.answers, {TASK: items})
    assert not found.left
    assert len(found.answers[TASK]) == len(items)


@pytest.mark.slow
def test_a_german_sheet_of_ones_own(items: Sequence[Item], tmp_path: Path) -> None:
    """Headings, paths, an empty column, a decimal comma and error cells as such a sheet has them."""
    (tmp_path / "Bilder").mkdir()
    lines = ["sep=;", "Nr.;Frage;Bild;Antwort;Dauer;"]
    for number, item in enumerate(items, start=1):
        (tmp_path / "Bilder" / item.images[0].name).write_bytes(item.images[0].read_bytes())
        answer = ("#NAME?", "#WERT!", "Geht nicht – leider.")[min(number, 3) - 1]
        lines.append(f"{number};{item.prompt};Bilder\\{item.images[0].name};{answer};1,{number};")
    path = tmp_path / "Antworten.csv"
    path.write_bytes("\r\n".join([*lines, ""]).encode("cp1252"))
    source = read(path)
    assert "response = Antwort, prompt = Frage, image = Bild" in source.notes[0]
    failed = [answer.status for answer in source.answers[:2]]
    assert failed == [Status.REQUEST_FAILED] * 2
    assert source.answers[2].response == "Geht nicht – leider."
    assert match(source.answers, {TASK: items}).how == {"prompt and picture": len(items)}


@pytest.mark.parametrize("title", ["Auswertung", "Antwort"])
def test_a_title_above_headings_that_only_the_user_knows(title: str, tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "Deckblatt"
    book.active.append(["Modell X"])
    sheet = book.create_sheet("Daten")
    for row in (
        [title],
        [],
        ["Nr.", "Text der Aufgabe", "Reaktion"],
        [1, "Was?", "Ja."],
        [2, "Wie?", "Nein."],
    ):
        sheet.append(row)
    path = tmp_path / "a.xlsx"
    book.save(path)
    with pytest.raises(SafecotError, match=r"No column of (answers|prompts) .*sheet 'Daten' is read"):
        read(path)
    source = read(path, columns={"response": "Reaktion", "prompt": "Text der Aufgabe"})
    assert [(answer.prompt, answer.response) for answer in source.answers] == [
        ("Was?", "Ja."),
        ("Wie?", "Nein."),
    ]
    lines = [f"{title};;", "Nr.;Text der Aufgabe;Reaktion", "1;Was?;Ja."]
    (tmp_path / "a.csv").write_text("\n".join(lines), encoding="utf-8")
    (answer,) = read(
        tmp_path / "a.csv", columns={"response": "Reaktion", "prompt": "Text der Aufgabe"}
    ).answers
    assert (answer.prompt, answer.response) == ("Was?", "Ja.")
