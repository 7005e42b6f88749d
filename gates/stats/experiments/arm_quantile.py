"""The quantile of an arm's outcomes, whose error is that of units: bounds of one, and of the difference of two.

A quantile's bounds are the quantiles at the ends of an interval around its share (Woodruff, JASA 47:635, 1952). The
share is a ratio over units, so its error is the delta method's, as Deng, Knoblich and Lu, KDD 2018, do it. Two
intervals that need not be symmetric become one of the difference by MOVER (Zou and Donner, Statistics in Medicine
27:1693, 2008).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, sqrt

from gates.stats.experiments.arm_ratio import ArmSums


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounded:
    """A value between two bounds."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Bounded:
        """Return it and its bounds times a positive factor."""
        return Bounded(value=self.value * factor, low=self.low * factor, high=self.high * factor)


def around(value: float, half: float) -> Bounded:
    """Return a value with bounds equally far away on both sides."""
    return Bounded(value=value, low=value - half, high=value + half)


def share_span(sums: Sequence[ArmSums], q: float, errors: float) -> tuple[float, float] | None:
    """Return the shares of outcomes at which a quantile's bounds lie; None where one would be no share.

    ``sums``: x of a unit are its outcomes at or below the quantile in one, and those below it in another, y all of
    them. Where many outcomes are of one value the two differ, and the larger error holds. ``errors``: how many
    standard errors away the bounds lie.
    """
    variances = [one.variance for one in sums]
    if None in variances:
        return None
    half = errors * sqrt(max(one or 0.0 for one in variances))
    return (q - half, q + half) if half < min(q, 1 - q) else None


def bounded_difference(champion: Bounded, challenger: Bounded) -> Bounded:
    """Return by how much the challenger's value exceeds the champion's."""
    value = challenger.value - champion.value
    down = hypot(challenger.value - challenger.low, champion.high - champion.value)
    up = hypot(challenger.high - challenger.value, champion.value - champion.low)
    return Bounded(value=value, low=value - down, high=value + up)
