"""The non-central chi-square distribution in plain Python, and its noncentrality for an observation."""

from __future__ import annotations

from math import exp, inf, lgamma, log, sqrt
from statistics import NormalDist

from gates.stats.quantity import z

_MANY = 1e4  # of statistic or noncentrality: from here on it is normal to all digits that a verdict needs
_FAR = 8  # standard deviations of a Poisson distribution, beyond which nothing is left of it
_LAST = 1e-15
_STEPS = 100
_NEVER, _EPSILON = 1e-300, 2**-53  # chances whose normal quantile is still finite


def below(x: float, freedom: float, noncentral: float) -> float:
    """Return P(X <= x) for x >= 0: a Poisson mixture of regularised gamma functions.

    Source: Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions 2, 1995, 29.3; above ``_MANY`` the
    normal distribution of the same mean and variance.
    """
    if max(x, noncentral) > _MANY:
        spread = sqrt(2 * (freedom + 2 * noncentral))
        return NormalDist().cdf((x - freedom - noncentral) / spread)
    rate = noncentral / 2
    reach = _FAR * (sqrt(rate) + 1)
    first, last = max(0, int(rate - reach)), int(rate + reach) + 1
    weight = exp(first * log(rate) - rate - lgamma(first + 1)) if rate else 1.0
    total, tail, term = 0.0, *_upper(freedom / 2 + first, x / 2)
    for step in range(first, last + 1 if rate else 1):
        total += weight * (1 - tail)
        weight *= rate / (step + 1)
        tail += term  # Q(a + 1, x) = Q(a, x) + x^a e^-x / gamma(a + 1)
        term *= x / 2 / (freedom / 2 + step + 1)
    return min(1.0, total)


def _upper(a: float, x: float) -> tuple[float, float]:
    """Return the regularised upper gamma function Q(a, x), and x^a e^-x / gamma(a + 1).

    Source: Abramowitz and Stegun 6.5.29 and 6.5.31.
    """
    if x <= 0:
        return 1.0, 0.0
    front = exp(a * log(x) - x - lgamma(a + 1))
    if x < a + 1:  # the series of the lower one
        term = total = 1.0
        step = a
        while term > _LAST * total:
            step += 1
            term *= x / step
            total += term
        return max(0.0, 1 - front * total), front
    b = x + 1 - a
    c, d = inf, 1 / b
    value = d
    for step in range(1, 10_000):  # the continued fraction of the upper one, by Lentz's method
        n = -step * (step - a)
        b += 2
        d = 1 / (n * d + b)
        c = b + n / c
        value *= c * d
        if abs(c * d - 1) < _LAST:
            break
    return min(1.0, front * a * value), front


def noncentrality(x: float, freedom: float, tail: float) -> float:
    """Return the noncentrality at which P(X <= x) is ``tail``; 0 where it is no more than that without any.

    False position with Illinois steps, on the normal quantile of P, which is nearly a straight line.
    """
    chance = below(x, freedom, 0)
    if chance <= tail:
        return 0.0
    wanted = z(tail)

    def over(noncentral: float) -> float:
        return _quantile(below(x, freedom, noncentral)) - wanted

    low, high = 0.0, (sqrt(x) + abs(wanted) + 1) ** 2 + freedom
    left, right = _quantile(chance) - wanted, over(high)
    side, guess = 0, high
    for _ in range(_STEPS):
        if right >= 0 or high - low <= _LAST * high:
            break
        before, guess = guess, (low * right - high * left) / (right - left)
        value = over(guess)
        if abs(guess - before) <= _LAST * guess or value == 0:
            break
        if value > 0:
            low, left = guess, value
            right /= 1 + (side > 0)
            side = 1
        else:
            high, right = guess, value
            left /= 1 + (side < 0)
            side = -1
    return guess


def _quantile(chance: float) -> float:
    return NormalDist().inv_cdf(min(max(chance, _NEVER), 1 - _EPSILON))
