"""Leave out one row, or one bucket of rows, at a time: the error of any smooth function of counts.

Source: Tukey's jackknife; for groups of rows Kott, J Off Stat 2001;17:521 (the delete-a-group jackknife).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, inf, isfinite, isinf, sqrt

from gates.stats.distributions.student import around, t, within
from gates.stats.proportions import share, square_and_add, unseen
from gates.stats.quantity import ANYWHERE, Bounds, Found, Quantity, Undefined, wider

Statistic = Callable[..., float | None]
Scale = Callable[[float, float, float, float, Bounds], Bounds]
ROUNDING = 1e-11  # an error that is so small a part of its value, or of its limits' width, is none
_FAR = 700.0  # whose exponential is a double's largest
UNSEEN = 0.5  # rows that a cell without one is taken for: never seen is not impossible


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A value, its standard error, and the degrees of freedom that the error rests on.

    ``support``: how many rows, or buckets of them, the value rests on: those of the rarest class, the called ones. An
    error of exactly zero says that nothing differed in so many, and one row alone has no spread at all.
    """

    value: float
    error: float
    freedom: float
    support: float


def of_rows(counts: Sequence[float], statistic: Statistic) -> Spread | None:
    """Leave out one row of each cell: as many evaluations as cells, whatever the number of rows.

    None where the statistic is undefined.
    """
    found = _influences(counts, statistic)
    return found and of_influences(found[0], counts, found[1])


def of_influences(value: float, counts: Sequence[float], influences: Sequence[float]) -> Spread:
    """Return the same, of a statistic whose changes without a row of each cell are known."""
    n = sum(counts)
    error = sqrt(_covariance(counts, influences, influences))
    return Spread(value=value, error=error, freedom=max(1.0, n - 1), support=n)


def correlation(counts: Sequence[float], first: Statistic, second: Statistic) -> float:
    """Return the correlation of two statistics of the same rows; 0 where there is none to be seen.

    A cell that was never seen counts half a row: two statistics that moved together on every row need not on the next
    one.
    """
    seen = [max(float(count), UNSEEN) for count in counts]
    ours, theirs = _influences(seen, first), _influences(seen, second)
    if ours is None or theirs is None:
        return 0.0
    return correlated(seen, ours[1], theirs[1])


