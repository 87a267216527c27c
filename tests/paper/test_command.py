"""``safecot paper`` from recorded runs to page, Markdown, CSV and run folders; all runs are invented."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import safecot_eval
from safecot_eval.cli.paper import command
from safecot_eval.paper.csv_table import COLUMNS
from safecot_eval.paper.run_folders import standing
from safecot_eval.util.errors import SafecotError
from tests.paper.conftest import Write, ood, siuo


def _run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(command, list(map(str, arguments)))
    if result.exception is not None:
        raise result.exception
    return result.output


def _rows(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        rows = list(reader)
        assert tuple(reader.fieldnames or ()) == COLUMNS
    return {(row["run"], row["ruler"]): row for row in rows}


def test_runs_of_unknown_models_without_a_manifest(invented: Path, chain: Path, tmp_path: Path) -> None:
    said = _run("--runs", chain, "--out", tmp_path / "out")
    assert "8 runs, 116 answers of 2 base models" in said
    assert "note: toy_1b__v2__siuo: item 5 is missing; not run, and in no rate." in said
    rows = _rows(tmp_path / "out" / "paper.csv")
    assert len(rows) == 8 * 7
    first = rows["toy_1b__v1_new_data__ood", "safecot22"]
    assert (first["base"], first["training"], first["test"]) == ("toy_1b", "v1_new_data", "ood")
    assert (float(first["crr"]), float(first["car"]), first["n_unsafe"], first["n_safe"]) == (
        87.5,
        62.5,
        "8",
        "8",
    )
    assert float(first["crr_low"]) < 87.5 < float(first["crr_high"])
    lost = rows["toy_1b__v2__siuo", "judge_hard"]
    assert (float(lost["crr"]), lost["car"], lost["car_low"], lost["n_unsafe"], lost["n_safe"]) == (
        50.0,
        "",
        "",
        "4",
        "0",
    )
    text = (tmp_path / "out" / "paper.md").read_text(encoding="utf-8")
    assert "| `toy_1b__v2__siuo` | v2 | 4 | 1 |  |" in text
    assert "## Reproduction" not in text
    assert "## Reading" not in text, "what was written by hand is about other runs"


def test_run_folders_give_the_same_numbers(invented: Path, chain: Path, tmp_path: Path) -> None:
    _run("--runs", chain, "--out", tmp_path / "out")
    rows = _rows(tmp_path / "out" / "paper.csv")
    table = safecot_eval.load_runs([tmp_path / "out" / "runs"])
    assert set(table["status"]) == {"ok", "not_run"}
    assert (table["status"] == "not_run").sum() == 1
    for evaluator, ruler in (("template:safecot25", "safecot25"), ("recorded:Meta-Llama-3-8B", "judge_hard")):
        ours = table[table["evaluator"].str.startswith(evaluator) & (table["model"] == "toy_1b v1_new_data")]
        for expectation, rate in (("refuse", "crr"), ("answer", "car")):
            refused = ours[ours["expectation"] == expectation]["refused"].astype(float)
            value = refused.mean() if rate == "crr" else 1 - refused.mean()
            assert 100 * value == pytest.approx(float(rows["toy_1b__v1_new_data__ood", ruler][rate]))
    verdict = json.loads(
        next((tmp_path / "out" / "runs" / "toy_1b_v0" / "verdicts").glob("*.jsonl"))
        .read_text(encoding="utf-8")
        .splitlines()[0]
    )
    assert verdict["judge"] == "recorded:Meta-Llama-3-8B-Instruct"
    assert (verdict["rubric"], verdict["label"], verdict["probability"]) == ("safecot_reject", "reject", 0.9)
    kept = json.loads(
        next((tmp_path / "out" / "runs" / "toy_1b_v2").glob("*_run.json")).read_text(encoding="utf-8")
    )
    assert kept["recorded"]["prompt"] == ["", "cot"]
    assert "preset" not in kept, "asked in two ways, or in one that nobody recorded"
    kept = json.loads(
        next((tmp_path / "out" / "runs" / "toy_1b_v0").glob("*_run.json")).read_text(encoding="utf-8")
    )
    assert (kept["preset"]["id"], kept["decoding"]["id"], kept["protocol"]) == (
        "safecot_cot",
        "safecot",
        "safecot",
    )
    assert kept["display_name"] == "toy_1b v0"
    kept = json.loads(
        next((tmp_path / "out" / "runs" / "toy_1b_v2").glob("*_run.json")).read_text(encoding="utf-8")
    )
    assert kept["recorded"]["not_run"] == {"safecot_mssbench_chat_first": 0, "safecot_siuo": 1}


@pytest.mark.slow
def test_the_same_command_again_replaces_what_it_wrote(invented: Path, chain: Path, tmp_path: Path) -> None:
    _run("--runs", chain, "--out", tmp_path / "out")
    before = (tmp_path / "out" / "paper.html").read_bytes()
    (chain / "other-2b__steered__ood.jsonl").unlink()
    (chain / "toy_1b__v2__ood.jsonl").rename(
        chain / "toy_1b__v2_tem0.7__ood.jsonl"
    )  # v2 is left on SIUO only
    _run("--runs", chain, "--out", tmp_path / "out")
    assert (tmp_path / "out" / "paper.html").read_bytes() != before
    assert not list((tmp_path / "out" / "runs").glob("other-2b*"))
    assert len(list((tmp_path / "out" / "runs" / "toy_1b_v2").glob("*_results.json"))) == 1
    folders = [path for path in (tmp_path / "out" / "runs").iterdir() if path.is_dir()]
    assert sorted(path.name for path in standing(folders)) == [
        "toy_1b_origin",
        "toy_1b_v0",
        "toy_1b_v1_new_data",
        "toy_1b_v2_tem0.7",
    ]


def test_a_folder_of_somebody_else_is_left_alone(invented: Path, chain: Path, tmp_path: Path) -> None:
    mine = tmp_path / "out" / "runs" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("keep", encoding="utf-8")
    with pytest.raises(
        SafecotError, match="holds files that `safecot paper` did not write; choose another --out"
    ):
        _run("--runs", chain, "--out", tmp_path / "out")
    assert mine.read_text(encoding="utf-8") == "keep"
    assert not (tmp_path / "out" / "paper.csv").exists()


def test_bad_input_writes_nothing(invented: Path, write: Write, tmp_path: Path) -> None:
    lines = ood(2, 1)
    lines[3]["judge_accept_probability"] = 7
    folder = write("toy__v1__ood", lines).parent
    write("toy__v0__ood", ood(8, 8))
    with pytest.raises(SafecotError, match="judge_accept_probability is 7"):
        _run("--runs", folder, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_data_it_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAFECOT_DATA_DIR", raising=False)
    with pytest.raises(SafecotError, match="run `safecot data prepare safecot_runs`"):
        _run("--out", tmp_path / "out")


def test_a_run_of_one_test_set_only(invented: Path, write: Write, tmp_path: Path) -> None:
    folder = write("toy__v2__siuo", siuo(2)).parent
    _run("--runs", folder, "--out", tmp_path / "out")
    page = (tmp_path / "out" / "paper.html").read_text(encoding="utf-8")
    assert "No base model has both rates by this ruler." in page


def test_the_page_is_one_file_without_script(invented: Path, chain: Path, tmp_path: Path) -> None:
    hostile = ood(8, 8)
    (chain / "x<script>__v0__ood.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in hostile), encoding="utf-8"
    )
    _run("--runs", chain, "--out", tmp_path / "out")
    page = (tmp_path / "out" / "paper.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "x&lt;script&gt;" in page
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src &#39;none&#39;; style-src &#39;sha256-")
    assert not re.search(r"(?:src|href)=\"(?!#)", page), "nothing is loaded from anywhere"
    assert " style=" not in page
    assert page.count('type="radio"') == 7
    assert io.StringIO(page).read().count("checked>") == 1
