"""ROC-AUC and its paired comparison from whole-number placement sums.

Sources: DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837, with placements as in Sun and Xu, IEEE Signal
Processing Letters 2014;21:1389; Student's t with Satterthwaite's degrees of freedom, as Brunner and Munzel, Biom J
2000;42:17, have it for the same statistic. All sums are exact integers.

Few rows of a class show too little spread: of eight positives the one that a good model gets wrong is most often not
there. So the spread that is seen is drawn towards that which Hanley and McNeil (Radiology 1982;143:29) expect of an AUC
of that size, as if ``_drawn`` rows had shown it; and a bound is the AUC at which the value seen would just be possible,
with the spread at that AUC (Newcombe's score method, Stat Med 2006;25:559).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

from gates.documents.evidence import CHAMPION, Ranks, RankSums
from gates.stats.distributions.student import around, t
from gates.stats.jackknife import freedom as freedom_of
from gates.stats.proportions import mover_difference, unseen
from gates.stats.quantity import Bounds, Found, Quantity, Undefined

ONE_CLASS = "only one class of label occurs"
_ROWS = 64  # up to about so many rows of a class as many as their root are added; of far more their own root
_HALVINGS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementPart:
    """One class's share of a squared error: what was seen, and of how many rows, or buckets of them."""

    squared: float
    rows: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """A value with its squared error by parts, and the degrees of freedom that it is worth at most."""

    value: float
    parts: tuple[PlacementPart, ...]
    freedom: float | None = None  # None: Satterthwaite's, of the parts

    @property
    def squared(self) -> float:
        """The squared error."""
        return sum(part.squared for part in self.parts)

    @property
    def rarest(self) -> float:
        """Rows of the class that has fewer, or buckets."""
        return min(part.rows for part in self.parts)


def auc(ranks: Ranks, who: int) -> Found:
    """Return one model's ROC-AUC."""
    area = estimated(ranks, *((0, 1) if who == CHAMPION else (1, 0)))
    if area is None:
        return Undefined(why=ONE_CLASS)
    return Quantity(
        value=area.value,
        bounds=lambda confidence: _score(area, confidence),
        method="obuchowski-score" if ranks.buckets else "delong-score",
        limits=(0.0, 1.0),
    )


def auc_difference(ranks: Ranks) -> Found:
    """Return the candidate's less the champion's ROC-AUC, paired on the same rows.

    Its bounds are the wider of the paired error's and of both levels' own, squared and added with their correlation.
    The first is too sure of good models, of which few rows show an error; the second of models that are much alike.
    """
    area, ours, theirs = (estimated(ranks, *signs) for signs in ((1, -1), (1, 0), (0, 1)))
    if not (area and ours and theirs):
        return Undefined(why=ONE_CLASS)
    spread = sqrt(ours.squared * theirs.squared)
    seen = (ours.squared + theirs.squared - area.squared) / 2 / spread if spread else 0.0
    k = area.rarest  # what k rows show of a correlation is off by more the fewer they are, and none of them proves 1
    correlation = min(max(-1.0, seen) * (1 - 2 / (k * k)), 1 - 1 / k)

    def bounds(confidence: float) -> Bounds:
        if area.rarest < 2:  # one row has no spread
            return -1.0, 1.0
        added = mover_difference(
            ours.value, *_score(ours, confidence), theirs.value, *_score(theirs, confidence), correlation
        )
        paired = around(area.value, sqrt(area.squared), confidence, _freedom(area.parts, area.freedom))
        return max(-1.0, min(added[0], paired[0])), min(1.0, max(added[1], paired[1]))

    return Quantity(
        value=area.value,
        bounds=bounds,
        method="obuchowski-mover" if ranks.buckets else "delong-mover",
        limits=(-1.0, 1.0),
    )


def _expected(value: float) -> float:
    """Return the variance of one class's placements that goes with an AUC: Hanley and McNeil's, the larger of their
    two, and the same of an AUC and of what it lacks to 1."""
    value = max(value, 1 - value)
    return value * value * (1 - value) / (1 + value)


def _drawn(rows: float) -> float:
    """Tell how many rows the expected spread counts as: fewer and fewer of all, as errors of the normal bound shrink
    with the root of the rows."""
    return sqrt(_ROWS + rows)


