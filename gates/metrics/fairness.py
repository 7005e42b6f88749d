"""Gaps between groups of a sensitive column, of any metric that has a level. Names and values as fairlearn's.

A raw largest-minus-smallest grows with the number of groups even where all are alike. So a gap is blamed
only if some pair of groups differs by more than the bar after correcting for the number of ordered pairs
(Bonferroni), and cleared only if every pair stays within it (intersection-union, no correction needed).
A pair's bounds are made of each group's own (the method of variance estimates recovery; for proportions it is
Newcombe's method 10). Sources: Donner and Zou, Stat Methods Med Res 2012;21:347; Newcombe, Stat Med 1998;17:873.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import permutations
from math import sqrt

from gates.evidence import CANDIDATE, CHAMPION, Slice
from gates.metrics.record import Better, Metric
from gates.slices import key_text
from gates.stats.proportions import mover_difference, mover_ratio
from gates.stats.quantity import Bounds, Quantity, undefined

Groups = Sequence[Quantity]
Judge = Callable[[Groups, float], Bounds]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """How groups' values become one number, and its bounds."""

    value: Callable[[Sequence[float]], float | None]
    bounds: Judge
    doc: str
    slopes: Callable[[Sequence[float]], list[float]]  # of the value, by each group's
    better: Callable[[Better], Better]  # of the metric's own direction
    zero: str = ""  # what is wrong where there is no value


def _corrected(groups: Groups, confidence: float) -> float:
    return 1 - (1 - confidence) / (len(groups) * (len(groups) - 1))


def _pairs(groups: Groups, confidence: float, pair: Callable[..., Bounds]) -> list[Bounds]:
    ends = [(group.value or 0.0, *group.bounds(confidence)) for group in groups]
    return [pair(*one, *other) for one, other in permutations(ends, 2)]


def _difference(groups: Groups, confidence: float) -> Bounds:
    high = max(high for _, high in _pairs(groups, confidence, mover_difference))
    low = max(low for low, _ in _pairs(groups, _corrected(groups, confidence), mover_difference))
    return max(0.0, low), high


def _ratio(groups: Groups, confidence: float) -> Bounds:
    low = min(low for low, _ in _pairs(groups, confidence, mover_ratio))
    high = min(high for _, high in _pairs(groups, _corrected(groups, confidence), mover_ratio))
    return low, min(1.0, high)


def _simultaneous(groups: Groups, confidence: float) -> float:
    return 1 - (1 - confidence) / len(groups)


def _least(groups: Groups, confidence: float) -> Bounds:
    """Of the smallest value: it lies below every group's upper bound, and above the smallest lower one. Each at the
    plain confidence for clearing, corrected for blaming."""
    corrected = _simultaneous(groups, confidence)
    return min(g.bounds(confidence)[0] for g in groups), min(g.bounds(corrected)[1] for g in groups)


def _most(groups: Groups, confidence: float) -> Bounds:
    """Of the largest value, likewise."""
    corrected = _simultaneous(groups, confidence)
    return max(g.bounds(corrected)[0] for g in groups), max(g.bounds(confidence)[1] for g in groups)


def _proportion(values: Sequence[float]) -> float | None:
    return min(values) / max(values) if max(values) > 0 <= min(values) else None


def _at(values: Sequence[float], slopes: Mapping[int, float]) -> list[float]:
    return [slopes.get(place, 0.0) for place in range(len(values))]


def _ends(values: Sequence[float]) -> tuple[int, int]:
    """Places of the smallest and the largest."""
    return values.index(min(values)), values.index(max(values))


def _difference_slopes(values: Sequence[float]) -> list[float]:
    low, high = _ends(values)
    return _at(values, {low: -1.0, high: 1.0} if low != high else {})


def _ratio_slopes(values: Sequence[float]) -> list[float]:
    low, high = _ends(values)
    return _at(values, {low: 1 / values[high], high: -values[low] / values[high] ** 2} if low != high else {})


GAPS: Mapping[str, Gap] = {
    "difference": Gap(
        value=lambda values: max(values) - min(values),
        bounds=_difference,
        slopes=_difference_slopes,
        doc="Largest less smallest",
        better=lambda _: -1,
    ),
    "ratio": Gap(
        value=_proportion,
        bounds=_ratio,
        slopes=_ratio_slopes,
        doc="Smallest over largest",
        better=lambda _: 1,
        zero="is 0 in every group",
    ),
    "group_min": Gap(
        value=min,
        bounds=_least,
        slopes=lambda values: _at(values, {_ends(values)[0]: 1.0}),
        doc="Smallest",
        better=lambda better: better,
    ),
    "group_max": Gap(
        value=max,
        bounds=_most,
        slopes=lambda values: _at(values, {_ends(values)[1]: 1.0}),
        doc="Largest",
        better=lambda better: better,
    ),
}


def doc_of(kind: str, metric: str) -> str:
    """What a gap of a metric is."""
    return f"{GAPS[kind].doc} {metric} over the groups of `by`."


