"""Metrics of a binary classifier's calls, as functions of the confusion matrix. Names as scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

from gates.evidence import CHAMPION, Slice
from gates.metrics.record import Better, Entry, Metric, fixed
from gates.statistic import Parameters, parameters_text
from gates.stats import jackknife
from gates.stats.proportions import paired_difference, wilson
from gates.stats.quantity import Bounds, Quantity, undefined
from gates.stats.resample import bootstrap

NAMES = {"tn": (0, 0), "fp": (0, 1), "fn": (1, 0), "tp": (1, 1)}  # (label, call)
Confusion = Callable[..., float | None]  # (tn, fp, fn, tp) -> value
JOINT = [(label, candidate, champion) for label in (0, 1) for candidate in (0, 1) for champion in (0, 1)]


def confusion(part: Slice, who: int) -> tuple[int, int, int, int]:
    """(tn, fp, fn, tp) of one model."""
    counts = dict.fromkeys(NAMES.values(), 0)
    for label, candidate, champion, rows in part.cells:
        counts[label, champion if who == CHAMPION else candidate] += rows
    return counts[0, 0], counts[0, 1], counts[1, 0], counts[1, 1]


def joint(part: Slice) -> list[int]:
    """Rows by (label, candidate's call, champion's call), in the order of ``JOINT``."""
    counts = dict.fromkeys(JOINT, 0)
    for label, candidate, champion, rows in part.cells:
        counts[label, candidate, max(champion, 0)] += rows
    return list(counts.values())


def buckets(part: Slice) -> list[list[int]]:
    """The same in weights, bucket by bucket, where rows belong together or are weighted."""
    found: dict[int, dict[tuple[int, int, int], int]] = {}
    for bucket, label, candidate, champion, weight in part.weights:
        cells = found.setdefault(bucket, dict.fromkeys(JOINT, 0))
        cells[label, candidate, max(champion, 0)] += weight
    return [list(cells.values()) for cells in found.values()]


def of_candidate(cells: Sequence[float]) -> tuple[float, float, float, float]:
    """The candidate's (tn, fp, fn, tp) out of eight joint cells."""
    a, b, c, d, e, f, g, h = cells
    return a + b, c + d, e + f, g + h


def of_champion(cells: Sequence[float]) -> tuple[float, float, float, float]:
    """The champion's (tn, fp, fn, tp) out of eight joint cells."""
    a, b, c, d, e, f, g, h = cells
    return a + c, b + d, e + g, f + h


SIDES = (of_candidate, of_champion)


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share: ``hits`` out of ``among``, both named by cells of the confusion matrix."""

    hits: str
    among: str
    empty: str  # what is missing when nothing is among

    def counts(self, part: Slice, who: int) -> tuple[int, int]:
        """(hits, among) of one model in one slice."""
        cell = dict(zip(NAMES, confusion(part, who), strict=True))
        return sum(cell[name] for name in self.hits.split()), sum(cell[name] for name in self.among.split())

    def level(self, slices: Sequence[Slice], who: int, _seed: str) -> Quantity:
        """The share with Wilson's bounds; of units or weighted rows with as many rows as their variance is worth."""
        hits, among = self.counts(slices[0], who)
        if not among:
            return undefined(self.empty)
        if slices[0].weights:
            return self._clustered(slices[0], who, among)
        return Quantity(value=hits / among, bounds=lambda c: wilson(hits, among, c), method="wilson")

    def _clustered(self, part: Slice, who: int, among: int) -> Quantity:
        spread = jackknife.of_buckets([SIDES[who](one) for one in buckets(part)], self.statistic)
        if spread is None:
            return undefined(f"{self.empty} in more than one bucket of units")
        p, variance = spread.value, spread.error**2
        rows = min(float(among), p * (1 - p) / variance if variance else spread.sightings)
        return Quantity(value=p, bounds=lambda c: wilson(p * rows, rows, c, spread.freedom), method="wilson-effective")

    @property
    def statistic(self) -> Confusion:
        """The share as a function of the confusion matrix; called once a replicate, so without look-ups."""
        h0, h1, h2, h3 = (int(name in self.hits.split()) for name in NAMES)
        a0, a1, a2, a3 = (int(name in self.among.split()) for name in NAMES)

        def value(tn: float, fp: float, fn: float, tp: float) -> float | None:
            among = a0 * tn + a1 * fp + a2 * fn + a3 * tp
            return (h0 * tn + h1 * fp + h2 * fn + h3 * tp) / among if among else None

        return value

    @property
    def fixed(self) -> bool:
        """Whether ``among`` depends on the label alone, so that both models share their denominator."""
        return self.among in ("tn fp fn tp", "fn tp", "tn fp")

    def change(self, slices: Sequence[Slice], seed: str) -> Quantity:
        """Paired difference: Newcombe's where the denominator is shared, else resampled."""
        if slices[0].weights or not self.fixed:
            return change(self.statistic, (-1.0, 1.0), self.empty)(slices, seed)
        hits = {NAMES[name] for name in self.hits.split()}
        among = {NAMES[name][0] for name in self.among.split()}
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


