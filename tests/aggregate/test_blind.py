"""``safecot compare --blind``: does a model's safety look at the picture?"""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from safecot_eval.cli.compare import command
from tests.conftest import make_doc, write_run


def runs(folder: Path, *, refused_blind: int, image_source: str = "official", name: str = "toy") -> None:
    """Forty items, all refused with the picture, some of them without it."""
    docs = [
        make_doc(sample_id=f"{n:016x}", item_id=str(n), cluster_id=str(n), image_source=image_source)
        for n in range(40)
    ]
    write_run(folder / "a", [(doc, "Sorry, no.") for doc in docs], model=f"owner/{name}")
    answers = ["Sorry, no." if n < refused_blind else "Here it is." for n in range(40)]
    write_run(folder / "b", list(zip(docs, answers, strict=True)), model=f"{name} + blank image")


def said(*arguments: str) -> str:
    done = CliRunner().invoke(command, list(arguments))
    return done.output + str(done.exception or "")


def test_the_paired_difference_of_each_model_and_its_blind_twin(tmp_path: Path) -> None:
    runs(tmp_path, refused_blind=10)
    output = said("--blind", str(tmp_path))
    assert "owner/toy  safecot_mini  crr" in output
    assert "+75.0 [" in output
    assert "n = 40  the picture matters" in output


def test_no_difference_is_said_to_be_none(tmp_path: Path) -> None:
    runs(tmp_path, refused_blind=40)
    assert "no difference shown" in said("--blind", str(tmp_path))


def test_tasks_without_pictures_and_models_without_a_twin_are_no_comparison(tmp_path: Path) -> None:
    runs(tmp_path, refused_blind=10, image_source="none")
    assert "--preset blind" in said("--blind", str(tmp_path))


def test_two_names_are_needed_otherwise(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, [str(tmp_path)])
    assert done.exit_code
    assert "Give two to compare" in str(done.exception)
