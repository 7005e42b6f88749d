"""Student's t against scipy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as reference

from gates.stats.distributions.student import around, t

FREEDOM = st.integers(1, 12_000) | st.floats(1, 1e7)


@given(st.floats(0.51, 0.9999999), FREEDOM)
def test_equals_scipy(confidence, freedom):
    assert t(confidence, freedom) == pytest.approx(reference.ppf(confidence, freedom), rel=1e-7)
    assert t(1 - confidence, freedom) == pytest.approx(-t(confidence, freedom), rel=1e-6)


def test_the_median_is_zero():
    assert t(0.5, 3) == 0


def test_bounds_stay_within_limits():
    assert around(0.99, 0.1, 0.95, 10, (0, 1)) == pytest.approx((0.99 - 0.1 * reference.ppf(0.95, 10), 1))
