"""Gaps between groups of a sensitive column, of any metric that has a level. Names and values as fairlearn's.

A raw largest-minus-smallest grows with the number of groups even where all are alike. So a gap is blamed
only if some pair of groups differs by more than the limit after correcting for the number of ordered pairs
(Bonferroni), and cleared only if every pair stays within it (intersection-union, no correction needed).
A pair's bounds are made of each group's own (the method of variance estimates recovery; for proportions it is
Newcombe's method 10). Sources: Donner and Zou, Stat Methods Med Res 2012;21:347; Newcombe, Stat Med 1998;17:873.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import permutations
from math import inf, isinf, sqrt

from gates.documents.evidence import CANDIDATE, CHAMPION, Slice
from gates.documents.slices import key_text
from gates.metrics.definition import Better, Metric
from gates.stats.multiplicity import corrected
from gates.stats.proportions import mover_difference, mover_ratio
from gates.stats.quantity import Bounds, Found, Quantity, Undefined

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
    limits: Callable[[Bounds], Bounds]  # of the metric's own
    zero: str = ""  # what is wrong where there is no value


def _corrected(groups: Groups, confidence: float) -> float:
    return corrected(confidence, len(groups) * (len(groups) - 1), exact=all(group.exact for group in groups))


def _pairs(groups: Groups, confidence: float, pair: Callable[..., Bounds]) -> list[Bounds]:
    ends = [(group.value, *group.bounds(confidence)) for group in groups]
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
    return corrected(confidence, len(groups), exact=all(group.exact for group in groups))


def _least(groups: Groups, confidence: float) -> Bounds:
    """Return the bounds of the smallest value: it lies below every group's upper bound, and above the smallest lower
    one.

    Each lower bound has the plain confidence, for clearing; each upper one is corrected, for blaming.
    """
    blaming = _simultaneous(groups, confidence)
    return min(g.bounds(confidence)[0] for g in groups), min(g.bounds(blaming)[1] for g in groups)


def _most(groups: Groups, confidence: float) -> Bounds:
    """Return the bounds of the largest value, as ``_least`` does for the smallest."""
    blaming = _simultaneous(groups, confidence)
    return max(g.bounds(blaming)[0] for g in groups), max(g.bounds(confidence)[1] for g in groups)


def _proportion(values: Sequence[float]) -> float | None:
    return min(values) / max(values) if max(values) > 0 <= min(values) else None


def _at(values: Sequence[float], slopes: Mapping[int, float]) -> list[float]:
    return [slopes.get(place, 0.0) for place in range(len(values))]


def _ends(values: Sequence[float]) -> tuple[int, int]:
    """Return the positions of the smallest and the largest value."""
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
        limits=lambda own: (0.0, own[1] - own[0]),
    ),
    "ratio": Gap(
        value=_proportion,
        bounds=_ratio,
        slopes=_ratio_slopes,
        doc="Smallest over largest",
        better=lambda _: 1,
        limits=lambda _: (0.0, 1.0),
        zero="is 0 in every group",
    ),
    "group_min": Gap(
        value=min,
        bounds=_least,
        slopes=lambda values: _at(values, {_ends(values)[0]: 1.0}),
        doc="Smallest",
        better=lambda better: better,
        limits=lambda own: own,
    ),
    "group_max": Gap(
        value=max,
        bounds=_most,
        slopes=lambda values: _at(values, {_ends(values)[1]: 1.0}),
        doc="Largest",
        better=lambda better: better,
        limits=lambda own: own,
    ),
}


def doc_of(gap_name: str, metric: str) -> str:
    """Return what a gap of a metric is."""
    return f"{GAPS[gap_name].doc} {metric} over the groups of `by`."


def of(metric: Metric, gap_name: str, name: str, doc: str) -> Metric:
    """Return the gap of a metric between groups."""
    gap = GAPS[gap_name]

    def level(slices: Sequence[Slice], who: int) -> Found:
        levels = [metric.level([slice_], who) for slice_ in slices]
        parts = tuple(group.value for group in levels)
        missing = _missing(slices, levels)
        if missing:
            return replace(missing, parts=parts)
        groups = _defined(levels)
        value = gap.value([group.value for group in groups])
        if value is None:
            return Undefined(why=f"{metric.name} {gap.zero}", parts=parts)
        return Quantity(
            value=value,
            bounds=cache(lambda c: gap.bounds(groups, c)),
            method="pairwise",
            limits=gap.limits(groups[0].limits),
            exact=all(group.exact for group in groups),
            parts=parts,
        )

    return Metric(
        name=name,
        doc=doc,
        better=gap.better(metric.better),
        statistic=metric.statistic,
        grouped=True,
        limits=gap.limits(metric.limits),
        points=metric.points and gap_name != "ratio",
        level=level,
        change=None if metric.paired else lambda slices: _changed(metric, metric, gap, slices),
    )


def worst(metrics: Sequence[Metric], gap_name: str, name: str, doc: str) -> Metric:
    """Return the worst of several metrics' gaps, as equalized odds are: the largest difference, the smallest ratio."""
    gaps = [of(metric, gap_name, name, doc) for metric in metrics]
    pick = max if GAPS[gap_name].better(1) < 0 else min

    clears_below = pick is max

    def merged(quantities: Sequence[Found]) -> Found:
        missing = next((quantity for quantity in quantities if isinstance(quantity, Undefined)), None)
        if missing:
            return missing
        defined = _defined(quantities)
        chosen = pick(defined, key=lambda quantity: quantity.value)

        def bounds(confidence: float) -> Bounds:
            blaming = 1 - (1 - confidence) / len(defined)
            below, above = (blaming, confidence) if clears_below else (confidence, blaming)
            lows, highs = ([group.bounds(at) for group in defined] for at in (below, above))
            return pick(low for low, _ in lows), pick(high for _, high in highs)

        return replace(chosen, bounds=bounds)

    def level(slices: Sequence[Slice], who: int) -> Found:
        return merged([gap.level(slices, who) for gap in gaps])

    def change(slices: Sequence[Slice]) -> Found:
        ours, theirs = ([gap.level(slices, who) for gap in gaps] for who in (CANDIDATE, CHAMPION))
        missing = next((quantity for quantity in (*ours, *theirs) if isinstance(quantity, Undefined)), None)
        if missing:
            return missing
        of_ours, of_theirs = (
            pick(range(len(gaps)), key=lambda gap: _defined(values)[gap].value) for values in (ours, theirs)
        )
        return _changed(metrics[of_ours], metrics[of_theirs], GAPS[gap_name], slices)

    return replace(gaps[0], level=level, change=change)


