"""What a holdout of this size can reveal, and how many rows would settle a question."""

from __future__ import annotations

from math import ceil

from gates.stats.quantity import z

POWER = 0.80
HOPELESS = 1e-6  # a distance so much smaller than what can be seen would take 10^12 times the rows


def detectable(half_width: float, confidence: float) -> float:
    """The smallest distance from the bar that would be found in ``POWER`` of holdouts of this size.

    ``half_width`` is the distance from the value to its one-sided bound at ``confidence``; a bound
    z(c) standard errors away reveals what is z(c) + z(power) standard errors away.
    """
    return half_width * (1 + z(POWER) / z(confidence))


def rows_to_settle(rows: int, detectable_now: float, distance: float) -> int | None:
    """Rows at which ``distance`` becomes detectable, standard errors shrinking with the root of the rows.

    Two significant digits; None where no number of rows would do.
    """
    if distance <= detectable_now * HOPELESS:
        return None
    exact = ceil(rows * (detectable_now / distance) ** 2)
    step: int = 10 ** max(0, len(str(exact)) - 2)
    return -(-exact // step) * step
