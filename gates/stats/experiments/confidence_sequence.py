"""Bounds that hold at every look at an experiment, and at its planned end. One-sided, in standard errors.

A normal mixture in closed form: Howard, Ramdas, McAuliffe and Sekhon, Annals of Statistics 49:1055 (2021). That it
holds of means in general, as the units become many: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Annals of
Statistics (2024).
"""

from __future__ import annotations

from math import log, sqrt

from gates.stats.quantity import z

EARLY = 0.2  # share of the chance of a false alarm that is spent on looks before the planned end


def early(n: int, units: int, confidence: float) -> float:
    """Return how many standard errors away a one-sided bound lies that holds at all looks before the end.

    ``n``: closed units so far, in both arms, from 1 on. ``units``: those of the planned end. With ``planned`` at the
    end it misses the truth in at most 1 − ``confidence`` of experiments, however many looks there are.
    """
    spent = EARLY * (1 - confidence)
    x = n * rate(units / 2, spent)
    return sqrt((x + 1) / x * 2 * log(1 + sqrt(x + 1) / (2 * spent)))


def planned(confidence: float) -> float:
    """Return how many standard errors away the bound lies at the planned end, which is looked at once."""
    return z(1 - (1 - EARLY) * (1 - confidence))


def rate(tightest: float, alpha: float) -> float:
    """Return ρ², for which the sequence is tightest after so many units. ``alpha``: one-sided."""
    inside = -2 * log(2 * alpha)
    return (inside + log(1 + inside)) / tightest
