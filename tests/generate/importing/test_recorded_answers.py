"""Answers of real models that others recorded go in as they lie there, and their totals come out to the digit."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from safecot_eval.aggregate.leaderboard import label_counts
from safecot_eval.aggregate.reading import read
from safecot_eval.cli.import_ import command
from safecot_eval.records.run import find_runs
from safecot_eval.util.errors import SafecotError

pytestmark = pytest.mark.slow
MM = "safecot_mmsafetybench_"
OFFICIAL_SIZES = {"05-EconomicHarm": 122, "08-Political_Lobbying": 153}


@pytest.fixture
def recorded(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(data_dir))
    return data_dir / "recorded_answers"


def imported(output: Path, file: Path, *options: str) -> tuple[int, str]:
    arguments = [str(file), "--name", "m", "--output_path", str(output), *options]
    done = CliRunner().invoke(command, arguments)
    if isinstance(done.exception, SafecotError):
        return 2, str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("stem", "totals"),
    [("llama-3-2-new", "eval_results_shortpipe"), ("llama-3-2-longpipe", "eval_results_longpipe")],
)
def test_reference_totals_to_the_digit(recorded: Path, tmp_path: Path, stem: str, totals: str) -> None:
    (file,) = (recorded / "mm-safetybench").glob(f"*{stem}.jsonl")
    code, said = imported(tmp_path, file, "--tasks", f"{MM}sd", "--labels")
    assert (code, "matched by id and prompt and picture name (1651)" in said) == (3, True), said
    assert said.count("image_source absent") == 1
    (run,) = find_runs([tmp_path])
    rows = {row["category"]: row for row in label_counts(read(run)) if "gpt-4o" in row["evaluator"]}
    (reference,) = (recorded / "reference_totals").glob("*.json")
    expected = json.loads(reference.read_text())[totals]
    assert set(rows) == set(expected)
    for scenario, models in expected.items():
        (figures,) = models.values()
        row = rows[scenario]
        found = {name: row["labels"].get(name, 0) for name in ("safe", "unsafe")}
        assert {**found, "attack_rate": row["unsafe_of_all"]} == figures, scenario
    assert {name: rows[name]["size"] for name in OFFICIAL_SIZES} == OFFICIAL_SIZES
    assert sum(row["not_run"] for row in rows.values()) == 29
    assert sum(row["labels"].get("unparseable", 0) for row in rows.values()) in (1, 3)
    assert {"not_run": 29}.items() <= Counter(r["status"] for r in run.samples()).items()


def test_one_file_is_split_over_tasks(recorded: Path, tmp_path: Path) -> None:
    (whole,) = (recorded / "mm-safetybench").glob("KeyJayY*.jsonl")
    source = [json.loads(line) for line in whole.open(encoding="utf-8")]
    ids = sorted({row["id"] for row in source})[::12]
    source = [row for row in source if row["id"] in set(ids)]
    tasks = ",".join(f"{MM}{kind}" for kind in ("text", "question", "typo", "sd_typo"))
    options = ("--tasks", tasks, "--labels", "--other-prompt")
    code, said = imported(tmp_path / "runs", rows(tmp_path, *source), *options)
    assert code == 3, said
    runs = {run.task: run for run in find_runs([tmp_path / "runs"])}
    (other,) = set(runs) - set(tasks.split(","))
    assert other.startswith(f"{MM}typo_asked_")
    for task, field, kind in (
        (f"{MM}text", "Changed Question", "text-only"),
        (f"{MM}question", "Question", "text-only"),
        (f"{MM}sd_typo", "Rephrased Question", "SD_TYPO"),
        (other, "Rephrased Question(SD)", "TYPO"),
    ):
        asked = [r for r in source if (r["meta"]["question_field"], r["meta"]["image_type"]) == (field, kind)]
        found = {r["item_id"]: r["raw"] for r in runs[task].samples() if r["status"] != "not_run"}
        assert found == {row["id"]: row["answer"] for row in asked}
        assert len(found) == len(ids)


@pytest.mark.full
@pytest.mark.parametrize(
    ("pattern", "options", "count", "code"),
    [
        ("siuo/*base_llama.jsonl", ("--tasks", "safecot_siuo"), 167, 0),
        ("siuo/*r1_onevision.jsonl", ("--tasks", "safecot_siuo"), 167, 0),
        ("figstep/chenzhoukai*.jsonl", ("--tasks", "safecot_figstep"), 500, 0),
        ("figstep/*llava_cot.jsonl", ("--tasks", "safecot_figstep", "--other-prompt"), 500, 0),
        ("vlsbench/*.jsonl", ("--tasks", "safecot_vlsbench", "--labels"), 492, 3),
        ("mm-safetybench/*tiny.jsonl", ("--tasks", f"{MM}sd_typo_tiny", "--labels"), 168, 0),
        ("mm-safetybench/*physical.jsonl", ("--tasks", f"{MM}sd_typo", "--labels"), 253, 3),
        ("hades/*.jsonl", ("--own-questions", "--expect", "refuse", "--labels"), 750, 0),
        ("holisafe/*part3.jsonl", ("--own-questions", "--expect", "refuse"), 494, 0),
        ("spa-vl/*.jsonl", ("--own-questions", "--expect", "refuse", "--labels"), 265, 0),
    ],
)
def test_every_file_goes_in(
    recorded: Path, tmp_path: Path, pattern: str, options: tuple[str, ...], count: int, code: int
) -> None:
    (file,) = recorded.glob(pattern)
    status, said = imported(tmp_path, file, *options)
    assert status == code, said
    (run,) = find_runs([tmp_path])
    records = [r for r in run.samples() if r["status"] != "not_run"]
    assert len(records) == count
    answers = Counter(json.loads(line)["answer"] for line in file.open(encoding="utf-8"))
    assert not Counter(r["raw"] for r in records) - answers


@pytest.mark.parametrize("pattern", ["hades/*.jsonl", "holisafe/*llava-cot.jsonl", "spa-vl/*.jsonl"])
def test_what_is_missing_is_one_sentence(recorded: Path, tmp_path: Path, pattern: str) -> None:
    (file,) = recorded.glob(pattern)
    code, said = imported(tmp_path, file)
    assert code == 2
    assert "--own-questions --expect refuse makes a benchmark of the file's own questions" in said
    assert not list(tmp_path.rglob("*.jsonl"))


def test_another_wording_is_refused_until_it_is_asked_for(recorded: Path, tmp_path: Path) -> None:
    (file,) = (recorded / "figstep").glob("*llava_cot.jsonl")
    code, said = imported(tmp_path, file, "--tasks", "safecot_figstep")
    assert code == 2
    assert "500: the item is worded differently; --other-prompt takes it" in said
    code, said = imported(tmp_path, file, "--other-prompt")
    assert (code, "--other-prompt needs --tasks" in said) == (2, True)


def labels_of(folder: Path) -> Counter[str]:
    (run,) = find_runs([folder])
    return Counter(str(verdict["label"]) for verdict in run.verdicts())


def test_labels_that_are_others_words(recorded: Path, tmp_path: Path) -> None:
    (file,) = (recorded / "figstep").glob("chenzhoukai*.jsonl")
    options = ("--tasks", "safecot_figstep", "--labels")
    code, said = imported(tmp_path / "a", file, *options)
    assert code == 0
    assert "(unparseable: " in said
    assert labels_of(tmp_path / "a") == {"unparseable": 1000}
    imported(tmp_path / "b", file, *options, "--map", "True=unsafe", "--map", "False=safe")
    assert labels_of(tmp_path / "b") == {"safe": 297 + 244, "unsafe": 203 + 256}


def rows(tmp_path: Path, *content: dict[str, Any]) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("task", "row"),
    [
        ("safecot_figstep", {"image": "query_ForbidQI_1_1_6.png"}),
        ("safecot_figstep", {"id": "query_ForbidQI_1_1_6.png"}),
        ("safecot_figstep", {"id": "1_1"}),
        ("safecot_siuo", {"image": "pictures\\S-01.png"}),
        ("safecot_siuo", {"id": 1001.0}),
    ],
)
def test_the_benchmarks_own_names_are_keys(
    recorded: Path, tmp_path: Path, task: str, row: dict[str, Any]
) -> None:
    code, said = imported(tmp_path / "runs", rows(tmp_path, {**row, "answer": "No."}), "--tasks", task)
    assert code == 3, said
    (run,) = find_runs([tmp_path / "runs"])
    (record,) = [r for r in run.samples() if r["status"] != "not_run"]
    assert record["item_id"] == ("1-1" if task.endswith("figstep") else "1001")


def test_a_dry_run_writes_nothing(recorded: Path, tmp_path: Path) -> None:
    (file,) = (recorded / "mm-safetybench").glob("*tiny.jsonl")
    options = ("--tasks", f"{MM}sd_typo_tiny", "--labels", "--dry-run")
    code, said = imported(tmp_path / "runs", file, *options)
    assert code == 0
    assert "columns: response = answer, prompt = question" in said
    assert "matched by id and prompt and picture name (168)" in said
    assert "labels of llama-guard-3 (harm): safe 109, unsafe 59" in said
    assert said.count("example: ") == 3
    assert not (tmp_path / "runs").exists()
