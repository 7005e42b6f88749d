"""Watch a limit window after window: how strongly each window speaks against it, and when that is an alarm.

One window at a time is judged at most by chance as often as its confidence says; of hundreds some always stand out. An
e-detector adds up what all windows say, so that without any change the mean time to an alarm is at least what is asked
for, whatever the windows have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, isfinite, log, log1p
from statistics import NormalDist

from gates.stats.proportions import exact
from gates.stats.quantity import Quantity, z

SHIFTS = (0.5, 1.0, 2.0, 4.0)  # that it looks for, in standard errors; each weighs a quarter
MOST = 5.0  # what one window can say at most, in standard errors
EVENTS = 20  # expected in a window, below which it says nothing that these bounds can tell
_STEPS = 60
_CLOSE = 1e-9
_TYPICAL = 0.95
_DIGITS = 6  # kept of a number of events, so that 20 are not taken for fewer


def strength(quantity: Quantity, limit: float, sign: int) -> float:
    """Return how far beyond its limit a value lies, in standard errors, from -5 to 5; more than 0 is beyond.

    It is the standard normal quantile of the largest confidence at which the bound still misses the limit; of a value
    that keeps it, of the one at which the bound still clears it, with a minus. ``sign``: 1 where larger is better.
    """
    beyond = sign * (quantity.value - limit) < 0

    def sure(standard: float) -> bool:
        low, high = quantity.bounds(NormalDist().cdf(standard))
        if not (isfinite(low) or isfinite(high)):
            return False
        near, far = (low, high) if sign > 0 else (-high, -low)
        return far < sign * limit if beyond else near >= sign * limit

    least, most = 0.0, MOST
    if sure(MOST):
        least = MOST
    for _ in range(_STEPS if least < MOST else 0):
        if most - least < _CLOSE:
            break
        middle = (least + most) / 2
        least, most = (middle, most) if sure(middle) else (least, middle)
    return least if beyond else -least


def expected_events(quantity: Quantity, limit: float, rows: int) -> float:
    """Return how many rows of the rarer kind a share at its limit leads to; of what is no share, all rows.

    An exact share has its own bounds with no other number of rows. One that is as uncertain as Wilson's share of a
    value v with the bound u (at 95 %) rests on z² u (1 - u) / (u - v)² rows, such as a ROC-AUC.
    """
    if quantity.limits != (0.0, 1.0) or not 0 < limit < 1:
        return rows
    low, high = quantity.bounds(_TYPICAL)
    bound = high if high - quantity.value > quantity.value - low else low
    if not (0 < bound < 1) or bound == quantity.value:
        return 0.0
    rested = z(_TYPICAL) ** 2 * bound * (1 - bound) / (bound - quantity.value) ** 2
    if quantity.exact:
        rested = _rows_of(quantity.value, high - low, rows)
    return round(rested * min(limit, 1 - limit), _DIGITS)


def _rows_of(value: float, width: float, rows: int) -> float:
    """Return of how many rows, at most ``rows``, an exact share's bounds are so far apart."""

    def wider(n: float) -> bool:
        low, high = exact(value * n, n, _TYPICAL)
        return high - low > width * (1 - _CLOSE)

    least, most = 0.0, float(rows)
    for _ in range(0 if wider(most) else _STEPS):  # most shares are of all rows
        middle = (least + most) / 2
        least, most = (middle, most) if wider(middle) else (least, middle)
        if most - least < _CLOSE * most:
            break
    return most


def grown(logs: Sequence[float], standard: float) -> tuple[float, ...]:
    """Return the logarithms of the detector after one more window that lies ``standard`` errors beyond the limit; of
    ``()``, after the first.

    A Shiryaev-Roberts e-detector for each shift of a normal mean. Source: Shin, Ramdas and Rinaldo, arXiv 2203.03532.
    """
    before = logs or (-inf,) * len(SHIFTS)
    return tuple(
        _log1p_exp(held) + shift * standard - shift * shift / 2 for held, shift in zip(before, SHIFTS, strict=True)
    )


def against(logs: Sequence[float], every: int, watched: int) -> float:
    """Return the evidence against a limit over what makes an alarm, so that 1 is an alarm.

    ``every``: in how many windows all of the ``watched`` limits together may raise one false alarm.
    """
    return exp(min(700.0, _log_mean(logs) - log(every * watched))) if logs else 0.0


def _log1p_exp(value: float) -> float:
    return value + log1p(exp(-value)) if value > 0 else log1p(exp(value))


def _log_mean(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + log(sum(exp(one - top) for one in logs) / len(logs))
