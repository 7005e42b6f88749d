"""Metrics that are smooth functions of means: value, error and paired difference from sums alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf, isfinite, sqrt

from gates.documents.evidence import CANDIDATE, CHAMPION, Moments, Slice
from gates.documents.statistic import Statistic
from gates.metrics.definition import Better, Metric, unmeasured, unpaired
from gates.metrics.support import Support, known, rows_of
from gates.stats import jackknife
from gates.stats.jackknife import Spread
from gates.stats.proportions import share
from gates.stats.quantity import ANYWHERE, Bounds, Found, Quantity, Undefined

SCALE = 2**Moments.UNIT
Value = Callable[..., float | None]  # of the means, exact fractions
Gradient = Callable[..., Sequence[float]]  # of the same, in doubles
_SHARE: Bounds = (0.0, 1.0)
_CUT = 2 ** (Moments.UNIT - 60)  # the unit in which values are summed at least
_SHOWING = 80  # rows: of twice as many, and of fewer, tails count as half as long again as they show
_SHARED = 0.1  # of what a tail adds to each of two models' errors: what adds to their difference's, being paired
_MANY = 300  # times the kurtosis: so many rows have their own tail
_ROUNDED = 2.0**-48  # of a square: what the rounding of products may add to its mean, or take from it


@dataclass(frozen=True, slots=True, kw_only=True)
class Smooth:
    """A function of a model's means and the rows' own, with its partial derivatives (the delta method).

    ``constant``: it is undefined where the rows' own first quantity is the same in all of them.
    ``root``: it is the root of a mean.
    ``tail``: the relative variance of a row's first quantity where errors have exponential tails, as Laplace's; where
    it is larger, the bound away from zero errors lies further. None: no such quantity.
    """

    value: Value
    gradient: Gradient
    own: int = 1  # quantities of a model
    rows: int = 0  # quantities of the row alone
    limits: Bounds = ANYWHERE
    why: str = "no rows"
    constant: bool = False
    root: bool = False
    tail: float | None = None


MEAN = Smooth(value=float, gradient=lambda _: (1.0,))
MEAN_LOSS = Smooth(value=float, gradient=lambda _: (1.0,), limits=(0.0, inf))
SHARE = Smooth(value=float, gradient=lambda _: (1.0,), limits=_SHARE)


def metric(
    smooth: Smooth,
    statistic: Statistic,
    *,
    name: str,
    doc: str,
    better: Better,
    points: bool = False,
    support: Support = rows_of,
    limits: Bounds | None = None,
) -> Metric:
    """Return the metric that a smooth function of a statistic's means is; ``support``: how many rows it rests on;
    ``limits``: where its values lie, if that is closer than the function's own."""

    def level(slices: Sequence[Slice], who: int) -> Found:
        sums = _counted(slices[0], statistic, smooth, pair=who == CHAMPION)
        if isinstance(sums, Undefined):
            return sums
        spread = _spread(sums, smooth, (1, 0) if who == CANDIDATE else (0, 1), support(slices[0], sums.rows))
        if spread is None:
            return Undefined(why=smooth.why)
        return _bounded(sums, smooth, spread, who)

    def change(slices: Sequence[Slice]) -> Found:
        sums = _counted(slices[0], statistic, smooth, pair=True)
        if isinstance(sums, Undefined):
            return sums
        k, width = support(slices[0], sums.rows), smooth.limits[1] - smooth.limits[0]
        apart, ours, theirs = (_spread(sums, smooth, signs, k) for signs in ((1, -1), (1, 0), (0, 1)))
        if not (apart and ours and theirs):
            return Undefined(why=smooth.why)
        apart = replace(apart, error=apart.error * _apart(sums, smooth, (ours, theirs)))
        method = "jackknife" if sums.buckets else "t-paired"
        return jackknife.difference(ours, theirs, apart, (-width, width), method, level=smooth.limits)

    return Metric(
        name=name,
        doc=doc,
        better=better,
        statistic=statistic,
        limits=limits or smooth.limits,
        level=level,
        change=change,
        points=points,
    )


def _counted(part: Slice, statistic: Statistic, smooth: Smooth, *, pair: bool) -> Moments | Undefined:
    sums = part.moments_of(statistic)
    if sums is None:
        return Undefined(why=unmeasured(statistic))
    if not sums.rows or (smooth.constant and sums.constant):
        return Undefined(why=smooth.why)
    if len(sums.sums) < smooth.own * (1 + pair) + smooth.rows:
        return Undefined(why=unpaired(statistic))
    return sums


