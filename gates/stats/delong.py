"""ROC-AUC and its paired comparison from whole-number placement sums.

Source: DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837, with placements as in Sun and Xu, IEEE
Signal Processing Letters 2014;21:1389. All sums are exact integers, so the result has no rounding path.
The variance is that of two classes, one of them maybe of few rows: Student's t with Satterthwaite's degrees of
freedom, as Brunner and Munzel, Biom J 2000;42:17, have it for the same statistic.
"""

from __future__ import annotations

from math import exp, inf, log, sqrt

from gates.evidence import CHAMPION, Ranks, RankSums
from gates.stats.jackknife import freedom as freedom_of
from gates.stats.proportions import wilson
from gates.stats.quantity import Bounds, Quantity, undefined
from gates.stats.student import around, t

ONE_CLASS = "only one class of label occurs"


def auc(ranks: Ranks, who: int) -> Quantity:
    """One model's ROC-AUC with bounds on the logit scale, so that they stay within 0 and 1."""
    m, n = ranks.positives.rows, ranks.negatives.rows
    if not (m and n):
        return undefined(ONE_CLASS)
    value, error, freedom = _estimated(ranks, *((0, 1) if who == CHAMPION else (1, 0)))

    def bounds(confidence: float) -> Bounds:
        if error is None:
            return 0.0, 1.0
        if error == 0 or not 0 < value < 1:  # perfect separation: as sure as the rarer class allows
            return wilson(value * min(m, n), min(m, n), confidence, freedom)
        centre, half = log(value / (1 - value)), t(confidence, freedom) * error / (value * (1 - value))
        return 1 / (1 + exp(half - centre)), 1 / (1 + exp(-half - centre))

    return Quantity(value=value, bounds=bounds, method="obuchowski" if ranks.buckets else "delong-logit")


def auc_difference(ranks: Ranks) -> Quantity:
    """Candidate's less champion's ROC-AUC, paired on the same rows."""
    m, n = ranks.positives.rows, ranks.negatives.rows
    if not (m and n):
        return undefined(ONE_CLASS)
    value, error, freedom = _estimated(ranks, 1, -1)

    def bounds(confidence: float) -> Bounds:
        return (-1.0, 1.0) if error is None else around(value, error, confidence, freedom, (-1.0, 1.0))

    return Quantity(value=value, bounds=bounds, method="obuchowski-paired" if ranks.buckets else "delong-paired")


def _estimated(ranks: Ranks, wa: int, wb: int) -> tuple[float, float | None, float]:
    """(value, standard error, degrees of freedom) of ``wa`` x candidate's AUC + ``wb`` x champion's; without an error
    where there is too little to tell it from: each class needs two rows, or there must be two buckets."""
    if ranks.buckets:
        return _clustered(ranks, wa, wb)
    m, n = ranks.positives.rows, ranks.negatives.rows
    value = (wa * ranks.positives.a + wb * ranks.positives.b) / (2 * m * n)
    if min(m, n) < 2:  # noqa: PLR2004 -- one row has no spread
        return value, None, 1
    parts = (_component(ranks.positives, wa, wb, n), m), (_component(ranks.negatives, wa, wb, m), n)
    variance = sum(part for part, _ in parts)
    freedom = variance**2 / sum(part**2 / (rows - 1) for part, rows in parts) if variance else inf
    return value, sqrt(variance), freedom


def _component(sums: RankSums, wa: int, wb: int, others: int) -> float:
    """The share of one class: sample variance of its rows' placements, over its number of rows."""
    k = sums.rows
    total = wa * sums.a + wb * sums.b
    squares = wa * wa * sums.aa + 2 * wa * wb * sums.ab + wb * wb * sums.bb
    return (k * squares - total * total) / (k * k * (k - 1) * 4 * others * others)


def _clustered(ranks: Ranks, wa: int, wb: int) -> tuple[float, float | None, float]:
    """(value, standard error, degrees of freedom) where rows of a unit belong together or are weighted.

    A bucket's influence is what its placements lie above the mean ones, for each class over the class's weight.
    Source: Obuchowski, Biometrics 1997;53:567, with buckets of units as clusters, of which as many count as hold the
    rarer class.
    """
    positives = sum(bucket[1] for bucket in ranks.buckets)
    negatives = sum(bucket[2] for bucket in ranks.buckets)
    pairs = 2 * positives * negatives
    value = sum(wa * a + wb * b for _, _, _, a, _, b, _ in ranks.buckets) / pairs
    influence = [
        (wa * a + wb * b) / pairs - value * m / positives + (wa * a_ + wb * b_) / pairs - value * n / negatives
        for _, m, n, a, a_, b, b_ in ranks.buckets
    ]
    k = min(sum(bucket[place] > 0 for bucket in ranks.buckets) for place in (1, 2))
    if k < 2:  # noqa: PLR2004 -- one bucket has no spread, of either class
        return value, None, 1
    return value, sqrt(k / (k - 1) * sum(one * one for one in influence)), min(k - 1, freedom_of(influence))
