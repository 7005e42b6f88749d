"""Expect a confusion matrix of rows without labels, from how often a score meant a positive one when labels were known.

This is confidence-based performance estimation with binned calibration (Kivimäki et al., arXiv 2505.05295).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Literal

from gates.stats import jackknife
from gates.stats.proportions import exact

LEAST = 100  # reference rows of a bin: with 25 the bounds hold in as few as 59 % of cases
UNSEEN = 10  # times as large a share as in the reference, from which scores are of a kind that it did not have

Confusion = Callable[[Sequence[float]], float | None]  # (tn, fp, fn, tp) -> value
Side = Literal["negatives", "positives", "uncalled", "called"]
REFERENCE: tuple[Side, ...] = ("negatives", "positives")
LIVE: tuple[Side, ...] = ("uncalled", "called")


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedBin:
    """Rows of like scores. Of the reference their labels are known, of live rows what was called.

    ``low``, ``high``: the first and the last of the finer bins of scores that it is made of.
    """

    low: int
    high: int
    negatives: float
    positives: float
    uncalled: float = 0
    called: float = 0

    @property
    def known(self) -> float:
        """Rows of the reference."""
        return self.negatives + self.positives

    @property
    def rows(self) -> float:
        """Live rows."""
        return self.uncalled + self.called

    @property
    def cells(self) -> tuple[float, float, float, float]:
        """The live rows that are expected to be (tn, fp, fn, tp)."""
        share = self.positives / self.known
        return self.uncalled * (1 - share), self.called * (1 - share), self.uncalled * share, self.called * share


def calibrated(
    reference: Iterable[tuple[int, int, int]], live: Iterable[tuple[int, int, int]]
) -> tuple[CalibratedBin, ...]:
    """Return the reference's bins, neighbours merged until each has rows enough, with the live rows in them.

    ``reference``: (bin, negatives, positives), rising; ``live``: (bin, call, rows). Empty where the reference has
    too few rows for a single bin.
    """
    merged: list[CalibratedBin] = []
    for at, negatives, positives in reference:
        one = CalibratedBin(low=at, high=at, negatives=negatives, positives=positives)
        if merged and merged[-1].known < LEAST:
            one = _both(merged.pop(), one)
        merged.append(one)
    if len(merged) > 1 and merged[-1].known < LEAST:
        last = merged.pop()
        merged.append(_both(merged.pop(), last))
    return _filled(merged, live) if merged and merged[0].known >= LEAST else ()


def _both(one: CalibratedBin, other: CalibratedBin) -> CalibratedBin:
    """Return two neighbours as one bin, before live rows are in them."""
    negatives, positives = one.negatives + other.negatives, one.positives + other.positives
    return CalibratedBin(low=one.low, high=other.high, negatives=negatives, positives=positives)


def _filled(bins: Sequence[CalibratedBin], live: Iterable[tuple[int, int, int]]) -> tuple[CalibratedBin, ...]:
    """Put live rows into the bins; a score between two goes into the upper one, one beyond all into the last."""
    ends = [one.high for one in bins[:-1]]
    counts = [[0, 0] for _ in bins]
    for at, call, rows in live:
        counts[bisect_left(ends, at)][call] += rows
    return tuple(
        replace(one, uncalled=uncalled, called=called) for one, (uncalled, called) in zip(bins, counts, strict=True)
    )


def unseen(bins: Sequence[CalibratedBin], confidence: float) -> CalibratedBin | None:
    """Return the bin whose share of live rows certainly is more than ``UNSEEN`` times that of the reference, the one
    with the most rows of several; None where there is none. All bins together err at most as often as the confidence
    says."""
    known, rows = sum(one.known for one in bins), sum(one.rows for one in bins)
    each = 1 - (1 - confidence) / len(bins)

    def strange(one: CalibratedBin) -> bool:
        most = UNSEEN * one.known / known
        return one.rows > most * rows and exact(one.rows, rows, each)[0] > most

    return max(filter(strange, bins), key=lambda one: one.rows, default=None)


def expected(bins: Sequence[CalibratedBin], metric: Confusion) -> jackknife.Spread | None:
    """Return a metric of the cells that are expected, and its error: that of the calibration and that of the live rows,
    which are different rows, so their variances add up. None where it is undefined.

    It is an estimate of what the metric is among all rows of which these are a sample.
    """
    value = metric(_total(bins))
    if value is None:
        return None
    # a label that no row of a bin had is taken for half a row of it: never seen is not impossible
    floor = jackknife.UNSEEN
    seen = [replace(one, negatives=max(one.negatives, floor), positives=max(one.positives, floor)) for one in bins]
    error = sqrt(_variance(seen, metric, REFERENCE) + _variance(bins, metric, LIVE))
    rows = min(sum(one.known for one in bins), sum(one.rows for one in bins))
    return jackknife.Spread(value=value, error=error, freedom=max(1.0, rows - 1), support=rows)


def _total(bins: Sequence[CalibratedBin]) -> list[float]:
    return [sum(column) for column in zip(*(one.cells for one in bins), strict=True)]


def _variance(bins: Sequence[CalibratedBin], metric: Confusion, sides: Sequence[Side]) -> float:
    """Leave out one row of each cell of the reference, or of the live rows, at a time."""
    total = _total(bins)
    value = metric(total)
    if value is None:
        return 0.0
    counts: list[float] = []
    changes: list[float] = []
    for score_bin in bins:
        for side in sides:
            count: float = getattr(score_bin, side)
            step = min(1.0, count)
            if not step:
                continue
            less = _less(score_bin, side, count - step)
            moved = metric(
                [all_ - was + now for all_, was, now in zip(total, score_bin.cells, less.cells, strict=True)]
            )
            counts.append(count)
            changes.append(0.0 if moved is None else (moved - value) / step)
    return jackknife.of_influences(value, counts, changes).error ** 2 if counts else 0.0


def _less(score_bin: CalibratedBin, side: Side, count: float) -> CalibratedBin:
    return CalibratedBin(
        low=score_bin.low,
        high=score_bin.high,
        negatives=count if side == "negatives" else score_bin.negatives,
        positives=count if side == "positives" else score_bin.positives,
        uncalled=count if side == "uncalled" else score_bin.uncalled,
        called=count if side == "called" else score_bin.called,
    )
