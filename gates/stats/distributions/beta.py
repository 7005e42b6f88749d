"""The beta distribution in plain Python: its distribution function and its quantiles."""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log, log1p, sqrt

from gates.stats.quantity import z

_LAST = 1e-15  # the last digit
_NEAR = 1e-5
_TERMS = 500
_LARGE = (
    100.0  # both parameters above this: where the search would start a tail is off by a thousandth of itself at most
)
_STEPS = 80


def below(x: float, a: float, b: float) -> float:
    """Return the chance of a value below x: the regularised incomplete beta function, by its continued fraction
    (Lentz's method; Abramowitz and Stegun 26.5.8)."""
    if x in (0, 1):
        return x
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x > (a + 1) / (a + b + 2):
        return 1 - front * _fraction(1 - x, b, a) / b
    return front * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    """Evaluate the continued fraction by Lentz's method.

    Two terms a turn are written out, as this is where judging spends its time.
    """
    tiny, ab = 1e-300, a + b
    c, d = 1.0, 1 - ab * x / (a + 1)
    d = 1 / (d or tiny)
    value = d
    for m in range(1, _TERMS):
        am = a + 2 * m
        term = m * (b - m) * x / ((am - 1) * am)
        d = 1 / (1 + term * d or tiny)
        c = 1 + term / c or tiny
        value *= c * d
        term = -(a + m) * (ab + m) * x / (am * (am + 1))
        d = 1 / (1 + term * d or tiny)
        c = 1 + term / c or tiny
        change = c * d
        value *= change
        if -_LAST < change - 1 < _LAST:
            break
    return value


@lru_cache(maxsize=2**16)  # of a thousand slices under a few rules
def quantile(chance: float, a: float, b: float) -> float:
    """Return the value below which ``chance`` of the distribution lies; ``a`` and ``b`` must be above 0.

    Halley's method on the distribution function, within a bracket that each step narrows.
    """
    if b == 1:
        return float(chance ** (1 / a))
    if a == 1:
        return -float((1 - chance) ** (1 / b)) + 1
    x = _start(chance, a, b)
    if min(a, b) > _LARGE:
        return x
    low, high = 0.0, 1.0
    scale = lgamma(a + b) - lgamma(a) - lgamma(b)
    for _ in range(_STEPS):
        if not 0 < x < 1:
            break  # so near an end that no double tells them apart
        gap = below(x, a, b) - chance
        if gap > 0:
            high = x
        else:
            low = x
        density = exp(scale + (a - 1) * log(x) + (b - 1) * log1p(-x))
        step = gap / density if density else 1.0
        if abs(step) <= 4 * _LAST * x:
            break
        bent = 1 - 0.5 * max(-1.0, min(1.0, step * ((a - 1) / x - (b - 1) / (1 - x))))
        nearer = x - step / bent
        if abs(step) <= _NEAR * min(x, 1 - x) and low < nearer < high:
            return nearer  # a step of Halley's leaves the third power of what was left before
        x = nearer if low < nearer < high else (low + high) / 2
    return x


def _start(chance: float, a: float, b: float) -> float:
    """Return near the quantile. Source: Abramowitz and Stegun 26.5.22; of parameters below 1 the leading power."""
    if min(a, b) < 1:
        return min(1 - 1e-9, max(1e-9, a / (a + b)))
    y = z(chance)
    across = (y * y - 3) / 6
    one, other = 1 / (2 * a - 1), 1 / (2 * b - 1)
    h = 2 / (one + other)
    w = y * sqrt(max(0.0, h + across)) / h + (other - one) * (across + 5 / 6 - 2 / (3 * h))
    return min(1 - 1e-12, max(1e-12, a / (a + b * exp(-2 * w))))
