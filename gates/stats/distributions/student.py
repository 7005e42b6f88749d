"""Student's t: quantiles in plain Python, and bounds from a value and its standard error."""

from __future__ import annotations

from functools import cache
from math import exp, inf, isfinite, isinf, lgamma, log, pi, sqrt, tan

from gates.stats.distributions import beta
from gates.stats.quantity import ANYWHERE, Bounds, z

_MANY = 1e4  # degrees of freedom from which on the first terms of an expansion around the normal are exact enough
_STEPS = 60
_HUGE = 700.0  # whose exponential is a double's largest


@cache
def t(confidence: float, freedom: float) -> float:
    """Return the quantile of Student's t, confidence in (0, 1), ``freedom`` > 0 degrees of freedom.

    Closed forms for 1 and 2; else Newton's method on the distribution function, from the first terms of
    the Cornish-Fisher expansion (Abramowitz and Stegun 26.7.5). Right to eight digits.
    """
    if confidence == 0.5:  # noqa: PLR2004 -- the median
        return 0.0
    if confidence < 0.5:  # noqa: PLR2004 -- symmetric
        return -t(1 - confidence, freedom)
    if freedom >= _MANY:
        return _start(confidence, freedom)
    if freedom == 1:
        return tan(pi * (confidence - 0.5))
    if freedom == 2:  # degrees of freedom
        return (2 * confidence - 1) / sqrt(2 * confidence * (1 - confidence))
    x = _start(confidence, freedom)
    for _ in range(_STEPS):
        step = (_upper(x, freedom) - (1 - confidence)) / _density(x, freedom)
        x += step
        if abs(step) < 1e-12 * x:
            break
    return x


def _start(confidence: float, freedom: float) -> float:
    """Return the normal quantile and the first term of the Cornish-Fisher expansion."""
    q = z(confidence)
    return q + (q**3 + q) / (4 * freedom)


def _density(x: float, freedom: float) -> float:
    """Return the density of t."""
    scale = lgamma((freedom + 1) / 2) - lgamma(freedom / 2) - 0.5 * log(freedom * pi)
    return exp(scale - (freedom + 1) / 2 * log(1 + x * x / freedom))


def _upper(x: float, freedom: float) -> float:
    """Return P(T > x) for x > 0: half of the incomplete beta function I(freedom / (freedom + x^2); freedom/2, 1/2)."""
    return 0.5 * beta.below(freedom / (freedom + x * x), freedom / 2, 0.5)


def around(value: float, error: float, confidence: float, freedom: float, limits: Bounds = ANYWHERE) -> Bounds:
    """Return the value less and plus t times its error, within limits."""
    half = t(confidence, freedom) * error
    return max(limits[0], value - half), min(limits[1], value + half)


def within(value: float, error: float, confidence: float, freedom: float, limits: Bounds) -> Bounds:
    """Return the same on the scale that has no ends where ``limits`` has them, by the delta method: the logit between
    two of them, the logarithm of the distance from one; away from that one as far as a gamma distribution's mean may
    lie, for what has only one end is skewed. The value must lie inside."""
    low, high = limits
    quantile = t(confidence, freedom)
    if isinf(high - low):
        near = low if isfinite(low) else high
        if isinf(near):
            return value - quantile * error, value + quantile * error
        gap, spread = value - near, error / abs(value - near)
        ends = near + gap / _exp(quantile * spread), near + gap * _gamma(quantile, spread)
        return min(ends), max(ends)
    width = high - low
    share = (value - low) / width
    centre, half = log(share / (1 - share)), quantile * error / width / (share * (1 - share))
    return low + width * _logistic(centre - half), low + width * _logistic(centre + half)


def _gamma(quantile: float, spread: float) -> float:
    """Tell how many times as large the mean of a gamma distribution may be, of which a value with this relative error
    is seen; infinite where nothing bounds it.

    Source: Wilson and Hilferty, PNAS 1931;17:684 (the cube root of such a value is nearly normal).
    """
    root = 1 - spread * spread / 9 - quantile * spread / 3
    return root**-3 if root > 0 else inf


def _exp(x: float) -> float:
    return exp(x) if x < _HUGE else inf


def _logistic(x: float) -> float:
    return 1 / (1 + _exp(-x)) if x > 0 else 1 - 1 / (1 + _exp(x))
