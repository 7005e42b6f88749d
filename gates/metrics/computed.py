"""Metrics whose value and error are computed where the rows are: read off the evidence, and bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, inf, log, sqrt

from gates.evidence import CHAMPION, Computed, Slice
from gates.metrics.record import Better, Metric, unpaired
from gates.statistic import Statistic
from gates.stats import jackknife
from gates.stats.quantity import Bounds, Quantity, undefined
from gates.stats.student import t

UNIT = 2.0**Computed.UNIT


def metric(
    statistic: Statistic,
    *,
    name: str,
    doc: str,
    better: Better,
    limits: Bounds = (-inf, inf),
    points: bool = False,
) -> Metric:
    """The metric that a computed statistic is. A level within (0, 1) is bounded on the logit scale."""

    def level(slices: Sequence[Slice], who: int) -> Quantity:
        def read(found: Computed) -> tuple[float, float]:
            return (found.champion, found.bb) if who == CHAMPION else (found.candidate, found.aa)

        return _read(slices[0], statistic, read, limits, paired=who == CHAMPION)

    def change(slices: Sequence[Slice]) -> Quantity:
        width = limits[1] - limits[0]

        def read(found: Computed) -> tuple[float, float]:
            return found.candidate - found.champion, found.aa + found.bb - 2 * found.ab

        return _read(slices[0], statistic, read, (-width, width), paired=True)

    return Metric(name=name, doc=doc, better=better, statistic=statistic, level=level, change=change, points=points)


def _read(
    part: Slice,
    statistic: Statistic,
    read: Callable[[Computed], tuple[float, float]],
    limits: Bounds,
    *,
    paired: bool,
) -> Quantity:
    found = part.computed_of(statistic)
    if found is None:
        return undefined("it could not be computed")
    if found.why is not None:
        return undefined(found.why, small=found.groups > 0)
    if paired and not found.paired:
        return undefined(unpaired(statistic))
    value, variance = read(found)
    value, error, freedom = value / UNIT, sqrt(max(0, variance)) / UNIT, max(1, found.groups - 1)

    def bounds(confidence: float) -> Bounds:
        if found.groups < 2:  # noqa: PLR2004 -- one group has no spread
            return limits
        if limits == (0.0, 1.0) and error and 0 < value < 1:
            centre, half = log(value / (1 - value)), t(confidence, freedom) * error / (value * (1 - value))
            return _logistic(centre - half), _logistic(centre + half)
        return plain.bounds(confidence)

    spread = jackknife.Spread(value=value, error=error, freedom=freedom, sightings=_sightings(part))
    plain = jackknife.quantity(spread, limits, "", found.method)
    return Quantity(value=value, bounds=bounds, method=found.method)


def _sightings(part: Slice) -> int:
    """Rows, or buckets of them, that an error of zero rests on."""
    return len({weighted[0] for weighted in part.weights}) or part.rows


def _logistic(x: float) -> float:
    return 1 / (1 + exp(-x)) if x > 0 else 1 - 1 / (1 + exp(x))
