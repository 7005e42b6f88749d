"""Metrics of a binary classifier's calls, as functions of the confusion matrix. Names as scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import atanh, sqrt, tanh

from gates.evidence import CANDIDATE, CHAMPION, Slice
from gates.metrics.record import Better, Entry, Metric, fixed
from gates.statistic import Parameters, parameters_text
from gates.stats import jackknife
from gates.stats.proportions import mover_difference, paired_difference, square_and_add, wilson
from gates.stats.quantity import Bounds, Quantity, undefined, z

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

    def level(self, slices: Sequence[Slice], who: int) -> Quantity:
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
        """The share as a function of the confusion matrix."""
        hits, among = self.hits.split(), self.among.split()

        def value(*cells: float) -> float | None:
            cell = dict(zip(NAMES, cells, strict=True))
            total = sum(cell[name] for name in among)
            return sum(cell[name] for name in hits) / total if total else None

        return value

    @property
    def fixed(self) -> bool:
        """Whether ``among`` depends on the label alone, so that both models share their denominator."""
        return self.among in ("tn fp fn tp", "fn tp", "tn fp")

    def change(self, slices: Sequence[Slice]) -> Quantity:
        """Paired difference: Newcombe's where the denominator is shared, else square and add."""
        if slices[0].weights or not self.fixed:
            return change(self.level, self.statistic, (-1.0, 1.0), self.empty)(slices)
        table = self.paired(slices[0])
        if not sum(table):
            return undefined(self.empty)
        value = (table[1] - table[2]) / sum(table)
        return Quantity(value=value, bounds=lambda c: paired_difference(*table, c), method="newcombe-paired")

    def paired(self, part: Slice) -> tuple[int, int, int, int]:
        """Of a ``fixed`` share's rows: both models hit, the candidate alone, the champion alone, neither."""
        hits = {NAMES[name] for name in self.hits.split()}
        among = {NAMES[name][0] for name in self.among.split()}
        table = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
        for label, candidate, champion, rows in part.cells:
            if label in among:
                table[(label, candidate) in hits, (label, champion) in hits] += rows
        both, first, second, neither = table.values()
        return both, first, second, neither


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A function of the confusion matrix that is no plain share. ``bounds``: of (tn, fp, fn, tp), at a confidence."""

    value: Confusion
    limits: Bounds
    why: str  # what is missing where it is undefined
    bounds: Callable[[Sequence[int], float], Bounds]
    method: str

    def level(self, slices: Sequence[Slice], who: int) -> Quantity:
        """One model's value; of units or weighted rows by leaving out buckets of them."""
        part = slices[0]
        if part.weights:
            spread = jackknife.of_buckets([SIDES[who](one) for one in buckets(part)], self.value)
            return jackknife.quantity(spread, self.limits, self.why, "jackknife")
        cells = confusion(part, who)
        value = self.value(*cells)
        if value is None:
            return undefined(self.why)
        return Quantity(value=value, bounds=lambda c: self.bounds(cells, c), method=self.method)

    def change(self, slices: Sequence[Slice]) -> Quantity:
        """Candidate less champion, paired."""
        width = self.limits[1] - self.limits[0]
        return change(self.level, self.value, (-width, width), self.why)(slices)


def change(
    level: Callable[[Sequence[Slice], int], Quantity], statistic: Confusion, limits: Bounds, why: str
) -> Callable[[Sequence[Slice]], Quantity]:
    """The paired difference of any function of the confusion matrix: from each model's own bounds and how the two are
    correlated; of units or weighted rows by leaving out buckets of them."""

    def gap(*cells: float) -> float | None:
        candidate, champion = statistic(*of_candidate(cells)), statistic(*of_champion(cells))
        return None if candidate is None or champion is None else candidate - champion

    def made(slices: Sequence[Slice]) -> Quantity:
        part = slices[0]
        if part.weights:
            return jackknife.quantity(jackknife.of_buckets(buckets(part), gap), limits, why, "jackknife-paired")
        ours, theirs = level(slices, CANDIDATE), level(slices, CHAMPION)
        if ours.value is None or theirs.value is None:
            return undefined(why)
        sides = (lambda *cells, of=of: statistic(*of(cells)) for of in SIDES)
        shared = jackknife.correlation(joint(part), *sides)
        return square_and_add(ours, theirs, shared, limits)

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

