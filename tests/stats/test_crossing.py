"""The root of a monotone function, against SciPy's root finder."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from safecot_eval.stats.crossing import crossing


@given(st.floats(-50, 50), st.floats(1e-3, 20), st.booleans())
def test_the_root_is_scipys(middle: float, slope: float, rising: bool) -> None:
    def function(x: float) -> float:
        bent = slope * (x - middle) + math.tanh(x - middle)
        return bent if rising else -bent

    ends = (60.0, -60.0) if rising else (-60.0, 60.0)
    assert crossing(function, *ends) == pytest.approx(optimize.brentq(function, *ends, xtol=1e-12), abs=4e-9)


def test_a_root_at_an_end_is_that_end() -> None:
    assert crossing(lambda x: x, 1.0, 0.0) == pytest.approx(0.0, abs=2e-11)
    assert crossing(lambda x: x - 1, 1.0, 0.0) == 1.0
