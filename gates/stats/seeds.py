"""Several trainings of one recipe, each measured on the same holdout: one quantity, training noise included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from statistics import fmean, variance

from gates.stats.quantity import Bounds, Quantity, z
from gates.stats.student import t

_ONE_SIGMA = 0.8413447460685429  # the confidence at which a bound lies one standard error away


def pooled(runs: Sequence[Quantity]) -> Quantity:
    """The mean over trainings. Its squared error is the holdout's, which the runs share, plus the trainings':
    the sample variance between them over their number, at Student's t with one degree of freedom less than runs.

    What is undefined in one run is undefined. One run alone is left as it is.
    """
    values = [run.value for run in runs if run.value is not None]
    if len(runs) == 1 or len(values) < len(runs):
        return next((run for run in runs if run.value is None), runs[0])
    n, mean = len(values), fmean(values)
    noise = variance(values) / n

    def bounds(confidence: float) -> Bounds:
        ends = [run.bounds(confidence) for run in runs]
        below = fmean(value - low for value, (low, _) in zip(values, ends, strict=True))
        above = fmean(high - value for value, (_, high) in zip(values, ends, strict=True))
        half = t(confidence, n - 1) * sqrt(noise)
        return mean - sqrt(below * below + half * half), mean + sqrt(above * above + half * half)

    low, high = zip(*(run.bounds(_ONE_SIGMA) for run in runs), strict=True)
    holdout = ((fmean(high) - fmean(low)) / 2 / z(_ONE_SIGMA)) ** 2
    parts = _mean_parts([run.parts for run in runs])
    share = noise / (noise + holdout) if noise + holdout else 0.0
    return replace(runs[0], value=mean, bounds=bounds, parts=parts, training=share)


def _mean_parts(parts: Sequence[tuple[float | None, ...]]) -> tuple[float | None, ...]:
    columns = list(zip(*parts, strict=False))
    return tuple(
        None if any(one is None for one in column) else fmean(one for one in column if one is not None)
        for column in columns
    )
