"""The ratio of two columns' sums, such as clicks per impression: rare events included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, sqrt

from gates.documents.evidence import CANDIDATE, CHAMPION, Moments, Slice
from gates.documents.statistic import Parameters, Statistic, parameters_text
from gates.metrics import of_moments
from gates.metrics.definition import Metric
from gates.metrics.expressions import ModelColumns, Quantities, Staged
from gates.metrics.of_moments import SCALE, Smooth
from gates.stats.distributions.gamma import of_sum
from gates.stats.proportions import square_and_add
from gates.stats.quantity import Bounds, Found, Quantity, wider

_OWN = 4  # quantities of a model: both columns, and what of each is negative
_DOC = "Sum of `of` over the sum of `per`: clicks per impression."


def _both(model: ModelColumns, parameters: Parameters) -> Sequence[Staged]:
    names = dict(parameters)
    columns = [model.of[str(names["of"])], model.of[str(names["per"])]]
    return [Staged(expression=one) for one in (*columns, *(f"least({column}, 0.0)" for column in columns))]


QUANTITIES = {"ratio": Quantities(models=_both, wide=True)}


def _slopes(of: float, per: float, *_: float) -> Sequence[float]:
    return 1 / per, -of / per**2, 0.0, 0.0


_RATIO = Smooth(
    value=lambda of, per, _, below: float(of / per) if per > 0 and not below else None,
    gradient=_slopes,
    own=_OWN,
    why="the sum of `per` is 0, or one of its values is negative",
)


def ratio(parameters: Parameters) -> Metric:
    """Return the metric. Its bounds are those of a sum of events, as long as none is negative."""
    statistic = Statistic(form="moments", name="ratio", parameters=parameters)
    base = of_moments.metric(_RATIO, statistic, name="ratio" + parameters_text(parameters), doc=_DOC, better=0)

    def level(slices: Sequence[Slice], who: int) -> Found:
        quantity = base.level(slices, who)
        sums = slices[0].moments_of(statistic)
        return _of_events(quantity, sums, who) if isinstance(quantity, Quantity) and sums else quantity

    def change(slices: Sequence[Slice]) -> Found:
        assert base.change is not None  # noqa: S101 -- means always have one
        quantity = base.change(slices)
        ours, theirs = level(slices, CANDIDATE), level(slices, CHAMPION)
        if not isinstance(quantity, Quantity) or not isinstance(ours, Quantity) or not isinstance(theirs, Quantity):
            return quantity
        sums = slices[0].moments_of(statistic)
        together = _correlation(sums) if sums else 0.0
        return wider(quantity, square_and_add(ours, theirs, together))

    return replace(base, level=level, change=change)


def _of_events(quantity: Quantity, sums: Moments, who: int) -> Quantity:
    """Return the ratio with the bounds of its numerator's sum; unchanged where some of that is negative."""
    first = _OWN if who == CHAMPION else 0
    of, per, negative = (_total(sums, first + place) for place in range(3))
    if negative:
        return quantity
    error = of_moments.error_of(sums, _RATIO, who)
    variance = (error * per) ** 2
    squares = _squares(sums, first)
    event = squares / of if of else per / sums.rows  # none was seen: as if a row had as much of it as of `per`

    def bounds(confidence: float) -> Bounds:
        low, high = of_sum(of, variance, event, confidence)
        return low / per, high / per

    return replace(quantity, bounds=bounds, method="gamma", limits=(0.0, inf))


def _total(sums: Moments, place: int) -> float:
    total = sum(one.sums[place] for one in sums.buckets) if sums.buckets else sums.sums[place]
    return float(total / SCALE)


def _squares(sums: Moments, place: int) -> float:
    """Return the sum of squares of rows, or where these are no longer known of buckets."""
    if not sums.buckets:
        return float(of_moments.square(sums, place) / SCALE)
    return float(sum((one.sums[place] / SCALE) ** 2 for one in sums.buckets))


def _correlation(sums: Moments) -> float:
    """Return the correlation of both models' errors."""
    ours, theirs, apart = (of_moments.error_of(sums, _RATIO, who) for who in (CANDIDATE, CHAMPION, None))
    together = 2 * ours * theirs
    return max(-1.0, min(1.0, (ours**2 + theirs**2 - apart**2) / together)) if sqrt(together) else 0.0