def _changed(ours: Metric, theirs: Metric, gap: Gap, slices: Sequence[Slice]) -> Found:
    """Return the candidate's gap less the champion's, paired: each group's own bounds, squared and added by how much
    its value moves the gap. Groups are independent; within one the two models are correlated as their difference shows.

    Which groups are the extreme ones is taken as seen. ``ours`` and ``theirs`` are the metrics whose gaps are compared;
    where they are two, their values within a group are taken as independent.
    """
    levels = [
        [metric.level([slice_], who) for slice_ in slices] for metric, who in ((ours, CANDIDATE), (theirs, CHAMPION))
    ]
    missing = _missing(slices, levels[0]) or _missing(slices, levels[1])
    if missing:
        return missing
    candidates, champions = map(_defined, levels)
    candidate_values, champion_values = ([quantity.value for quantity in group] for group in (candidates, champions))
    values = gap.value(candidate_values), gap.value(champion_values)
    if values[0] is None or values[1] is None:
        return Undefined(why=f"{ours.name} {gap.zero}")
    slopes = list(zip(gap.slopes(candidate_values), gap.slopes(champion_values), strict=True))
    changes = [ours.change([slice_]) if ours is theirs and ours.change else None for slice_ in slices]
    value, width = values[0] - values[1], gap.limits(candidates[0].limits)
    most = width[1] - width[0]

    def bounds(confidence: float) -> Bounds:
        squared = [0.0, 0.0]
        for (a, b), mine, its, change in zip(slopes, candidates, champions, changes, strict=True):
            if a or b:
                halves, others = _halves(mine, confidence), _halves(its, confidence)
                shared = _correlation(mine, its, change, confidence)
                for side in (0, 1):
                    x, y = a * halves[side if a > 0 else 1 - side], b * others[1 - side if b > 0 else side]
                    squared[side] += inf if isinf(x) or isinf(y) else max(0.0, x * x + y * y - 2 * shared * x * y)
        return max(-most, value - sqrt(squared[0])), min(most, value + sqrt(squared[1]))

    return Quantity(value=value, bounds=bounds, method="mover-paired", limits=(-most, most))


def _halves(quantity: Quantity, confidence: float) -> Bounds:
    """Return how far a value is from its lower bound, and from its upper one."""
    low, high = quantity.bounds(confidence)
    return quantity.value - low, high - quantity.value


def _correlation(mine: Quantity, its: Quantity, change: Found | None, confidence: float) -> float:
    """Return the correlation of two models' values in one group, as the bounds of their difference show it."""
    if not isinstance(change, Quantity):
        return 0.0
    va, vb, vd = (sum(_halves(one, confidence)) ** 2 for one in (mine, its, change))
    return max(-1.0, min(1.0, (va + vb - vd) / (2 * sqrt(va * vb)))) if 0 < va * vb < inf and vd < inf else 0.0


def _defined(found: Sequence[Found]) -> list[Quantity]:
    return [one for one in found if isinstance(one, Quantity)]


def _missing(slices: Sequence[Slice], groups: Sequence[Found]) -> Undefined | None:
    if len(slices) < 2:  # a gap needs two
        return Undefined(why="there is only one group")
    for slice_, group in zip(slices, groups, strict=True):
        if isinstance(group, Undefined):
            rows = f"{slice_.rows:,} row{'' if slice_.rows == 1 else 's'}"
            return Undefined(why=f"{group.why} in group {key_text(slice_.key)} ({rows})", small=True)
    return None