def correlated(counts: Sequence[float], ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the correlation of what leaving out rows of each cell adds to two values; 0 where there is none to be
    seen."""
    spread = sqrt(_covariance(counts, ours, ours) * _covariance(counts, theirs, theirs))
    return max(-1.0, min(1.0, _covariance(counts, ours, theirs) / spread)) if spread else 0.0


def _influences(counts: Sequence[float], statistic: Statistic) -> tuple[float, list[float]] | None:
    """Return the value, and what leaving out a row of each cell adds to it; of a cell of less than a row, all of it."""
    value = statistic(*counts)
    if value is None:
        return None
    kept = list(counts)
    influences = []
    for cell, count in enumerate(counts):
        step = min(1, count)
        kept[cell] = count - step
        without = statistic(*kept) if step else None
        kept[cell] = count
        influences.append(0.0 if without is None else (without - value) / step)
    return value, influences


def _covariance(counts: Sequence[float], ours: Sequence[float], theirs: Sequence[float]) -> float:
    n = sum(counts)
    here = sum([count * a for count, a in zip(counts, ours, strict=True)]) / n
    there = sum([count * b for count, b in zip(counts, theirs, strict=True)]) / n
    total = sum([count * (a - here) * (b - there) for count, a, b in zip(counts, ours, theirs, strict=True)])
    return (n - 1) / n * total


def of_buckets(buckets: Sequence[Sequence[float]], statistic: Statistic, support: float = inf) -> Spread | None:
    """Leave out one bucket at a time. ``buckets``: the totals of each, all of the same length; ``support``: in how many
    of them there is what the statistic rests on.

    None where the statistic is undefined.
    """
    full = [bucket for bucket in buckets if any(bucket)]
    totals = [sum(column) for column in zip(*full, strict=True)]
    value = statistic(*totals) if totals else None
    if value is None:
        return None
    left = []
    for bucket in full:
        without = statistic(*(total - count for total, count in zip(totals, bucket, strict=True)))
        left.append(value if without is None else without)
    k, mean = len(left), sum(left) / len(left)
    apart = [without - mean for without in left]
    variance = (k - 1) / k * sum(gap * gap for gap in apart)
    return Spread(value=value, error=sqrt(variance), freedom=freedom(apart), support=min(support, k))


def share_of_buckets(buckets: Sequence[tuple[float, float]], rows: float) -> Quantity | None:
    """Return a share of rows that belong together: exact bounds of as many rows as its variance is worth.

    ``buckets``: of each, how much has it, and among how much; ``rows``: how many they are at most. None where there is
    nothing among.
    """
    held = sum(1 for _, among in buckets if among)
    spread = of_buckets(buckets, lambda hits, among: hits / among if among else None, held)
    if spread is None:
        return None
    p, variance = spread.value, spread.error**2
    worth = min(float(rows), p * (1 - p) / variance) if variance > 0 and 0 < p < 1 else spread.support
    return share(p * worth, worth, max(1.0, min(spread.freedom, spread.support - 1)), "clopper-pearson-effective")


def freedom(apart: Sequence[float]) -> float:
    """Return the degrees of freedom of a sum of squares: as many as there are of the same size, one less than all at
    most.

    They are Satterthwaite's, each one's fourth power standing for three times its squared variance. Where few buckets
    hold the rows that matter, such as the positives, it is they that count. Source: Lipsitz, Ibrahim and Parzen, The
    Statistician 1999;48:495.
    """
    most = max((abs(one) for one in apart), default=0.0)
    squares = [(one / most) ** 2 for one in apart] if most else [1.0] * len(apart)
    return max(1.0, min(len(apart) - 1, 3 * sum(squares) ** 2 / sum(one * one for one in squares)))


LEVEL: Sequence[Scale] = (within,)  # on the scale that its limits have
PLAIN: Sequence[Scale] = (around,)  # on its own: a difference, or what may lie at an end of its limits
EITHER: Sequence[Scale] = (within, around)  # the wider of both


def quantity(
    spread: Spread, limits: Bounds, method: str, scales: Sequence[Scale] = LEVEL, *, tied: bool = False
) -> Quantity:
    """Return bounds by Student's t, of no more degrees of freedom than what the value rests on has.

    An error of zero is not certainty: what never differed in n rows may differ in as many as it may do that was seen in
    none of them, as a share of the limits' width. Where these are infinite, nothing bounds it. Unless it is ``tied``:
    then whoever told the error has made sure of that.
    """
    value, error, support = spread.value, spread.error, spread.support
    width = limits[1] - limits[0]
    still = error <= ROUNDING * (width if isfinite(width) else abs(value))

    def bounds(confidence: float) -> Bounds:
        if still and tied:
            return value, value
        if still or not limits[0] < value < limits[1]:
            slack = unseen(support, confidence) * width
            return max(limits[0], value - slack), min(limits[1], value + slack)
        if support < 2 or not isfinite(error):  # one row has no spread
            return limits
        sure = max(1.0, min(spread.freedom, support - 1))
        low, high = zip(*(scale(value, error, confidence, sure, limits) for scale in scales), strict=True)
        return min(low), max(high)

    return Quantity(value=value, bounds=bounds, method=method, limits=limits)


def difference(
    ours: Spread,
    theirs: Spread,
    apart: Spread,
    limits: Bounds,
    method: str,
    *,
    level: Bounds = ANYWHERE,
    tied: bool = False,
) -> Quantity:
    """Return one model's value less another's on the same rows. ``apart``: of that difference, row by row.

    Two models that never differed on n rows may do so on the next one, and there differ as much as two rows do: of each
    one's variance a row's share counts at least. ``level``: limits of each model's value, where being near one of them
    makes it skewed: then so is the difference.
    """
    both = sqrt(ours.error**2 + theirs.error**2)
    spread = Spread(
        value=apart.value,
        error=max(apart.error, both / sqrt(apart.support)),
        freedom=apart.freedom,
        support=apart.support,
    )

    def lopsided(value: float, error: float, confidence: float, freedom: float, within_: Bounds) -> Bounds:
        quantile, shared = t(confidence, freedom), error / both if both else 0.0
        mine, its = (_lean(one, quantile, level) for one in (ours, theirs))
        below, above = max(0.0, -mine) + max(0.0, its), max(0.0, mine) + max(0.0, -its)
        low, high = around(value, error, confidence, freedom)
        return max(within_[0], low - shared * below), min(within_[1], high + shared * above)

    return quantity(spread, limits, method, (lopsided,) if level != ANYWHERE else PLAIN, tied=tied)


def of_units(spreads: Sequence[Spread], levels: Sequence[Found], limits: Bounds, support: float) -> Quantity:
    """Return one model's value less another's, of units: the wider of what leaving out buckets of them shows and of
    what both levels' own bounds say. Units that hold too few of the rows that matter show too little spread.

    ``spreads``: of both values and of their difference; ``levels``: of both.
    """
    ours, theirs, apart = spreads
    paired = difference(ours, theirs, apart, limits, "jackknife-paired")
    mine, its = levels
    if isinstance(mine, Undefined) or isinstance(its, Undefined):
        return paired
    return wider(paired, square_and_add(mine, its, shared(ours, theirs, apart) * (1 - 1 / max(1.0, support))))


def shared(ours: Spread, theirs: Spread, apart: Spread) -> float:
    """Return the correlation of two models' values, from their errors and that of their difference; 0 where one has
    none."""
    both = 2 * ours.error * theirs.error
    return max(-1.0, min(1.0, (ours.error**2 + theirs.error**2 - apart.error**2) / both)) if both else 0.0


def _lean(spread: Spread, quantile: float, limits: Bounds) -> float:
    """Return by how much further a value may lie from the nearer of its limits than an even bound says, upwards if
    positive.

    It is that on the logarithm's scale, the less the more alike both distances are.
    """
    below, above = spread.value - limits[0], limits[1] - spread.value
    near, far = min(below, above), max(below, above)
    if near <= 0 or isinf(near):
        return 0.0
    reach = quantile * spread.error / near
    longer = near * (exp(min(reach, _FAR)) - 1 - reach) * (1 - near / far)
    return longer if below <= above else -longer
