"""The three commands, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from safecot_eval.cli import card, compare, report
from safecot_eval.cli import main as safecot


@pytest.mark.slow
def test_report_writes_by_the_ending_and_leaves_no_other_file(runs_dir: Path, tmp_path: Path) -> None:
    for name in ("a.html", "a.csv", "a.json", "a.md", "a.tex", "a.parquet"):
        done = CliRunner().invoke(report.command, [str(runs_dir), "-o", str(tmp_path / name)])
        assert done.exit_code == 0, done.output
    assert len(list(tmp_path.iterdir())) == 6
    assert (tmp_path / "a.parquet").read_bytes()[:4] == b"PAR1"
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")


def test_compare_agrees_with_the_page_on_differences(
    runs_dir: Path, data: dict[str, list[dict[str, object]]]
) -> None:
    done = CliRunner().invoke(compare.command, ["Alpha", "Beta", str(runs_dir)])
    assert done.exit_code == 0, done.output
    pair = next(
        p
        for p in data["pairs"]
        if (p["a"], p["b"], p["metric"]) == ("Alpha", "Beta", "crr") and "template" in str(p["evaluator"])
    )
    assert f"{100 * float(str(pair['diff'])):+.1f} [" in done.output


def test_card_is_yaml_with_the_models_numbers(runs_dir: Path) -> None:
    done = CliRunner().invoke(card.command, [str(runs_dir), "--model", "refuse_all"])
    metrics = yaml.safe_load(done.output)["model-index"][0]["results"][0]["metrics"]
    assert next(m["value"] for m in metrics if m["type"] == "balanced") == 50.0


def test_split_has_every_sample_and_numbers_its_shards(runs_dir: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(report.command, [str(runs_dir), "--split", "-o", str(tmp_path / "site")])
    assert done.exit_code == 0, done.output
    shards = sorted((tmp_path / "site/samples").iterdir())
    assert [path.name for path in shards] == ["0.json", "1.json", "2.json", "3.json"]
    assert [len(json.loads(path.read_text())["samples"]) for path in shards] == [80] * 4
    assert "what should I do" not in (tmp_path / "site/index.html").read_text()


def test_mistakes_are_one_sentence(runs_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, sentence in (
        (["report", str(runs_dir / "none")], "no such file or folder"),
        (["report", str(runs_dir), "--baseline", "Nobody"], "no such model"),
        (
            ["report", str(runs_dir), "-o", "x.pdf"],
            "-o x.pdf: the ending decides the format and is one of .html",
        ),
        (["compare", "Alpha", "Nobody", str(runs_dir)], "need exactly one model, found no model"),
    ):
        with pytest.raises(SystemExit) as stopped:
            safecot(arguments)
        assert stopped.value.code == 2
        said = capsys.readouterr().err
        assert sentence in said
        assert "Traceback" not in said


def test_report_counts_what_it_wrote(runs_dir: Path, tmp_path: Path) -> None:
    for name, said in (
        ("t.md", "4 models, 1 task\n"),
        ("p.html", "4 models, 1 task, 4 samples on the page\n"),
    ):
        options = ("-o", str(tmp_path / name), "--samples-per-run", "1")
        done = CliRunner().invoke(report.command, [str(runs_dir), *options])
        assert done.output.endswith(f"{name}: {said}")


@pytest.mark.slow
def test_report_with_exact_intervals_is_wider(runs_dir: Path, tmp_path: Path) -> None:
    widths = {}
    for interval in ("wilson", "clopper-pearson"):
        path = tmp_path / f"{interval}.json"
        done = CliRunner().invoke(report.command, [str(runs_dir), "-o", str(path), "--interval", interval])
        assert done.exit_code == 0, done.output
        cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["metric"] == "crr"]
        rates = [cell for cell in cells if cell["task"] != "pooled"]
        assert all(cell["method"].startswith(interval) for cell in rates)
        widths[interval] = sum(cell["high"] - cell["low"] for cell in rates)
    assert widths["clopper-pearson"] > widths["wilson"]
