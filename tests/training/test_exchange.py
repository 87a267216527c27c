"""Training data in other trainers' forms: the shapes that their documentation shows, and nothing lost on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from safecot_eval.cli.train import command
from safecot_eval.util.errors import SafecotError
from safecot_training.cot.targets import Variant
from safecot_training.cot.variants import write_variant
from safecot_training.data.dataset import build
from safecot_training.data.drawing import Plan
from safecot_training.data.examples import Kind, read_triplets
from safecot_training.data.exchange import Format, export_data
from safecot_training.data.sources import read_source


@pytest.fixture
def folder(tmp_path: Path, triplets: Path) -> Path:
    """Safety rows with a picture, one without, one with two, and a conversation of two turns."""
    rows = [json.loads(line) for line in triplets.read_text().splitlines()[:6]]
    rows[0]["images"] = []
    rows[1]["images"] = [rows[1]["image"], rows[2]["image"]]
    rows[3]["history"] = [["And before?", "Nothing."]]
    for row in rows:
        if "images" in row:
            row.pop("image")
    triplets.write_text("\n".join(map(json.dumps, rows)))
    build(read_triplets(triplets), [], tmp_path / "data", Plan(ratio=(1, 0)))
    write_variant(tmp_path / "data", Variant.V1)
    return tmp_path / "data"


def trained(folder: Path) -> dict[str, dict]:
    return {row["id"]: row for row in map(json.loads, (folder / "v1.jsonl").read_text().splitlines())}


@pytest.mark.parametrize("form", [Format.LLAMAFACTORY, Format.MS_SWIFT])
def test_messages_with_a_place_for_every_image(form: Format, folder: Path, tmp_path: Path) -> None:
    files = export_data(folder, "v1", form, tmp_path / "out")
    text = files[0].read_text()
    rows = (
        json.loads(text) if form is Format.LLAMAFACTORY else [json.loads(line) for line in text.splitlines()]
    )
    for row, source in zip(rows, trained(folder).values(), strict=True):
        assert set(row) == {"messages", "images"}
        assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"] * (
            len(row["messages"]) // 2
        )
        assert sum(turn["content"].count("<image>") for turn in row["messages"]) == len(row["images"])
        assert all(Path(path).is_absolute() and Path(path).is_file() for path in row["images"])
        assert row["messages"][-1]["content"] == source["completion"][0]["content"]
    assert {len(row["messages"]) for row in rows} == {2, 4}
    assert {len(row["images"]) for row in rows} == {0, 1, 2}
    if form is Format.LLAMAFACTORY:
        info = json.loads(files[1].read_text())["safecot_v1"]
        assert info["file_name"] == files[0].name
        assert info["columns"] == {"messages": "messages", "images": "images"}
        assert info["tags"]["user_tag"] == "user"


def test_axolotl_gets_parts(folder: Path, tmp_path: Path) -> None:
    (file,) = export_data(folder, "v1", Format.AXOLOTL, tmp_path / "out")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    images = [part for row in rows for part in row["messages"][0]["content"] if part["type"] == "image"]
    assert len(images) == sum(len(row["images"]) for row in trained(folder).values())
    for row in rows:
        assert all(part["type"] in ("image", "text") for turn in row["messages"] for part in turn["content"])
        assert "<image>" not in json.dumps(row)


def test_sharegpt_is_read_again_by_our_own_source(folder: Path, tmp_path: Path) -> None:
    (file,) = export_data(folder, "v1", Format.SHAREGPT, tmp_path / "out")
    again = read_source(f"llava={file}", Kind.GENERAL, tmp_path)
    last = {}
    for example in again:
        last[example.cluster_id] = example
    for example, source in zip(last.values(), trained(folder).values(), strict=True):
        assert example.query == source["prompt"][-1]["content"]
        assert [path.name for path in example.images] == [Path(name).name for name in source["images"]]
        assert source["completion"][0]["content"].endswith(example.answer.rpartition("\n")[2])


def test_other_entries_of_llamafactorys_register_stay(folder: Path, tmp_path: Path) -> None:
    own = {"mine": {"file_name": "mine.json"}, "safecot_v1": {"file_name": "old.json"}}
    register = tmp_path / "dataset_info.json"
    register.write_text(json.dumps(own))
    export_data(folder, "v1", Format.LLAMAFACTORY, tmp_path)
    found = json.loads(register.read_text())
    assert found["mine"] == own["mine"]
    assert found["safecot_v1"]["file_name"] == "safecot_v1.json"
    register.write_text("[1]")
    (tmp_path / "safecot_v1.json").unlink()
    with pytest.raises(SafecotError, match="must hold a JSON object"):
        export_data(folder, "v1", Format.LLAMAFACTORY, tmp_path)
    assert not (tmp_path / "safecot_v1.json").exists()
    assert register.read_text() == "[1]"


def test_the_command_and_what_it_refuses(folder: Path, tmp_path: Path) -> None:
    arguments = ["export-data", "--data", str(folder), "--format", "ms-swift", "--out", str(tmp_path / "o")]
    done = CliRunner().invoke(
        command, [*arguments, "--variant", "v1", "--max-samples", "2"], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert "checked against no evaluation set" in done.output
    assert len((tmp_path / "o/safecot_v1.jsonl").read_text().splitlines()) == 2
    for given, words in (
        (["--variant", "v2"], "v2 is not written"),
        (["--variant", "v1", "--max-samples", "99"], "99 rows"),
    ):
        failed = CliRunner().invoke(command, [*arguments, *given])
        assert isinstance(failed.exception, SafecotError)
        assert words in str(failed.exception)
