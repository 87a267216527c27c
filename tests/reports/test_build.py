"""The data of the page: comparability, invariance, exports."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safecot_eval.aggregate.evaluators import ALL_MODELS
from safecot_eval.util.errors import SafecotError
from safecot_reports.build import Options, build, to_json
from safecot_reports.export import badge, export, model_index
from safecot_reports.page import page_html
from tests.conftest import make_doc, write_run
from tests.reports.make_runs import make_runs

QUICK = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def numbers(data: dict[str, Any], names: dict[str, str]) -> list[str]:
    keys = ("cells", "categories", "corrected", "lists", "agreement")
    rows = [{**row, "model": names.get(row["model"], row["model"])} for key in keys for row in data[key]]
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


@pytest.mark.slow
@given(order=st.permutations(range(3)), labels=st.permutations(["p", "q", "r"]))
@QUICK
def test_permuting_runs_and_renaming_models_changes_no_number(
    order: list[int], labels: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    rates = {"a": (0.9, 0.2), "b": (0.5, 0.1), "c": (0.2, 0.0)}
    folder = make_runs(tmp_path_factory.mktemp("p"), models=rates, count=24)
    before = build([str(folder / f"m{i}") for i in range(3)], Options(samples=0))
    renamed = dict(zip(rates, labels, strict=True))
    for path in folder.rglob("*_results.json"):
        content = path.read_text()
        for old in rates:
            if f"name={old}," in content:
                content = content.replace(f"name={old},", f"name={renamed[old]},")
                break
        path.write_text(content)
    after = build([str(folder / f"m{i}") for i in order], Options(samples=0))
    back = {new: old for old, new in renamed.items()}
    assert numbers(before, {name: name for name in rates}) == numbers(after, back)

    def pairs(data: dict[str, Any], names: dict[str, str]) -> list[tuple[Any, ...]]:
        found = []
        for p in data["pairs"]:
            sides = sorted([(names[p["a"]], p["only_a"]), (names[p["b"]], p["only_b"])])
            found.append(
                (p["metric"], p["evaluator"], *sides, round(abs(p["diff"]), 12), round(p["p_holm"], 12))
            )
        return sorted(found)

    assert pairs(before, {name: name for name in rates}) == pairs(after, back)


def test_different_versions_get_columns_of_their_own_and_strict_refuses(tmp_path: Path) -> None:
    for name, version in (("old", "1.0"), ("new", "2.0")):
        answers = [(make_doc(sample_id=f"{n:016x}", benchmark_version=version), "Sorry.") for n in range(4)]
        write_run(tmp_path / name, answers, model=name)
    data = build([str(tmp_path)], Options())
    assert {cell["apart"] for cell in data["cells"]} == {"version 1.0", "version 2.0"}
    assert data["pairs"] == []
    with pytest.raises(SafecotError, match="more than one task version: 1.0, 2.0"):
        build([str(tmp_path)], Options(strict=True))


def test_an_older_run_is_named_as_left_out(runs_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(runs_dir / "m2", tmp_path / "a")
    write_run(tmp_path / "b", [(make_doc(), "Sorry.")], model="Alpha", timestamp="20270101_000000")
    data = build([str(tmp_path)], Options())
    assert [run["stamp"] for run in data["runs"]] == ["20270101_000000"]
    assert "20260101_000000 is left out" in data["omitted"][0]


def test_reference_lines_are_where_theory_puts_them(data: dict[str, Any]) -> None:
    for name, crr, car in (("refuse_all", 1.0, 0.0), ("answer_all", 0.0, 1.0)):
        of = {
            c["metric"]: c["value"]
            for c in data["cells"]
            if c["model"] == name and "template:" in c["evaluator"] and "shadow" not in c["evaluator"]
        }
        assert (of["crr"], of["car"], of["balanced"]) == (crr, car, 0.5)


def test_significant_differences_separate_ranks(data: dict[str, Any]) -> None:
    ranks = {
        r["model"]: (r["from"], r["to"])
        for r in data["ranks"]
        if r["metric"] == "crr" and "template" in r["evaluator"]
    }
    assert ranks["answer_all"] == (4, 4)
    assert ranks["refuse_all"][0] == 1


def test_every_export_has_the_numbers_of_the_page(data: dict[str, Any]) -> None:
    cells = [c for c in data["cells"] if not c["evaluator"].startswith("shadow ")]
    assert json.loads(export(data, "json"))["cells"] == json.loads(to_json(data))["cells"]
    rows = list(csv.DictReader(io.StringIO(export(data, "csv").decode())))
    assert [(r["model"], float(r["value"]), int(r["n"])) for r in rows] == [
        (c["model"], c["value"], c["n"]) for c in cells
    ]
    table = pq.read_table(io.BytesIO(export(data, "parquet"))).to_pylist()
    assert [row["value"] for row in table] == [c["value"] for c in cells]
    for kind in ("md", "latex"):
        text = export(data, kind).decode()
        assert text.count("Alpha") == sum(c["model"] == "Alpha" for c in cells)
    value = next(c for c in cells if c["model"] == "Alpha" and c["metric"] == "balanced")
    assert f"{100 * value['value']:.1f} %" in badge(data, "Alpha")
    card = model_index(data, "Alpha")["model-index"][0]["results"][0]
    assert next(m for m in card["metrics"] if m["type"] == "balanced")["value"] == round(
        100 * value["value"], 2
    )


def test_formulas_are_guarded_in_csv() -> None:
    cell = {"model": "=1+1", "task": "@x", "apart": "", "metric": "crr", "evaluator": "+e", "value": -0.5}
    cell |= {"low": 0.0, "high": 1.0, "n": 1, "n_total": 1, "method": "m"}
    row = export({"cells": [cell]}, "csv").decode().splitlines()[1]
    assert row.startswith("'=1+1,'@x,,crr,'+e,-0.5,")


def test_no_samples_leaves_every_text_out(runs_dir: Path) -> None:
    data = build([str(runs_dir)], Options(samples=0))
    assert data["samples"] == []
    assert "what should I do" not in to_json(data)


def test_a_damaged_line_is_named(runs_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(runs_dir / "m2", tmp_path / "a")
    path = next((tmp_path / "a").glob("*.jsonl"))
    path.write_text(path.read_text() + '{"doc_id": 80}\n')
    with pytest.raises(SafecotError, match="line 81: no 'safecot' record"):
        build([str(tmp_path)], Options())


def test_the_shell_is_small(data: dict[str, Any]) -> None:
    empty = {key: ([] if isinstance(value, list) else value) for key, value in data.items()}
    assert len(page_html(empty).encode()) < 200_000


def test_agreement_over_all_models_pools_their_counts(data: dict[str, Any]) -> None:
    rows = [
        r
        for r in data["agreement"]
        if (r["a"], r["b"]) == (data["agreement"][0]["a"], data["agreement"][0]["b"])
    ]
    pooled, each = rows[0], rows[1:]
    assert pooled["model"] == ALL_MODELS
    assert len(each) == len(data["models"])
    assert pooled["counts"] == [sum(column) for column in zip(*(r["counts"] for r in each), strict=True)]
    both_yes, only_a, only_b, both_no = (count / pooled["n"] for count in pooled["counts"])
    chance = (both_yes + only_a) * (both_yes + only_b) + (only_b + both_no) * (only_a + both_no)
    assert pooled["kappa"] == pytest.approx((both_yes + both_no - chance) / (1 - chance))


def test_every_metric_is_one_plain_sentence(data: dict[str, Any]) -> None:
    for name, metric in data["metrics"].items():
        said = metric["plain"]
        assert said.endswith("."), f"reports/safecot_reports/templates/words.yaml has no sentence for {name}"
        assert ". " not in said, name
        assert not re.search(r"[/%()]|PPI|F1|kappa|Holm", said), name
        assert len(said) <= 130, name
