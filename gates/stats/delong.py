"""ROC-AUC and its paired comparison from whole-number placement sums.

Source: DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837, with placements as in Sun and Xu, IEEE
Signal Processing Letters 2014;21:1389. All sums are exact integers, so the result has no rounding path.
"""

from __future__ import annotations

from math import exp, log, sqrt

from gates.evidence import CHAMPION, Ranks, RankSums
from gates.stats.proportions import wilson
from gates.stats.quantity import Bounds, Quantity, undefined, z

ONE_CLASS = "only one class of label occurs"


def auc(ranks: Ranks, who: int) -> Quantity:
    """One model's ROC-AUC with bounds on the logit scale, so that they stay within 0 and 1."""
    m, n = ranks.positives.rows, ranks.negatives.rows
    if not (m and n):
        return undefined(ONE_CLASS)
    total = ranks.positives.b if who == CHAMPION else ranks.positives.a
    value = total / (2 * m * n)
    error = sqrt(_variance(ranks, *((0, 1) if who == CHAMPION else (1, 0)))) if min(m, n) > 1 else None

    def bounds(confidence: float) -> Bounds:
        if error is None:
            return 0.0, 1.0
        if error == 0 or not 0 < value < 1:  # perfect separation: as sure as the rarer class allows
            return wilson(round(value * min(m, n)), min(m, n), confidence)
        centre, half = log(value / (1 - value)), z(confidence) * error / (value * (1 - value))
        return 1 / (1 + exp(half - centre)), 1 / (1 + exp(-half - centre))

    return Quantity(value=value, bounds=bounds, method="delong-logit")


def auc_difference(ranks: Ranks) -> Quantity:
    """Candidate's less champion's ROC-AUC, paired on the same rows."""
    m, n = ranks.positives.rows, ranks.negatives.rows
    if not (m and n):
        return undefined(ONE_CLASS)
    value = (ranks.positives.a - ranks.positives.b) / (2 * m * n)
    error = sqrt(_variance(ranks, 1, -1)) if min(m, n) > 1 else None

    def bounds(confidence: float) -> Bounds:
        if error is None:
            return -1.0, 1.0
        half = z(confidence) * error
        return max(-1.0, value - half), min(1.0, value + half)

    return Quantity(value=value, bounds=bounds, method="delong-paired")


def _variance(ranks: Ranks, weight_a: int, weight_b: int) -> float:
    """Variance of ``weight_a`` x candidate's AUC + ``weight_b`` x champion's; each class needs two rows."""
    m, n = ranks.positives.rows, ranks.negatives.rows
    return _component(ranks.positives, weight_a, weight_b, n) + _component(ranks.negatives, weight_a, weight_b, m)


def _component(sums: RankSums, wa: int, wb: int, others: int) -> float:
    """The share of one class: sample variance of its rows' placements, over its number of rows."""
    k = sums.rows
    total = wa * sums.a + wb * sums.b
    squares = wa * wa * sums.aa + 2 * wa * wb * sums.ab + wb * wb * sums.bb
    return (k * squares - total * total) / (k * k * (k - 1) * 4 * others * others)
