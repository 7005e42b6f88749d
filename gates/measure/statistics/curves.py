"""Metrics that need a model's whole curve of scores, as functions of how many rows of each class have each score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import erf, exp, pi, sqrt
from typing import Any

import numpy as np

_BY_CHANCE = 1.645**2  # times its variance: a normal gap's square in 1 of 10 draws
_LEAST = 2.0**-52  # how far from 0 and 1 a score is cut off before its logit is taken

# A model's scores from the highest down, each once, with the weight of negatives and of positives that have
# it, as arrays. None where the metric is undefined.
Curve = Callable[[Any, Any, Any, Mapping[str, Any]], float | None]


def roc_auc(_scores: Any, negatives: Any, positives: Any, _parameters: Mapping[str, Any]) -> float | None:
    """Return the chance that a positive is scored above a negative, ties counted half."""
    m, n = positives.sum(), negatives.sum()
    below = n - negatives.cumsum() + negatives / 2
    return float((positives * below).sum() / (m * n)) if m and n else None


def average_precision(_scores: Any, negatives: Any, positives: Any, _parameters: Mapping[str, Any]) -> float | None:
    """Sum over scores of the rise in recall times the precision there."""
    total = positives.sum()
    if not total:
        return None
    hits, called = positives.cumsum(), (positives + negatives).cumsum()
    held = called > 0
    return float((positives[held] * hits[held] / called[held]).sum() / total)


def ks_statistic(_scores: Any, negatives: Any, positives: Any, _parameters: Mapping[str, Any]) -> float | None:
    """Return the largest gap between the two classes' distributions of scores."""
    m, n = positives.sum(), negatives.sum()
    return float(abs(positives.cumsum() / m - negatives.cumsum() / n).max()) if m and n else None


def _top(negatives: Any, positives: Any, parameters: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    """Return (positives among the k highest, k, positives, all). Rows that tie at the k-th count with the expected
    share."""
    both = positives + negatives
    total = float(both.sum())
    k = parameters["k"] if parameters.get("k") is not None else parameters["share"] * total
    if not total or k > total or k <= 0:
        return None
    called = both.cumsum()
    rank = int((called < k).sum())  # the score at which the k-th row is reached
    before = float(called[rank] - both[rank])
    part = (k - before) / float(both[rank])
    found = float(positives[:rank].sum()) + part * float(positives[rank])
    return found, float(k), float(positives.sum()), total


def precision_at(_scores: Any, negatives: Any, positives: Any, parameters: Mapping[str, Any]) -> float | None:
    """Return the share of positives among the rows scored highest."""
    top = _top(negatives, positives, parameters)
    return top[0] / top[1] if top else None


def recall_at(_scores: Any, negatives: Any, positives: Any, parameters: Mapping[str, Any]) -> float | None:
    """Return the share of all positives that are among the rows scored highest."""
    top = _top(negatives, positives, parameters)
    return top[0] / top[2] if top and top[2] else None


def lift_at(_scores: Any, negatives: Any, positives: Any, parameters: Mapping[str, Any]) -> float | None:
    """Return the precision among the rows scored highest, over the share of positives in all."""
    top = _top(negatives, positives, parameters)
    return top[0] / top[1] / (top[2] / top[3]) if top and top[2] else None


def expected_calibration_error(
    scores: Any, negatives: Any, positives: Any, parameters: Mapping[str, Any]
) -> float | None:
    """Return the mean over bins of equal width of the gap between mean score and share of positives, weighted by rows.

    Source: Naeini et al., AAAI 2015.
    """
    both = positives + negatives
    total = both.sum()
    if not total:
        return None
    bins = int(parameters["bins"])
    gaps = 0.0
    for place in range(bins):
        held = (scores >= place / bins) & ((scores < (place + 1) / bins) | (place == bins - 1))
        gaps += abs(float((scores[held] * both[held]).sum() - positives[held].sum()))
    return float(gaps / total)


def scatter(scores: Any, negatives: Any, positives: Any, parameters: Mapping[str, Any]) -> float:
    """Return by how much the calibration error is too large on average: a bin's gap has a size even where there is
    none.

    A normal gap has a mean size (a folded normal's) less the gap itself, of which chance may have made as much as it
    makes in 1 of 10 bins.
    """
    both = positives + negatives
    total, bins, excess = both.sum(), int(parameters["bins"]), 0.0
    for place in range(bins):
        inside = (scores >= place / bins) & ((scores < (place + 1) / bins) | (place == bins - 1))
        rows, hits = float(both[inside].sum()), float(positives[inside].sum())
        if not rows:
            continue
        share = (hits + 0.5) / (rows + 1)  # of one class alone the other is not impossible
        variance = rows * share * (1 - share)
        gap = sqrt(max(0.0, float((scores[inside] * both[inside]).sum() - hits) ** 2 - _BY_CHANCE * variance))
        far = gap / sqrt(variance)
        excess += sqrt(variance) * (sqrt(2 / pi) * exp(-far * far / 2) + far * erf(far / sqrt(2))) - gap
    return excess / float(total)


def calibration_slope(scores: Any, negatives: Any, positives: Any, _parameters: Mapping[str, Any]) -> float | None:
    """Return the slope of a logistic regression of the outcome on the score's logit; 1 is calibrated, less is
    overconfident.

    Newton's method; scores of 0 and 1 are cut off at 2**-52. Source: Cox, Biometrika 1958;45:562.
    """
    m, n = positives.sum(), negatives.sum()
    scored = (positives + negatives) > 0
    if not (m and n) or scored.sum() < 2:  # a slope needs two points
        return None
    x = scores[scored].clip(_LEAST, 1 - _LEAST)
    x, hits, rows = np.log(x / (1 - x)), positives[scored], (positives + negatives)[scored]
    a, b = 0.0, 1.0
    for _ in range(100):
        p = 1 / (1 + np.exp(-(a + b * x).clip(-700, 700)))
        spread, gap = rows * p * (1 - p), hits - rows * p
        h0, h1, h2 = spread.sum(), (spread * x).sum(), (spread * x * x).sum()
        determinant = h0 * h2 - h1 * h1
        if not determinant > 0:
            return None
        g0, g1 = gap.sum(), (gap * x).sum()
        step_a, step_b = (h2 * g0 - h1 * g1) / determinant, (h0 * g1 - h1 * g0) / determinant
        a, b = a + step_a, b + step_b
        if abs(step_a) + abs(step_b) < 1e-12:  # noqa: PLR2004 -- converged
            return float(b)
    return None  # the classes are separated: the slope grows without end


CURVES: Mapping[str, Curve] = {
    function.__name__: function
    for function in (
        average_precision,
        ks_statistic,
        precision_at,
        recall_at,
        lift_at,
        expected_calibration_error,
        calibration_slope,
    )
}

UNDEFINED: Mapping[str, str] = {  # what is missing where a curve gives no value
    "average_precision": "no row is positive",
    "ks_statistic": "only one class of label occurs",
    "precision_at": "there are fewer rows than asked for",
    "recall_at": "there are fewer rows than asked for, or none is positive",
    "lift_at": "there are fewer rows than asked for, or none is positive",
    "expected_calibration_error": "no rows",
    "calibration_slope": "only one class of label occurs, or the scores separate the classes",
    "roc_auc_ovr": "a class does not occur",
}
