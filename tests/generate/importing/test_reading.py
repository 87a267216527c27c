"""Tables and logs of other tools, whole and broken."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from safecot_eval.generate.importing import read
from safecot_eval.records.samples import Status
from safecot_eval.records.tables import archives
from safecot_eval.util.errors import SafecotError


def test_vlmevalkit_workbook(tmp_path: Path) -> None:
    """Its `answer` column is the reference; the model's words are in `prediction`."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["index", "question", "category", "answer", "prediction"])
    sheet.append([7, "What is this?_x000D_\nLook.", "a", "gold", "=1+1 is two"])
    sheet.append([8, "And this?", "a", "gold", "Failed to obtain answer via API."])
    sheet.append([9, "And that?", "a", "gold", None])
    sheet.append([10, "Long?", "a", "gold", "x" * 32767])
    path = tmp_path / "my-vlm_XSTest.xlsx"
    book.save(path)
    source = read(path)
    assert source.kind == "vlmevalkit"
    assert [a.response[:20] for a in source.answers] == [
        "=1+1 is two",
        "Failed to obtain answer via API."[:20],
        "",
        "x" * 20,
    ]
    assert source.answers[0].prompt == "What is this?\r\nLook."
    assert [a.status for a in source.answers] == [
        Status.OK,
        Status.REQUEST_FAILED,
        Status.OK,
        Status.TRUNCATED,
    ]
    assert "response = prediction" in source.notes[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'prompt,answer\n"Hi, ""you""?","line 1\nline 2"\n'),
        ("a.csv", '\ufeffPrompt;Answer\nHi, "you"?;"line 1\nline 2"\n'),
        ("a.tsv", 'prompt\tanswer\n"Hi, ""you""?"\t"line 1\nline 2"\n'),
        ("a.jsonl", '{"prompt": "Hi, \\"you\\"?", "answer": "line 1\\nline 2"}\n'),
        ("a.json", '[{"prompt": "Hi, \\"you\\"?", "answer": "line 1\\nline 2"}]'),
        ("a.json", '{"prompt": {"0": "Hi, \\"you\\"?"}, "answer": {"0": "line 1\\nline 2"}}'),
    ],
)
def test_plain_tables(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    (answer,) = read(path).answers
    assert (answer.prompt, answer.response) == ('Hi, "you"?', "line 1\nline 2")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"prompt,answer\n", "no answers"),
        ("a.csv", b"prompt,answer\nx\n", "line 2: 1 cells under 2"),
        ("a.csv", b"prompt,answer\nx,y,z\n", "line 2: 3 cells under 2"),
        ("a.csv", b"prompt,prompt\nx,y\n", "occurs twice"),
        ("a.csv", b"prompt,said\nx,y\n", "No column of answers"),
        (
            "a.csv",
            b"source,said,response\nx,y,z\n",
            "No column of prompts was found among source, said, response; .*prompt=NAME",
        ),
        ("a.csv", b"prompt,answer\n\xc4\xe3\xba\xc3\xc2\xf0,y\n", "not UTF-8"),
        ("a.csv", b'prompt,answer\n"x,y\n', "not a table"),
        ("a.csv", b"prompt,answer,status\nx,y,fine\n", "row 2: status 'fine'"),
        ("a.csv", b"prompt,answer,output_tokens\nx,y,many\n", "row 2: output_tokens"),
        ("a.json", b"[1]", "list of objects"),
        ("a.json", b"{", "not JSON"),
        ("a.xlsx", b"PK\x03\x04 no", "not a zip file"),
        ("a.pkl", b"x", "the ending .pkl"),
        ("a.eval", b"x", "not a zip file"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SafecotError, match=said):
        read(path)