def _bounded(sums: Moments, smooth: Smooth, spread: Spread, who: int) -> Found:
    """Return a mean with its bounds.

    A share of rows that have it or don't is exact; of rows that have some of it there are as many as its error is
    worth.
    """
    method = "jackknife" if sums.buckets else "t"
    index = _places(smooth, len(sums.sums), who)[0]
    if smooth.tail is not None:
        return _tailed(spread, smooth, method, _variation(sums, index))
    if sums.buckets or smooth.limits != _SHARE:
        return jackknife.quantity(spread, smooth.limits, method)
    value = spread.value
    if sums.sums[index] == square(sums, index):
        return share(value * sums.rows, sums.rows)
    if spread.support < 2:  # one row has no spread
        return jackknife.quantity(spread, smooth.limits, method)
    rows = value * (1 - value) / spread.error**2 if spread.error and 0 < value < 1 else spread.support
    return share(value * rows, rows, max(1.0, min(spread.freedom, spread.support - 1)), "clopper-pearson-effective")


def _tailed(spread: Spread, smooth: Smooth, method: str, variation: float) -> Quantity:
    """Return a function of a mean loss: the bound away from the least loss lies the further, the heavier the losses'
    tail is; a root's bounds are those of its mean."""
    if smooth.root:
        spread = _of_mean(spread)
    near, far = (
        jackknife.quantity(one, smooth.limits, method)
        for one in (spread, replace(spread, error=spread.error * _longer(spread, smooth, variation)))
    )

    def bounds(confidence: float) -> Bounds:
        ends = (near, far) if isfinite(smooth.limits[0]) else (far, near)
        low, high = ends[0].bounds(confidence)[0], ends[1].bounds(confidence)[1]
        return (sqrt(low), sqrt(high)) if smooth.root else (low, high)

    return replace(near, value=sqrt(spread.value) if smooth.root else spread.value, bounds=bounds)


def _longer(spread: Spread, smooth: Smooth, variation: float) -> float:
    """Tell how many times as long the error counts towards larger losses, 1 to 2.

    As many as their relative variance is times that of exponential tails, of which few rows show less: up to a third.
    The more rows there are beyond 300 times the kurtosis of such losses, the less: these have the tail themselves.
    All three numbers come from simulations (docs/statistics.md), as few holdouts have the largest losses that there
    are. The kurtosis is a gamma distribution's.
    """
    if smooth.tail is None:
        return 1.0
    distance = abs(spread.value - next(end for end in smooth.limits if isfinite(end)))
    if not (variation and spread.error and distance):
        return 1.0
    rows = variation * (distance / spread.error) ** 2  # that are independent: where they belong together, fewer
    beyond = variation / smooth.tail * (1 + min(0.5, _SHOWING / rows)) - 1
    lacking = min(1.0, _MANY * (3 + 6 * variation) / rows)
    return 1 + max(0.0, min(1.0, beyond)) * lacking**2


def _apart(sums: Moments, smooth: Smooth, spreads: Sequence[Spread]) -> float:
    """Tell how many times as long the error of a difference counts: with a tenth of what the heavier tail adds."""
    places = [_places(smooth, len(sums.sums), who)[0] for who in (CANDIDATE, CHAMPION)]
    times = []
    for place, spread in zip(places, spreads, strict=True):
        mean = _of_mean(spread) if smooth.root else spread
        times.append(_longer(mean, smooth, _variation(sums, place)))
    return 1 + (max(times) - 1) * _SHARED


def _of_mean(spread: Spread) -> Spread:
    """Return the spread of the mean of which this is the root's."""
    return replace(spread, value=spread.value**2, error=2 * spread.value * spread.error)


def _variation(sums: Moments, place: int) -> float:
    """Return the variance of rows' quantity as a share of its squared mean; 0 where that is 0, and of units, whose rows
    are no longer there: few buckets that carry an error leave it few degrees of freedom."""
    total = 0 if sums.buckets else sums.sums[place]
    return max(0.0, sums.rows * square(sums, place) * SCALE / total**2 - 1) if total else 0.0


