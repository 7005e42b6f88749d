"""Bootstrapped metrics: scikit-learn's by name, and any `module:function` with their signature.

They are computed where the rows are, and their error is that of rows drawn again. Which way is better follows from the
name, as in scikit-learn: a `_score` is better when larger, an `_error`, `_loss` or `_deviance` when smaller.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

from gates.documents.statistic import Parameters, Statistic, parameters_text
from gates.metrics import of_computed
from gates.metrics.definition import Better, Metric, MetricEntry, Task
from gates.metrics.support import rarest_called
from gates.stats.quantity import ANYWHERE, Bounds

Takes = Literal["calls", "scores"]
FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression")
_SHARE: Bounds = (0.0, 1.0)
_AGREEMENT: Bounds = (-1.0, 1.0)
_ERROR: Bounds = (0.0, inf)
_EXPLAINED: Bounds = (-inf, 1.0)
_CLASSES: tuple[Task, ...] = ("binary", "multiclass")
_VALUES: tuple[Task, ...] = ("regression",)
_ENDS: Mapping[str, Better] = {"_score": 1, "_error": -1, "_loss": -1, "_deviance": -1}


@dataclass(frozen=True, slots=True)
class Function:
    """A metric of scikit-learn's: for which tasks, of calls (or values) or of scores, and within which limits."""

    tasks: tuple[Task, ...]
    takes: Takes
    limits: Bounds = ANYWHERE


# Not among them: what gives more than one number, what needs a matrix of labels, and max_error: drawing rows again
# says nothing of the error of a largest value.
FUNCTIONS: Mapping[str, Function] = {
    "accuracy_score": Function(_CLASSES, "calls", _SHARE),
    "average_precision_score": Function(_CLASSES, "scores", _SHARE),
    "balanced_accuracy_score": Function(_CLASSES, "calls", _SHARE),
    "brier_score_loss": Function(("binary",), "scores", _SHARE),
    "cohen_kappa_score": Function(_CLASSES, "calls", _AGREEMENT),
    "d2_absolute_error_score": Function(_VALUES, "calls", _EXPLAINED),
    "d2_brier_score": Function(_CLASSES, "scores", _EXPLAINED),
    "d2_log_loss_score": Function(_CLASSES, "scores", _EXPLAINED),
    "d2_pinball_score": Function(_VALUES, "calls", _EXPLAINED),
    "d2_tweedie_score": Function(_VALUES, "calls", _EXPLAINED),
    "explained_variance_score": Function(_VALUES, "calls", _EXPLAINED),
    "f1_score": Function(_CLASSES, "calls", _SHARE),
    "fbeta_score": Function(_CLASSES, "calls", _SHARE),
    "hamming_loss": Function(_CLASSES, "calls", _SHARE),
    "jaccard_score": Function(_CLASSES, "calls", _SHARE),
    "mean_absolute_error": Function(_VALUES, "calls", _ERROR),
    "mean_absolute_percentage_error": Function(_VALUES, "calls", _ERROR),
    "mean_gamma_deviance": Function(_VALUES, "calls", _ERROR),
    "mean_pinball_loss": Function(_VALUES, "calls", _ERROR),
    "mean_poisson_deviance": Function(_VALUES, "calls", _ERROR),
    "mean_squared_error": Function(_VALUES, "calls", _ERROR),
    "mean_squared_log_error": Function(_VALUES, "calls", _ERROR),
    "mean_tweedie_deviance": Function(_VALUES, "calls", _ERROR),
    "precision_score": Function(_CLASSES, "calls", _SHARE),
    "r2_score": Function(_VALUES, "calls", _EXPLAINED),
    "recall_score": Function(_CLASSES, "calls", _SHARE),
    "roc_auc_score": Function(_CLASSES, "scores", _SHARE),
    "root_mean_squared_error": Function(_VALUES, "calls", _ERROR),
    "root_mean_squared_log_error": Function(_VALUES, "calls", _ERROR),
    "top_k_accuracy_score": Function(("multiclass",), "scores", _SHARE),
    "zero_one_loss": Function(_CLASSES, "calls", _SHARE),
}


_HARMLESS = {"alpha", "average", "beta", "k", "labels", "max_fpr", "multi_class", "pos_label", "power", "weights"}
# arguments that leave a function within its limits; others may make it a sum, or turn it over

# Of a task, names of ours for what scikit-learn calls otherwise: one metric has one interval. With just these
# arguments.
TWINS: Mapping[Task, Mapping[tuple[str, Parameters], str]] = {
    "binary": {
        ("accuracy_score", ()): "accuracy",
        ("average_precision_score", ()): "average_precision",
        ("balanced_accuracy_score", ()): "balanced_accuracy",
        ("brier_score_loss", ()): "brier_score",
        ("f1_score", ()): "f1",
        ("precision_score", ()): "precision",
        ("recall_score", ()): "recall",
        ("roc_auc_score", ()): "roc_auc",
    },
    "multiclass": {
        ("accuracy_score", ()): "accuracy",
        ("balanced_accuracy_score", ()): "balanced_accuracy",
        ("cohen_kappa_score", ()): "cohen_kappa",
        ("roc_auc_score", (("multi_class", "ovr"),)): "roc_auc_ovr",
        **{
            (f"{of}_score", (("average", average),)): f"{of}_{average}"
            for of in ("precision", "recall", "f1")
            for average in ("macro", "micro", "weighted")
        },
    },
    "regression": {
        ("mean_absolute_error", ()): "mae",
        ("mean_absolute_percentage_error", ()): "mape",
        ("mean_squared_error", ()): "mse",
        ("r2_score", ()): "r2",
        ("root_mean_squared_error", ()): "rmse",
    },
}


def direction(name: str) -> Better:
    """Tell which way is better, by the end of a function's name; 0 if it does not say."""
    return next((better for end, better in _ENDS.items() if name.endswith(end)), 0)


def is_general(statistic: Statistic) -> bool:
    """Tell whether a statistic is computed by somebody else's function."""
    return statistic.form == "computed" and (statistic.name in FUNCTIONS or ":" in statistic.name)


def _entry(name: str, tasks: tuple[Task, ...], limits: Bounds, doc: str) -> MetricEntry:
    better = direction(name)

    def make(parameters: Parameters) -> Metric:
        within = limits if all(name in _HARMLESS for name, _ in parameters) else ANYWHERE
        named = name + parameters_text(parameters)
        statistic = Statistic(form="computed", name=name, parameters=parameters)
        return of_computed.metric(
            statistic,
            name=named,
            doc=doc,
            better=better,
            limits=within,
            points=within == _SHARE,
            support=rarest_called,
        )

    return MetricEntry(name=name, doc=doc, better=better, tasks=tasks, takes={"arguments": None}, make=make)


def own(name: str, task: Task) -> MetricEntry | None:
    """Return the row of a function of the user's own, ``module:function``; None where the name is none."""
    if task not in TASKS or not FUNCTION.fullmatch(name):
        return None
    return _entry(name, TASKS, ANYWHERE, "A metric of your own.")


METRICS: Sequence[MetricEntry] = tuple(
    _entry(name, function.tasks, function.limits, f"scikit-learn's `{name}`.") for name, function in FUNCTIONS.items()
)
