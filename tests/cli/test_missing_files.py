"""A file that is not there is what the message is about: no error number, and nothing else is blamed."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from safecot_eval.cli import cli
from safecot_eval.util.errors import SafecotError

REPLAY = ["run", "--model", "safecot_baseline", "--model_args", "kind=refuse", "--tasks", "safecot_mini_tiny"]


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (["validate", "no.json"], "no.json"),
        (["validate", "there.csv", "no.json"], "no.json"),
        (["label", "import", "no.csv"], "no.csv"),
        (["label", "import", "there.csv", "no.csv"], "no.csv"),
        (["label", "import", "there.csv", "--key", "no.key.json"], "no.key.json"),
        (["label", "rates", "no"], "no"),
        (["label", "export", "no"], "no"),
        (["import", "no.csv"], "no.csv"),
        (["judge", "no"], "no"),
        (["judge", "import", "folder", "--from", "no.csv"], "no.csv"),
        ([*REPLAY, "--items", "no.txt"], "no.txt"),
        ([*REPLAY, "--preset", "no.yaml"], "no.yaml"),
        ([*REPLAY, "--decoding", "no.yaml"], "no.yaml"),
        (["run", "--models", "./no.yaml", "--tasks", "safecot_mini_tiny"], "no.yaml"),
        (["train", "check", "--recipe", "no.yaml"], "no.yaml"),
        (["train", "data", "--safety", "no.jsonl", "--out", "out"], "no.jsonl"),
        (["train", "data", "--safety", "no.parquet", "--out", "out"], "no.parquet"),
    ],
)
def test_a_missing_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], missing: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.csv").write_text("row,label\n1,refused\n")
    Path("folder").mkdir()
    done = CliRunner().invoke(cli, arguments)
    assert isinstance(done.exception, SafecotError), done.output
    said = str(done.exception)
    assert f"{missing}: no such file" in said
    assert "[Errno" not in said
    assert not done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "there.csv"]
