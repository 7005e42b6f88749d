"""Bounds for one proportion, two paired ones, and differences and ratios of values that have bounds. All closed
forms."""

from __future__ import annotations

from math import inf, sqrt

from gates.stats.quantity import Bounds, Quantity
from gates.stats.student import t


def wilson(successes: float, n: float, confidence: float, freedom: float = inf) -> Bounds:
    """Wilson's score bounds for a proportion, n > 0, each one-sided at ``confidence``.

    ``n`` may be an effective number of rows, whose variance was estimated with ``freedom`` degrees of freedom.
    Source: Wilson, JASA 1927;22:209; for effective numbers Korn and Graubard, Surv Methodol 1998;24:193.
    """
    p, q = successes / n, t(confidence, freedom)
    centre = p + q * q / (2 * n)
    half = q * sqrt(p * (1 - p) / n + q * q / (4 * n * n))
    scale = 1 + q * q / n
    # at 0 and n the exact bounds are 0 and 1; rounding must not leave the unit interval
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == n else (centre + half) / scale
    return max(0.0, low), min(1.0, high)


def paired_difference(both: int, first: int, second: int, neither: int, confidence: float) -> Bounds:
    """Bounds for p1 - p2 on the same rows: Newcombe's method 10 (square and add, corrected phi).

    ``both``: rows where both succeed; ``first``, ``second``: only that one; at least one row in all.
    Source: Newcombe, Stat Med 1998;17:2635, method 10.
    """
    n = both + first + second + neither
    p1, p2 = (both + first) / n, (both + second) / n
    l1, u1 = wilson(both + first, n, confidence)
    l2, u2 = wilson(both + second, n, confidence)
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
    return sqrt(max(0.0, a * a - 2 * phi * a * b + b * b))


def mover_difference(
    p1: float, l1: float, u1: float, p2: float, l2: float, u2: float, correlation: float = 0.0
) -> Bounds:
    """Bounds for p1 - p2 of two values from each one's own bounds (MOVER-D), and how the two are correlated.

    For independent proportions with Wilson's bounds it is Newcombe's hybrid score method.
    Sources: Newcombe, Stat Med 1998;17:873, method 10; Zou and Donner, Stat Med 2008;27:1693; for correlated values
    Zou, Psychol Methods 2007;12:399.
    """
    d = p1 - p2
    return d - _add(p1 - l1, u2 - p2, correlation), d + _add(u1 - p1, p2 - l2, correlation)


def square_and_add(ours: Quantity, theirs: Quantity, correlation: float, limits: Bounds) -> Quantity:
    """One value less another of the same rows, by ``mover_difference``. Both must be defined."""
    one, other = ours.value or 0.0, theirs.value or 0.0

    def bounds(confidence: float) -> Bounds:
        low, high = mover_difference(
            one, *ours.bounds(confidence), other, *theirs.bounds(confidence), correlation=correlation
        )
        return max(limits[0], low), min(limits[1], high)

    return Quantity(value=one - other, bounds=bounds, method="mover-paired")


def mover_ratio(p1: float, l1: float, u1: float, p2: float, l2: float, u2: float) -> Bounds:
    """Bounds for p1 / p2 of two independent values, 0 and up, from each one's own bounds (MOVER-R).

    The upper bound is infinite where the denominator can't be told from zero.
    Source: Donner and Zou, Stat Methods Med Res 2012;21:347.
    """
    below = p1 * p2 + _root(p1, l1, p2, u2)
    above = l2 * (2 * p2 - l2)
    low = l1 * (2 * p1 - l1) / below if below else 0.0  # the smaller root, written so that it exists for any u2
    return max(0.0, low), (p1 * p2 + _root(p1, u1, p2, l2)) / above if above > 0 else inf


def _root(p1: float, limit1: float, p2: float, limit2: float) -> float:
    """Of the quadratic whose roots are the r at which p1 - r p2 lies on its own bound."""
    return sqrt(max(0.0, (p1 * p2) ** 2 - limit1 * limit2 * (2 * p1 - limit1) * (2 * p2 - limit2)))
