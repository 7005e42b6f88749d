"""Metrics of a binary classifier's calls, as functions of the confusion matrix. Names as scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from gates.evidence import CHAMPION, Slice
from gates.metrics.record import Metric
from gates.stats.proportions import paired_difference, wilson
from gates.stats.quantity import Bounds, Quantity, undefined
from gates.stats.resample import bootstrap

CELLS = {"tn": (0, 0), "fp": (0, 1), "fn": (1, 0), "tp": (1, 1)}  # (label, call)
Confusion = Callable[[int, int, int, int], float | None]  # (tn, fp, fn, tp) -> value


def confusion(part: Slice, who: int) -> tuple[int, int, int, int]:
    """(tn, fp, fn, tp) of one model."""
    counts = dict.fromkeys(CELLS.values(), 0)
    for label, candidate, champion, rows in part.cells:
        counts[label, champion if who == CHAMPION else candidate] += rows
    return counts[0, 0], counts[0, 1], counts[1, 0], counts[1, 1]


def joint(part: Slice) -> list[int]:
    """Rows by (label, candidate's call, champion's call), in the order 000, 001, ... 111."""
    counts = [0] * 8
    for label, candidate, champion, rows in part.cells:
        counts[4 * label + 2 * candidate + champion] += rows
    return counts


def of_candidate(cells: Sequence[int]) -> tuple[int, int, int, int]:
    """The candidate's (tn, fp, fn, tp) out of eight joint cells."""
    a, b, c, d, e, f, g, h = cells
    return a + b, c + d, e + f, g + h


def of_champion(cells: Sequence[int]) -> tuple[int, int, int, int]:
    """The champion's (tn, fp, fn, tp) out of eight joint cells."""
    a, b, c, d, e, f, g, h = cells
    return a + c, b + d, e + g, f + h


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share: ``hits`` out of ``among``, both named by cells of the confusion matrix."""

    hits: str
    among: str
    empty: str  # what is missing when nothing is among

    def counts(self, part: Slice, who: int) -> tuple[int, int]:
        """(hits, among) of one model in one slice."""
        cell = dict(zip(CELLS, confusion(part, who), strict=True))
        return sum(cell[name] for name in self.hits.split()), sum(cell[name] for name in self.among.split())

    def level(self, slices: Sequence[Slice], who: int, _seed: str) -> Quantity:
        """The share with Wilson's bounds."""
        hits, among = self.counts(slices[0], who)
        if not among:
            return undefined(self.empty)
        return Quantity(value=hits / among, bounds=lambda c: wilson(hits, among, c), method="wilson")

    @property
    def statistic(self) -> Confusion:
        """The share as a function of the confusion matrix; called once a replicate, so without look-ups."""
        h0, h1, h2, h3 = (int(name in self.hits.split()) for name in CELLS)
        a0, a1, a2, a3 = (int(name in self.among.split()) for name in CELLS)

        def value(tn: int, fp: int, fn: int, tp: int) -> float | None:
            among = a0 * tn + a1 * fp + a2 * fn + a3 * tp
            return (h0 * tn + h1 * fp + h2 * fn + h3 * tp) / among if among else None

        return value

    @property
    def fixed(self) -> bool:
        """Whether ``among`` depends on the label alone, so that both models share their denominator."""
        return self.among in ("tn fp fn tp", "fn tp", "tn fp")

    def change(self, slices: Sequence[Slice], seed: str) -> Quantity:
        """Paired difference: Newcombe's where the denominator is shared, else by bootstrap."""
        if not self.fixed:
            return resampled_change(self.statistic, (-1.0, 1.0), self.empty)(slices, seed)
        hits = {CELLS[name] for name in self.hits.split()}
        among = {CELLS[name][0] for name in self.among.split()}
        table = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
        for label, candidate, champion, rows in slices[0].cells:
            if label in among:
                table[(label, candidate) in hits, (label, champion) in hits] += rows
        both, first, second, neither = table.values()
        n = both + first + second + neither
        if not n:
            return undefined(self.empty)

        def bounds(confidence: float) -> Bounds:
            return paired_difference(both, first, second, neither, confidence)

        return Quantity(value=(first - second) / n, bounds=bounds, method="newcombe-paired")