def level(statistic: Confusion, limits: Bounds, why: str) -> Callable[[Sequence[Slice], int, str], Quantity]:
    """Any function of the confusion matrix: bounds by bootstrap over cells, or by leaving out buckets of units."""

    def made(slices: Sequence[Slice], who: int, seed: str) -> Quantity:
        part = slices[0]
        if part.weights:
            spread = jackknife.of_buckets([SIDES[who](one) for one in buckets(part)], statistic)
            return jackknife.quantity(spread, limits, why, "jackknife")
        return bootstrap(confusion(part, who), statistic, limits, seed, why)

    return made


def change(statistic: Confusion, limits: Bounds, why: str) -> Callable[[Sequence[Slice], str], Quantity]:
    """The paired difference of any function of the confusion matrix, likewise."""

    def gap(*cells: float) -> float | None:
        candidate, champion = statistic(*of_candidate(cells)), statistic(*of_champion(cells))
        return None if candidate is None or champion is None else candidate - champion

    def made(slices: Sequence[Slice], seed: str) -> Quantity:
        part = slices[0]
        if part.weights:
            return jackknife.quantity(jackknife.of_buckets(buckets(part), gap), limits, why, "jackknife-paired")
        return bootstrap(joint(part), gap, limits, seed, why)

    return made


def f1(tn: float, fp: float, fn: float, tp: float) -> float | None:  # noqa: ARG001 -- the shape all share
    """2 tp / (2 tp + fp + fn)."""
    denominator = 2 * tp + fp + fn
    return 2 * tp / denominator if denominator else None


def balanced_accuracy(tn: float, fp: float, fn: float, tp: float) -> float | None:
    """Mean of recall and specificity."""
    if not (fn + tp and tn + fp):
        return None
    return (tp / (fn + tp) + tn / (tn + fp)) / 2


def matthews(tn: float, fp: float, fn: float, tp: float) -> float | None:
    """Matthews' correlation of label and call."""
    margins = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / sqrt(margins) if margins else None


_NO_POSITIVE = "no row is positive"
_NO_NEGATIVE = "no row is negative"
_NONE_CALLED = "no row is called positive"
_ALL_CALLED = "no row is called negative"
_ONE_CLASS = "only one class of label occurs"

PROPORTIONS: dict[str, tuple[Better, Proportion, str]] = {
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


def _doubled(limits: Bounds) -> Bounds:
    return limits[0] - limits[1], limits[1] - limits[0]


def _flips(name: str, doc: str, flipped: Callable[[int, int, int], bool]) -> Metric:
    """A share of rows that both models' calls decide."""

    def share(*cells: float) -> float | None:
        n = sum(cells)
        return sum(one for at, one in zip(JOINT, cells, strict=True) if flipped(*at)) / n if n else None

    def made(slices: Sequence[Slice], _who: int, _seed: str) -> Quantity:
        part = slices[0]
        if part.weights:
            return jackknife.quantity(jackknife.of_buckets(buckets(part), share), (0, 1), "no rows", "jackknife")
        cells = joint(part)
        value, n = share(*cells), sum(cells)
        if value is None:
            return undefined("no rows")
        return Quantity(value=value, bounds=lambda c: wilson(round(value * n), n, c), method="wilson")

    return Metric(name=name, doc=doc, better=-1, paired=True, level=made, change=None)


def _cost(parameters: Parameters) -> Metric:
    """Mean cost a row, by what each cell of the confusion matrix costs: ``[[tn, fp], [fn, tp]]``."""
    costs = dict(parameters)["costs"]
    assert isinstance(costs, tuple)  # noqa: S101 -- the policy's schema lets nothing else through
    (tn_, fp_), (fn_, tp_) = costs

    def mean(tn: float, fp: float, fn: float, tp: float) -> float | None:
        n = tn + fp + fn + tp
        return (tn_ * tn + fp_ * fp + fn_ * fn + tp_ * tp) / n if n else None

    limits = (min(tn_, fp_, fn_, tp_), max(tn_, fp_, fn_, tp_))
    return Metric(
        name=f"cost{parameters_text(parameters)}",
        doc=_COST,
        better=-1,
        level=level(mean, limits, "no rows"),
        change=change(mean, _doubled(limits), "no rows"),
        points=False,
    )


_COST = "Mean cost of a row: `costs: [[tn, fp], [fn, tp]]`, a gain being negative."

METRICS: tuple[Entry, ...] = (
    *(
        fixed(Metric(name=name, doc=doc, better=better, level=share.level, change=share.change), "binary")
        for name, (better, share, doc) in PROPORTIONS.items()
    ),
    *(
        fixed(
            Metric(
                name=name,
                doc=doc,
                better=1,
                level=level(function, limits, why),
                change=change(function, _doubled(limits), why),
                points=limits[0] == 0,
            ),
            "binary",
        )
        for name, function, limits, why, doc in _RATIOS
    ),
    Entry(name="cost", doc=_COST, better=-1, tasks=("binary",), takes={"costs": ...}, make=_cost),
    fixed(_flips("flip_rate", "Share of rows that the two models call differently.", lambda _, c, b: c != b), "binary"),
    fixed(
        _flips(
            "negative_flip_rate",
            "Share of rows that the champion calls right and the candidate wrong.",
            lambda y, c, b: b == y != c,
        ),
        "binary",
    ),
)
