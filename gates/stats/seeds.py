"""Pool several trainings of one recipe, measured on the same holdout, into one quantity with training noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from statistics import fmean, variance

from gates.stats.distributions.student import t
from gates.stats.quantity import Bounds, Found, Quantity, Training, Undefined, z

_ONE_SIGMA = 0.8413447460685429  # the confidence at which a bound lies one standard error away


def pooled(trainings: Sequence[Found]) -> Found:
    """Return the mean over trainings. Its squared error is the holdout's, which the runs share, plus the trainings':
    the sample variance between them over their number, at Student's t with one degree of freedom less than runs.

    What is undefined in one run is undefined. One run alone is left as it is.
    """
    runs = [run for run in trainings if isinstance(run, Quantity)]
    if len(trainings) == 1 or len(runs) < len(trainings):
        return next((run for run in trainings if isinstance(run, Undefined)), trainings[0])
    values = [run.value for run in runs]
    n, mean, (least, most) = len(values), fmean(values), runs[0].limits
    noise = variance(values) / n

    def half(confidence: float) -> float:
        return t(confidence, n - 1) * sqrt(noise)

    def bounds(confidence: float) -> Bounds:
        ends = [run.bounds(confidence) for run in runs]
        below = fmean(value - low for value, (low, _) in zip(values, ends, strict=True))
        above = fmean(high - value for value, (_, high) in zip(values, ends, strict=True))
        own = half(confidence) ** 2
        return max(least, mean - sqrt(below * below + own)), min(most, mean + sqrt(above * above + own))

    low, high = zip(*(run.bounds(_ONE_SIGMA) for run in runs), strict=True)
    holdout = ((fmean(high) - fmean(low)) / 2 / z(_ONE_SIGMA)) ** 2
    parts = _mean_parts([run.parts for run in runs])
    share = noise / (noise + holdout) if noise + holdout else 0.0
    training = Training(share=share, half=half)
    return replace(runs[0], value=mean, bounds=bounds, exact=False, rows=None, parts=parts, training=training)


def _mean_parts(parts: Sequence[tuple[float | None, ...]]) -> tuple[float | None, ...]:
    columns = list(zip(*parts, strict=False))
    return tuple(
        None if any(one is None for one in column) else fmean(one for one in column if one is not None)
        for column in columns
    )
