"""The bootstrap of rows as a draw over cells: as many replicates, whatever the number of rows.

Resampling rows is a multinomial draw over the table of cells. Each cell is drawn here as an independent
Poisson count (the Poisson bootstrap: Chamandy et al., 2012), which for statistics that do not change when
all counts are scaled is the same to the order of 1/n, and can be drawn by table look-up in plain Python.
``random.Random.random`` is the only generator used: Python promises its sequence for a seed.
"""

from __future__ import annotations

import random
from array import array
from bisect import bisect
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate
from math import ceil, floor

from gates.stats.quantity import Bounds, Quantity, undefined

REPLICATES = 10_000
EMPTY_CELL = 0.5  # an empty cell was seen zero times, which does not prove that it can't occur
_TAIL = 1e-16


def bootstrap(
    counts: Sequence[int],
    statistic: Callable[..., float | None],
    limits: Bounds,
    seed: str,
    why: str = "its denominator is zero",
) -> Quantity:
    """A statistic of cell counts with percentile bounds.

    ``statistic`` takes the counts and gives a float, or None where they do not define it; replicates
    that are undefined count as reaching ``limits`` (the statistic's range) on both sides.
    """
    value = statistic(*counts)
    if value is None:
        return undefined(why)
    drawn: list[array[float]] = []  # filled at the first call: a verdict may need no bounds

    def bounds(confidence: float) -> Bounds:
        if not drawn:
            replicates = (statistic(*cells) for cells in zip(*draws(tuple(counts), seed), strict=True))
            drawn.append(array("d", sorted(x for x in replicates if x is not None)))
        return _percentiles(drawn[0], confidence, limits)

    return Quantity(value=value, bounds=bounds, method="bootstrap")


def _percentiles(defined: array[float], confidence: float, limits: Bounds) -> Bounds:
    lost = REPLICATES - len(defined)
    low = floor(round((1 - confidence) * REPLICATES, 6)) - lost
    high = ceil(round(confidence * REPLICATES, 6)) - 1  # undefined ones sort after the last on this side
    return (
        defined[low] if 0 <= low < len(defined) else limits[0],
        defined[high] if high < len(defined) else limits[1],
    )


@lru_cache(maxsize=4)  # gates on one slice come one after the other
def draws(counts: tuple[int, ...], seed: str) -> tuple[list[int], ...]:
    """``REPLICATES`` resampled counts of every cell; the same for the same counts and seed."""
    uniform = random.Random(f"{seed}{counts}").random  # noqa: S311 -- statistics, not secrets
    return tuple(_poisson(max(count, EMPTY_CELL), uniform) for count in counts)


def _poisson(mean: float, uniform: Callable[[], float]) -> list[int]:
    """Poisson counts by inversion. The table grows outwards from the mode with + - * / only, so that it
    is the same on every machine (no libm)."""
    mode = int(mean)
    above, below = [1.0], []
    while above[-1] > _TAIL:
        above.append(above[-1] * mean / (mode + len(above)))
    weight, k = 1.0, mode
    while k > 0 and weight > _TAIL:
        weight *= k / mean
        k -= 1
        below.append(weight)
    cumulative = list(accumulate(below[::-1] + above))
    total = cumulative.pop()
    return [k + bisect(cumulative, uniform() * total) for _ in range(REPLICATES)]
