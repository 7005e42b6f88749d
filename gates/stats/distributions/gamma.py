"""Quantiles of the gamma distribution, and bounds for a sum of rare, skewed events."""

from __future__ import annotations

from math import sqrt

from gates.stats.distributions.chisquare import below
from gates.stats.quantity import Bounds, z

_MANY = 500.0  # of the shape: from here on Wilson's and Hilferty's cube is as good as any verdict needs
_STEPS = 60
_CLOSE = 1e-10


def quantile(confidence: float, shape: float) -> float:
    """Return the quantile of a gamma distribution of scale 1, for a confidence in (0, 1) and a shape above 0.

    Source: above a shape of 500, Wilson and Hilferty, PNAS 1931;17:684; else by bisection.
    """
    near = shape * max(0.0, 1 - 1 / (9 * shape) + z(confidence) / (3 * sqrt(shape))) ** 3
    if shape >= _MANY:
        return near
    low, high = 0.0, max(near, shape) * 2 + 10 * (1 + abs(z(confidence)))
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(2 * middle, 2 * shape, 0.0) < confidence else (low, middle)
        if high - low <= _CLOSE * high:
            break
    return (low + high) / 2


def of_sum(total: float, variance: float, event: float, confidence: float) -> Bounds:
    """Return bounds for the expected sum of events, each one-sided at ``confidence``: of few and skewed ones, too.

    ``total``: what was seen, 0 and up; ``variance``: of that; ``event``: how large one more would be. With events of
    size 1 whose variance is their number these are Garwood's exact bounds of a Poisson mean. Source: Fay and Feuer,
    Stat Med 1997;16:791.
    """
    low = total
    if total and variance:
        low = quantile(1 - confidence, total**2 / variance) * variance / total
    more, spread = total + event, variance + event**2
    high = quantile(confidence, more**2 / spread) * spread / more if spread else more
    return min(low, total), max(high, total)
