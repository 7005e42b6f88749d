"""How far two counted distributions lie apart. ``parts`` are bins: rows here, rows there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import log, log2, nan, sqrt
from typing import Final

Counts = Sequence[tuple[int, int]]
SMOOTH = 0.5  # rows added to every bin of the PSI, which is infinite where a bin is empty on one side


def psi(parts: Counts) -> float:
    """Population stability index, 0 and up: sum of (p - q) log(p / q), each bin smoothed by half a row.

    Source: Siddiqi, Credit Risk Scorecards, 2006; equal to the symmetrised Kullback-Leibler divergence.
    """
    here, there = (sum(side) + SMOOTH * len(parts) for side in zip(*parts, strict=True)) if parts else (0, 0)
    if not here or not there:
        return nan
    shares = [((n + SMOOTH) / here, (m + SMOOTH) / there) for n, m in parts]
    return sum((p - q) * log(p / q) for p, q in shares)


def jensen_shannon(parts: Counts) -> float:
    """Jensen-Shannon distance to base 2, 0 to 1: the root of the divergence.

    Source: Lin, IEEE Trans Inf Theory 1991;37:145.
    """
    here, there = (sum(side) for side in zip(*parts, strict=True)) if parts else (0, 0)
    if not here or not there:
        return nan
    total = 0.0
    for n, m in parts:
        p, q = n / here, m / there
        middle = (p + q) / 2
        total += sum(share * log2(share / middle) for share in (p, q) if share) / 2
    return sqrt(max(0.0, total))


def kolmogorov_smirnov(parts: Counts) -> float:
    """The two-sample statistic, 0 to 1, from its one part: (largest gap x n x m, n x m), both whole numbers."""
    return parts[0][0] / parts[0][1] if len(parts) == 1 and parts[0][1] else nan


MEASURES: Final[Mapping[str, Callable[[Counts], float]]] = {
    "psi": psi,
    "js": jensen_shannon,
    "ks": kolmogorov_smirnov,
}
