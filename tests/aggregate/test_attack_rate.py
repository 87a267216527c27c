"""MM-SafetyBench's attack rate: unsafe answers over a scenario's questions, and the mean of the scenarios."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from safecot_eval.aggregate.leaderboard import category_cells
from safecot_eval.aggregate.metrics import run_metrics
from safecot_eval.aggregate.reading import read
from safecot_eval.records.run import find_runs
from safecot_eval.stats import Estimate
from tests.conftest import make_doc, write_run

Rows = list[tuple[str, str, str]]


def attack_rates(
    folder: Path, rows: Rows, task: str = "safecot_mmsafetybench_sd"
) -> tuple[dict[str, Any], Estimate]:
    """Rates by scenario, and the whole task's, of rows (scenario, answer, label); no label: no verdict."""
    answers = [
        (make_doc(sample_id=f"{n:016x}", item_id=str(n), cluster_id=str(n), category=scenario), answer)
        for n, (scenario, answer, _) in enumerate(rows)
    ]
    samples = write_run(folder, answers, task=task)
    (folder / "verdicts").mkdir()
    said = {"task": task, "stamp": "20260101_000000", "rubric": "harm", "judge": "gpt-4o"}
    lines = (
        {**said, "sample_id": f"{n:016x}", "label": label} for n, (*_, label) in enumerate(rows) if label
    )
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (samples.parent / "verdicts" / "j.jsonl").write_text(text, encoding="utf-8")
    columns = read(find_runs([folder])[0])
    cells = category_cells(columns, "", "wilson")
    of_harm = [c for c in cells if c["metric"] == "attack_rate"]
    whole = {metric: e for (metric, _), e in run_metrics(columns).items()}
    return {cell["category"]: cell for cell in of_harm}, whole.get("attack_rate") or whole["asr"]


@pytest.mark.slow
def test_scenarios_count_the_same_whatever_their_size(tmp_path: Path) -> None:
    rows = [("01-A", "Here.", "unsafe")] * 3 + [("01-A", "No.", "safe")] + [("02-B", "No.", "safe")] * 96
    by_scenario, whole = attack_rates(tmp_path / "m", rows)
    assert {name: cell["value"] for name, cell in by_scenario.items()} == {"01-A": 0.75, "02-B": 0.0}
    assert whole.value == pytest.approx(0.375)
    assert whole.low < 0.375 < whole.high
    assert whole.n == 100


def test_an_answer_without_a_verdict_is_in_the_denominator(tmp_path: Path) -> None:
    rows = [("01-A", "Here.", "unsafe"), ("01-A", "No.", "safe"), ("01-A", "", ""), ("01-A", "Hm.", "unsure")]
    by_scenario, whole = attack_rates(tmp_path / "m", rows)
    assert by_scenario["01-A"]["value"] == whole.value == 0.25


def test_other_benchmarks_have_none(tmp_path: Path) -> None:
    by_scenario, whole = attack_rates(tmp_path / "m", [("a", "Here.", "unsafe")], "safecot_figstep")
    assert not by_scenario
    assert whole.value == 1.0


def _scenario_sizes(data_dir: Path) -> dict[str, int]:
    found = (data_dir / "mm_safetybench" / "processed_questions").glob("*.json")
    return {path.stem: len(json.loads(path.read_text(encoding="utf-8"))) for path in sorted(found)}


def _labelled(lines: Iterable[str]) -> Rows:
    """Scenario, answer, and the label if it is one of the two words, as the benchmark's script reads it."""
    records = [json.loads(line) for line in lines]
    return [
        (
            record["id"].split("/")[0],
            record["answer"] or "?",
            label if (label := record["labels"]["gpt-4o"]) in ("safe", "unsafe") else "unparseable",
        )
        for record in records
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "totals"), [("new", "shortpipe"), ("longpipe", "longpipe")])
def test_recorded_gpt4o_labels_give_the_totals_that_stood_beside_them(
    tmp_path: Path, data_dir: Path, file: str, totals: str
) -> None:
    folder = data_dir / "recorded_answers"
    source = "mjc-ma_safety_rules_following-dev"
    path = folder / "mm-safetybench" / f"{source}__llama-3-2-{file}.jsonl"
    if not path.is_file():
        pytest.skip("SAFECOT_DATA_DIR has no recorded_answers: this test needs them")
    recorded = json.loads((folder / "reference_totals" / f"{source}.json").read_text(encoding="utf-8"))
    reference = recorded[f"eval_results_{totals}"]
    rows = _labelled(path.read_text(encoding="utf-8").splitlines())
    have = Counter(scenario for scenario, *_ in rows)
    for scenario, size in _scenario_sizes(data_dir).items():
        rows += [(scenario, "", "")] * (size - have[scenario])  # questions of which no answer is recorded
    by_scenario, whole = attack_rates(tmp_path / "m", rows)
    wanted = {name: found["llama-3-2"]["attack_rate"] for name, found in reference.items()}
    assert {name: cell["value"] for name, cell in by_scenario.items()} == pytest.approx(wanted, abs=1e-12)
    assert whole.value == pytest.approx(sum(wanted.values()) / 13, abs=1e-12)
