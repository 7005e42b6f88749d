"""A limit that no model can fail, or that none can pass, is refused for every metric there is; the next one inside its
range is not."""

from __future__ import annotations

import math
from math import inf

import pytest
from extent import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.errors import GatesError
from gates.kinds.metric.comparison import COMPARISONS
from gates.kinds.metric.rule import MetricRule
from gates.kinds.metric.vacuous import mistakes
from gates.metrics import ANY_TASK, ONE_OF, table

GIVEN = {  # of each parameter that a metric may need
    "k": 10, "share": 0.1, "of": "latency", "above": 0.5, "per": "rows", "q": 0.9, "within": 0.1, "alpha": 0.9,
    "bins": 10, "relevant": 1, "costs": [[0, 1], [5, -2]],
}  # fmt: skip
LOSS = -52 * math.log(0.5)  # of a row, as scores are cut off at 2^-52
RANGES = {  # of what does not lie between 0 and 1
    (-1, 1): ("calibration_gap", "cohen_kappa", "cohen_kappa_score", "matthews_corrcoef"),
    (-2, 5): ("cost",),
    (0, LOSS): ("log_loss",),
    (-inf, inf): ("bias", "calibration_slope", "mean", "quantile", "ratio"),
    (-inf, 1): (
        "d2_absolute_error_score", "d2_brier_score", "d2_log_loss_score", "d2_pinball_score", "d2_tweedie_score",
        "explained_variance_score", "r2", "r2_score",
    ),
    (0, inf): (
        "lift_at", "mae", "mape", "mean_absolute_error", "mean_absolute_percentage_error", "mean_gamma_deviance",
        "mean_pinball_loss", "mean_poisson_deviance", "mean_squared_error", "mean_squared_log_error",
        "mean_tweedie_deviance", "median_absolute_error", "mse", "pinball_loss", "rmse", "root_mean_squared_error",
        "root_mean_squared_log_error",
    ),
}  # fmt: skip
OF = {name: limits for limits, names in RANGES.items() for name in names}
EVERY = [(task, name) for task in ANY_TASK for name in table(task)]


def limits_of(name, grouped):
    """Where a metric's values lie: told here anew, by what it is."""
    if name.endswith("_ratio") and grouped:
        return 0, 1
    base = name
    for ending in ("_difference", "_group_min", "_group_max") if grouped else ():
        base = base.removesuffix(ending)
    low, high = OF.get(base, (0, 1))
    return (0, high - low) if base != name and name.endswith("_difference") else (low, high)


def refused(limits, limit, value):
    """Whether no value fails the limit, or none passes it."""
    low, high = limits
    if limit == "min":
        return value <= low or value > high
    if limit == "max":
        return value >= high or value < low
    return value >= high - low


def made(task, name):
    """The metric with what it needs, and that as a policy says it."""
    entry = table(task)[name]
    needed = [key for key, default in entry.takes.items() if default is ...]
    needed += [key for key, default in entry.takes.items() if default is ONE_OF][:1]
    keys = {key: GIVEN[key] for key in needed}
    return entry.make(tuple(sorted((key, _frozen(value)) for key, value in keys.items()))), keys


def _frozen(value):
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def beside(limits, limit):
    """The ends of what a limit may be, and their neighbours."""
    low, high = limits
    ends = [end for end in ((low, high) if limit in ("min", "max") else (high - low,)) if math.isfinite(end)]
    return [near for end in ends for near in (math.nextafter(end, -inf), end, math.nextafter(end, inf))]


def asked_of(metric):
    return [limit for limit, how in COMPARISONS.items() if metric.change is not None or not how.compares]


@pytest.mark.parametrize("task", ANY_TASK)
def test_the_ends_of_every_metric(task):
    for name in table(task):
        metric, keys = made(task, name)
        limits = limits_of(name, metric.grouped)
        for limit in asked_of(metric):
            for value in beside(limits, limit):
                told = list(mistakes(MetricRule(metric=name, **{limit: value}), metric))
                assert bool(told) is refused(limits, limit, value), (name, keys, limit, value, told)
                assert all(one.idle and one.path == (limit,) for one in told)


@settings(max_examples=examples(120))
@given(st.data())
def test_any_limit_of_any_metric_through_a_policy(policy_of, data):
    task, name = data.draw(st.sampled_from(EVERY))
    metric, keys = made(task, name)
    limits, limit = limits_of(name, metric.grouped), data.draw(st.sampled_from(asked_of(metric)))
    level = limit in ("min", "max")
    near = [value for value in beside(limits, limit) if level or value > 0]
    anywhere = st.floats(-100, 100) if level else st.floats(0.001, 100)
    value = data.draw(st.sampled_from(near) | anywhere if near else anywhere)
    keys |= {"by": "sex"} if metric.grouped else {}
    keys |= {"better": "larger"} if not level and metric.better == 0 else {}
    table_ = {"holdout": "holdout.csv"} | ({} if task == "score" else {"label": "y"})
    table_ |= {"query": "q"} if task == "ranking" else {}
    told = ""
    try:
        policy_of({"task": task, "data": table_, "gates": [{"metric": name, **keys, limit: value}]})
    except GatesError as error:
        told = str(error)
    assert bool(told) is refused(limits, limit, value), (limit, value, told)
    assert not told or "this rule can't fail" in told or "no model can pass this rule" in told
