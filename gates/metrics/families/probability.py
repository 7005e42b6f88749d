"""Metrics of a binary classifier's probabilities. Names as scikit-learn's where it has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import inf, log

from gates.documents.evidence import Slice
from gates.documents.statistic import Parameters, Statistic, parameters_text
from gates.metrics import of_computed, of_moments
from gates.metrics.definition import ONE_OF, Better, Metric, MetricEntry, fixed
from gates.metrics.expressions import ModelColumns, Quantities, Staged, double, ln
from gates.metrics.of_moments import MEAN_LOSS, SHARE, Smooth
from gates.metrics.support import Support, enough, positives, rarer, rows_of
from gates.stats.jackknife import EITHER, LEVEL, PLAIN, Scale
from gates.stats.quantity import ANYWHERE, Bounds

_NEAR = 2.0**-52  # scikit-learn cuts probabilities off so far from 0 and 1


def _log_loss(model: ModelColumns, _parameters: Parameters) -> Sequence[Staged]:
    own = f"CASE WHEN {model.label} = 1 THEN {model.score} ELSE {double(1.0)} - {model.score} END"
    least, most = double(_NEAR), double(1 - _NEAR)
    cut = f"CASE WHEN {own} < {least} THEN {least} WHEN {own} > {most} THEN {most} ELSE {own} END"
    found = ln(cut, f"{model.prefix}log_")
    return [Staged(expression=f"-({found.expression})", steps=found.steps)]


def _residual(model: ModelColumns) -> str:
    return f"({model.score} - CAST({model.label} AS DOUBLE))"


QUANTITIES: Mapping[str, Quantities] = {
    "log_loss": Quantities(models=_log_loss, scores=True),
    "brier_score": Quantities(
        models=lambda model, _: [Staged(expression=f"{_residual(model)} * {_residual(model)}")], scores=True
    ),
    "calibration_gap": Quantities(models=lambda model, _: [Staged(expression=_residual(model))], scores=True),
}

_GAP = Smooth(value=float, gradient=lambda _: (1.0,), limits=(-1.0, 1.0))

# Rows of the rarer class. Of fewer there may be no badly scored one among them, and nobody knows how bad it would be;
# nor by how much the largest of many gaps is too large.
_OF_A_MEAN = 8
_OF_A_GAP = 20

_MEANS: tuple[tuple[str, Smooth, Better, bool, Support, str], ...] = (
    (
        "log_loss",
        MEAN_LOSS,
        -1,
        False,
        enough(_OF_A_MEAN),
        "Mean negative logarithm of the probability given to what happened.",
    ),
    ("brier_score", SHARE, -1, False, enough(_OF_A_MEAN), "Mean squared difference of probability and outcome."),
    (
        "calibration_gap",
        _GAP,
        0,
        True,
        enough(_OF_A_MEAN, 0.5),
        "Mean probability less the share of positives: calibration in the large.",
    ),
)

MOST_LOSS = -log(_NEAR)  # of a row, as probabilities are cut off
_CLOSER: Mapping[str, Bounds] = {"log_loss": (0.0, MOST_LOSS)}

_TOP: Mapping[str, object] = {"k": ONE_OF, "share": ONE_OF}

_SHARE: Bounds = (0.0, 1.0)
_WHOLE = 10  # rows: of fewer, half of them is 3 of 7 or 4 of 7


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveMetric:
    """What needs the whole curve of scores: how many rows it rests on, and, of a share of rows or a multiple of one,
    its largest value."""

    name: str
    doc: str
    limits: Bounds = _SHARE
    better: Better = 1
    takes: Mapping[str, object] = field(default_factory=dict)
    support: Callable[[Parameters], Support] = lambda _: rarer
    largest: Callable[[Parameters, Slice], float] | None = None
    scales: Sequence[Scale] = LEVEL


def _share_called(parameters: Parameters, slice_: Slice) -> float:
    """Return which share of all rows is among the highest."""
    given = dict(parameters)
    return float(given["share"] if given.get("share") is not None else given["k"] / slice_.rows)  # type: ignore[arg-type, operator] # numbers, by the policy's schema


def _called(parameters: Parameters) -> Support:
    return lambda part, rows: max(1, min(rows_of(part, rows), round(_share_called(parameters, part) * part.rows)))


def _found(part: Slice, rows: int) -> int:
    """Return the positives that could be found; as of one row where there are so few rows that a share of them is
    another."""
    return positives(part, rows) if part.rows >= _WHOLE else 1


_CURVES: tuple[CurveMetric, ...] = (
    CurveMetric(
        name="average_precision",
        doc="Mean precision over the positives, from the highest score down.",
        scales=EITHER,
    ),
    CurveMetric(
        name="ks_statistic",
        doc="Largest gap between the two classes' distributions of scores.",
        support=lambda _: enough(_OF_A_GAP),
    ),
    CurveMetric(
        name="precision_at",
        doc="Share of positives among the `k` rows, or the `share`, scored highest.",
        takes=_TOP,
        support=_called,
        largest=lambda *_: 1.0,
    ),
    CurveMetric(
        name="recall_at",
        doc="Share of all positives among the `k` rows, or the `share`, scored highest.",
        takes=_TOP,
        support=lambda _: _found,
        largest=lambda *_: 1.0,
    ),
    CurveMetric(
        name="lift_at",
        doc="Precision among the rows scored highest over the share of positives.",
        limits=(0.0, inf),
        takes=_TOP,
        support=lambda _: _found,
        largest=lambda parameters, part: 1 / _share_called(parameters, part),
    ),
    CurveMetric(
        name="expected_calibration_error",
        doc="Mean gap between probability and share of positives, over `bins` of equal width.",
        better=-1,
        takes={"bins": 10},
        scales=PLAIN,
    ),
    CurveMetric(
        name="calibration_slope",
        doc="Slope of a logistic regression of the outcome on the score's logit; 1 is calibrated, less overconfident.",
        limits=ANYWHERE,
        better=0,
    ),
)


def _mean(name: str, smooth: Smooth, better: Better, points: bool, support: Support, doc: str) -> MetricEntry:
    statistic = Statistic(form="moments", name=name)
    metric = of_moments.metric(
        smooth,
        statistic,
        name=name,
        doc=doc,
        better=better,
        points=points,
        support=support,
        limits=_CLOSER.get(name),
    )
    return fixed(metric, "binary")


def _curve(curve: CurveMetric) -> MetricEntry:
    def make(parameters: Parameters) -> Metric:
        return of_computed.metric(
            Statistic(form="computed", name=curve.name, parameters=parameters),
            name=curve.name + parameters_text(parameters),
            doc=curve.doc,
            better=curve.better,
            limits=curve.limits,
            points=curve.limits == _SHARE,
            support=curve.support(parameters),
            largest=curve.largest and partial(curve.largest, parameters),
            scales=curve.scales,
        )

    return MetricEntry(
        name=curve.name, doc=curve.doc, better=curve.better, tasks=("binary",), takes=curve.takes, make=make
    )


METRICS: tuple[MetricEntry, ...] = (*(_mean(*row) for row in _MEANS), *(_curve(curve) for curve in _CURVES))
