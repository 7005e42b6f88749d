"""Student's t: quantiles in plain Python, and bounds from a value and its standard error."""

from __future__ import annotations

from functools import cache
from math import exp, inf, lgamma, log, pi, sqrt, tan

from gates.stats.quantity import Bounds, z

_MANY = 1e4  # degrees of freedom from which on the first terms of an expansion around the normal are exact enough
_STEPS = 60


@cache
def t(confidence: float, freedom: float) -> float:
    """The quantile of Student's t, confidence in (0, 1), ``freedom`` > 0 degrees of freedom.

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
    if freedom == 2:  # noqa: PLR2004 -- degrees of freedom
        return (2 * confidence - 1) / sqrt(2 * confidence * (1 - confidence))
    x = _start(confidence, freedom)
    for _ in range(_STEPS):
        step = (_upper(x, freedom) - (1 - confidence)) / _density(x, freedom)
        x += step
        if abs(step) < 1e-12 * x:
            break
    return x


def _start(confidence: float, freedom: float) -> float:
    """The normal quantile and the first term of the Cornish-Fisher expansion."""
    q = z(confidence)
    return q + (q**3 + q) / (4 * freedom)


def _density(x: float, freedom: float) -> float:
    """The density of t."""
    scale = lgamma((freedom + 1) / 2) - lgamma(freedom / 2) - 0.5 * log(freedom * pi)
    return exp(scale - (freedom + 1) / 2 * log(1 + x * x / freedom))


def _upper(x: float, freedom: float) -> float:
    """P(T > x) for x > 0: half of the incomplete beta function I(freedom / (freedom + x^2); freedom/2, 1/2)."""
    return 0.5 * _beta(freedom / (freedom + x * x), freedom / 2, 0.5)


def _beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (Lentz's method; Abramowitz and Stegun
    26.5.8)."""
    if x in (0, 1):
        return x
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1 - x))
    if x > (a + 1) / (a + b + 2):
        return 1 - front * _fraction(1 - x, b, a) / b
    return front * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d or tiny)
    value = d
    for m in range(1, 500):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / (1 + term * d or tiny)
            c = 1 + term / c or tiny
            value *= c * d
        if abs(c * d - 1) < 1e-15:  # noqa: PLR2004 -- the last digit
            break
    return value


def around(value: float, error: float, confidence: float, freedom: float, limits: Bounds = (-inf, inf)) -> Bounds:
    """The value less and plus t times its error, within limits."""
    half = t(confidence, freedom) * error
    return max(limits[0], value - half), min(limits[1], value + half)
