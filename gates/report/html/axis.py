"""Choose the numbers that stand at an axis: round ones, with as many digits as tell them apart."""

from __future__ import annotations

from itertools import pairwise
from math import ceil, floor, isfinite, log10

from gates.wording import MINUS

_STEPS = (1, 2, 5, 10)  # of a power of ten


def ticks(low: float, high: float, most: int = 4) -> list[float]:
    """Return at most ``most`` (at least 2) round numbers within a range, rising; one if the range is a point."""
    span = high - low
    if not (isfinite(span) and span > 0):
        return [low] if isfinite(low) else []
    power = 10.0 ** floor(log10(span / most))
    for step in (scale * ten for ten in (power, 10 * power) for scale in _STEPS):
        first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
        if last - first < most:
            return [at * step for at in range(first, last + 1)]
    return [low]


def labels(values: list[float], *, signs: bool = False) -> list[str]:
    """Return numbers as text, all with the same number of decimals. ``signs``: of differences, with a plus too."""
    largest = max(map(abs, values), default=0.0) or 1.0
    step = min((after - before for before, after in pairwise(values)), default=largest)
    decimals = max(0, min(12, -floor(log10(step) + 1e-9)))
    return [_label(value, decimals, signs=signs) for value in values]


def _label(value: float, decimals: int, *, signs: bool) -> str:
    told = f"{value:,.{decimals}f}".replace("-", MINUS)
    zero = not any(digit in told for digit in "123456789")
    return told.removeprefix(MINUS) if zero else f"+{told}" if signs and value > 0 else told
