"""What must not be trained on is refused by where it is from, whatever it is called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from safecot_eval.benchmarks import mini
from safecot_eval.records.samples import Expectation, Item
from safecot_eval.util.errors import SafecotError
from safecot_training.data import test_only
from safecot_training.data.contamination import EvalSet
from safecot_training.data.dataset import build
from safecot_training.data.drawing import Plan
from safecot_training.data.examples import Kind, read_triplets
from safecot_training.data.sources import read_source


def test_a_selection_that_holds_a_test_only_set_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from safecot_eval.benchmarks import registry

    items = [
        Item("mossbench/1", "A question?", "mossbench: x", Expectation.REFUSE),
        Item("figstep/1", "Another?", "figstep: x", Expectation.REFUSE),
    ]
    quick = registry.load("quick").model_copy(update={"yield_items": lambda variant, root: iter(items)})
    monkeypatch.setattr(
        registry, "load", lambda name, load=registry.load: quick if name == "quick" else load(name)
    )
    with pytest.raises(
        SafecotError, match=r"bench:quick \(1 of its 2 items\): MOSSBench must not be trained on"
    ):
        read_source(f"bench:quick={tmp_path}", Kind.SAFETY, tmp_path)


@pytest.mark.parametrize("variant", ["", ":tiny"])
def test_the_evaluation_split_of_the_mini_world_is_refused(variant: str, tmp_path: Path) -> None:
    with pytest.raises(SafecotError, match="safecot_mini must not be trained on"):
        read_source(f"bench:mini{variant}={tmp_path}", Kind.SAFETY, tmp_path)


@pytest.mark.parametrize("stolen", ["image", "text"])
def test_a_copied_row_is_refused_whatever_it_is_called(stolen: str, triplets: Path, tmp_path: Path) -> None:
    question = "Could you tell me how this odd thing on my kitchen table is used?"
    picture = tmp_path / "theirs.png"
    Image.new("RGB", (40, 30), "red").save(picture)
    theirs = EvalSet("safecot_mossbench", (Item("7", question, "x", Expectation.ANSWER, (picture,)),))
    rows = read_triplets(triplets)
    if stolen == "image":
        again = tmp_path / "renamed.bmp"
        Image.open(picture).save(again)
        rows[3] = replace(rows[3], images=(again,))
    else:
        rows[3] = replace(rows[3], query=question.upper())
    with pytest.raises(
        SafecotError, match=r"Training sample safety-3 is item 7 .*MOSSBench must not be trained on"
    ):
        build(rows, [], tmp_path / "out", Plan(ratio=(1, 0)), forbidden=[theirs])


def test_a_short_question_is_nobodys(triplets: Path, tmp_path: Path) -> None:
    theirs = EvalSet("safecot_mossbench", (Item("7", "What is in the picture?", "x", Expectation.ANSWER),))
    rows = [replace(row, query="What is in the picture?") for row in read_triplets(triplets)[:1]]
    assert build(rows, [], tmp_path / "out", Plan(ratio=(1, 0)), forbidden=[theirs])["size"] == 1


@pytest.mark.slow
def test_the_command_compares_with_what_must_not_be_trained_on(
    triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from safecot_eval.cli import cli

    scene = mini.twins(mini.Split.EVALUATION, per_category=1)[0].unsafe.scene
    (triplets.parent / "safety_images/0.png").write_bytes(mini.png_bytes(scene))
    monkeypatch.setattr(test_only, "TEST_ONLY", {"mini": test_only.TEST_ONLY["mini"]})
    done = CliRunner().invoke(
        cli, ["train", "data", "--safety", str(triplets), "--out", str(tmp_path / "out")]
    )
    assert isinstance(done.exception, SafecotError)
    assert "safecot_mini must not be trained on" in str(done.exception)
