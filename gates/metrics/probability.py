"""Metrics of a binary classifier's probabilities. Names as scikit-learn's where it has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from gates.metrics import computed, moments
from gates.metrics.expressions import Model, Quantities, Staged, double, ln
from gates.metrics.moments import MEAN, MEAN_LOSS, SHARE, Smooth
from gates.metrics.record import ONE_OF, Better, Entry, Metric, fixed
from gates.statistic import Parameters, Statistic, parameters_text
from gates.stats.quantity import Bounds

_LEAST = 2.0**-52  # scikit-learn cuts probabilities off so far from 0 and 1


def _log_loss(model: Model, _parameters: Parameters) -> Sequence[Staged]:
    own = f"CASE WHEN {model.label} = 1 THEN {model.score} ELSE {double(1.0)} - {model.score} END"
    least, most = double(_LEAST), double(1 - _LEAST)
    cut = f"CASE WHEN {own} < {least} THEN {least} WHEN {own} > {most} THEN {most} ELSE {own} END"
    found = ln(cut, f"{model.prefix}log_")
    return [Staged(expression=f"-({found.expression})", steps=found.steps)]


def _residual(model: Model) -> str:
    return f"({model.score} - CAST({model.label} AS DOUBLE))"


QUANTITIES: Mapping[str, Quantities] = {
    "log_loss": Quantities(models=_log_loss, scores=True),
    "brier_score": Quantities(
        models=lambda model, _: [Staged(expression=f"{_residual(model)} * {_residual(model)}")], scores=True
    ),
    "calibration_gap": Quantities(models=lambda model, _: [Staged(expression=_residual(model))], scores=True),
}

_MEANS: tuple[tuple[str, Smooth, Better, bool, str], ...] = (
    ("log_loss", MEAN_LOSS, -1, False, "Mean negative logarithm of the probability given to what happened."),
    ("brier_score", SHARE, -1, False, "Mean squared difference of probability and outcome."),
    ("calibration_gap", MEAN, 0, True, "Mean probability less the share of positives: calibration in the large."),
)

_TOP: Mapping[str, object] = {"k": ONE_OF, "share": ONE_OF}

_CURVES: tuple[tuple[str, Bounds, Better, Mapping[str, object], str], ...] = (
    ("average_precision", (0.0, 1.0), 1, {}, "Mean precision over the positives, from the highest score down."),
    ("ks_statistic", (0.0, 1.0), 1, {}, "Largest gap between the two classes' distributions of scores."),
    ("precision_at", (0.0, 1.0), 1, _TOP, "Share of positives among the `k` rows, or the `share`, scored highest."),
    ("recall_at", (0.0, 1.0), 1, _TOP, "Share of all positives among the `k` rows, or the `share`, scored highest."),
    ("lift_at", (0.0, inf), 1, _TOP, "Precision among the rows scored highest over the share of positives."),
    (
        "expected_calibration_error",
        (0.0, 1.0),
        -1,
        {"bins": 10},
        "Mean gap between probability and share of positives, over `bins` of equal width.",
    ),
    (
        "calibration_slope",
        (-inf, inf),
        0,
        {},
        "Slope of a logistic regression of the outcome on the score's logit; 1 is calibrated, less overconfident.",
    ),
)


def _mean(name: str, smooth: Smooth, better: Better, points: bool, doc: str) -> Entry:
    statistic = Statistic(form="moments", name=name)
    return fixed(moments.metric(smooth, statistic, name=name, doc=doc, better=better, points=points), "binary")


def _curve(name: str, limits: Bounds, better: Better, takes: Mapping[str, object], doc: str) -> Entry:
    def make(parameters: Parameters) -> Metric:
        statistic = Statistic(form="computed", name=name, parameters=parameters)
        told = name + parameters_text(parameters)
        return computed.metric(statistic, name=told, doc=doc, better=better, limits=limits, points=limits == (0.0, 1.0))

    return Entry(name=name, doc=doc, better=better, tasks=("binary",), takes=takes, make=make)


METRICS: tuple[Entry, ...] = (*(_mean(*row) for row in _MEANS), *(_curve(*row) for row in _CURVES))
