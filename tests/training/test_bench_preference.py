"""The arithmetic of ``bench/bench_preference.py``: CRR at equal CAR, and its interval."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    path = Path(__file__).parents[2] / "bench/bench_preference.py"
    spec = importlib.util.spec_from_file_location("bench_preference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_mere_shift_is_worth_nothing(share: float, bench: ModuleType) -> None:
    crr, car = 0.6, 0.8
    refusing = crr + share * (1 - crr), car * (1 - share)
    answering = crr * (1 - share), car + share * (1 - car)
    for moved in (refusing, answering):
        assert bench.at_equal_car(*map(np.array, (*moved, crr, car))) == pytest.approx(0.0)
    assert bench.at_equal_car(*map(np.array, (0.9, 0.8, crr, car))) == pytest.approx(0.3)


def test_the_interval_holds_the_value_and_knows_a_gain_from_a_shift(bench: ModuleType) -> None:
    rng = np.random.default_rng(1)
    twins = np.repeat([f"t{number:03d}" for number in range(100)], 2)
    unsafe = (rng.random((3, 200)) < 0.6).astype(float)
    benign = (rng.random((3, 200)) < 0.2).astype(float)
    better = np.where(rng.random((3, 200)) < 0.5, 1.0, unsafe)
    value, low, high = bench.equal_car_interval((better, unsafe), (benign, benign), (twins, twins))
    assert value == pytest.approx(better.mean() - unsafe.mean())
    assert 0 < low < value < high
    draw = rng.random((3, 400)) < 0.4
    shifted = np.where(draw[:, :200], 1.0, unsafe), np.where(draw[:, 200:], 1.0, benign)
    value, low, high = bench.equal_car_interval((shifted[0], unsafe), (shifted[1], benign), (twins, twins))
    assert low < 0 < high
    unsafe[0, 0] = np.nan
    assert np.isfinite(bench.equal_car_interval((better, unsafe), (benign, benign), (twins, twins))).all()
