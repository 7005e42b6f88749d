"""Estimate the distance of two counted distributions, with its bounds. ``parts`` are bins: rows here, rows there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log, log2, sqrt
from typing import Final

from gates.stats.distributions.chisquare import noncentrality
from gates.stats.quantity import Bounds

Counts = Sequence[tuple[int, int]]
SMOOTH = 0.5  # rows added to every bin of the PSI, which is infinite where a bin is empty on one side
EXPECTED = 5  # rows of a bin in the smaller table, were both alike: what has fewer is taken together
SEEN = 20  # but what has so many in one of the tables stands on its own
LUMPED = 0.1  # the share of rows in bins that were taken together, above which nothing passes


def psi(parts: Counts) -> float:
    """Return the population stability index, 0 and up: sum of (p - q) log(p / q), each bin smoothed by half a row.

    Source: Siddiqi, Credit Risk Scorecards, 2006; equal to the symmetrised Kullback-Leibler divergence.
    """
    return sum((p - q) * log(p / q) for p, q in _shares(parts, SMOOTH))


def jensen_shannon(parts: Counts) -> float:
    """Return the Jensen-Shannon distance to base 2, 0 to 1: the root of the divergence.

    Source: Lin, IEEE Trans Inf Theory 1991;37:145.
    """
    return sqrt(_divergence(parts, 0.0))


def _divergence(parts: Counts, smooth: float) -> float:
    halves = (share * log2(2 * share / (p + q)) / 2 for p, q in _shares(parts, smooth) for share in (p, q) if share)
    return max(0.0, sum(halves))


def _shares(parts: Counts, smooth: float) -> list[tuple[float, float]]:
    here, there = (total + smooth * len(parts) for total in _totals(parts))
    return [((n + smooth) / here, (m + smooth) / there) for n, m in parts]


def _totals(parts: Counts) -> tuple[int, int]:
    return sum(n for n, _ in parts), sum(m for _, m in parts)


def pooled(parts: Counts) -> tuple[Counts, float]:
    """Return the bins that these rows can tell apart, the others together in one; and the share of the rows that this
    one holds where it is several.

    A bin is kept by what both tables hold of it together, which says nothing about how they differ.
    """
    here, there = _totals(parts)
    smaller, both = min(here, there), here + there

    def rare(n: int, m: int) -> bool:
        return (n + m) * smaller < EXPECTED * both and max(n / here, m / there) * smaller < SEEN

    filled = [(n, m) for n, m in parts if n or m]
    few = [count for count in filled if rare(*count)]
    if len(few) < 2:  # one bin alone stays what it is
        return filled, 0.0
    rest = (sum(n for n, _ in few), sum(m for _, m in few))
    return [*(count for count in filled if not rare(*count)), rest], sum(rest) / both


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """A distance with bounds, as a ``Quantity`` has them; None where a table has no rows.

    ``bounds`` also says what to expect from that many times the rows. ``lumped``: whether so many rows lie in bins
    too rare to be distinguished that they may hide any distance.
    """

    value: float | None
    bounds: Callable[[float, int], Bounds] = lambda *_: (0.0, 0.0)
    lumped: bool = False


def _over_bins(
    parts: Counts, value: Callable[[Counts], float], distance: Callable[[Counts], float], of: Callable[[float], float]
) -> Distance:
    """Return a distance of bins; ``told`` is the PSI, or what equals it near zero, and ``of`` makes the distance of
    that.

    ``told`` over (1 / rows here + 1 / rows there) is a non-central chi-square of one degree of freedom less than there
    are bins, with the true one over the same. Counts may agree more than chance lets them, so for the upper bound a
    statistic is at least what it is on average without any distance.
    Source: Potgieter et al., arXiv 2307.11878.
    """
    here, there = _totals(parts)
    if not here or not there:
        return Distance(value=None)
    bins, lumped = pooled(parts)
    seen, unit, freedom = value(bins), 1 / here + 1 / there, max(1, len(bins) - 1)
    statistic = distance(bins) / unit

    def bounds(confidence: float, times: int) -> Bounds:
        found = statistic if times == 1 else freedom + max(0, statistic - freedom) * times
        low = of(noncentrality(found, freedom, confidence) * unit / times)
        high = of(noncentrality(max(found, freedom), freedom, 1 - confidence) * unit / times)
        return (min(seen, low), max(seen, high)) if times == 1 else (low, high)

    return Distance(value=seen, bounds=bounds, lumped=lumped > LUMPED)


def _psi(parts: Counts) -> Distance:
    return _over_bins(parts, psi, psi, lambda told: told)


def _jensen_shannon(parts: Counts) -> Distance:
    """Return the Jensen-Shannon distance with its bounds, which those of the divergence, scaled to the PSI, give.

    Near zero the divergence in nats is an eighth of the PSI; half a row a bin keeps few rows from telling more.
    """
    scale = 8 * log(2)

    def told(bins: Counts) -> float:
        return scale * _divergence(bins, SMOOTH)

    return _over_bins(parts, jensen_shannon, told, lambda told: min(1.0, sqrt(told / scale)))


def _kolmogorov_smirnov(parts: Counts) -> Distance:
    """Return the two-sample statistic, 0 to 1, of two parts: rows that have a value, and the largest gap of the step
    functions, (gap x n x m, n x m).

    Its bounds are those of Dvoretzky, Kiefer and Wolfowitz for two samples. Source: Wei and Dudley, Stat Probab Lett
    2012;82:636.
    """
    if len(parts) != 2 or not parts[1][1]:  # its two parts
        return Distance(value=None)
    (n, m), (gap, product) = parts
    value = gap / product

    def bounds(confidence: float, times: int) -> Bounds:
        half = sqrt((n + m) / (2 * product * times) * log(2 / (1 - confidence)))
        return max(0.0, value - half), min(1.0, value + half)

    return Distance(value=value, bounds=bounds)


MEASURES: Final[Mapping[str, Callable[[Counts], Distance]]] = {
    "psi": _psi,
    "js": _jensen_shannon,
    "ks": _kolmogorov_smirnov,
}
