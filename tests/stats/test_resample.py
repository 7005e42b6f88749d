"""The bootstrap over cells: the same bytes for a seed, as wide as theory says, and wide where it knows nothing."""

from __future__ import annotations

import math
from math import sqrt

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.metrics.classification import balanced_accuracy, f1, matthews
from gates.stats.resample import REPLICATES, bootstrap, draws

UNIT = (0.0, 1.0)


def share(no, yes):
    return yes / (no + yes) if no + yes else None


def test_the_same_seed_is_the_same_bytes():
    counts = (900, 50, 30, 120)
    first = bootstrap(counts, f1, UNIT, "a").bounds(0.95)
    draws.cache_clear()
    assert bootstrap(counts, f1, UNIT, "a").bounds(0.95) == first
    assert bootstrap(counts, f1, UNIT, "b").bounds(0.95) != first


def test_draws_do_not_depend_on_the_machine():
    """Whole numbers drawn once, written down: they may never change."""
    drawn = draws((0, 3, 250), "written down")
    assert [cell[:8] for cell in drawn] == [
        [0, 1, 0, 0, 1, 1, 2, 0],
        [6, 3, 4, 4, 2, 3, 4, 4],
        [242, 274, 253, 256, 249, 255, 253, 238],
    ]


@pytest.mark.parametrize("mean", [0, 1, 2, 7, 40, 333, 5000])
def test_draws_are_poisson(mean):
    (drawn,) = draws((mean,), f"poisson {mean}")
    held = max(mean, 0.5)
    assert len(drawn) == REPLICATES
    assert np.mean(drawn) == pytest.approx(held, abs=4 * sqrt(held / REPLICATES))
    assert np.var(drawn) == pytest.approx(held, rel=0.08)
    edges = sorted({int(edge) for edge in scipy.stats.poisson.ppf(np.linspace(0.05, 0.95, 15), held)})
    below = scipy.stats.poisson.cdf(edges, held)
    expected = np.diff([0, *below, 1]) * REPLICATES
    found = np.diff([0, *np.searchsorted(np.sort(drawn), edges, side="right"), REPLICATES])
    kept = expected > 5
    assert scipy.stats.chisquare(found[kept], expected[kept] * found[kept].sum() / expected[kept].sum()).pvalue > 1e-4


def test_cells_are_drawn_independently():
    first, second = draws((50, 50), "independent")
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.04


@pytest.mark.parametrize(("no", "yes"), [(300, 700), (950, 50), (2000, 2000)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_close_to_the_delta_method(no, yes, confidence):
    n = no + yes
    p, q = yes / n, scipy.stats.norm.ppf(confidence)
    half = q * sqrt(p * (1 - p) / n)
    assert bootstrap((no, yes), share, UNIT, "delta").bounds(confidence) == pytest.approx(
        (p - half, p + half), abs=half / 8
    )


@pytest.mark.parametrize("statistic", [f1, balanced_accuracy, matthews])
@pytest.mark.parametrize("counts", [(700, 80, 60, 160), (100, 30, 20, 50), (5000, 10, 40, 150)])
def test_close_to_numpy_s_multinomial_bootstrap(statistic, counts):
    n = sum(counts)
    table = np.random.default_rng(7).multinomial(n, np.array(counts) / n, size=20_000)
    expected = np.quantile([statistic(*map(int, row)) for row in table], [0.05, 0.95])
    width = expected[1] - expected[0]
    found = bootstrap(counts, statistic, (-1.0, 1.0), "numpy").bounds(0.95)
    assert found == pytest.approx(tuple(expected), abs=width * 0.06)


def test_replicates_that_are_undefined_widen_to_the_limits():
    quantity = bootstrap((10, 2), lambda _, yes: share(0, yes), (-3.0, 5.0), "undefined")
    assert quantity.value == 1  # defined here, but the only cell that counts is empty in e**-2 of the replicates
    assert quantity.bounds(0.95) == (-3.0, 5.0)
    assert quantity.bounds(0.80) == (1.0, 1.0)


def test_a_statistic_that_is_nearly_never_defined_is_all_of_its_range():
    quantity = bootstrap((1, 5), lambda one, five: 0.5 if (one, five) == (1, 5) else None, UNIT, "never")
    assert quantity.value == 0.5
    assert quantity.bounds(0.6) == UNIT


def test_undefined_is_told():
    quantity = bootstrap((0, 0), share, UNIT, "x", "nothing there")
    assert (quantity.value, quantity.why) == (None, "nothing there")


def gap(*cells):
    a, b, c, d, e, f, g, h = cells
    one, other = f1(a + b, c + d, e + f, g + h), f1(a + c, b + d, e + g, f + h)
    return None if one is None or other is None else one - other


@given(st.tuples(*[st.integers(1, 200)] * 4))
@settings(max_examples=10)
def test_two_models_that_never_differed_may_still_differ(counts):
    """No row told them apart, which does not prove that none would."""
    tn, fp, fn, tp = counts
    quantity = bootstrap((tn, 0, 0, fp, fn, 0, 0, tp), gap, (-1.0, 1.0), "same")
    low, high = quantity.bounds(0.95)
    assert quantity.value == 0
    assert low < 0 < high
    assert math.isclose(low, -high, rel_tol=0.6)


@given(st.tuples(*[st.integers(0, 60)] * 4), st.floats(0.5, 0.999), st.floats(0.5, 0.999))
@settings(max_examples=15)
def test_more_confidence_widens(counts, one, other):
    quantity = bootstrap(counts, f1, UNIT, "laws")
    if quantity.value is None:
        return
    (low, high), (lower, higher) = (quantity.bounds(confidence) for confidence in sorted((one, other)))
    assert 0 <= lower <= low <= high <= higher <= 1
