"""Gaps between groups of a sensitive column. Names and values as fairlearn's ``between_groups``.

A raw largest-minus-smallest grows with the number of groups even where all are alike. So a gap is blamed
only if some pair of groups differs by more than the bar after correcting for the number of ordered pairs
(Bonferroni), and cleared only if every pair stays within it (intersection-union, no correction needed).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations

from gates.evidence import Slice
from gates.metrics.classification import PROPORTIONS
from gates.metrics.record import Level, Metric
from gates.slices import key_text
from gates.stats import proportions
from gates.stats.quantity import Bounds, Quantity, undefined

PairBounds = Callable[[int, int, int, int, float], Bounds]
Counts = list[tuple[int, int]]


def _gap(of: str, summary: Callable[[list[float]], float | None], judge: Callable[[Counts, float], Bounds]) -> Level:
    share = PROPORTIONS[of][1]

    def level(slices: Sequence[Slice], who: int, _seed: str) -> Quantity:
        counts = [share.counts(part, who) for part in slices]
        rates = tuple(hits / n if n else None for hits, n in counts)
        defined = [rate for rate in rates if rate is not None]
        if len(slices) < 2:  # noqa: PLR2004 -- a gap needs two
            return undefined("there is only one group", parts=rates)
        for part, rate in zip(slices, rates, strict=True):
            if rate is None:
                why = f"{share.empty} in group {key_text(part.key)} ({part.rows:,} row{'' if part.rows == 1 else 's'})"
                return undefined(why, small=True, parts=rates)
        value = summary(defined)
        if value is None:
            return undefined(f"{of} is 0 in every group", parts=rates)
        return Quantity(value=value, bounds=lambda c: judge(counts, c), method="pairwise", parts=rates)

    return level


def _pairs(counts: Counts, bound: PairBounds, confidence: float) -> list[Bounds]:
    return [bound(*one, *other, confidence) for one, other in permutations(counts, 2)]


def _corrected(counts: Counts, confidence: float) -> float:
    return 1 - (1 - confidence) / (len(counts) * (len(counts) - 1))


def _difference_bounds(counts: Counts, confidence: float) -> Bounds:
    high = max(high for _, high in _pairs(counts, proportions.difference, confidence))
    low = max(low for low, _ in _pairs(counts, proportions.difference, _corrected(counts, confidence)))
    return max(0.0, low), min(1.0, high)


def _ratio_bounds(counts: Counts, confidence: float) -> Bounds:
    low = min(low for low, _ in _pairs(counts, proportions.ratio, confidence))
    high = min(high for _, high in _pairs(counts, proportions.ratio, _corrected(counts, confidence)))
    return low, min(1.0, high)


def _spread(rates: list[float]) -> float:
    return max(rates) - min(rates)


def _proportion(rates: list[float]) -> float | None:
    return min(rates) / max(rates) if max(rates) else None


_GAPS = (
    ("demographic_parity", "selection_rate", "share called positive"),
    ("equal_opportunity", "recall", "share of positives called"),
)

METRICS: tuple[Metric, ...] = tuple(
    metric
    for name, of, words in _GAPS
    for metric in (
        Metric(
            name=f"{name}_difference",
            doc=f"Largest less smallest {words}, over the groups of `by`.",
            better=-1,
            grouped=True,
            level=_gap(of, _spread, _difference_bounds),
            change=None,
        ),
        Metric(
            name=f"{name}_ratio",
            doc=f"Smallest over largest {words}, over the groups of `by`.",
            better=1,
            grouped=True,
            points=False,
            level=_gap(of, _proportion, _ratio_bounds),
            change=None,
        ),
    )
)
