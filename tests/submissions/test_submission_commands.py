"""``safecot submit``, ``validate`` and a leaderboard of submissions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from safecot_eval.cli import main
from safecot_eval.cli.compare import command as compare
from safecot_eval.cli.report import command as report
from safecot_eval.cli.submit import command as submit
from safecot_eval.cli.validate import command as validate
from safecot_eval.util.errors import SafecotError
from safecot_reports.build import Options, build
from tests.submissions.conftest import write_mini


def run(command: Any, *arguments: object) -> Result:
    return CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Runs of two models, and a folder with their submissions."""
    root = tmp_path_factory.mktemp("two")
    for model, every in (("Alpha", 2), ("Beta", 3)):
        write_mini(root / "runs" / model, model, refuse_every=every)
        target = root / "subs" / f"{model}.safecot.json"
        assert run(submit, root / "runs", "--model", model, "-o", target).exit_code == 0
    return root / "runs", root / "subs"


KEYS = ("cells", "categories", "pairs", "ranks", "agreement", "corrected", "lists", "tasks", "conflicts")


def test_a_leaderboard_of_submissions_has_the_numbers_of_the_runs(folders: tuple[Path, Path]) -> None:
    of_runs, of_subs = (build([str(folder)], Options()) for folder in folders)
    for key in KEYS:
        assert json.dumps(of_subs[key]) == json.dumps(of_runs[key]), key
    assert of_runs["samples"]
    assert of_subs["samples"] == []
    assert of_runs["lists"]
    described = dict(of_subs["runs"][0]["described"])
    assert described["Submitted by"] == "anonymous (other)"
    assert "samples file sha256" in described["Submission"]


def test_runs_and_submissions_on_one_page(folders: tuple[Path, Path]) -> None:
    runs, subs = folders
    both = build([str(runs / "Alpha"), str(subs / "Beta.safecot.json")], Options())
    assert [model["name"] for model in both["models"]] == ["Alpha", "Beta"]
    assert {sample["model"] for sample in both["samples"]} == {"Alpha"}
    assert {pair["a"] for pair in both["pairs"]} | {pair["b"] for pair in both["pairs"]} == {"Alpha", "Beta"}


@pytest.mark.slow
def test_pages_and_comparisons_from_submissions(folders: tuple[Path, Path], tmp_path: Path) -> None:
    subs = folders[1]
    assert run(report, subs, "-o", tmp_path / "l.html").exit_code == 0
    assert run(report, subs, "-o", tmp_path / "site", "--split").exit_code == 0
    assert (tmp_path / "site" / "index.html").is_file()
    assert list((tmp_path / "site" / "samples").iterdir()) == []
    assert "Alpha" in run(report, subs, "-o", tmp_path / "l.csv").output or (tmp_path / "l.csv").read_text()
    done = run(compare, "Alpha", "Beta", subs)
    assert "safecot_mini_tiny  crr" in done.output


def test_validate_says_what_is_sound_and_what_is_not(folders: tuple[Path, Path], tmp_path: Path) -> None:
    done = run(validate, folders[1])
    assert done.exit_code == 0
    assert done.output.count(": sound: ") == 2
    assert "samples of safecot_mini_tiny are the benchmark's own" in done.output
    bad = tmp_path / "bad.safecot.json"
    bad.write_text((folders[1] / "Alpha.safecot.json").read_text().replace('"status":[0', '"status":[1', 1))
    with pytest.raises(SafecotError, match="1 of 3 submissions cannot be accepted"):
        run(validate, folders[1], bad)
    with pytest.raises(SafecotError, match="sha256"):
        build([str(bad)], Options())
    (tmp_path / "link.safecot.json").symlink_to(folders[1] / "Alpha.safecot.json")
    with pytest.raises(SafecotError, match="symbolic link"):
        build([str(tmp_path / "link.safecot.json")], Options())
    with pytest.raises(SafecotError, match="No submission"):
        run(validate, folders[0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["submit", "{runs}"], "2 models; choose one with --model: Alpha, Beta"),
        (["submit", "{runs}", "--model", "Gamma"], "no such model"),
        (["submit", "{runs}", "--model", "Alpha", "-o", "a.json"], "ends in .safecot.json"),
        (["validate", "no.safecot.json"], "no such file"),
        (["report", "no.safecot.json"], "no such file"),
    ],
)
def test_mistakes_are_one_sentence(
    folders: tuple[Path, Path],
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main([text.format(runs=folders[0]) for text in arguments])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
