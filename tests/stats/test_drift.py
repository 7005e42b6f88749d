"""Distances of two counted distributions: known values, bounds, scipy's, and how often they are right."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from gates.stats.distributions.chisquare import below, noncentrality
from gates.stats.drift import MEASURES, jensen_shannon, pooled, psi

FILLED = st.tuples(st.integers(1, 10**9), st.integers(1, 10**9))
COUNTS = st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), max_size=12).flatmap(
    lambda parts: FILLED.map(lambda one: [*parts, one])
)
SURE = 0.95


def test_psi_of_a_known_table():
    # shares 0.55, 0.45 and 0.25, 0.75 after half a row was added to each of two bins of 9 and 9 rows
    parts = [(5, 2), (4, 7)]
    p, q = (5.5 / 10, 4.5 / 10), (2.5 / 10, 7.5 / 10)
    assert psi(parts) == pytest.approx(sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True)), abs=1e-15)


@given(COUNTS)
def test_bounds_and_symmetry(parts):
    turned = [(m, n) for n, m in parts]
    for name in ("psi", "js"):
        one, other = MEASURES[name](parts), MEASURES[name](turned)
        low, high = one.bounds(SURE, 1)
        assert 0 <= low <= one.value <= high
        assert one.value == pytest.approx(other.value, rel=1e-9, abs=1e-12)
        assert name == "psi" or high <= 1 + 1e-12
        assert one.lumped == other.lumped


@given(COUNTS)
def test_jensen_shannon_is_that_of_scipy(parts):
    here, there = zip(*parts, strict=True)
    assert jensen_shannon(parts) == pytest.approx(scipy.spatial.distance.jensenshannon(here, there, base=2), abs=1e-7)


def test_the_same_is_no_distance_and_nothing_is_no_number():
    assert jensen_shannon([(3, 30), (5, 50), (0, 0)]) == 0
    assert psi([(10, 10), (5, 5)]) == 0
    assert MEASURES["ks"]([(3, 4), (0, 12)]).value == 0
    assert MEASURES["ks"]([(3, 4), (3, 12)]).value == 0.25
    for measure in MEASURES.values():
        assert measure([]).value is None
        assert measure([(0, 3)]).value is None
    assert MEASURES["ks"]([(0, 0), (0, 0)]).value is None


@pytest.mark.parametrize("freedom", [1, 2, 9, 50, 200])
@pytest.mark.parametrize("noncentral", [0, 0.1, 3, 70, 900, 9000, 50_000])
def test_the_non_central_chi_square_is_that_of_scipy(freedom, noncentral):
    law = scipy.stats.ncx2(freedom, noncentral) if noncentral else scipy.stats.chi2(freedom)
    close = 1e-9 if noncentral < 9000 else 0.01
    for share in (1e-6, 0.01, 0.05, 0.5, 0.95, 0.999999):
        x = float(law.ppf(share))
        assert below(x, freedom, noncentral) == pytest.approx(share, abs=close)
        if 0 < noncentral < 9000:
            assert noncentrality(x, freedom, share) == pytest.approx(noncentral, rel=1e-4, abs=1e-5)
    assert noncentrality(0, freedom, 0.05) == 0


def test_bounds_of_a_known_psi():
    """0.18 on 1,000 and 20,000 rows in 10 bins: the two bounds, and the chance of so much where 0.1 is true."""
    unit = 1 / 1000 + 1 / 20_000
    bounds = [noncentrality(0.18 / unit, 9, share) * unit for share in (0.95, 0.05)]
    assert bounds == pytest.approx([0.129761, 0.219149], abs=1e-6)
    assert 1 - below(0.18 / unit, 9, 0.1 / unit) == pytest.approx(0.0014357565, abs=1e-9)


def test_rare_bins_are_taken_together_unless_one_table_is_full_of_them():
    parts = [(50, 60), (3, 2), (1, 0), (0, 4), (20, 0), (0, 0)]
    assert pooled(parts) == ([(50, 60), (20, 0), (4, 6)], pytest.approx(10 / 140))
    assert pooled([(50, 60), (3, 2)]) == ([(50, 60), (3, 2)], 0)  # alone it is what it was


def test_ks_is_bounded_by_dvoretzky_kiefer_and_wolfowitz():
    half = math.sqrt((1000 + 4000) / (2 * 1000 * 4000) * math.log(2 / 0.05))
    distance = MEASURES["ks"]([(1000, 4000), (800_000, 4_000_000)])
    assert distance.bounds(SURE, 1) == pytest.approx((0.2 - half, 0.2 + half))


SHAPES = {"even": np.ones, "zipf": lambda size: 1 / np.arange(1, size + 1)}


def drawn(chance, shape, rows):
    """Two tables' counts by bin."""
    sides = [chance.multinomial(n, weights / weights.sum()) for n, weights in zip(rows, shape, strict=True)]
    return list(zip(*(map(int, side) for side in sides), strict=True))


AGAIN = [pytest.param(*one, marks=pytest.mark.slow) for one in ((0.3, "js"), (0.7, "psi"))]


@pytest.mark.parametrize("measure", ["psi", "js"])
@pytest.mark.parametrize("shape", SHAPES)
def test_without_drift_hardly_any_table_is_blamed(measure, shape):
    """2 to 200 categories on 50 to 5,000 rows; held against the limit as a point, most small tables would be."""
    chance, repeats = np.random.default_rng(1), 40
    blamed, points, cells = 0, 0, 0
    for categories in (2, 5, 20, 50, 200):
        weights = SHAPES[shape](categories)
        for rows in ((50, 50), (200, 200), (200, 20_000), (1000, 4000), (5000, 500), (5000, 5000)):
            failed = 0
            for _ in range(repeats):
                parts = drawn(chance, (weights, weights), rows)
                failed += MEASURES[measure](parts).bounds(SURE, 1)[0] > 0.1
                points += (psi if measure == "psi" else jensen_shannon)(parts) > 0.1
            assert failed <= 4, (categories, rows)  # of 40
            blamed, cells = blamed + failed, cells + 1
    assert blamed <= 0.01 * cells * repeats
    assert points > 0.25 * cells * repeats


@pytest.mark.parametrize(("slope", "measure"), [(0.3, "psi"), (0.7, "js"), *AGAIN])
def test_each_bound_misses_the_true_distance_as_seldom_as_it_says(measure, slope):
    chance, repeats = np.random.default_rng(2), 60
    for bins in (3, 10, 50):
        weights = np.exp(np.linspace(-slope, slope, bins))
        shape = weights / weights.sum(), np.full(bins, 1 / bins)
        true = MEASURES[measure]([(round(p * 10**12), round(q * 10**12)) for p, q in zip(*shape, strict=True)]).value
        for rows in ((1000, 4000), (2000, 20_000)):
            found = [MEASURES[measure](drawn(chance, shape, rows)).bounds(SURE, 1) for _ in range(repeats)]
            assert sum(low > true for low, _ in found) <= 8
            assert sum(high < true for _, high in found) <= 8


@pytest.mark.parametrize("measure", ["psi", "js"])
def test_real_drift_is_found(measure):
    """A category that takes a fifth of the rows, at 2 to 200 categories."""
    chance = np.random.default_rng(3)
    for categories in (2, 10, 50, 200):
        before = np.append(np.ones(categories), 0)
        after = np.append(np.ones(categories), categories / 4)
        for rows in ((200, 200), (200, 5000), (1000, 1000), (5000, 500)):
            assert MEASURES[measure](drawn(chance, (after, before), rows)).bounds(SURE, 1)[0] > 0.1
