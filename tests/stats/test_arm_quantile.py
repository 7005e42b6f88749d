"""Quantiles of an arm whose outcomes come in units: their bounds hold as often as they say; rows alone would not."""

from __future__ import annotations

from math import ceil, nan, sqrt

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates.stats.experiments.arm_quantile import Bounded, around, bounded_difference, share_span
from gates.stats.experiments.arm_ratio import ArmSums, difference
from gates.stats.quantity import z

Floats = npt.NDArray[np.float64]
ERRORS = z(0.95)


def sums(under: Floats, rows: Floats) -> ArmSums:
    return ArmSums(
        n=len(rows), x=float(under.sum()), y=float(rows.sum()), xx=float((under**2).sum()),
        xy=float((under * rows).sum()), yy=float((rows**2).sum()),
    )  # fmt: skip


def at(values: Floats, share: float) -> float:
    """The smallest value that a share does not exceed."""
    return float(np.sort(values)[max(0, ceil(share * len(values)) - 1)])


def bounds_of(unit: npt.NDArray[np.int64], values: Floats, units: int, q: float, errors: float = ERRORS) -> Bounded:
    """A quantile of values, of which each belongs to a unit."""
    found, rows = at(values, q), np.bincount(unit, minlength=units).astype(float)
    both = [sums(np.bincount(unit, held, minlength=units), rows) for held in (values <= found, values < found)]
    span = share_span(both, q, errors)
    assert span is not None
    low, high = (at(values, share) for share in span)
    return Bounded(value=found, low=low, high=high)


def drawn(chance: np.random.Generator, units: int, *, whole: bool) -> tuple[npt.NDArray[np.int64], Floats]:
    """Users who differ in how slow their network is, and of whom few load most pages."""
    loads = np.minimum(np.ceil(chance.pareto(1.5, units) + 1e-9).astype(np.int64) + 1, 20)
    unit = np.repeat(np.arange(units), loads)
    values = np.exp(chance.normal(4, 0.5, units))[unit] * chance.lognormal(0, 0.3, len(unit))
    return unit, np.ceil(values / 40) if whole else values


@pytest.mark.parametrize(("q", "whole"), [(0.5, False), (0.95, False), (0.5, True), (0.9, True)])
def test_each_bound_misses_as_seldom_as_it_says(q: float, whole: bool) -> None:
    chance, repeats, units = np.random.default_rng(11), 400, 2_000
    truth = at(drawn(chance, 1_000_000, whole=whole)[1], q)
    below, above, of_rows = 0, 0, 0
    for _ in range(repeats):
        unit, values = drawn(chance, units, whole=whole)
        found = bounds_of(unit, values, units, q)
        below += found.low > truth
        above += found.high < truth
        naive = sqrt(q * (1 - q) / len(values)) * ERRORS
        of_rows += at(values, q - naive) > truth or at(values, q + naive) < truth
    most = 0.05 * repeats + 3 * sqrt(0.05 * 0.95 * repeats)
    assert max(below, above) <= most
    if not whole:
        assert of_rows > 2 * (below + above), "as if rows were independent: the control"


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_a_difference_is_missed_as_seldom(q: float) -> None:
    chance, repeats, units = np.random.default_rng(12), 300, 2_000
    worse = 0
    for _ in range(repeats):
        arms = [bounds_of(*drawn(chance, units, whole=False), units, q) for _ in range(2)]
        found = bounded_difference(*arms)
        worse += found.low > 0 or found.high < 0
    assert 0.02 * repeats < worse <= 0.1 * repeats + 3 * sqrt(0.1 * 0.9 * repeats)


NUMBERS = st.floats(-1e6, 1e6)
HALVES = st.floats(0, 1e6)


@given(value=NUMBERS, other=NUMBERS, half=HALVES, its=HALVES)
def test_of_bounds_alike_on_both_sides_it_is_the_root_of_squares(
    value: float, other: float, half: float, its: float
) -> None:
    found = bounded_difference(around(value, half), around(other, its))
    assert found.value == pytest.approx(other - value)
    assert found.high - found.value == pytest.approx(sqrt(half**2 + its**2), abs=1e-6)
    assert found.value - found.low == pytest.approx(sqrt(half**2 + its**2), abs=1e-6)


@given(low=HALVES, high=HALVES, its_low=HALVES, its_high=HALVES)
def test_the_challenger_s_lower_bound_meets_the_champion_s_upper_one(
    low: float, high: float, its_low: float, its_high: float
) -> None:
    """Figures by hand: 3 below and 4 above make 5."""
    champion, challenger = Bounded(value=0, low=-low, high=high), Bounded(value=0, low=-its_low, high=its_high)
    found = bounded_difference(champion, challenger)
    assert found.low == pytest.approx(-sqrt(its_low**2 + high**2))
    assert found.high == pytest.approx(sqrt(its_high**2 + low**2))
    example = bounded_difference(Bounded(value=10, low=9, high=14), Bounded(value=20, low=17, high=21))
    assert (example.low, example.value, example.high) == (5, 10, pytest.approx(10 + sqrt(2)))


def test_too_few_outcomes_have_no_bounds() -> None:
    rows = np.ones(30)
    under = np.array([1.0] * 29 + [0.0])
    assert share_span([sums(under, rows)] * 2, 29 / 30, 3.4) is None, "the upper end would be above 1"
    assert share_span([sums(under, rows)] * 2, 29 / 30, 0.5) is not None, "the control"
    none = ArmSums(n=0, x=0, y=0, xx=0, xy=0, yy=0)
    assert share_span([none, none], 0.5, 2.0) is None
    assert share_span([sums(under, rows), sums(under, rows * nan)], 0.5, 2.0) is None


def test_where_many_are_of_one_value_the_larger_error_holds() -> None:
    """Of 100 units 90 have the value 5 and 5 less: the share below it is what tells how sure the lower bound is."""
    rows = np.ones(100)
    at_or_below, below = np.array([1.0] * 95 + [0.0] * 5), np.array([1.0] * 40 + [0.0] * 60)
    low, high = share_span([sums(at_or_below, rows), sums(below, rows)], 0.5, 2.0) or (0, 0)
    assert (high - low) / 4 == pytest.approx(sqrt(0.4 * 0.6 / 99), rel=1e-9)
    assert difference(sums(below, rows), sums(below, rows)) is not None