def of(metric: Metric, kind: str, name: str, doc: str) -> Metric:
    """The gap of a metric between groups."""
    gap = GAPS[kind]

    def level(slices: Sequence[Slice], who: int) -> Quantity:
        groups = [metric.level([part], who) for part in slices]
        values = tuple(group.value for group in groups)
        missing = _missing(slices, groups)
        if missing:
            return replace(missing, parts=values)
        value = gap.value([value for value in values if value is not None])
        if value is None:
            return undefined(f"{metric.name} {gap.zero}", parts=values)
        return Quantity(value=value, bounds=cache(lambda c: gap.bounds(groups, c)), method="pairwise", parts=values)

    return Metric(
        name=name,
        doc=doc,
        better=gap.better(metric.better),
        statistic=metric.statistic,
        grouped=True,
        points=metric.points and kind != "ratio",
        level=level,
        change=None if metric.paired else lambda slices: _changed(metric, metric, gap, slices),
    )


def worst(metrics: Sequence[Metric], kind: str, name: str, doc: str) -> Metric:
    """The worst of several metrics' gaps, as equalized odds are: the largest difference, the smallest ratio."""
    gaps = [of(metric, kind, name, doc) for metric in metrics]
    pick = max if GAPS[kind].better(1) < 0 else min

    clears_below = pick is max

    def merged(found: Sequence[Quantity]) -> Quantity:
        missing = next((one for one in found if one.value is None), None)
        if missing:
            return missing
        chosen = pick(found, key=lambda one: one.value or 0.0)

        def bounds(confidence: float) -> Bounds:
            corrected = 1 - (1 - confidence) / len(found)
            below, above = (corrected, confidence) if clears_below else (confidence, corrected)
            return pick(one.bounds(below)[0] for one in found), pick(one.bounds(above)[1] for one in found)

        return Quantity(value=chosen.value, bounds=bounds, method="pairwise", parts=chosen.parts)

    def level(slices: Sequence[Slice], who: int) -> Quantity:
        return merged([gap.level(slices, who) for gap in gaps])

    def change(slices: Sequence[Slice]) -> Quantity:
        ours, theirs = ([gap.level(slices, who) for gap in gaps] for who in (CANDIDATE, CHAMPION))
        missing = next((one for one in (*ours, *theirs) if one.value is None), None)
        if missing:
            return missing
        of_ours, of_theirs = (
            pick(range(len(gaps)), key=lambda place: found[place].value or 0.0) for found in (ours, theirs)
        )
        return _changed(metrics[of_ours], metrics[of_theirs], GAPS[kind], slices)

    return replace(gaps[0], level=level, change=change)


def _changed(ours: Metric, theirs: Metric, gap: Gap, slices: Sequence[Slice]) -> Quantity:
    """The candidate's gap less the champion's, paired: the delta method over groups, which are independent.

    Of each group both models' values and their difference have a standard error, and so a covariance. Which groups
    are the extreme ones is taken as seen. ``ours`` and ``theirs`` are the metrics whose gaps are compared; where they
    are two, their values within a group are taken as independent.
    """
    candidates = [ours.level([part], CANDIDATE) for part in slices]
    champions = [theirs.level([part], CHAMPION) for part in slices]
    missing = _missing(slices, candidates) or _missing(slices, champions)
    if missing:
        return missing
    one, other = ([quantity.value or 0.0 for quantity in group] for group in (candidates, champions))
    values = gap.value(one), gap.value(other)
    if values[0] is None or values[1] is None:
        return undefined(f"{ours.name} {gap.zero}")
    slopes = list(zip(gap.slopes(one), gap.slopes(other), strict=True))
    changes = [ours.change([part]) if ours is theirs and ours.change else None for part in slices]
    value = values[0] - values[1]

    def bounds(confidence: float) -> Bounds:
        total = 0.0
        for (a, b), mine, its, change in zip(slopes, candidates, champions, changes, strict=True):
            if a or b:
                va, vb = _squared(mine, confidence), _squared(its, confidence)
                joint = (va + vb - _squared(change, confidence)) / 2 if change and change.value is not None else 0.0
                total += max(0.0, a * a * va + b * b * vb - 2 * a * b * joint)
        return value - sqrt(total), value + sqrt(total)

    return Quantity(value=value, bounds=bounds, method="delta-paired")


def _squared(quantity: Quantity, confidence: float) -> float:
    """Square of half the width of its bounds."""
    low, high = quantity.bounds(confidence)
    return ((high - low) / 2) ** 2


def _missing(slices: Sequence[Slice], groups: Groups) -> Quantity | None:
    if len(slices) < 2:  # noqa: PLR2004 -- a gap needs two
        return undefined("there is only one group")
    for part, group in zip(slices, groups, strict=True):
        if group.value is None:
            rows = f"{part.rows:,} row{'' if part.rows == 1 else 's'}"
            return undefined(f"{group.why} in group {key_text(part.key)} ({rows})", small=True)
    return None
