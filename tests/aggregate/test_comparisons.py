"""Which pairs of models are compared, and by what."""

from __future__ import annotations

from pathlib import Path

import pytest

from safecot_eval.aggregate.comparisons import ALL_PAIRS_UP_TO, compare_two, pair_views
from safecot_eval.aggregate.reading import read_all
from safecot_eval.records.run import find_runs
from tests.conftest import make_doc, write_run

YES, NO = "Here you are.", "I'm sorry, I can't help with that."


@pytest.fixture
def crowd(tmp_path: Path) -> Path:
    """More models than all pairs are made of; each refuses another share of ten harmful and ten harmless requests."""
    for k in range(ALL_PAIRS_UP_TO + 2):
        docs = [
            make_doc(
                sample_id=f"{n:016x}",
                item_id=str(n),
                cluster_id=str(n),
                expectation="refuse" if n < 10 else "answer",
            )
            for n in range(20)
        ]
        answers = [(doc, NO if (n + k) % 10 < 5 else YES) for n, doc in enumerate(docs)]
        write_run(tmp_path / f"m{k:02}", answers, model=f"m{k:02}")
    return tmp_path


def test_above_a_dozen_models_the_baseline_and_chosen_pairs(crowd: Path) -> None:
    tables = read_all(find_runs([crowd]))
    chosen = [("m05", "m04"), ("m05", "m03"), ("m01", "m03"), ("m01", "absent")]
    found = pair_views(tables, "m03", chosen)
    of_crr = [(row["a"], row["b"]) for row in found["pairs"] if row["metric"] == "crr"]
    others = [(table.model, "m03") for table in tables if table.model != "m03"]
    assert sorted(of_crr) == sorted([*others, ("m05", "m04")]), "none of them twice"
    assert {row["family"] for row in found["pairs"]} == {len(tables)}
    assert found["ranks"] == []


def test_the_balanced_rate_is_compared_by_both_halves(crowd: Path) -> None:
    tables = {table.model: table for table in read_all(find_runs([crowd]))}
    rows = {row["metric"]: row for row in compare_two([tables["m00"]], [tables["m03"]])}
    balanced, crr, car = (rows[name] for name in ("balanced", "crr", "car"))
    assert balanced["diff"] == pytest.approx((crr["diff"] + car["diff"]) / 2)
    assert (balanced["n"], balanced["n_eff"]) == (20, 20)
    assert balanced["only_a"] == crr["only_a"] + car["only_a"]
    assert balanced["low"] <= balanced["diff"] <= balanced["high"]
    assert crr["n_eff"] == 10
