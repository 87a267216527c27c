"""The whole corpus and some mutations of it, for every parser (``make fuzz`` goes on for a quarter of an hour each)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fuzz import one, targets
from tests.fuzz.mutate import mutate

RUNS = {
    "samples_file": 250,
    "results_file": 25,
    "page_of_samples": 40,
    "verdict_file": 60,
    "journal_file": 60,
    "recipe": 150,
    "submission_file": 60,
    "label_table": 60,
    "lite_file": 100,
    "run_record": 25,
    "checkpoint_card": 25,
    "templates": 50,
    "recorded_run": 200,
    "recorded_manifest": 60,
    "upstream_shard": 150,
    "upstream_code": 200,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "share", [pytest.param(0.25, id="a quarter"), pytest.param(1.0, id="all", marks=pytest.mark.full)]
)
@pytest.mark.parametrize("name", sorted(targets.seeds()))
def test_no_input_ends_in_a_traceback(name: str, share: float, tmp_path: Path) -> None:
    target, kept = targets.seeds()[name][0], one.kept(name)
    draw = random.Random(name)
    mutated = [mutate(draw.choice(kept), draw, kept) for _ in range(int(share * RUNS.get(name, 400)))]
    outcomes = set()
    for data in [*kept, *mutated]:
        try:
            outcomes.add(one.run(target, data, tmp_path))
        except Exception as error:
            raise AssertionError(f"{name} crashed on {data[:500]!r}") from error
    assert len(outcomes) >= 2  # the fuzzer gets past the front door


@pytest.mark.parametrize("name", sorted(targets.seeds()))
def test_sound_inputs_are_read(name: str, tmp_path: Path) -> None:
    """The seeds themselves end well: a target that refuses everything would test nothing."""
    target, (first, *_) = targets.seeds()[name]
    assert one.run(target, first, tmp_path).startswith("fine: ")