def resampled_level(statistic: Confusion, limits: Bounds, why: str) -> Callable[[Sequence[Slice], int, str], Quantity]:
    """Any function of the confusion matrix, with bootstrap bounds."""

    def level(slices: Sequence[Slice], who: int, seed: str) -> Quantity:
        return bootstrap(confusion(slices[0], who), statistic, limits, seed, why)

    return level


def resampled_change(statistic: Confusion, limits: Bounds, why: str) -> Callable[[Sequence[Slice], str], Quantity]:
    """The paired difference of any function of the confusion matrix, with bootstrap bounds."""

    def gap(*cells: int) -> float | None:
        candidate, champion = statistic(*of_candidate(cells)), statistic(*of_champion(cells))
        return None if candidate is None or champion is None else candidate - champion

    def change(slices: Sequence[Slice], seed: str) -> Quantity:
        return bootstrap(joint(slices[0]), gap, limits, seed, why)

    return change


def f1(tn: int, fp: int, fn: int, tp: int) -> float | None:  # noqa: ARG001 -- the shape all share
    """2 tp / (2 tp + fp + fn)."""
    denominator = 2 * tp + fp + fn
    return 2 * tp / denominator if denominator else None


def balanced_accuracy(tn: int, fp: int, fn: int, tp: int) -> float | None:
    """Mean of recall and specificity."""
    if not (fn + tp and tn + fp):
        return None
    return (tp / (fn + tp) + tn / (tn + fp)) / 2


def matthews(tn: int, fp: int, fn: int, tp: int) -> float | None:
    """Matthews' correlation of label and call."""
    margins = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / sqrt(margins) if margins else None


_NO_POSITIVE = "no row is positive"
_NO_NEGATIVE = "no row is negative"
_NONE_CALLED = "no row is called positive"
_ALL_CALLED = "no row is called negative"
_ONE_CLASS = "only one class of label occurs"

PROPORTIONS: dict[str, tuple[Literal[-1, 0, 1], Proportion, str]] = {
    "accuracy": (1, Proportion("tn tp", "tn fp fn tp", "no rows"), "Share of rows called right."),
    "precision": (1, Proportion("tp", "fp tp", _NONE_CALLED), "Share of called positives that are positive."),
    "recall": (1, Proportion("tp", "fn tp", _NO_POSITIVE), "Share of positives that are called."),
    "specificity": (1, Proportion("tn", "tn fp", _NO_NEGATIVE), "Share of negatives that are not called."),
    "false_positive_rate": (-1, Proportion("fp", "tn fp", _NO_NEGATIVE), "Share of negatives called positive."),
    "false_negative_rate": (-1, Proportion("fn", "fn tp", _NO_POSITIVE), "Share of positives called negative."),
    "false_discovery_rate": (-1, Proportion("fp", "fp tp", _NONE_CALLED), "Share of called positives that are not."),
    "false_omission_rate": (
        -1,
        Proportion("fn", "tn fn", _ALL_CALLED),
        "Share of called negatives that are positive: the default rate among the approved.",
    ),
    "selection_rate": (0, Proportion("fp tp", "tn fp fn tp", "no rows"), "Share of rows called positive."),
}

_RATIOS: tuple[tuple[str, Confusion, Bounds, str, str], ...] = (
    ("f1", f1, (0.0, 1.0), "no row is positive or called positive", "Harmonic mean of precision and recall."),
    ("balanced_accuracy", balanced_accuracy, (0.0, 1.0), _ONE_CLASS, "Mean of recall and specificity."),
    (
        "matthews_corrcoef",
        matthews,
        (-1.0, 1.0),
        "one class only, among the labels or among the calls",
        "Matthews' correlation of label and call, -1 to 1.",
    ),
)

METRICS: tuple[Metric, ...] = (
    *(
        Metric(name=name, doc=doc, better=better, level=share.level, change=share.change)
        for name, (better, share, doc) in PROPORTIONS.items()
    ),
    *(
        Metric(
            name=name,
            doc=doc,
            better=1,
            level=resampled_level(function, limits, why),
            change=resampled_change(function, (limits[0] - limits[1], limits[1] - limits[0]), why),
            points=limits[0] == 0,
        )
        for name, function, limits, why, doc in _RATIOS
    ),
)
