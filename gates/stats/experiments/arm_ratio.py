"""The ratio of two sums over the units of an arm, such as clicks per impression, and its error.

Units are what was assigned, so rows of one unit need not be independent of each other. The error is the delta method's:
Deng, Knoblich and Lu, KDD 2018. A mean over units is the ratio whose denominators are 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSums:
    """Sums over the closed units of an arm: of the numerators x, the denominators y, and their products."""

    n: int
    x: float
    y: float
    xx: float
    xy: float
    yy: float

    @property
    def ratio(self) -> float | None:
        """The sum of x per sum of y; None where that of y is not positive."""
        return self.x / self.y if self.y > 0 else None

    @property
    def variance(self) -> float | None:
        """The squared error of the ratio; None of fewer than two units, or without a ratio."""
        ratio = self.ratio
        if ratio is None or self.n < 2:
            return None
        mean_x, mean_y = self.x / self.n, self.y / self.n
        spread_x = (self.xx - self.n * mean_x**2) / (self.n - 1)
        spread_y = (self.yy - self.n * mean_y**2) / (self.n - 1)
        together = (self.xy - self.n * mean_x * mean_y) / (self.n - 1)
        return max(0.0, spread_x - 2 * ratio * together + ratio**2 * spread_y) / (self.n * mean_y**2)


def difference(champion: ArmSums, challenger: ArmSums, margin: float = 0.0) -> tuple[float, float] | None:
    """Return by how much the challenger's ratio exceeds the champion's, and the error; None where either has none.

    ``margin``: a relative one, as a share of the champion's ratio that may be lost. What is returned is then the
    difference from so much less than that, which has no ratio of ratios in it.
    """
    pair = (champion.ratio, challenger.ratio, champion.variance, challenger.variance)
    if None in pair:
        return None
    theirs, ours, their_error, our_error = (value or 0.0 for value in pair)
    kept = 1 - margin
    return ours - kept * theirs, sqrt(our_error + kept**2 * their_error)
