"""Columns come from all rows, and a picture cell may be written in any way that tools write one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from safecot_eval.generate.importing import match, read
from safecot_eval.records.samples import Item, Status
from safecot_eval.util.errors import SafecotError
from tests.generate.importing.conftest import TASK

REPORTS = "field_reports"


def test_a_first_row_without_an_answer(data_dir: Path) -> None:
    source = read(data_dir / REPORTS / "first-row-decides/firstnokey.jsonl")
    assert len(source.answers) == 6
    assert [answer.status for answer in source.answers] == [Status.REQUEST_FAILED] + [Status.OK] * 5


def test_a_first_row_without_a_picture(items: Sequence[Item], tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"prompt": "A question without a picture?", "response": "hi"}]
    rows += [{"prompt": i.prompt, "image": str(i.images[0]), "response": f"to {i.item_id}"} for i in items]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = match(read(path).answers, {TASK: items})
    assert found.how == {"prompt and picture": len(items)}
    assert [answer.where for answer, _ in found.left] == ["a.jsonl, row 1"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "write",
    [
        lambda path: f"['{path}']",
        lambda path: json.dumps([str(path)]),
        lambda path: path.as_uri(),
        lambda path: f"{{'path': '{path}', 'bytes': None}}",
        lambda path: f"pictures\\{path.name}",
        lambda path: str(path),
    ],
    ids=["python list", "json list", "file uri", "python object", "windows", "plain"],
)
def test_picture_cells_of_a_table(items: Sequence[Item], tmp_path: Path, write: Any) -> None:
    (tmp_path / "pictures").mkdir()
    rows = ["question\timage_path\tprediction"]
    for item in items:
        (tmp_path / "pictures" / item.images[0].name).write_bytes(item.images[0].read_bytes())
        rows.append(f"{item.prompt}\t{write(item.images[0])}\tto {item.item_id}")
    path = tmp_path / "a.csv"  # tabs in a .csv, too
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    found = match(read(path).answers, {TASK: items})
    assert found.how == {"prompt and picture": len(items)}
    assert {name: a.response for name, a in found.answers[TASK].items()} == {
        item.item_id: f"to {item.item_id}" for item in items
    }


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True], ids=["path", "list of objects"])
def test_picture_objects_of_json(items: Sequence[Item], tmp_path: Path, whole: bool) -> None:
    def cell(item: Item) -> Any:
        picture = {"path": str(item.images[0]), "bytes": None}
        return [picture] if whole else picture

    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"question": i.prompt, "image": cell(i), "prediction": "x"} for i in items]))
    assert match(read(path).answers, {TASK: items}).how == {"prompt and picture": len(items)}


def test_the_field_report_of_prompt_columns(data_dir: Path, tmp_path: Path) -> None:
    source = read(data_dir / REPORTS / "prompt-column/strong.csv")
    assert "prompt = forbidden_prompt" in source.notes[0]
    path = tmp_path / "a.csv"
    path.write_text("category,source,vraag,response\na,b,c,d\n")
    with pytest.raises(
        SafecotError, match="among category, source, vraag, response; name it with --column prompt="
    ):
        read(path)
    assert read(path, columns={"prompt": "vraag"}).answers[0].prompt == "c"


@pytest.mark.parametrize(
    "column", ["Behavior", "prompt_text", "Changed Question", "jailbreak_query", "forbidden_prompt", "Goal"]
)
def test_columns_of_the_benchmarks_own_files(tmp_path: Path, column: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{column},response\nHow?,No.\n")
    assert read(path).answers[0].prompt == "How?"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fileuri.csv", "imgcol.jsonl", "pylist.csv", "winpath.csv"])
def test_the_field_reports_of_picture_cells(
    items: Sequence[Item], data_dir: Path, tmp_path: Path, name: str
) -> None:
    assert pictured(items, data_dir / REPORTS / "picture-cells" / name, tmp_path) == {"prompt and picture": 4}


@pytest.mark.slow
def test_the_field_report_of_a_first_row_without_a_picture(
    items: Sequence[Item], data_dir: Path, tmp_path: Path
) -> None:
    report = data_dir / REPORTS / "first-row-decides" / "firstnoimg.jsonl"
    assert pictured(items, report, tmp_path) == {"prompt and picture": 4}


def pictured(items: Sequence[Item], report: Path, tmp_path: Path) -> dict[str, int]:
    """Grounds of the matches of a report's file, whose pictures are put where it says that they are."""
    for folder in (tmp_path / "images", tmp_path / "data" / "mini"):
        folder.mkdir(parents=True)
        for item in items:
            (folder / item.images[0].name).write_bytes(item.images[0].read_bytes())
    path = tmp_path / report.name
    text = report.read_text(encoding="utf-8").replace("file:///data/mini", (tmp_path / "data/mini").as_uri())
    path.write_text(text, encoding="utf-8")
    return match(read(path).answers, {TASK: items}).how
