"""Our numbers beside those of the official scorers, on the constructed answers of ``bench/official_scores.py``.

The values were computed once, by the authors' own code at the commit that the files name.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from safecot_eval.aggregate.leaderboard import category_cells
from safecot_eval.aggregate.metrics import run_metrics
from safecot_eval.aggregate.reading import read
from safecot_eval.benchmarks import registry
from safecot_eval.judge.replies import parse
from safecot_eval.judge.rubric_files import official
from safecot_eval.records.run import find_runs
from safecot_eval.scoring.multiple_choice import chosen_option
from tests.conftest import make_doc, write_run

RESULTS = Path(__file__).parent.parent.parent / "bench" / "results" / "official_scores"


def official_scores(name: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The constructed answers, and what the official scorer gives them."""
    found = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    assert len(found["answers"]) == 100
    assert re.fullmatch(r"[0-9a-f]{40}", found["commit"])
    return found["answers"], found["values"]


def rates(
    folder: Path, task: str, rows: list[dict[str, Any]], expectation: str = "refuse"
) -> tuple[dict[str, float], dict[tuple[str, str], float]]:
    """A run's rates in percent, over all and by category, of rows with ``answer``, ``category`` and ``labels``."""
    benchmark, variant = registry.task_parts(task)
    answers = [
        (
            make_doc(
                sample_id=f"{n:016x}",
                item_id=str(n),
                cluster_id=str(n),
                category=row.get("category", "all"),
                expectation=expectation,
            ),
            row["answer"],
        )
        for n, row in enumerate(rows)
    ]
    named = benchmark.refusal_list(variant) or "gcg25"
    samples = write_run(folder, answers, task=task, refusal_list=named)
    (folder / "verdicts").mkdir()
    said = {"task": task, "stamp": "20260101_000000", "judge": "j"}
    lines = [
        {**said, "sample_id": f"{n:016x}", "rubric": rubric, "label": label}
        for n, row in enumerate(rows)
        for rubric, label in row.get("labels", {}).items()
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (samples.parent / "verdicts" / "j.jsonl").write_text(text, encoding="utf-8")
    columns = read(find_runs([folder])[0])
    whole = {metric: 100 * e.value for (metric, _), e in run_metrics(columns).items() if e.n}
    cells = category_cells(columns, "", "wilson")
    return whole, {(c["category"], c["metric"]): 100 * c["value"] for c in cells if c["value"] is not None}


def test_multitrust(tmp_path: Path, data_dir: Path) -> None:
    """Suffix ``RtA`` of s4 to s6 needs a phrase and no success; of s1 and s3 a phrase; s2 counts what the judge says is named."""
    answers, wanted = official_scores("multitrust")
    harmful, risk = (official()[name].general for name in ("multitrust_harmful", "multitrust_risk"))
    rows = [{**row, "labels": {"multitrust_harmful": parse(row["judge"], harmful)}} for row in answers]
    found, _ = rates(tmp_path / "a", "safecot_multitrust_typographic_plain", rows)
    assert found["asr"] == pytest.approx(100 * wanted["suc_rate"])
    assert found["rta"] == pytest.approx(100 * wanted["RtA"])
    found, _ = rates(tmp_path / "b", "safecot_multitrust_nsfw_description", answers)
    assert found["crr"] == pytest.approx(100 * wanted["RtA_of_description"])
    rows = [{**row, "labels": {"multitrust_risk": parse(row["risk_reply"], risk)}} for row in answers]
    found, _ = rates(tmp_path / "c", "safecot_multitrust_risk_identification", rows, "answer")
    assert found["named"] == pytest.approx(100 * wanted["acc"])


def test_vlguard(tmp_path: Path) -> None:
    answers, wanted = official_scores("vlguard")
    found, _ = rates(tmp_path / "a", "safecot_vlguard_unsafes", answers)
    assert 100 - found["crr"] == pytest.approx(wanted["ASR"], abs=0.005)


def test_hades(tmp_path: Path) -> None:
    answers, wanted = official_scores("hades")
    rows = [
        {**row, "category": row["scenario"], "labels": {"harm": "unsafe" if row["flagged"] else "safe"}}
        for row in answers
    ]
    found, by_scenario = rates(tmp_path / "a", "safecot_hades", rows)
    assert found["attack_rate"] == pytest.approx(wanted.pop("Average"), abs=0.005)
    ours = {name: value for (name, metric), value in by_scenario.items() if metric == "attack_rate"}
    assert ours == pytest.approx(wanted, abs=0.005)


def test_siuo(tmp_path: Path, data_dir: Path) -> None:
    answers, wanted = official_scores("siuo")
    safe, effective = (official()[name].general for name in ("siuo_safe", "siuo_effective"))
    rows = [
        {
            "answer": "It is an answer.",
            "category": row["category"],
            "labels": {
                "siuo_safe": parse(row["safe_reply"], safe),
                "siuo_effective": parse(row["effective_reply"], effective),
            },
        }
        for row in answers
    ]
    found, by_domain = rates(tmp_path / "a", "safecot_siuo", rows, "respond_safely")
    names = {"siuo_safe": "safetyness", "siuo_effective": "helpfulness", "siuo_both": "combined"}
    for metric, name in names.items():
        assert found[metric] == pytest.approx(wanted[f"overall_avg_{name}"], abs=0.005)
        for domain, values in wanted["category_averages"].items():
            assert by_domain[domain, metric] == pytest.approx(values[f"avg_{name}"], abs=0.005)
    chosen = [chosen_option(row["choice"]) == row["correct"] for row in answers]
    assert sum(chosen) / len(chosen) == pytest.approx(wanted["mcqa"])
