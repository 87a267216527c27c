"""Runs of two protocols: never one column, never one comparison; a submission keeps them apart, too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from safecot_eval.aggregate.columns import Key
from safecot_eval.aggregate.comparisons import compare_two, pair_views
from safecot_eval.aggregate.leaderboard import conflicts
from safecot_eval.aggregate.reading import read_all
from safecot_eval.cli import cli
from safecot_eval.records.run import find_runs
from safecot_eval.submissions.blocks import CODES, columns_of, task_block
from tests.conftest import make_doc, write_run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two models asked in SafeCoT's way, one as the task does it, and one whose run file is damaged."""
    for name, kept in {
        "cot": {"protocol": "safecot"},
        "plain": {"protocol": "safecot"},
        "greedy": {"protocol": ""},
        "old": {"protocol": ["?"]},
    }.items():
        answers = [(make_doc(sample_id=f"{n:016x}", item_id=str(n)), "I'm sorry.") for n in range(4)]
        write_run(tmp_path / "runs" / name, answers, model=name)
        (tmp_path / "runs" / name / "20260101_000000_run.json").write_text(json.dumps(kept), encoding="utf-8")
    return tmp_path / "runs"


def test_two_protocols_share_no_column(runs: Path) -> None:
    tables = {table.model: table for table in read_all(find_runs([runs]))}
    assert {name: table.key.protocol for name, table in tables.items()} == {
        "cot": "safecot",
        "plain": "safecot",
        "greedy": "",
        "old": "",
    }
    said = conflicts(list(tables.values()))
    assert said == ["safecot_mini has more than one protocol: of the task itself, safecot"]
    pairs = pair_views(list(tables.values()), None)["pairs"]
    assert {(row["a"], row["b"]) for row in pairs} == {("cot", "plain"), ("greedy", "old")}
    assert not compare_two([tables["cot"]], [tables["greedy"]])
    assert compare_two([tables["cot"]], [tables["plain"]])


def test_the_page_says_which(runs: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.json"
    done = CliRunner().invoke(cli, ["report", str(runs), "-o", str(target)])
    assert done.exit_code == 0, done.output
    page = json.loads(target.read_text(encoding="utf-8"))
    assert {cell["model"]: cell["apart"] for cell in page["cells"] if cell["metric"] == "crr"} == {
        "cot": "protocol safecot",
        "plain": "protocol safecot",
        "greedy": "protocol of the task itself",
        "old": "protocol of the task itself",
    }
    strict = CliRunner().invoke(cli, ["report", str(runs), "-o", str(target), "--strict"])
    assert strict.exit_code != 0
    assert "more than one protocol" in strict.output + str(strict.exception)


def test_a_submission_keeps_the_protocol_and_old_ones_have_none(runs: Path) -> None:
    for table in read_all(find_runs([runs])):
        block = task_block(table, "20260101_000000", "0" * 64, {})
        assert ("protocol" in block) == bool(table.key.protocol)
        assert columns_of(table.model, block, CODES).key == table.key
    assert Key("1", "r", "none").protocol == ""
