"""Metrics of a binary classifier's calls, as functions of the confusion matrix. Names as scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from math import sqrt

from gates.documents.evidence import Slice
from gates.documents.statistic import Parameters, parameters_text
from gates.metrics.confusion import JOINT, NAMES, Called, Proportion, Ratio, buckets, joint
from gates.metrics.definition import Better, Metric, MetricEntry, fixed
from gates.stats import jackknife
from gates.stats.proportions import mover_difference, share
from gates.stats.quantity import Bounds, Found, Quantity, Undefined, wider

_ADDED = 10  # rows: of fewer, both classes' bounds are added as they are


def f1(tn: float, fp: float, fn: float, tp: float) -> float | None:  # noqa: ARG001 -- the shape all share
    """Return 2 tp / (2 tp + fp + fn)."""
    denominator = 2 * tp + fp + fn
    return 2 * tp / denominator if denominator else None


def balanced_accuracy(tn: float, fp: float, fn: float, tp: float) -> float | None:
    """Return the mean of recall and specificity."""
    if not (fn + tp and tn + fp):
        return None
    return (tp / (fn + tp) + tn / (tn + fp)) / 2


def matthews(tn: float, fp: float, fn: float, tp: float) -> float | None:
    """Return Matthews' correlation of label and call."""
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


def _f1_bounds(called: Called, confidence: float) -> Bounds:
    """Return the bounds of F1, which is 2 j / (1 + j), from those of the share j = tp / (tp + fp + fn).

    Source: Lam, Gopal and Qian, arXiv 2309.14621 (2023), with exact bounds in place of Wilson's.
    """
    low, high = _bounds(called.share("tp", "tp fp fn"), confidence)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def _bounds(share_: Quantity | None, confidence: float) -> Bounds:
    """Return a share's bounds; all there is where there is nothing among."""
    return share_.bounds(confidence) if share_ else (0.0, 1.0)


def _balanced_bounds(called: Called, confidence: float) -> Bounds:
    """Return half of recall less half of what specificity lacks: two independent shares, squared and added; of very few
    rows, where that errs more often than it may, added as they are."""
    recall, fallout = called.share("tp", "fn tp"), called.share("fp", "tn fp")
    if not (recall and fallout):
        return 0.0, 1.0
    (low, high), (least, most) = recall.bounds(confidence), fallout.bounds(confidence)
    if sum(called.cells) < _ADDED:
        return (1 + low - most) / 2, (1 + high - least) / 2
    found = mover_difference(recall.value, low, high, fallout.value, least, most)
    return (1 + found[0]) / 2, (1 + found[1]) / 2


def _matthews_bounds(called: Called, confidence: float) -> Bounds:
    """Return the bounds of Matthews' correlation, on Fisher's scale, artanh, with the jackknife's error.

    The error rests on the rarest of labels and calls. Source: Itaya et al., Stat Med 2025;44:e10303.
    """
    spread = jackknife.of_rows(called.cells, matthews)
    assert spread is not None  # noqa: S101 -- asked where there is a value
    tn, fp, fn, tp = called.cells
    rarest = min(tp + fn, tn + fp, tp + fp, tn + fn)
    held = jackknife.Spread(value=spread.value, error=spread.error, freedom=spread.freedom, support=rarest)
    return jackknife.quantity(held, (-1.0, 1.0), "").bounds(confidence)


def _balanced_change(slices: Sequence[Slice]) -> Found:
    """Return the mean of the changes of recall and of specificity: of two classes, so independent, each paired; of
    units, the wider of that and of what leaving out units shows."""
    mean_change = _mean_of(*(correct.change(slices) for correct in _CORRECT.values()))
    if not slices[0].weights:
        return mean_change
    left_out = _BALANCED.change(slices)
    return wider(left_out, mean_change) if isinstance(left_out, Quantity) else left_out


def _mean_of(recall: Found, specificity: Found) -> Found:
    """Return half the sum of a number of each class, whose bounds are squared and added."""
    if isinstance(recall, Undefined) or isinstance(specificity, Undefined):
        return Undefined(why=_ONE_CLASS)
    ours, lack = recall.value, -specificity.value

    def bounds(confidence: float) -> Bounds:
        (low, high), (least, most) = recall.bounds(confidence), specificity.bounds(confidence)
        found = mover_difference(ours, low, high, lack, -most, -least)
        return found[0] / 2, found[1] / 2

    return Quantity(value=(ours - lack) / 2, bounds=bounds, method="newcombe-paired", limits=(-1.0, 1.0))