_CORRECT = {"recall": PROPORTIONS["recall"][1], "specificity": PROPORTIONS["specificity"][1]}


def _f1_bounds(cells: Sequence[int], confidence: float) -> Bounds:
    """F1 is 2 j / (1 + j) of the share j = tp / (tp + fp + fn), and so are its bounds of Wilson's for j.

    Source: Lam, Gopal and Qian, arXiv 2309.14621 (2023), the indirect Wilson interval.
    """
    _, fp, fn, tp = cells
    low, high = wilson(tp, tp + fp + fn, confidence)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def _balanced_bounds(cells: Sequence[int], confidence: float) -> Bounds:
    """Half of recall less half of what specificity lacks: two independent shares, squared and added."""
    tn, fp, fn, tp = cells
    (low, high), (least, most) = wilson(tp, fn + tp, confidence), wilson(fp, tn + fp, confidence)
    found = mover_difference(tp / (fn + tp), low, high, fp / (tn + fp), least, most)
    return (1 + found[0]) / 2, (1 + found[1]) / 2


def _matthews_bounds(cells: Sequence[int], confidence: float) -> Bounds:
    """On Fisher's scale, artanh, with the jackknife's error. Source: Itaya et al., Stat Med 2025;44:e10303."""
    spread = jackknife.of_rows(cells, matthews)
    if spread and spread.error and abs(spread.value) < 1:
        half = z(confidence) * spread.error / (1 - spread.value**2)
        return tanh(atanh(spread.value) - half), tanh(atanh(spread.value) + half)
    return jackknife.quantity(spread, (-1.0, 1.0), "", "").bounds(confidence)


def _balanced_change(slices: Sequence[Slice]) -> Quantity:
    """Mean of the changes of recall and of specificity: of two classes, so independent, each paired."""
    if slices[0].weights:
        return _BALANCED.change(slices)
    recall, specificity = (share.change(slices) for share in _CORRECT.values())
    if recall.value is None or specificity.value is None:
        return undefined(_ONE_CLASS)
    ours, lack = recall.value, -specificity.value

    def bounds(confidence: float) -> Bounds:
        (low, high), (least, most) = recall.bounds(confidence), specificity.bounds(confidence)
        found = mover_difference(ours, low, high, lack, -most, -least)
        return found[0] / 2, found[1] / 2

    return Quantity(value=(ours - lack) / 2, bounds=bounds, method="newcombe-paired")


_F1 = Ratio(
    value=f1,
    limits=(0.0, 1.0),
    why="no row is positive or called positive",
    bounds=_f1_bounds,
    method="wilson-indirect",
)
_BALANCED = Ratio(value=balanced_accuracy, limits=(0.0, 1.0), why=_ONE_CLASS, bounds=_balanced_bounds, method="mover")
_MATTHEWS = Ratio(
    value=matthews,
    limits=(-1.0, 1.0),
    why="one class only, among the labels or among the calls",
    bounds=_matthews_bounds,
    method="jackknife-fisher",
)


def _flips(name: str, doc: str, flipped: Callable[[int, int, int], bool]) -> Metric:
    """A share of rows that both models' calls decide."""

    def share(*cells: float) -> float | None:
        n = sum(cells)
        return sum(one for at, one in zip(JOINT, cells, strict=True) if flipped(*at)) / n if n else None

    def made(slices: Sequence[Slice], _who: int) -> Quantity:
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

    def bounds(cells: Sequence[int], confidence: float) -> Bounds:
        return jackknife.quantity(jackknife.of_rows(cells, mean), limits, "", "").bounds(confidence)

    made = Ratio(value=mean, limits=limits, why="no rows", bounds=bounds, method="jackknife")
    return Metric(
        name=f"cost{parameters_text(parameters)}",
        doc=_COST,
        better=-1,
        level=made.level,
        change=made.change,
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
            Metric(name=name, doc=doc, better=1, level=ratio.level, change=change_, points=ratio is not _MATTHEWS),
            "binary",
        )
        for name, ratio, change_, doc in (
            ("f1", _F1, _F1.change, "Harmonic mean of precision and recall."),
            ("balanced_accuracy", _BALANCED, _balanced_change, "Mean of recall and specificity."),
            (
                "matthews_corrcoef",
                _MATTHEWS,
                _MATTHEWS.change,
                "Matthews' correlation of label and call, -1 to 1.",
            ),
        )
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
