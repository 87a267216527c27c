"""A short fuzz of every parser, and the whole corpus (``make fuzz`` goes on for a quarter of an hour each)."""

from __future__ import annotations

import pytest

from tests.fuzz import targets
from tests.fuzz.engine import fuzz

RUNS = {
    "samples_file": 250,
    "results_file": 25,
    "page_of_samples": 40,
    "verdict_file": 60,
    "journal_file": 60,
    "recipe": 150,
}


@pytest.mark.parametrize("name", sorted(targets.seeds()))
def test_no_input_ends_in_a_traceback(name: str) -> None:
    result = fuzz(name, runs=RUNS.get(name, 400), seed=1)
    assert not result.crashes, f"{result.crashes[0][0]}\n{result.crashes[0][1][:500]!r}"
    assert len(result.outcomes) >= 2  # the fuzzer gets past the front door


@pytest.mark.parametrize("name", sorted(targets.seeds()))
def test_sound_inputs_are_read(name: str) -> None:
    """The seeds themselves end well: a target that refuses everything would test nothing."""
    assert any(outcome.startswith("fine: ") for outcome in fuzz(name, runs=1).outcomes)
