"""Draw a binary model's scores, from how many rows of each class fall into each bin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gates.documents.spread import Curve
from gates.stats.score_bins import middle_of

Points = list[tuple[float, float]]
_TENTHS, _TWENTIETHS = 10, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """One model's scores: (score, negatives, positives), from the highest down."""

    model: str
    bins: tuple[tuple[float, int, int], ...]

    @classmethod
    def of(cls, curve: Curve) -> Scores:
        """Read the scores from a curve of the evidence."""
        falling = tuple((middle_of(at), negatives, positives) for at, negatives, positives in reversed(curve.bins))
        return cls(model=curve.model, bins=falling)

    @property
    def totals(self) -> tuple[int, int]:
        """(negatives, positives)."""
        return sum(row[1] for row in self.bins), sum(row[2] for row in self.bins)

    def _called(self) -> list[tuple[int, int]]:
        """Return (false, true) positives with ever more rows called positive."""
        positives_called, false, true = [], 0, 0
        for _, negatives, positives in self.bins:
            false, true = false + negatives, true + positives
            positives_called.append((false, true))
        return positives_called

    def roc(self) -> Points:
        """Return the points (false positive rate, true positive rate)."""
        n, m = self.totals
        return [(0.0, 0.0), *((false / n, true / m) for false, true in self._called())] if n and m else []

    def precision_recall(self) -> Points:
        """Return the points (recall, precision)."""
        _, m = self.totals
        return [(true / m, true / (false + true)) for false, true in self._called() if false + true] if m else []

    def calibration(self) -> Points:
        """Return the mean score and share of positives, by tenths of the score that have rows."""
        points = []
        for tenth in range(_TENTHS):
            bins = [row for row in self.bins if min(int(row[0] * _TENTHS), _TENTHS - 1) == tenth]
            rows = sum(negatives + positives for _, negatives, positives in bins)
            if rows:
                mean = sum(score * (negatives + positives) for score, negatives, positives in bins) / rows
                points.append((mean, sum(row[2] for row in bins) / rows))
        return points

    def spread(self, label: int) -> Sequence[float]:
        """Return the share of one class's rows in each twentieth of the score."""
        total = self.totals[label] or 1
        found = [0.0] * _TWENTIETHS
        for row in self.bins:
            found[min(int(row[0] * _TWENTIETHS), _TWENTIETHS - 1)] += row[1 + label] / total
        return found

    def thresholds(self) -> list[list[float]]:
        """Return [score, false positives, true positives] where at least that score is called, by hundredths."""
        found: dict[float, list[float]] = {}
        for (score, _, _), (false, true) in zip(self.bins, self._called(), strict=True):
            found[round(score, 2)] = [round(score, 2), false, true]
        return sorted(found.values())
