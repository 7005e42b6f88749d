"""Watch a limit window after window: how strongly each window speaks against it, and when that is an alarm.

One window at a time is judged at most by chance as often as its confidence says; of hundreds some always stand out. An
e-detector adds up what all windows say, so that without any change the mean time to an alarm is at least what is asked
for, whatever the windows have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import asin, copysign, exp, inf, isfinite, log, log1p, pi, sin, sqrt
from statistics import NormalDist

from gates.stats.quantity import Quantity, z

SHIFTS = (0.5, 1.0, 2.0, 4.0)  # that it looks for, in standard errors; each weighs a quarter
MOST = 5.0  # what one window can say at most, in standard errors
EVENTS = 20  # expected in a window, below which bounds that are not exact say nothing
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

    One that is as uncertain as Wilson's share of a value v with the bound u (at 95 %) rests on z² u (1 - u) / (u - v)²
    rows, such as a ROC-AUC.
    """
    if quantity.limits != (0.0, 1.0) or not 0 < limit < 1:
        return rows
    rested = quantity.rows
    if rested is None:
        low, high = quantity.bounds(_TYPICAL)
        bound = high if high - quantity.value > quantity.value - low else low
        if not (0 < bound < 1) or bound == quantity.value:
            return 0.0
        rested = z(_TYPICAL) ** 2 * bound * (1 - bound) / (bound - quantity.value) ** 2
    return round(rested * min(limit, 1 - limit), _DIGITS)


def is_exact(quantity: Quantity, limit: float) -> bool:
    """Tell whether what a window says against a limit is known exactly, however few events it has."""
    return quantity.rows is not None and 0 < limit < 1


def said(quantity: Quantity, limit: float, sign: int) -> tuple[float, ...]:
    """Return for each shift what a window says against a limit: the logarithm of a number whose mean is at most 1 where
    the limit is kept.

    Of an exact share it is the likelihood ratio of a share that is so many standard errors beyond the limit, on the
    scale of the arcsine, and one at the limit. Of all else it is that of a normal value, by its ``strength``.
    """
    if quantity.rows is not None and is_exact(quantity, limit):
        return tuple(_of_share(quantity.value, quantity.rows, limit, -sign * shift) for shift in SHIFTS)
    return of_normal(strength(quantity, limit, sign))


def of_normal(standard: float) -> tuple[float, ...]:
    """Return for each shift what a value says that lies ``standard`` errors beyond its limit."""
    return tuple(shift * standard - shift * shift / 2 for shift in SHIFTS)


def _of_share(value: float, rows: float, limit: float, errors: float) -> float:
    """Return the logarithm of a share's likelihood ``errors`` standard errors above ``limit``, over that at it.

    At most half of the way to an end of the scale is gone: there one row of the other kind would be impossible.
    """
    angle = asin(sqrt(limit))
    end = pi / 2 if errors > 0 else 0.0
    way = min(abs(errors) / (2 * sqrt(rows)), abs(end - angle) / 2)
    other = sin(angle + copysign(way, errors)) ** 2
    events = value * rows
    return events * log(other / limit) + (rows - events) * log((1 - other) / (1 - limit))


def grown(logs: Sequence[float], window: Sequence[float]) -> tuple[float, ...]:
    """Return the logarithms of the detector after one more window, which says ``window`` for each shift; ``()`` are
    those before the first.

    A Shiryaev-Roberts e-detector for each shift. Source: Shin, Ramdas and Rinaldo, arXiv 2203.03532.
    """
    before = logs or (-inf,) * len(SHIFTS)
    return tuple(_log1p_exp(log_) + one for log_, one in zip(before, window, strict=True))


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
