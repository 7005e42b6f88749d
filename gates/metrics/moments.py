"""Metrics that are smooth functions of means: value, error and paired difference from sums alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf, sqrt

from gates.evidence import CANDIDATE, CHAMPION, Moments, Slice
from gates.metrics.record import Better, Metric, unpaired
from gates.statistic import Statistic
from gates.stats import jackknife
from gates.stats.proportions import wilson
from gates.stats.quantity import Bounds, Quantity, undefined

SCALE = 2**Moments.UNIT
Value = Callable[..., float | None]  # of the means, exact fractions
Gradient = Callable[..., Sequence[float]]  # of the same, in doubles


@dataclass(frozen=True, slots=True, kw_only=True)
class Smooth:
    """A function of a model's means and the rows' own, with its partial derivatives (the delta method)."""

    value: Value
    gradient: Gradient
    own: int = 1  # quantities of a model
    rows: int = 0  # quantities of the row alone
    limits: Bounds = (-inf, inf)
    why: str = "no rows"


MEAN = Smooth(value=float, gradient=lambda _: (1.0,))
MEAN_LOSS = Smooth(value=float, gradient=lambda _: (1.0,), limits=(0.0, inf))
SHARE = Smooth(value=float, gradient=lambda _: (1.0,), limits=(0.0, 1.0))


def metric(
    smooth: Smooth, statistic: Statistic, *, name: str, doc: str, better: Better, points: bool = False
) -> Metric:
    """The metric that a smooth function of a statistic's means is."""

    def level(slices: Sequence[Slice], who: int) -> Quantity:
        return _of(slices[0], statistic, smooth, (1, 0) if who == CANDIDATE else (0, 1), smooth.limits)

    def change(slices: Sequence[Slice]) -> Quantity:
        width = smooth.limits[1] - smooth.limits[0]
        return _of(slices[0], statistic, smooth, (1, -1), (-width, width))

    return Metric(name=name, doc=doc, better=better, statistic=statistic, level=level, change=change, points=points)


def _of(part: Slice, statistic: Statistic, smooth: Smooth, signs: tuple[int, int], limits: Bounds) -> Quantity:
    """Sum of both models' values, each times its sign."""
    sums = part.moments_of(statistic)
    if sums is None:
        return undefined("it could not be counted")
    if not sums.rows:
        return undefined(smooth.why)
    if len(sums.sums) < smooth.own * (1 + (signs[1] != 0)) + smooth.rows:
        return undefined(unpaired(statistic))
    return (_clustered if sums.buckets else _plain)(sums, smooth, signs, limits)


def _places(smooth: Smooth, size: int, who: int) -> list[int]:
    """Where a model's quantities, and then the rows' own, stand among ``size`` of them."""
    first = smooth.own if who == CHAMPION else 0
    return [*range(first, first + smooth.own), *range(size - smooth.rows, size)]


def _plain(sums: Moments, smooth: Smooth, signs: tuple[int, int], limits: Bounds) -> Quantity:
    n, size = sums.rows, len(sums.sums)
    means = [Fraction(one, n * SCALE) for one in sums.sums]
    value, weights = 0.0, [0.0] * size
    for who, sign in enumerate(signs):
        if sign:
            places = _places(smooth, size, who)
            own = smooth.value(*(means[place] for place in places))
            if own is None:
                return undefined(smooth.why)
            value += sign * own
            for place, slope in zip(places, smooth.gradient(*(float(means[place]) for place in places)), strict=True):
                weights[place] += sign * slope
    if n < 2:  # noqa: PLR2004 -- one row has no spread
        return Quantity(value=value, bounds=lambda _: limits, method="t-paired")
    error = sqrt(max(0.0, _variance(sums, weights)))
    if limits == (0.0, 1.0):
        return _share(value, error, n)
    return jackknife.quantity(
        jackknife.Spread(value=value, error=error, freedom=n - 1, sightings=n),
        limits,
        smooth.why,
        "t-paired" if all(signs) else "t",
    )


def _share(value: float, error: float, n: int) -> Quantity:
    """A share's bounds are Wilson's, with as many rows as its error is worth: none of 50 rows is not none at all."""
    rows = value * (1 - value) / error**2 if error else n
    return Quantity(value=value, bounds=lambda c: wilson(value * rows, rows, c, n - 1), method="wilson-effective")


def _variance(sums: Moments, weights: Sequence[float]) -> float:
    """Of the weighted sum of means. Each covariance is exact until it becomes a double."""
    n, size, places = sums.rows, len(sums.sums), iter(sums.products)
    found = 0.0
    for i in range(size):
        for j in range(i, size):
            product = next(places)
            if weights[i] and weights[j]:
                exact = (n * product * SCALE - sums.sums[i] * sums.sums[j]) / (n * n * (n - 1) * SCALE * SCALE)
                found += (1 if i == j else 2) * weights[i] * weights[j] * exact
    return found


def _clustered(sums: Moments, smooth: Smooth, signs: tuple[int, int], limits: Bounds) -> Quantity:
    size = len(sums.sums)

    def value(weight: float, *totals: float) -> float | None:
        if weight <= 0:
            return None
        found = 0.0
        for who, sign in enumerate(signs):
            own = smooth.value(*(totals[place] / weight for place in _places(smooth, size, who))) if sign else 0.0
            if own is None:
                return None
            found += sign * own
        return found

    rows = [[one.weight / 2**30, *(total / SCALE for total in one.sums)] for one in sums.buckets]
    return jackknife.quantity(jackknife.of_buckets(rows, value), limits, smooth.why, "jackknife")