_F1 = Ratio(
    value=f1,
    limits=(0.0, 1.0),
    why="no row is positive or called positive",
    bounds=_f1_bounds,
    method="clopper-pearson-indirect",
    exact=True,
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
    """Return a share of rows that both models' calls decide."""

    def counted(*cells: float) -> float:
        return sum(one for at, one in zip(JOINT, cells, strict=True) if flipped(*at))

    def of(*cells: float) -> float | None:
        return counted(*cells) / sum(cells) if sum(cells) else None

    def made(slices: Sequence[Slice], _who: int) -> Found:
        slice_ = slices[0]
        if slice_.weights:
            spread = jackknife.of_buckets(buckets(slice_), of)
            return jackknife.quantity(spread, (0.0, 1.0), "jackknife") if spread else Undefined(why="no rows")
        cells = joint(slice_)
        return share(counted(*cells), sum(cells)) if sum(cells) else Undefined(why="no rows")

    return Metric(name=name, doc=doc, better=-1, paired=True, limits=(0.0, 1.0), level=made, change=None)


def _cost_bounds(costs: Sequence[float], called: Called, confidence: float) -> Bounds:
    """Return what the cells cost beyond the commonest one: each share's own bounds, squared and added with how shares
    of one whole are correlated.

    Source: Zou, Huang and Zhang, Comput Stat Data Anal 2009;53:1080 (linear functions of several parameters).
    """
    common = costs[max(range(len(costs)), key=called.cells.__getitem__)]
    rest = []
    for name, cost in zip(NAMES, costs, strict=True):
        share_ = called.share(name, " ".join(NAMES))
        assert share_ is not None  # noqa: S101 -- asked where there are rows
        rest.append((cost - common, share_.value, *share_.bounds(confidence)))
    value = common + sum(cost * p for cost, p, _, _ in rest)

    def half(worse: bool) -> float:
        """Return half of the interval: for ``worse`` towards larger costs, which a share that costs more reaches at its
        upper bound."""
        moved = [(cost * ((high - p) if (cost > 0) == worse else (p - low)), p) for cost, p, low, high in rest]
        total = sum(ours * ours for ours, _ in moved)
        for (ours, p), (theirs, q) in combinations(moved, 2):
            if p < 1 and q < 1:
                total -= 2 * sqrt(p * q / ((1 - p) * (1 - q))) * ours * theirs
        return sqrt(max(0.0, total))

    return value - half(worse=False), value + half(worse=True)


def _cost_of_units(costs: Sequence[float], called: Called, confidence: float) -> Bounds:
    """Return what both classes' own misses cost, as often as the classes occur: squared and added. Leaving out buckets
    tells how often they occur."""
    value = below = above = 0.0
    for hit, miss in (("tn", "fp"), ("tp", "fn")):
        among = f"{hit} {miss}"
        missed, often = called.share(miss, among), called.share(among, " ".join(NAMES))
        if missed and often:
            right, wrong = (costs[list(NAMES).index(name)] for name in (hit, miss))
            low, high = missed.bounds(confidence)
            moved = [often.value * (wrong - right) * (end - missed.value) for end in (low, high)]
            value += often.value * (right + (wrong - right) * missed.value)
            below, above = below + min(moved) ** 2, above + max(moved) ** 2
    return value - sqrt(below), value + sqrt(above)


def _cost(parameters: Parameters) -> Metric:
    """Return the mean cost a row, by what each cell of the confusion matrix costs: ``[[tn, fp], [fn, tp]]``."""
    costs = dict(parameters)["costs"]
    assert isinstance(costs, tuple)  # noqa: S101 -- the policy's schema lets nothing else through
    (tn_, fp_), (fn_, tp_) = costs
    limits = float(min(tn_, fp_, fn_, tp_)), float(max(tn_, fp_, fn_, tp_))

    def mean(tn: float, fp: float, fn: float, tp: float) -> float | None:
        n = tn + fp + fn + tp
        return (tn_ * tn + fp_ * fp + fn_ * fn + tp_ * tp) / n if n else None

    def bounds(called: Called, confidence: float) -> Bounds:
        found = _cost_of_units if called.held else _cost_bounds
        low, high = found((tn_, fp_, fn_, tp_), called, confidence)
        return max(limits[0], low), min(limits[1], high)

    ratio = Ratio(value=mean, limits=limits, why="no rows", bounds=bounds, method="mover")
    return Metric(
        name=f"cost{parameters_text(parameters)}",
        doc=_COST,
        better=-1,
        limits=limits,
        level=ratio.level,
        change=ratio.change,
        points=False,
    )


_COST = "Mean cost of a row: `costs: [[tn, fp], [fn, tp]]`, a gain being negative."

METRICS: tuple[MetricEntry, ...] = (
    *(
        fixed(
            Metric(name=name, doc=doc, better=better, limits=(0.0, 1.0), level=share.level, change=share.change),
            "binary",
        )
        for name, (better, share, doc) in PROPORTIONS.items()
    ),
    *(
        fixed(
            Metric(
                name=name,
                doc=doc,
                better=1,
                limits=ratio.limits,
                level=ratio.level,
                change=change_,
                points=ratio is not _MATTHEWS,
            ),
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
    MetricEntry(name="cost", doc=_COST, better=-1, tasks=("binary",), takes={"costs": ...}, make=_cost),
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
