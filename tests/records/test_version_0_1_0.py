"""Run folders, verdict sidecars and submissions of 0.1.0 give the numbers that 0.1.0 gave (``version_0_1_0/``)."""

from __future__ import annotations

import csv
import json
import math
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from safecot_eval import load_runs, metrics
from safecot_eval.cli import cli

HERE = Path(__file__).parent / "version_0_1_0"


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """A copy: reading may put an index beside large runs."""
    return Path(shutil.copytree(HERE / "folders", tmp_path / "folders"))


def recorded(model: str | None = None) -> dict[tuple[str, ...], dict[str, str]]:
    with (HERE / "numbers.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) > 50
    return {
        (row["model"], row["task"], row["metric"], row["evaluator"]): row
        for row in rows
        if model in (None, row["model"])
    }


def assert_same(row: dict[str, str], value: float, n: int, n_total: int) -> None:
    assert math.isclose(float(row["value"]), value, abs_tol=1e-12), row
    assert (int(row["n"]), int(row["n_total"])) == (n, n_total), row


def test_the_page_says_the_same_numbers(folders: Path, tmp_path: Path) -> None:
    target = tmp_path / "numbers.csv"
    done = CliRunner().invoke(cli, ["report", str(folders), "-o", str(target)])
    assert done.exit_code == 0, done.output
    with target.open(encoding="utf-8", newline="") as stream:
        now = {(r["model"], r["task"], r["metric"], r["evaluator"]): r for r in csv.DictReader(stream)}
    for key, row in recorded().items():
        assert_same(row, float(now[key]["value"]), int(now[key]["n"]), int(now[key]["n_total"]))


def test_the_page_names_the_command_that_scores_them_anew(folders: Path, tmp_path: Path) -> None:
    for given, told in ((folders, True), (tmp_path / "new", False)):
        page = tmp_path / "page.json"
        assert CliRunner().invoke(cli, ["report", str(given), "-o", str(page)]).exit_code == 0
        notes = json.loads(page.read_text(encoding="utf-8"))["omitted"]
        assert any("safecot rescore RUNS -o OUT" in note and "0.1.0" in note for note in notes) is told
        if told:
            assert (
                CliRunner().invoke(cli, ["rescore", str(folders), "-o", str(tmp_path / "new")]).exit_code == 0
            )


def test_load_runs_and_summarize_say_the_same_numbers(folders: Path) -> None:
    summary = metrics.summarize(load_runs(folders))
    now = {(r.model, r.task, r.metric, r.evaluator): r for r in summary.itertuples()}
    by_rate = {key: row for key, row in recorded().items() if key[2] in ("crr", "car", "asr", "invalid")}
    # In the DataFrame the judge's rubric has no hash, unless the judge was asked in several prompt variants.
    plain = {
        (m, t, metric, e.partition("@")[0] if "/" in e else e): row
        for (m, t, metric, e), row in by_rate.items()
    }
    assert len(plain) >= 12
    for key, row in plain.items():
        found = (
            now.get(key) or now[next(k for k in now if k[:3] == key[:3] and k[3].partition("@")[0] == key[3])]
        )
        assert_same(row, found.value, found.n, found.n_total)


def test_a_submission_is_sound_and_says_the_same_numbers(tmp_path: Path) -> None:
    submission = HERE / "mixed.safecot.json"
    done = CliRunner().invoke(cli, ["validate", str(submission)])
    assert done.exit_code == 0, done.output
    target = tmp_path / "numbers.json"
    done = CliRunner().invoke(cli, ["report", str(submission), "-o", str(target)])
    assert done.exit_code == 0, done.output
    cells = json.loads(target.read_text(encoding="utf-8"))["cells"]
    now = {(c["model"], c["task"], c["metric"], c["evaluator"]): c for c in cells}
    old = {key: row for key, row in recorded("mixed").items() if key[2] in ("crr", "car", "asr")}
    assert len(old) >= 6
    for key, row in old.items():
        assert_same(row, now[key]["value"], now[key]["n"], now[key]["n_total"])