def test_columns_of_ones_own_choice(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("q,reply\nHi?,Ho.\n")
    (answer,) = read(path, columns={"prompt": "q", "response": "reply"}).answers
    assert (answer.prompt, answer.response) == ("Hi?", "Ho.")
    with pytest.raises(SafecotError, match="there is no such column; there are: q, reply"):
        read(path, columns={"response": "answers"})
    with pytest.raises(SafecotError, match="a column is one of"):
        read(path, columns={"replies": "reply"})


def sample(number: int, **changes: Any) -> dict[str, Any]:
    """A sample of an Inspect log, with the picture kept apart as Inspect does."""
    content = [
        {"type": "text", "text": f"Question {number}?"},
        {"type": "image", "image": "attachment://77aa"},
    ]
    message = {
        "role": "assistant",
        "content": [{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": f"Answer {number}"}],
    }
    return {
        "id": number,
        "epoch": 1,
        "input": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": content}],
        "output": {
            "choices": [{"message": message, "stop_reason": "stop"}],
            "completion": f"Answer {number}",
            "usage": {"output_tokens": 12},
        },
        "attachments": {"77aa": "data:image/png;base64,aGVsbG8="},
        **changes,
    }


def write_log(path: Path, samples: list[dict[str, Any]], kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr("_journal/start.json", json.dumps({"version": 2, "eval": {"model": "old"}}))
        for entry in samples:
            archive.writestr(f"samples/{entry['id']}_epoch_{entry['epoch']}.json", json.dumps(entry))
        archive.writestr("header.json", json.dumps({"version": 2, "eval": {"model": "openai/gpt-x"}}))
    return path


def test_inspect_log(tmp_path: Path) -> None:
    cut = sample(2)
    cut["output"]["choices"][0]["stop_reason"] = "max_tokens"
    failed = sample(3, output={"choices": [], "completion": "", "error": "boom"})
    samples = [
        sample(1),
        cut,
        failed,
        sample(4, input="Plain?", output={"completion": "Yes."}),
        sample(1, epoch=2),
    ]
    source = read(write_log(tmp_path / "log.eval", samples))
    assert (source.kind, source.model) == ("inspect", "openai/gpt-x")
    assert [a.response for a in source.answers] == [
        "<think>Hm.</think>\nAnswer 1",
        "<think>Hm.</think>\nAnswer 2",
        "",
        "Yes.",
    ]
    assert [a.status for a in source.answers] == [
        Status.OK,
        Status.TRUNCATED,
        Status.REQUEST_FAILED,
        Status.OK,
    ]
    assert source.answers[0].prompt == "Question 1?"
    assert source.answers[0].output_tokens == 12
    assert source.answers[0].pictures is not None
    assert source.answers[0].pictures[0].sha256.startswith("2cf24dba5fb0a30e")  # of b"hello"
    assert source.answers[3].prompt == "Plain?"
    assert source.notes[1:] == ["1 sample of later epochs left out; the first epoch counts."]
    log = {"eval": {"model": "m"}, "samples": samples}
    (tmp_path / "log.json").write_text(json.dumps(log))
    again = read(tmp_path / "log.json")
    assert again.model == "m"
    assert [a.response for a in again.answers] == [a.response for a in source.answers]


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("samples/1_epoch_1.json", b"0" * 40_000_000)
    with pytest.raises(SafecotError, match="zip bomb"):
        read(path)
    monkeypatch.setattr(archives, "MAX_RATIO", 10**6)
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 10**6)
    with pytest.raises(SafecotError, match="would unpack to 38 MiB"):
        read(path)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 0)
    with pytest.raises(SafecotError, match="1 members"):
        read(path)


def test_a_workbook_that_is_a_bomb(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * 40_000_000)
    with pytest.raises(SafecotError, match="zip bomb"):
        read(path)


def test_damaged_logs_are_named(tmp_path: Path) -> None:
    whole = write_log(tmp_path / "log.eval", [sample(1)], zipfile.ZIP_STORED)
    content = whole.read_bytes()
    whole.write_bytes(content.replace(b"Question 1?", b"Question 2?"))
    with pytest.raises(SafecotError, match=r"log\.eval, samples/1_epoch_1\.json: not JSON, or damaged"):
        read(whole)
    with pytest.raises(SafecotError, match="no samples"):
        read(write_log(tmp_path / "empty.eval", []))
    (tmp_path / "cut.eval").write_bytes(content[: len(content) // 2])
    with pytest.raises(SafecotError, match="not a zip file"):
        read(tmp_path / "cut.eval")
    with zipfile.ZipFile(tmp_path / "bz.eval", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("samples/1_epoch_1.json", json.dumps(sample(1)))
    with pytest.raises(SafecotError, match="inspect log convert"):
        read(tmp_path / "bz.eval")


@pytest.mark.timeout(60)  # it took minutes
@pytest.mark.slow
def test_a_stray_cell_far_out_does_not_make_a_sheet_of_billions_of_cells(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (("prompt", "response"), ("Hi?", "Ho.")):
        book.active.append(row)
    book.active["XFD100000"] = "x"
    book.save(tmp_path / "a.xlsx")
    (answer,) = read(tmp_path / "a.xlsx").answers
    assert (answer.prompt, answer.response) == ("Hi?", "Ho.")


def test_a_word_inside_one_header_alone_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Nr.;Pr\u00fcffrage;Modellantwort;Musterantwort\n1;Who?;Me.;You.\n", encoding="utf-8")
    source = read(path)
    assert (source.answers[0].prompt, source.answers[0].response) == ("Who?", "Me.")
    assert source.notes[0] == "columns: response = Modellantwort, prompt = Pr\u00fcffrage"
    path.write_text("Pr\u00fcffrage;Antwort A;Antwort B\nWho?;Me.;You.\n", encoding="utf-8")
    with pytest.raises(SafecotError, match="No column of answers .* Recognised: prompt = Pr\u00fcffrage"):
        read(path)
