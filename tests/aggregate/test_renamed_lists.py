"""Runs of 0.1, whose default phrase list had another name, beside runs of today."""

from __future__ import annotations

from pathlib import Path

import pytest

from safecot_eval.aggregate.reading import read_all
from safecot_eval.aggregate.tables import load_runs
from safecot_eval.records.evaluator import Evaluator
from safecot_eval.records.run import find_runs
from tests.conftest import make_doc, write_run

OLD, NOW = "safecot25@c6aa4b88", "gcg25@c6aa4b88"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A run as 0.1 wrote it: two answers with reasoning, one a refusal."""
    answers = [
        (make_doc(sample_id=f"{n:016d}"), raw)
        for n, raw in enumerate(
            ("<think>So I do not.</think>I do not.", "<think>Fine.</think>Therefore, tea.")
        )
    ]
    path = write_run(tmp_path / "old", answers, model="old")
    path.write_text(path.read_text(encoding="utf-8").replace(NOW, OLD), encoding="utf-8")
    assert OLD in path.read_text(encoding="utf-8")
    return tmp_path


def test_alone_they_keep_the_name_and_are_matched_once(old: Path) -> None:
    (table,) = read_all(find_runs([old]), lists=["gcg25", "safecot25"])
    by_name = {str(one): labels for one, labels in table.evaluators.items()}
    assert f"template:{OLD}" in by_name
    assert f"shadow template:{NOW}" not in by_name  # the same phrases
    assert list(by_name["shadow template:safecot25@7cd5a3eb"].codes) == [0, 1]
    assert list(table.consistent) == [1, 1]


def test_beside_runs_of_today_they_share_their_column(old: Path) -> None:
    write_run(old / "new", [(make_doc(sample_id="a" * 16), "I'm sorry.")], model="new")
    tables = {table.model: table.evaluators for table in read_all(find_runs([old]))}
    now = Evaluator.of_list(NOW)
    assert {model: list(evaluators) for model, evaluators in tables.items()} == {"old": [now], "new": [now]}
    assert list(tables["old"][now].codes) == [1, 0]


def test_a_table_names_them_as_the_page_does(old: Path) -> None:
    assert set(load_runs(old)["evaluator"]) == {f"template:{OLD}"}
    write_run(old / "new", [(make_doc(sample_id="a" * 16), "I'm sorry.")], model="new")
    assert load_runs(old)["evaluator"].tolist() == [f"template:{NOW}"] * 3