def square(sums: Moments, place: int) -> int:
    """Return the sum of a quantity's squares, in units of ``SCALE``."""
    size = len(sums.sums)
    return sums.products[place * size - place * (place - 1) // 2]


def error_of(sums: Moments, smooth: Smooth, who: int | None) -> float:
    """Return the standard error of a model's value; without one, of the candidate's less the champion's."""
    signs = {CANDIDATE: (1, 0), CHAMPION: (0, 1), None: (1, -1)}[who]
    spread = _spread(sums, smooth, signs, inf)
    return spread.error if spread else inf


def _places(smooth: Smooth, size: int, who: int) -> list[int]:
    """Tell where a model's quantities, and then the rows' own, stand among ``size`` of them."""
    first = smooth.own if who == CHAMPION else 0
    return [*range(first, first + smooth.own), *range(size - smooth.rows, size)]


def _spread(sums: Moments, smooth: Smooth, signs: tuple[int, int], support: float) -> Spread | None:
    """Return the spread of both models' values, each times its sign (candidate, champion)."""
    support = known(support, len(sums.buckets) or sums.rows, smooth.limits)
    return (_clustered if sums.buckets else _plain)(sums, smooth, signs, support)


def _plain(sums: Moments, smooth: Smooth, signs: tuple[int, int], support: float) -> Spread | None:
    n, size = sums.rows, len(sums.sums)
    means = [Fraction(one, n * SCALE) for one in sums.sums]
    value, weights = 0.0, [0.0] * size
    for who, sign in enumerate(signs):
        if sign:
            places = _places(smooth, size, who)
            own = smooth.value(*(means[column] for column in places))
            if own is None:
                return None
            value += sign * own
            slopes = smooth.gradient(*(float(means[column]) for column in places))
            for column, slope in zip(places, slopes, strict=True):
                weights[column] += sign * slope
            if not all(signs):
                support = min(support, _carrying(sums, places[0], smooth))
    error = sqrt(_variance(sums, weights)) if n > 1 else 0.0
    return Spread(value=value, error=error, freedom=max(1.0, n - 1), support=support)


def _carrying(sums: Moments, column: int, smooth: Smooth) -> float:
    """Return how many rows of one and the same size the rows of a mean count as: of few large losses, those few.

    Where losses have no end, it is a third of them and one more, as the sample lacks some of the large ones that there
    are; of shares, those that have it, or lack it, whichever are fewer.
    """
    n, total, squares = sums.rows * SCALE, sums.sums[column], square(sums, column)
    if smooth.limits == MEAN_LOSS.limits:
        return max(1.0, total**2 / (squares * SCALE) / 3 + 1) if squares else inf
    if smooth.limits != _SHARE:
        return inf
    sides = (total, squares), (n - total, n - 2 * total + squares)
    return max(1.0, min((one**2 / (two * SCALE) for one, two in sides if two > _CUT * sums.rows), default=inf))


def _variance(sums: Moments, weights: Sequence[float]) -> float:
    """Return the variance of the weighted sum of means; 0 where it is no more than what the rounding of products
    leaves.

    Each covariance is exact until it becomes a double.
    """
    n, size, places = sums.rows, len(sums.sums), iter(sums.products)
    variance = rounded = 0.0
    cut = 0 if any(product % _CUT for product in sums.products) else _CUT * n  # of values that are summed less finely
    for i in range(size):
        for j in range(i, size):
            product = next(places)
            if weights[i] and weights[j]:
                exact = (n * product * SCALE - sums.sums[i] * sums.sums[j]) / (n * n * (n - 1) * SCALE * SCALE)
                variance += (1 if i == j else 2) * weights[i] * weights[j] * exact
            if weights[i] and i == j:
                rounded += weights[i] ** 2 * (product * _ROUNDED + cut) / (n * n * SCALE)
    return variance if variance > rounded else 0.0


def _clustered(sums: Moments, smooth: Smooth, signs: tuple[int, int], support: float) -> Spread | None:
    size = len(sums.sums)

    def value(weight: float, *totals: float) -> float | None:
        if weight <= 0:
            return None
        total = 0.0
        for who, sign in enumerate(signs):
            own = smooth.value(*(totals[place] / weight for place in _places(smooth, size, who))) if sign else 0.0
            if own is None:
                return None
            total += sign * own
        return total

    rows = [[one.weight / 2**30, *(total / SCALE for total in one.sums)] for one in sums.buckets if one.weight]
    return jackknife.of_buckets(rows, value, support)
