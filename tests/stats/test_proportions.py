"""Closed-form bounds against published examples, statsmodels, and the laws that any bound must keep."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import beta, binom
from statsmodels.stats.proportion import proportion_confint

from gates.stats.proportions import exact, mover_difference, mover_ratio, paired_difference, wilson
from gates.stats.quantity import z

CONFIDENCE = st.floats(0.5, 0.999999, exclude_min=True)  # those that a policy may ask for
COUNT = st.integers(0, 60)
ROUNDING = 1e-12


def ends(k, n, confidence):
    """A proportion with its bounds."""
    return k / n, *wilson(k, n, confidence)


def difference(k1, n1, k2, n2, confidence):
    return mover_difference(*ends(k1, n1, confidence), *ends(k2, n2, confidence))


def ratio(k1, n1, k2, n2, confidence):
    return mover_ratio(*ends(k1, n1, confidence), *ends(k2, n2, confidence))


def cells():
    return st.tuples(COUNT, COUNT, COUNT, COUNT).filter(any)


def groups(at_least=1):
    sizes = st.tuples(st.integers(at_least, 500), st.integers(at_least, 500))
    return sizes.flatmap(lambda n: st.tuples(st.integers(0, n[0]), st.just(n[0]), st.integers(0, n[1]), st.just(n[1])))


@pytest.mark.parametrize(("confidence", "expected"), [(0.5, 0), (0.95, 1.6448536269514722), (0.975, 1.959963984540054)])
def test_normal_quantiles(confidence, expected):
    assert z(confidence) == pytest.approx(expected, abs=1e-12)


@given(st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), CONFIDENCE)
def test_wilson_is_statsmodels_at_the_one_sided_level(counts, confidence):
    expected = proportion_confint(*counts, alpha=2 * (1 - confidence), method="wilson")
    assert wilson(*counts, confidence) == pytest.approx(expected, abs=1e-9)


@given(st.integers(1, 2_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), CONFIDENCE)
def test_exact_bounds_are_those_of_the_beta_distribution(counts, confidence):
    """Where the rarer outcome has many rows a tail may be off by a little of itself."""
    k, n = counts
    low, high = exact(k, n, confidence)
    few = min(k, n - k) < 100
    tail = pytest.approx(1 - confidence, rel=1e-6 if few else 0.03, abs=1e-12)
    assert (beta.cdf(low, k, n - k + 1) if k else 1 - confidence) == tail
    assert (beta.sf(high, k + 1, n - k) if k < n else 1 - confidence) == tail


@pytest.mark.parametrize("n", [1, 2, 5, 20, 60])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
def test_exact_bounds_miss_no_more_often_than_they_may_whatever_the_truth(n, confidence):
    ends = [exact(k, n, confidence) for k in range(n + 1)]
    for p in np.linspace(0.005, 0.995, 100):
        chances = binom.pmf(range(n + 1), n, p)
        for misses in ([low > p for low, _ in ends], [high < p for _, high in ends]):
            assert chances[misses].sum() <= 1 - confidence + 1e-9


@pytest.mark.parametrize(("n", "k"), [(1, 0), (1, 1), (10**9, 0), (10**9, 10**9), (3, 3)])
def test_wilson_stays_inside_and_touches_the_end(n, k):
    low, high = wilson(k, n, 0.95)
    assert (low == 0) == (k == 0)
    assert (high == 1) == (k == n)
    assert 0 <= low < high <= 1


# Newcombe 1998, Stat Med 17:2635 (paired) and 17:873 (independent), tables of worked examples, two-sided 95 %
@pytest.mark.parametrize(
    ("function", "counts", "expected"),
    [
        (paired_difference, (36, 12, 2, 0), (0.0569, 0.3404)),
        (difference, (56, 70, 48, 80), (0.0524, 0.3339)),
        (difference, (9, 10, 3, 10), (0.1705, 0.8090)),
        (difference, (5, 56, 0, 29), (-0.0381, 0.1926)),
        (difference, (0, 10, 0, 10), (-0.2775, 0.2775)),
        (difference, (10, 10, 0, 10), (0.6075, 1.0)),
    ],
)
def test_published_examples(function, counts, expected):
    assert function(*counts, 0.975) == pytest.approx(expected, abs=5e-5)


@given(cells(), CONFIDENCE)
def test_paired_swapping_the_models_swaps_the_bounds(counts, confidence):
    both, first, second, neither = counts
    low, high = paired_difference(both, first, second, neither, confidence)
    assert paired_difference(both, second, first, neither, confidence) == pytest.approx((-high, -low), abs=1e-9)


@given(cells(), CONFIDENCE)
def test_paired_swapping_success_and_failure_swaps_the_bounds(counts, confidence):
    both, first, second, neither = counts
    low, high = paired_difference(both, first, second, neither, confidence)
    assert paired_difference(neither, second, first, both, confidence) == pytest.approx((-high, -low), abs=1e-9)


@given(cells(), CONFIDENCE)
def test_paired_bounds_hold_the_value_and_stay_inside(counts, confidence):
    both, first, second, neither = counts
    low, high = paired_difference(both, first, second, neither, confidence)
    assert -1 <= low <= (first - second) / sum(counts) + ROUNDING
    assert (first - second) / sum(counts) - ROUNDING <= high <= 1


@given(groups(), CONFIDENCE)
def test_independent_bounds_hold_the_value_stay_inside_and_swap(counts, confidence):
    k1, n1, k2, n2 = counts
    low, high = difference(k1, n1, k2, n2, confidence)
    assert -1 - ROUNDING <= low <= k1 / n1 - k2 / n2 + ROUNDING
    assert k1 / n1 - k2 / n2 - ROUNDING <= high <= 1 + ROUNDING
    assert difference(k2, n2, k1, n1, confidence) == pytest.approx((-high, -low), abs=1e-9)


def bounds_of(name):
    one = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
    return {
        "wilson": (wilson, one),
        "paired": (paired_difference, cells()),
        "independent": (difference, groups()),
        "ratio": (ratio, groups()),
    }[name]


@pytest.mark.parametrize("name", ["wilson", "paired", "independent", "ratio"])
@given(data=st.data(), confidences=st.tuples(CONFIDENCE, CONFIDENCE))
def test_more_confidence_widens(name, data, confidences):
    function, counts = bounds_of(name)
    given_counts = data.draw(counts)
    less, more = sorted(confidences)
    (low, high), (lower, higher) = function(*given_counts, less), function(*given_counts, more)
    assert lower <= low + ROUNDING
    assert higher >= high - ROUNDING * max(1, abs(high) if math.isfinite(high) else 1)


@pytest.mark.parametrize("name", ["wilson", "independent", "ratio"])
@given(data=st.data(), confidence=CONFIDENCE, times=st.integers(2, 50))
def test_more_rows_of_the_same_narrow(name, data, confidence, times):
    function, counts = bounds_of(name)
    few = data.draw(counts)
    low, high = function(*few, confidence)
    more_low, more_high = function(*(count * times for count in few), confidence)
    assert more_low >= low - ROUNDING
    assert more_high <= high + ROUNDING * max(1, abs(high) if math.isfinite(high) else 1)


@given(groups(), CONFIDENCE)
def test_ratio_bounds_hold_the_value(counts, confidence):
    k1, n1, k2, n2 = counts
    assume(k2)
    low, high = ratio(k1, n1, k2, n2, confidence)
    assert 0 <= low <= (k1 / n1) / (k2 / n2) * (1 + ROUNDING)
    assert high >= (k1 / n1) / (k2 / n2) * (1 - ROUNDING)


@given(groups(), CONFIDENCE)
def test_ratio_turned_over_turns_the_bounds_over(counts, confidence):
    k1, n1, k2, n2 = counts
    assume(k1 and k2)
    low, high = ratio(k1, n1, k2, n2, confidence)
    other_low, other_high = ratio(k2, n2, k1, n1, confidence)
    assert 1 / high == pytest.approx(other_low, rel=1e-6)
    assert 1 / other_high == pytest.approx(low, rel=1e-6)


@pytest.mark.parametrize("counts", [(5, 10, 0, 10), (0, 10, 0, 10)])
def test_a_ratio_to_what_may_be_zero_has_no_upper_bound(counts):
    low, high = ratio(*counts, 0.95)
    assert high == math.inf
    assert 0 <= low < math.inf
