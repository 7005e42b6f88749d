"""Metrics of predicted values. Names as scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import inf, sqrt

from gates.documents.evidence import Slice
from gates.documents.statistic import Parameters, Statistic, parameters_text
from gates.metrics import of_moments
from gates.metrics.definition import Better, Metric, MetricEntry
from gates.metrics.expressions import ModelColumns, Quantities, Staged, double, within
from gates.metrics.of_moments import MEAN, MEAN_LOSS, SHARE, Smooth
from gates.metrics.support import rows_of

_EPSILON = 2.0**-52  # scikit-learn's least denominator of a percentage error


def _error(model: ModelColumns) -> str:
    return f"({model.call} - {model.label})"


def _pinball(model: ModelColumns, parameters: Parameters) -> Sequence[Staged]:
    alpha, gap = dict(parameters)["alpha"], f"({model.label} - {model.call})"
    above, below = double(float(alpha)), double(1 - float(alpha))  # type: ignore[arg-type] # a number, by the schema
    return [Staged(expression=f"CASE WHEN {gap} >= 0 THEN {above} * {gap} ELSE -({below} * {gap}) END")]


def _within(model: ModelColumns, parameters: Parameters) -> Sequence[Staged]:
    tolerance = float(dict(parameters)["within"])  # type: ignore[arg-type] # a number, by the schema
    return [Staged(expression=f"CASE WHEN {within(model.call, model.label, tolerance)} THEN 1.0 ELSE 0.0 END")]


def _one(expression: Callable[[ModelColumns], str]) -> Callable[[ModelColumns, Parameters], Sequence[Staged]]:
    return lambda model, _: [Staged(expression=expression(model))]


def _percentage(model: ModelColumns) -> str:
    least = double(_EPSILON)
    return f"abs({_error(model)}) / CASE WHEN abs({model.label}) < {least} THEN {least} ELSE abs({model.label}) END"


def _label_moments(model: ModelColumns) -> Sequence[Staged]:
    return [Staged(expression=model.label), Staged(expression=f"{model.label} * {model.label}")]


QUANTITIES: Mapping[str, Quantities] = {
    "squared_error": Quantities(models=_one(lambda model: f"{_error(model)} * {_error(model)}"), wide=True),
    "absolute_error": Quantities(models=_one(lambda model: f"abs({_error(model)})"), wide=True),
    "error": Quantities(models=_one(_error), wide=True),
    "percentage_error": Quantities(models=_one(_percentage), wide=True),
    "explained": Quantities(
        models=_one(lambda model: f"{_error(model)} * {_error(model)}"), rows=_label_moments, wide=True
    ),
    "pinball_loss": Quantities(models=_pinball, wide=True),
    "share_within": Quantities(models=_within),
}


def _root(mean: Fraction | float) -> float:
    return sqrt(mean)


def _r2(error: Fraction | float, label: Fraction | float, square: Fraction | float) -> float | None:
    spread = square - label * label
    return float(1 - error / spread) if spread > 0 else None


def _r2_slopes(error: float, label: float, square: float) -> Sequence[float]:
    spread = square - label * label
    return (-1 / spread, -2 * label * error / spread**2, error / spread**2) if spread > 0 else (0.0, 0.0, 0.0)


def _of_variances(part: Slice, rows: int) -> int:
    """Return what a ratio of two variances rests on: these are far less certain than means, and skewed."""
    return max(1, rows_of(part, rows) // 3)


_ABSOLUTE, _SQUARED = 1.0, 5.0  # relative variance of an exponential error, and of its square
ERRORS = replace(MEAN_LOSS, tail=_ABSOLUTE)
SQUARES = replace(MEAN_LOSS, tail=_SQUARED)
ROOT = replace(SQUARES, value=_root, gradient=lambda mean: (0.5 / sqrt(mean) if mean else 0.0,), root=True)
R2 = Smooth(
    value=_r2,
    gradient=_r2_slopes,
    rows=2,
    limits=(-inf, 1.0),
    why="all labels are the same",
    constant=True,
    tail=_SQUARED,
)

_TABLE: tuple[tuple[str, str, Smooth, Better, str], ...] = (
    ("mae", "absolute_error", ERRORS, -1, "Mean absolute error."),
    ("mse", "squared_error", SQUARES, -1, "Mean squared error."),
    ("rmse", "squared_error", ROOT, -1, "Root of the mean squared error."),
    (
        "r2",
        "explained",
        R2,
        1,
        "Share of the labels' variance that is explained; negative where a constant does better.",
    ),
    ("mape", "percentage_error", ERRORS, -1, "Mean absolute error as a share of the label."),
    ("bias", "error", MEAN, 0, "Mean of prediction less label."),
    ("pinball_loss", "pinball_loss", ERRORS, -1, "Mean loss of a predicted quantile `alpha`."),
    ("share_within", "share_within", SHARE, 1, "Share of predictions within a tolerance `within` of the label."),
)
_TAKES: Mapping[str, Mapping[str, object]] = {"pinball_loss": {"alpha": ...}, "share_within": {"within": ...}}


def _of_pinball(alpha: float) -> float:
    """Return the relative variance of the loss of exponential errors whose two sides count ``alpha`` and the rest."""
    return 4 * (alpha**2 + (1 - alpha) ** 2) - 1


def _maker(name: str, quantity: str, smooth: Smooth, better: Better, doc: str) -> Callable[[Parameters], Metric]:
    def make(parameters: Parameters) -> Metric:
        statistic = Statistic(form="moments", name=quantity, parameters=parameters)
        named = name + parameters_text(parameters)
        alpha = dict(parameters).get("alpha")
        return of_moments.metric(
            replace(smooth, tail=_of_pinball(alpha)) if isinstance(alpha, float) else smooth,
            statistic,
            name=named,
            doc=doc,
            better=better,
            points=smooth is SHARE,
            support=_of_variances if smooth is R2 else rows_of,
        )

    return make


METRICS: tuple[MetricEntry, ...] = tuple(
    MetricEntry(
        name=name,
        doc=doc,
        better=better,
        tasks=("regression",),
        takes=_TAKES.get(name, {}),
        make=_maker(name, quantity, smooth, better, doc),
    )
    for name, quantity, smooth, better, doc in _TABLE
)
