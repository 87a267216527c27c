"""Data that lie a folder too deep or in capital letters, and pictures that are missing or none: told before a run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from safecot_eval.benchmarks import catalogue, prepare
from safecot_eval.benchmarks.data.locate import misplaced
from safecot_eval.benchmarks.data.sources import sources
from safecot_eval.benchmarks.data.verify import verify
from safecot_eval.cli import cli as main
from safecot_eval.util.errors import SafecotError
from tests.tasks.layouts import WRITERS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own data folder, empty."""
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SAFECOT_CACHE_DIR", str(tmp_path / "cache"))
    catalogue.why_not_ready.cache_clear()
    return tmp_path / "data"


def test_the_place_and_the_remedy_are_said(tmp_path: Path) -> None:
    assert misplaced(tmp_path / "none", ["a.csv"]) == misplaced(tmp_path, ["a.csv"]) == ""
    deep = tmp_path / "Set-main" / "data"
    deep.mkdir(parents=True)
    (deep / "A.csv").touch()
    assert (
        misplaced(tmp_path, ["a.csv"])
        == f" Set-main/data/A.csv is there: move what Set-main/data/ holds to {tmp_path}."
    )
    (tmp_path / "A.CSV").touch()
    assert misplaced(tmp_path, ["b.csv", "a.csv"]) == " A.CSV is there: rename it to a.csv."
    (tmp_path / "a.csv").touch()
    hidden = tmp_path / "__MACOSX"
    hidden.mkdir()
    (hidden / "b.csv").touch()
    assert misplaced(tmp_path, ["b.csv"]) == ""


@pytest.mark.parametrize(
    "name", ["xstest", "safemt", "mis", "visualleakbench", "vlsu", "holisafe", "comicjailbreak"]
)
def test_a_zip_unpacked_in_a_folder_of_its_own(name: str, folder: Path) -> None:
    WRITERS["protocols"](folder / "protocols")
    WRITERS[name](folder / name / "Set-main")
    reasons = {
        catalogue.why_not_ready(task_name)
        for task_name in catalogue.registry.task_names()
        if catalogue.registry.task_parts(task_name)[0].name == name
    }
    assert all("Set-main/" in str(reason) and f"to {folder / name}" in str(reason) for reason in reasons), (
        reasons
    )
    known = sources()[name]
    if known.needed or any("/" not in path for path in known.sha256):
        assert any(
            f"move what Set-main/ holds to {folder / name}" in line
            for line in verify(known, folder / name).short
        )


def test_a_table_in_capital_letters(folder: Path) -> None:
    WRITERS["xstest"](folder / "xstest")
    table = folder / "xstest" / "xstest_prompts.csv"
    table.rename(table.with_name("XSTest_Prompts.CSV"))
    reason = catalogue.why_not_ready("safecot_xstest")
    assert str(reason).endswith("XSTest_Prompts.CSV is there: rename it to xstest_prompts.csv.")


@pytest.mark.slow
def test_pictures_that_are_missing_or_none_are_told_before_a_run(folder: Path) -> None:
    """By ``prepare``, by ``list`` and in the lines before a run; a replay needs no picture."""
    WRITERS["holisafe"](folder / "holisafe")
    task_name = "safecot_holisafe"
    assert catalogue.bad_images(task_name, opened=True) is None
    pictures = sorted(path for path in (folder / "holisafe").rglob("*.png"))
    pictures[0].unlink()
    pictures[1].write_text("<html>not found</html>", encoding="utf-8")
    count = len(pictures)
    gone = catalogue.bad_images(task_name, opened=False)
    assert gone is not None
    assert gone.startswith(f"1 of {count} images is not on disk (")
    both = prepare.prepare("holisafe").bad_images[task_name]
    assert both == f"{gone}; 1 of {count} images is unreadable ({pictures[1].name})"
    runner = CliRunner()
    listed = runner.invoke(main, ["data", "list"]).output
    assert gone in listed
    arguments = ["run", "--tasks", task_name, "--output_path", str(folder.parent / "out"), "--dry-run"]
    asked = runner.invoke(main, [*arguments, "--model", "safecot_hf", "--model_args", "pretrained=org/model"])
    assert f"images  {task_name}: {gone}" in asked.output, asked.output
    replayed = runner.invoke(
        main, [*arguments, "--model", "safecot_baseline", "--model_args", "policy=refuse"]
    )
    assert "images  " not in replayed.output


def test_moved_rows_of_comicjailbreak_are_refused(folder: Path) -> None:
    """Only their place says which goals are harmless."""
    WRITERS["protocols"](folder / "protocols")
    WRITERS["comicjailbreak"](folder / "comicjailbreak")
    table = folder / "comicjailbreak" / "dataset.csv"
    head, *rows = table.read_text(encoding="utf-8").splitlines()
    rows = [row.replace("Keys", f"Keys {number % 100}") for number, row in enumerate(rows)]
    table.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    assert catalogue.why_not_ready("safecot_comicjailbreak_base") is None
    table.write_text("\n".join([head, *rows[:50], *rows[51:]]) + "\n", encoding="utf-8")
    with pytest.raises(
        SafecotError, match=r"dataset\.csv, row 102: its Behavior is 'Keys 1', and 'Keys 0' in row 2, "
    ):
        catalogue.items_of("safecot_comicjailbreak_base")


def test_texts_that_an_older_folder_lacks_come_from_the_cache(folder: Path, tmp_path: Path) -> None:
    """The user's own file is never written to."""
    from safecot_eval.benchmarks.data import protocols

    WRITERS["protocols"](folder / "protocols")
    own = folder / "protocols" / protocols.FILE
    whole = own.read_text(encoding="utf-8")
    own.write_text('{"Mine/text": "kept"}', encoding="utf-8")
    report = verify(sources()["protocols"], folder / "protocols")
    assert not report.complete
    assert report.short[0].startswith(
        f"judge_prompts.json lacks {len(protocols.lacking(own.parent))} texts ("
    )
    with pytest.raises(
        SafecotError, match="COMIC_SYSTEM_PROMPT is not here: run `safecot data prepare protocols`"
    ):
        protocols.official_text("ComicJailbreak/COMIC_SYSTEM_PROMPT")
    shutil.copytree(folder / "protocols", tmp_path / "cache" / "data" / "protocols")
    (tmp_path / "cache" / "data" / "protocols" / protocols.FILE).write_text(whole, encoding="utf-8")
    assert protocols.official_text("ComicJailbreak/COMIC_SYSTEM_PROMPT") == "You draw comics."
    assert protocols.official_text("Mine/text") == "kept"


def test_a_broken_row_is_named_with_its_files_path(folder: Path) -> None:
    WRITERS["xstest"](folder / "xstest")
    table = folder / "xstest" / "xstest_prompts.csv"
    table.write_text(table.read_text(encoding="utf-8").replace(",unsafe,", ",perhaps,"), encoding="utf-8")
    reason = str(catalogue.why_not_ready("safecot_xstest"))
    assert reason.startswith(f"{table}, "), reason
    assert "perhaps" in reason
