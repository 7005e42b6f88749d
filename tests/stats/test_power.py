"""What a holdout can reveal, and how many rows would settle it."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gates.stats.power import HOPELESS, detectable, rows_to_settle
from gates.stats.quantity import z

POSITIVE = st.floats(1e-6, 1e3)


@given(POSITIVE, st.floats(0.51, 0.999))
def test_detectable_is_the_bound_and_the_power_away(standard_error, confidence):
    """Something z(c) + z(0.8) standard errors from the limit is found 8 times in 10."""
    half = z(confidence) * standard_error
    assert detectable(half, confidence) == pytest.approx((z(confidence) + z(0.8)) * standard_error, rel=1e-9)


@given(st.integers(1, 10**9), POSITIVE, POSITIVE)
def test_with_so_many_rows_the_distance_is_detectable(rows, now, distance):
    needed = rows_to_settle(rows, now, distance)
    assume(needed is not None)
    assert now * (rows / needed) ** 0.5 <= distance * (1 + 1e-9)
    if now >= distance:
        assert needed >= rows


@given(st.integers(1, 10**6), POSITIVE, POSITIVE)
def test_two_digits_are_told_unless_it_is_hopeless(rows, now, distance):
    told = rows_to_settle(rows, now, distance)
    assert (told is None) == ((now / distance) ** 2 > HOPELESS)
    assert told is None or len(str(told).rstrip("0")) <= 2


@given(st.integers(1, 10**6), POSITIVE, POSITIVE, POSITIVE)
def test_a_smaller_distance_needs_more_rows(rows, now, one, other):
    small, large = sorted((one, other))
    more, fewer = (rows_to_settle(rows, now, distance) or inf for distance in (small, large))
    assert more >= fewer


@pytest.mark.parametrize(
    ("rows", "now", "distance", "expected"),
    [(1000, 0.02, 0.01, 4000), (1000, 0.0123, 0.01, 1600), (50, 0.1, 0.1, 50), (7, 0.4, 0.1, 120)],
)
def test_examples(rows, now, distance, expected):
    assert rows_to_settle(rows, now, distance) == expected


@pytest.mark.parametrize("distance", [0, -1e-9, -5, 1e-7])
def test_no_number_of_rows_settles_a_distance_of_nothing(distance):
    assert rows_to_settle(100, 0.1, distance) is None


def test_what_no_number_of_rows_makes_smaller_is_left_out_of_account():
    """Of 0.05 that can be seen 0.03 stays: the rest, 0.04, must shrink to what of 0.05 is left beside it."""
    assert rows_to_settle(100, 0.05, 0.05, always=0.03) == 100
    assert rows_to_settle(100, 0.05, 0.034, always=0.03) == pytest.approx(100 * 0.0016 / (0.034**2 - 0.03**2), rel=0.05)
    assert rows_to_settle(100, 0.05, 0.03, always=0.03) is None
