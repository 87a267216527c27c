"""Some of a task's items: by id everywhere, by task and id, and what a list can get wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from safecot_eval.benchmarks import catalogue, item_list
from safecot_eval.cli import cli
from safecot_eval.generate.trained_on import trained_on
from safecot_eval.records.samples import Expectation, Item
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import CHECKPOINT_CARD

ITEMS = [Item(str(number), f"Question {number}?", "x", Expectation.ANSWER) for number in range(5)]


def chosen(folder: Path, text: str, task_name: str = "safecot_a") -> list[str]:
    path = folder / "ids.txt"
    path.write_text(text)
    return [item.item_id for item in item_list.load(path).select(task_name, ITEMS)]


def test_ids_are_taken_in_the_tasks_order(tmp_path: Path) -> None:
    assert chosen(tmp_path, "3\n# a note\n\n 1 \n99\n") == ["1", "3"]
    lines = [{"task": "safecot_a", "item_id": 4}, {"task": "safecot_b", "item_id": "0"}]
    text = "\n".join(map(json.dumps, lines))
    assert chosen(tmp_path, text) == ["4"]
    assert chosen(tmp_path, text, "safecot_b") == ["0"]
    assert chosen(tmp_path, text, "safecot_c") == ["0", "1", "2", "3", "4"]  # no line names it
    assert chosen(tmp_path, text + "\n2") == ["2", "4"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the list of items is empty"),
        ("7", "none of its ids is an item of safecot_a"),
        ('{"task": "safecot_a", "item_id": "9"}', "safecot_a has no item '9'"),
        ('{"task": "safecot_a"}', "line 1: write an item id"),
        ("1\n{", "line 2: write an item id"),
        ('{"task": ["a"], "item_id": 1}', "line 1: write an item id"),
        ('\n["1", "2"]', "a JSON list; write one id a line"),
    ],
)
def test_a_list_that_fits_nothing_is_named(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(SafecotError, match=words):
        chosen(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1\nnope", "'nope' is the id of no item of safecot_mini, safecot_siuo; take it out"),
        ("item_id\n1\nnope", r"'item_id' is the id of no item .* \(2 such ids of 3\)"),
        (
            '{"task": "safecot_minii", "item_id": "1"}',
            "there is no task 'safecot_minii'; did you mean safecot_mini",
        ),
        (
            '{"task": "safecot_xstest", "item_id": "1"}',
            "its lines are of safecot_xstest, and none of safecot_mini",
        ),
    ],
)
def test_nothing_of_a_list_is_left_out_in_silence(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_text(text)
    with pytest.raises(SafecotError, match=words):
        item_list.load(path).require_used({"safecot_mini": {"1", "2"}, "safecot_siuo": {"3"}})
    path.write_text('# a note\n1\n3\n{"task": "safecot_xstest", "item_id": "1"}')
    item_list.load(path).require_used({"safecot_mini": {"1", "2"}, "safecot_siuo": {"3"}})


def test_the_command_plans_these_items_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(item_list.VARIABLE, "")  # put back at the end
    ids = [item.item_id for item in catalogue.items_of("safecot_mini_tiny")][3:6]
    (tmp_path / "ids.txt").write_text("\n".join(ids))
    command = ["run", "--model", "safecot_baseline", "--tasks", "safecot_mini_tiny", "--dry-run"]
    command += ["--output_path", str(tmp_path / "runs"), "--items"]
    done = CliRunner().invoke(cli, [*command, str(tmp_path / "ids.txt")], catch_exceptions=False)
    assert "safecot_mini_tiny (3)" in done.output
    (tmp_path / "some.txt").write_text("\n".join([*ids, "nope"]))
    some = CliRunner().invoke(cli, [*command, str(tmp_path / "some.txt")])
    assert "'nope' is the id of no item of safecot_mini_tiny" in str(some.exception)
    monkeypatch.setenv(item_list.CHECKED, str((tmp_path / "some.txt").resolve()))  # one process of a matrix
    part = CliRunner().invoke(cli, [*command, str(tmp_path / "some.txt")], catch_exceptions=False)
    assert "safecot_mini_tiny (3)" in part.output
    theirs = [*command[:4], "pope", *command[5:], str(tmp_path / "ids.txt")]
    assert "--items chooses items of our tasks, and pope" in str(CliRunner().invoke(cli, theirs).exception)
    missing = CliRunner().invoke(cli, [*command, str(tmp_path / "none.txt")])
    assert isinstance(missing.exception, SafecotError)


def test_a_checkpoint_that_names_its_questions_is_counted_by_them(tmp_path: Path) -> None:
    items = catalogue.items_of("safecot_mini_tiny")
    seen = sorted({item.cluster_id for item in items})[:2]
    (tmp_path / CHECKPOINT_CARD).write_text(json.dumps({"trained_clusters": {"mini": seen}}))
    told = trained_on({"pretrained": str(tmp_path)}, ["safecot_mini_tiny"])
    assert told == {"trained_items": {"safecot_mini_tiny": [4, len(items)]}}
    (tmp_path / CHECKPOINT_CARD).write_text(json.dumps({"variant": "v1"}))
    assert trained_on({"pretrained": str(tmp_path)}, ["safecot_mini_tiny"]) == {}
    assert trained_on({"pretrained": "org/name"}, ["safecot_mini_tiny"]) == {}
