"""Metrics whose value and error are computed with the rows: read from the evidence, and given bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt

from gates.documents.evidence import CANDIDATE, CHAMPION, Computed, Slice
from gates.documents.statistic import Statistic
from gates.metrics.definition import Better, Metric, unmeasured, unpaired
from gates.metrics.support import Support, known, rows_of
from gates.stats import jackknife
from gates.stats.jackknife import Spread
from gates.stats.proportions import share
from gates.stats.quantity import ANYWHERE, Bounds, Found, Quantity, Undefined

UNIT = 2.0**Computed.UNIT
Told = Callable[[Slice], float]
_MANY = 50  # rows, of which leaving some out tells the error well


def metric(
    statistic: Statistic,
    *,
    name: str,
    doc: str,
    better: Better,
    limits: Bounds = ANYWHERE,
    points: bool = False,
    support: Support = rows_of,
    largest: Told | None = None,
    scales: Sequence[jackknife.Scale] = jackknife.LEVEL,
    tied: bool = False,
) -> Metric:
    """Return the metric that a computed statistic is.

    ``support``: how many rows it rests on. ``largest``: of a share of so many rows, or a multiple of one, its value
    where all of them have it. ``scales``: those on which its level is bounded. ``tied``: an error of zero was found,
    not because of too few rows.
    """
    within = (0.0, 1.0) if largest else limits

    def level(slices: Sequence[Slice], who: int) -> Found:
        slice_ = slices[0]
        computed = _read(slice_, statistic, paired=who == CHAMPION)
        if isinstance(computed, Undefined):
            return computed
        spread = _spread(computed, who, known(support(slice_, slice_.rows), slice_.rows, within))
        if largest:
            return _multiple(spread, largest(slice_), computed.method)
        return jackknife.quantity(spread, limits, computed.method, scales, tied=tied)

    def change(slices: Sequence[Slice]) -> Found:
        slice_ = slices[0]
        computed = _read(slice_, statistic, paired=True)
        if isinstance(computed, Undefined):
            return computed
        k = known(support(slice_, slice_.rows), slice_.rows, within)
        ours, theirs = (_spread(computed, who, k) for who in (CANDIDATE, CHAMPION))
        width = largest(slice_) if largest else limits[1] - limits[0]
        return jackknife.difference(ours, theirs, _apart(computed, k), (-width, width), computed.method, tied=tied)

    return Metric(
        name=name,
        doc=doc,
        better=better,
        statistic=statistic,
        limits=limits,
        level=level,
        change=change,
        points=points,
    )


def _read(slice_: Slice, statistic: Statistic, *, paired: bool) -> Computed | Undefined:
    computed = slice_.computed_of(statistic)
    if computed is None:
        return Undefined(why=unmeasured(statistic))
    if computed.why is not None:
        return Undefined(why=computed.why, small=computed.groups > 0)
    if paired and not computed.paired:
        return Undefined(why=unpaired(statistic))
    return computed


def _spread(found: Computed, who: int, support: float) -> Spread:
    value, squared = (found.champion, found.bb) if who == CHAMPION else (found.candidate, found.aa)
    return _of(found, value, squared, support)


def _apart(found: Computed, support: float) -> Spread:
    return _of(found, found.candidate - found.champion, found.aa + found.bb - 2 * found.ab, support)


def _of(computed: Computed, value: int, squared: int, support: float) -> Spread:
    error = sqrt(max(0, squared)) / UNIT
    k = support if computed.groups > 1 else 1
    return Spread(value=value / UNIT, error=error, freedom=max(1, computed.groups - 1), support=k)


def _multiple(spread: Spread, largest: float, method: str) -> Quantity:
    """Return a share of rows, or a multiple of one: of as many rows as its error is worth, of a few no more than there
    are."""
    p, error, n = min(1.0, spread.value / largest), spread.error / largest, spread.support
    worth = p * (1 - p) / error**2 if error and 0 < p < 1 else n
    rows = worth if n >= _MANY else min(n, worth)
    called = share(p * rows, rows, max(1.0, min(spread.freedom, n - 1)))

    def bounds(confidence: float) -> Bounds:
        low, high = called.bounds(confidence)
        return low * largest, high * largest

    return Quantity(value=spread.value, bounds=bounds, method=method, limits=(0.0, largest))
