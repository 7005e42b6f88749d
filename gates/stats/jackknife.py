"""Leaving out one row, or one bucket of rows, at a time: the error of any smooth function of counts.

Source: Tukey's jackknife; for groups of rows Kott, J Off Stat 2001;17:521 (the delete-a-group jackknife).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isinf, sqrt

from gates.stats.proportions import wilson
from gates.stats.quantity import Bounds, Quantity, undefined
from gates.stats.student import around

Statistic = Callable[..., float | None]
UNSEEN = 0.5  # rows that a cell without one is taken for: never seen is not impossible


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A value, its standard error, and the degrees of freedom that the error rests on.

    ``sightings``: what an error of exactly zero rests on: nothing differed in so many rows or buckets.
    """

    value: float
    error: float
    freedom: float
    sightings: float


def of_rows(counts: Sequence[float], statistic: Statistic) -> Spread | None:
    """Leave out one row of each cell: as many evaluations as cells, whatever the number of rows.

    None where the statistic is undefined, or there is only one row.
    """
    found = _influences(counts, statistic)
    return found and of_influences(found[0], counts, found[1])


def of_influences(value: float, counts: Sequence[float], influences: Sequence[float]) -> Spread | None:
    """The same, of a statistic whose changes without a row of each cell are known. None where there is only one row."""
    n = sum(counts)
    if n < 2:  # noqa: PLR2004 -- one row has no spread
        return None
    return Spread(value=value, error=sqrt(_covariance(counts, influences, influences)), freedom=inf, sightings=n)


def correlation(counts: Sequence[float], first: Statistic, second: Statistic) -> float:
    """Of two statistics of the same rows; 0 where there is none to be seen.

    A cell that was never seen counts half a row: two statistics that moved together on every row need not on the
    next one.
    """
    held = [max(float(count), UNSEEN) for count in counts]
    one, other = _influences(held, first), _influences(held, second)
    if one is None or other is None:
        return 0.0
    spread = sqrt(_covariance(held, one[1], one[1]) * _covariance(held, other[1], other[1]))
    return max(-1.0, min(1.0, _covariance(held, one[1], other[1]) / spread)) if spread else 0.0


def _influences(counts: Sequence[float], statistic: Statistic) -> tuple[float, list[float]] | None:
    """The value, and what leaving out a row of each cell adds to it; of a cell of less than a row, all of it."""
    value, n = statistic(*counts), sum(counts)
    if value is None or n < 2:  # noqa: PLR2004 -- one row has no spread
        return None
    kept = list(counts)
    found = []
    for place, count in enumerate(counts):
        step = min(1, count)
        kept[place] = count - step
        without = statistic(*kept) if step else None
        kept[place] = count
        found.append(0.0 if without is None else (without - value) / step)
    return value, found


def _covariance(counts: Sequence[float], one: Sequence[float], other: Sequence[float]) -> float:
    n = sum(counts)
    here = sum(count * a for count, a in zip(counts, one, strict=True)) / n
    there = sum(count * b for count, b in zip(counts, other, strict=True)) / n
    total = sum(count * (a - here) * (b - there) for count, a, b in zip(counts, one, other, strict=True))
    return (n - 1) / n * total


def of_buckets(buckets: Sequence[Sequence[float]], statistic: Statistic) -> Spread | None:
    """Leave out one bucket at a time. ``buckets``: the totals of each, all of the same length.

    None where the statistic is undefined, or there is only one bucket with anything in it.
    """
    full = [bucket for bucket in buckets if any(bucket)]
    totals = [sum(column) for column in zip(*full, strict=True)]
    value = statistic(*totals) if totals else None
    if value is None or len(full) < 2:  # noqa: PLR2004 -- one bucket has no spread
        return None
    left = []
    for bucket in full:
        without = statistic(*(total - one for total, one in zip(totals, bucket, strict=True)))
        left.append(value if without is None else without)
    k, mean = len(left), sum(left) / len(left)
    apart = [one - mean for one in left]
    variance = (k - 1) / k * sum(one * one for one in apart)
    return Spread(value=value, error=sqrt(variance), freedom=freedom(apart), sightings=k)


def freedom(apart: Sequence[float]) -> float:
    """Degrees of freedom of a sum of squares: as many as there are of the same size, one less than all at most.

    Satterthwaite's, each one's fourth power standing for three times its squared variance. Where few buckets hold the
    rows that matter, such as the positives, it is they that count. Source: Lipsitz, Ibrahim and Parzen, The
    Statistician 1999;48:495.
    """
    most = max((abs(one) for one in apart), default=0.0)
    squares = [(one / most) ** 2 for one in apart] if most else [1.0] * len(apart)
    return max(1.0, min(len(apart) - 1, 3 * sum(squares) ** 2 / sum(one * one for one in squares)))


def quantity(spread: Spread | None, limits: Bounds, why: str, method: str) -> Quantity:
    """Bounds by Student's t, within limits. An error of zero is not certainty: what never differed in n sightings
    may differ in as many as Wilson's bound says of 0 of n, as a share of the limits' width, where it has one."""
    if spread is None:
        return undefined(why)
    value, error, freedom = spread.value, spread.error, spread.freedom

    def bounds(confidence: float) -> Bounds:
        if error or isinf(limits[1] - limits[0]):
            return around(value, error, confidence, freedom, limits)
        slack = wilson(0, spread.sightings, confidence)[1] * (limits[1] - limits[0])
        return max(limits[0], value - slack), min(limits[1], value + slack)

    return Quantity(value=value, bounds=bounds, method=method)
