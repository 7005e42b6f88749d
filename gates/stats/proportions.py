"""Bounds for one proportion, two paired ones, and differences and ratios of values that have bounds."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isinf, sqrt
from statistics import fmean

from gates.stats.distributions import beta
from gates.stats.distributions.student import t
from gates.stats.quantity import Bounds, Quantity, z

_FEW = 30  # rows


def exact(successes: float, n: float, confidence: float, freedom: float = inf) -> Bounds:
    """Return Clopper and Pearson's bounds for a proportion, n > 0, each one-sided at ``confidence``.

    Neither misses more often than it may, at whatever confidence and however few rows. ``n`` may be an effective number
    of rows, whose variance was estimated with ``freedom`` degrees of freedom.

    Sources: Clopper and Pearson, Biometrika 1934;26:404; for effective numbers Korn and Graubard, Surv Methodol
    1998;24:193.
    """
    if freedom != inf:
        shrunk = (z(confidence) / t(confidence, freedom)) ** 2
        successes, n = successes * shrunk, n * shrunk
    failures = max(0.0, n - successes)
    low = beta.quantile(1 - confidence, successes, failures + 1) if successes > 0 else 0.0
    high = beta.quantile(confidence, successes + 1, failures) if failures > 0 else 1.0
    return low, high


def unseen(n: float, confidence: float) -> float:
    """Return the share up to which something may happen that happened in none of ``n`` rows."""
    return 1 - float((1 - confidence) ** (1 / n))


def share(successes: float, n: float, freedom: float = inf, method: str = "clopper-pearson") -> Quantity:
    """Return a proportion of rows, or of as many as its variance is worth."""
    return Quantity(
        value=successes / n,
        bounds=lambda confidence: exact(successes, n, confidence, freedom),
        method=method,
        limits=(0.0, 1.0),
        exact=freedom == inf,
        rows=n if freedom == inf else None,
    )


def wilson(successes: float, n: float, confidence: float) -> Bounds:
    """Return Wilson's score bounds for a proportion, n > 0, each one-sided at ``confidence``.

    Differences are made of these, as they hold on average where ``exact`` ones hold at worst. Source: Wilson, JASA
    1927;22:209.
    """
    p, q = successes / n, z(confidence)
    centre = p + q * q / (2 * n)
    half = q * sqrt(p * (1 - p) / n + q * q / (4 * n * n))
    scale = 1 + q * q / n
    # at 0 and n the exact bounds are 0 and 1; rounding must not leave the unit interval
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == n else (centre + half) / scale
    return max(0.0, low), min(1.0, high)


def paired_difference(both: int, first: int, second: int, neither: int, confidence: float) -> Bounds:
    """Return bounds for p1 - p2 on the same rows: Newcombe's method 10 (square and add, corrected phi).

    ``both``: rows where both succeed; ``first``, ``second``: only that one; at least one row in all. Of a few rows it
    is made of exact bounds, as Wilson's hold only on average.
    Source: Newcombe, Stat Med 1998;17:2635, method 10.
    """
    n = both + first + second + neither
    alone = exact if n <= _FEW else wilson
    p1, p2 = (both + first) / n, (both + second) / n
    l1, u1 = alone(both + first, n, confidence)
    l2, u2 = alone(both + second, n, confidence)
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    cross = both * neither - first * second
    corrected = max(cross - n / 2, 0.0) if cross > 0 else float(cross)
    phi = corrected / sqrt(margins) if margins else 0.0
    d = p1 - p2
    return (
        max(-1.0, d - _add(p1 - l1, u2 - p2, phi)),
        min(1.0, d + _add(u1 - p1, p2 - l2, phi)),
    )


def _add(a: float, b: float, phi: float) -> float:
    if isinf(a) or isinf(b):
        return inf
    return sqrt(max(0.0, a * a - 2 * phi * a * b + b * b))


def mover_difference(
    p1: float, l1: float, u1: float, p2: float, l2: float, u2: float, correlation: float = 0.0
) -> Bounds:
    """Return bounds for p1 - p2 of two values from each one's own bounds (MOVER-D), and how the two are correlated.
    Where one of those is infinite, so is what is made of it.

    For independent proportions with Wilson's bounds it is Newcombe's hybrid score method.
    Sources: Newcombe, Stat Med 1998;17:873, method 10; Zou and Donner, Stat Med 2008;27:1693; for correlated values
    Zou, Psychol Methods 2007;12:399.
    """
    d = p1 - p2
    return d - _add(p1 - l1, u2 - p2, correlation), d + _add(u1 - p1, p2 - l2, correlation)


def mover_mean(parts: Sequence[tuple[float, float, float]]) -> Bounds:
    """Return bounds for the mean of independent values, each (value, low, high)."""
    n, value = len(parts), fmean(one for one, _, _ in parts)
    below, above = (
        sqrt(sum(far * far for far in side)) / n
        for side in zip(*((one - low, high - one) for one, low, high in parts), strict=True)
    )
    return value - below, value + above


def square_and_add(ours: Quantity, theirs: Quantity, correlation: float) -> Quantity:
    """Return one value less another of the same rows, by ``mover_difference``."""
    (least, most), (low_, high_) = ours.limits, theirs.limits
    limits = least - high_, most - low_

    def bounds(confidence: float) -> Bounds:
        low, high = mover_difference(
            ours.value, *ours.bounds(confidence), theirs.value, *theirs.bounds(confidence), correlation=correlation
        )
        return max(limits[0], low), min(limits[1], high)

    return Quantity(value=ours.value - theirs.value, bounds=bounds, method="mover-paired", limits=limits)


def mover_ratio(p1: float, l1: float, u1: float, p2: float, l2: float, u2: float) -> Bounds:
    """Return bounds for p1 / p2 of two independent values, 0 and up, from each one's own bounds (MOVER-R).

    The upper bound is infinite where the denominator can't be determined from zero.
    Source: Donner and Zou, Stat Methods Med Res 2012;21:347.
    """
    if isinf(u1) or isinf(u2):
        return 0.0, inf
    below = p1 * p2 + _root(p1, l1, p2, u2)
    above = l2 * (2 * p2 - l2)
    low = l1 * (2 * p1 - l1) / below if below else 0.0  # the smaller root, written so that it exists for any u2
    return max(0.0, low), (p1 * p2 + _root(p1, u1, p2, l2)) / above if above > 0 else inf


def _root(p1: float, limit1: float, p2: float, limit2: float) -> float:
    """Return the root of the discriminant of the quadratic whose solutions are the r at which p1 - r p2 lies on its own
    bound."""
    return sqrt(max(0.0, (p1 * p2) ** 2 - limit1 * limit2 * (2 * p1 - limit1) * (2 * p2 - limit2)))