def _score(area: Estimated, confidence: float) -> Bounds:
    """Return the AUCs at which the value would lie t standard errors away."""
    if area.rarest < 2:  # one row has no spread
        return 0.0, 1.0
    value, expected = area.value, _expected(area.value)
    scale, widened = 0.0, []
    for side in area.parts:
        drawn = _drawn(side.rows)
        seen = side.squared * side.rows / expected if expected else 1.0
        ratio = ((side.rows - 1) * seen + drawn) / (side.rows - 1 + drawn) / side.rows
        scale += ratio
        widened.append(PlacementPart(squared=ratio, rows=side.rows + drawn))
    freedom = _freedom(widened, None if area.freedom is None else area.freedom + _drawn(area.rarest))
    reach = t(confidence, freedom) ** 2 * scale

    def far(other: float) -> bool:
        return (value - other) ** 2 > reach * _expected(other)

    low, high = _last(value, 0.0, far), _last(value, 1.0, far)
    if value in (0, 1):  # nothing was seen out of place: of the rarer class as many rows may be as none tells
        slack = unseen(area.rarest, confidence)
        return min(low, value - slack if value else 0.0), max(high, value + slack if not value else 1.0)
    return low, high


def _last(near: float, end: float, far: Callable[[float], bool]) -> float:
    """Return the first place from ``near`` towards ``end`` that is too far; ``end`` where none is."""
    if not far(end):
        return end
    for _ in range(_HALVINGS):
        middle = (near + end) / 2
        near, end = (near, middle) if far(middle) else (middle, end)
    return end


def _freedom(parts: Sequence[PlacementPart], most: float | None) -> float:
    """Return Satterthwaite's degrees of freedom of a sum of squared errors."""
    total = sum(side.squared for side in parts)
    if most is not None:
        return most
    if not total:
        return max(1.0, min(side.rows for side in parts) - 1)
    return total**2 / sum(side.squared**2 / max(1.0, side.rows - 1) for side in parts)


def estimated(ranks: Ranks, wa: int, wb: int) -> Estimated | None:
    """Return DeLong's estimate of ``wa`` x candidate's AUC + ``wb`` x champion's; None where only one class occurs."""
    if ranks.buckets:
        return _clustered(ranks, wa, wb)
    m, n = ranks.positives.rows, ranks.negatives.rows
    if not (m and n):
        return None
    value = (wa * ranks.positives.a + wb * ranks.positives.b) / (2 * m * n)
    classes = (ranks.positives, n), (ranks.negatives, m)
    parts = tuple(PlacementPart(squared=_component(sums, wa, wb, others), rows=sums.rows) for sums, others in classes)
    return Estimated(value=value, parts=parts)


def _component(sums: RankSums, wa: int, wb: int, others: int) -> float:
    """Return the share of one class: sample variance of its rows' placements, over its number of rows."""
    k = sums.rows
    if k < 2:  # one row has no spread
        return 0.0
    total = wa * sums.a + wb * sums.b
    squares = wa * wa * sums.aa + 2 * wa * wb * sums.ab + wb * wb * sums.bb
    return (k * squares - total * total) / (k * k * (k - 1) * 4 * others * others)


def _clustered(ranks: Ranks, wa: int, wb: int) -> Estimated | None:
    """Return the same where rows of a unit belong together or are weighted.

    A bucket's influence is what its placements lie above the mean ones, for each class over the class's weight.
    Source: Obuchowski, Biometrics 1997;53:567, with buckets of units as clusters, of which as many count as hold the
    rarer class.
    """
    weights = [sum(bucket[column] for bucket in ranks.buckets) for column in (1, 2)]
    positives, negatives = weights
    if not (positives and negatives):
        return None
    pairs = 2 * positives * negatives
    value = sum(wa * a + wb * b for _, _, _, a, _, b, _ in ranks.buckets) / pairs
    influence = [
        (wa * a + wb * b) / pairs - value * m / positives + (wa * a_ + wb * b_) / pairs - value * n / negatives
        for _, m, n, a, a_, b, b_ in ranks.buckets
    ]
    # of buckets of unlike weight as many count as would have the same spread of weights, all alike
    k = min(
        total * total / sum(bucket[column] ** 2 for bucket in ranks.buckets)
        for column, total in zip((1, 2), weights, strict=True)
    )
    squared = k / (k - 1) * sum(one * one for one in influence) if k > 1 else 0.0
    return Estimated(
        value=value,
        parts=(PlacementPart(squared=squared, rows=k),),
        freedom=max(1.0, min(k - 1, freedom_of(influence))),
    )
