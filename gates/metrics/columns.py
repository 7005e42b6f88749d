"""Metrics of any number given for each row: `of` names a column of the predictions.

They work in every task; `task: score` uses its column `score` by default. The policy says which way is better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf

from gates.documents.statistic import Parameters, Statistic, parameters_text
from gates.metrics import of_computed, of_moments, ratios
from gates.metrics.definition import ANY_TASK, Better, Metric, MetricEntry, Task
from gates.metrics.expressions import ModelColumns, Quantities, Staged, double
from gates.metrics.of_moments import MEAN, SHARE, Smooth
from gates.stats.quantity import Bounds


def _of(model: ModelColumns, parameters: Parameters) -> str:
    return model.of[str(dict(parameters)["of"])]


def _number(parameters: Parameters, name: str) -> float:
    return float(dict(parameters)[name])  # type: ignore[arg-type] # a number, by the policy's schema


def _above(model: ModelColumns, parameters: Parameters) -> Sequence[Staged]:
    above = double(_number(parameters, "above"))
    return [Staged(expression=f"CASE WHEN {_of(model, parameters)} > {above} THEN 1.0 ELSE 0.0 END")]


QUANTITIES: Mapping[str, Quantities] = {
    **ratios.QUANTITIES,
    "mean": Quantities(models=lambda model, parameters: [Staged(expression=_of(model, parameters))], wide=True),
    "share_above": Quantities(models=_above),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A quantile of a value of each row: its SQL, and which quantile."""

    value: Callable[[ModelColumns, Parameters], str]
    q: Callable[[Parameters], Fraction]


ORDERED: Mapping[str, Ordered] = {
    "quantile": Ordered(value=_of, q=lambda parameters: Fraction(repr(_number(parameters, "q")))),
    "median_absolute_error": Ordered(
        value=lambda model, _: f"abs({model.call} - {model.label})", q=lambda _: Fraction(1, 2)
    ),
}


def _mean(name: str, smooth: Smooth, doc: str) -> Callable[[Parameters], Metric]:
    def make(parameters: Parameters) -> Metric:
        statistic = Statistic(form="moments", name=name, parameters=parameters)
        told = name + parameters_text(parameters)
        return of_moments.metric(smooth, statistic, name=told, doc=doc, better=0, points=smooth is SHARE)

    return make


def _ordered(name: str, better: Better, limits: Bounds, doc: str) -> Callable[[Parameters], Metric]:
    def make(parameters: Parameters) -> Metric:
        statistic = Statistic(form="computed", name=name, parameters=parameters)
        told = name + parameters_text(parameters)
        return of_computed.metric(statistic, name=told, doc=doc, better=better, limits=limits, tied=True)

    return make


_QUANTILE = "The value of `of` that a share `q` of the rows does not exceed."
_TABLE: tuple[tuple[str, Mapping[str, object], Callable[[str], Callable[[Parameters], Metric]], str], ...] = (
    ("mean", {}, lambda doc: _mean("mean", MEAN, doc), "Mean of `of`."),
    (
        "share_above",
        {"above": ...},
        lambda doc: _mean("share_above", SHARE, doc),
        "Share of rows whose `of` is larger than `above`.",
    ),
    ("ratio", {"per": ...}, lambda _: ratios.ratio, "Sum of `of` over the sum of `per`: clicks per impression."),
    ("quantile", {"q": ...}, lambda doc: _ordered("quantile", 0, (-inf, inf), doc), _QUANTILE),
)
_WHERE: tuple[tuple[tuple[Task, ...], object], ...] = (
    (("score",), "score"),
    (tuple(task for task in ANY_TASK if task != "score"), ...),
)
_MEDIAN = "Median of the absolute errors."

METRICS: tuple[MetricEntry, ...] = (
    *(
        MetricEntry(name=name, doc=doc, better=0, tasks=tasks, takes={"of": of, **takes}, make=make(doc))
        for name, takes, make, doc in _TABLE
        for tasks, of in _WHERE
    ),
    MetricEntry(
        name="median_absolute_error",
        doc=_MEDIAN,
        better=-1,
        tasks=("regression",),
        make=_ordered("median_absolute_error", -1, (0.0, inf), _MEDIAN),
    ),
)
