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


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A value, its standard error, and the degrees of freedom that the error rests on.

    ``sightings``: what an error of exactly zero rests on: nothing differed in so many rows or buckets.
    """

    value: float
    error: float
    freedom: float
    sightings: float


def of_rows(counts: Sequence[int], statistic: Statistic) -> Spread | None:
    """Leave out one row of each cell: as many evaluations as cells, whatever the number of rows.

    None where the statistic is undefined, or there is only one row.
    """
    value, n = statistic(*counts), sum(counts)
    if value is None or n < 2:  # noqa: PLR2004 -- one row has no spread
        return None
    kept = list(counts)
    left: list[tuple[int, float]] = []
    for place, count in enumerate(counts):
        if count:
            kept[place] = count - 1
            without = statistic(*kept)
            kept[place] = count
            left.append((count, value if without is None else without))
    mean = sum(count * one for count, one in left) / n
    variance = (n - 1) / n * sum(count * (one - mean) ** 2 for count, one in left)
    return Spread(value=value, error=sqrt(variance), freedom=inf, sightings=n)


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
    variance = (k - 1) / k * sum((one - mean) ** 2 for one in left)
    return Spread(value=value, error=sqrt(variance), freedom=k - 1, sightings=k)


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
