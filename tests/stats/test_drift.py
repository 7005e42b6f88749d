"""Distances of two counted distributions: known values, bounds, and scipy's."""

from __future__ import annotations

import math

import pytest
import scipy.spatial.distance
from hypothesis import given
from hypothesis import strategies as st

from gates.stats.drift import MEASURES, jensen_shannon, kolmogorov_smirnov, psi

COUNTS = st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=12)


def test_psi_of_a_known_table():
    # shares 0.55, 0.45 and 0.25, 0.75 after half a row was added to each of two bins of 9 and 9 rows
    parts = [(5, 2), (4, 7)]
    p, q = (5.5 / 10, 4.5 / 10), (2.5 / 10, 7.5 / 10)
    assert psi(parts) == pytest.approx(sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True)), abs=1e-15)


@given(COUNTS)
def test_bounds_and_symmetry(parts):
    turned = [(m, n) for n, m in parts]
    for name in ("psi", "js"):
        value = MEASURES[name](parts)
        empty = not all(map(sum, zip(*parts, strict=True)))
        if name == "js" and empty:
            assert math.isnan(value)
            continue
        assert value >= 0
        assert value == pytest.approx(MEASURES[name](turned), rel=1e-9, abs=1e-12)
        assert name == "psi" or value <= 1 + 1e-12


@given(COUNTS.filter(lambda parts: all(map(sum, zip(*parts, strict=True)))))
def test_jensen_shannon_is_that_of_scipy(parts):
    here, there = zip(*parts, strict=True)
    assert jensen_shannon(parts) == pytest.approx(scipy.spatial.distance.jensenshannon(here, there, base=2), abs=1e-7)


def test_the_same_is_no_distance_and_nothing_is_no_number():
    same = [(3, 30), (5, 50), (0, 0)]
    assert jensen_shannon(same) == 0
    assert psi([(10, 10), (5, 5)]) == 0
    assert kolmogorov_smirnov([(0, 12)]) == 0
    assert kolmogorov_smirnov([(3, 12)]) == 0.25
    for measure in MEASURES.values():
        assert math.isnan(measure([]))
    assert math.isnan(kolmogorov_smirnov([(0, 0)]))
