"""What a holdout of this size can show, and how many rows would settle a question."""

from __future__ import annotations

from math import ceil, inf, sqrt

from gates.stats.quantity import z

POWER = 0.80
HOPELESS = 100  # times as many rows: what lies so near the limit is told to lie at it


def detectable(half_width: float, confidence: float) -> float:
    """Return the smallest distance from the limit that would be found in ``POWER`` of holdouts of this size.

    ``half_width`` is the distance from the value to its one-sided bound at ``confidence``; a bound
    z(c) standard errors away reveals what is z(c) + z(power) standard errors away.
    """
    return half_width * (1 + z(POWER) / z(confidence))


def times_the_rows(detectable_now: float, distance: float, always: float = 0.0) -> float | None:
    """Return how many times as many rows make ``distance`` detectable, standard errors shrinking with their root.

    Below 1 fewer would do. ``always``: what of ``detectable_now`` no number of rows makes smaller. None where it would
    take more than ``HOPELESS`` times the rows.
    """
    shrinking, room = sqrt(max(0.0, detectable_now**2 - always**2)), sqrt(max(0.0, max(0.0, distance) ** 2 - always**2))
    times = (shrinking / room) ** 2 if room else inf
    return None if times > HOPELESS else times


def rows_to_settle(rows: int, detectable_now: float, distance: float, always: float = 0.0) -> int | None:
    """Return rows at which ``distance`` becomes detectable: never fewer than there are, and two significant digits.

    None where it would take too many; see ``times_the_rows``.
    """
    times = times_the_rows(detectable_now, distance, always)
    if times is None:
        return None
    exact = max(rows, ceil(rows * times))
    step: int = 10 ** max(0, len(str(exact)) - 2)
    return -(-exact // step) * step
