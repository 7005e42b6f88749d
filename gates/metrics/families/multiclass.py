"""Metrics of a multiclass classifier. Names as scikit-learn's; an average is over the classes that occur."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from gates.documents.evidence import CHAMPION, Slice
from gates.documents.statistic import Parameters, Statistic, parameters_text
from gates.metrics import of_computed, of_moments
from gates.metrics.definition import Metric, MetricEntry, fixed
from gates.metrics.expressions import ModelColumns, Quantities, Staged, double, ln
from gates.metrics.families.class_averages import (
    Averaged,
    ClassBounds,
    ClassShare,
    accuracy,
    averaged,
    balanced_accuracy,
    kappa,
    of_agreement,
    of_shares,
)
from gates.metrics.families.probability import MOST_LOSS
from gates.metrics.of_moments import MEAN_LOSS, SHARE
from gates.metrics.support import Support, rarest, rarest_called, rows_of
from gates.stats.proportions import paired_difference, share
from gates.stats.quantity import Found, Quantity, Undefined


def _metric(name: str, doc: str, averaged: Averaged) -> Metric:
    level, change = averaged.level, averaged.change
    return Metric(
        name=name, doc=doc, better=1, limits=averaged.limits, level=level, change=change, points=averaged.limits[0] == 0
    )


def _accuracy(name: str = "accuracy", doc: str = "Share of rows called right.") -> Metric:
    """Declare accuracy, as for two classes: a proportion, with exact bounds, and Newcombe's where rows are alike."""
    resampled = Averaged(value=accuracy, limits=(0.0, 1.0), why="no rows", support=rows_of)

    def counts(part: Slice) -> tuple[int, int, int, int]:
        by_call = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
        for label, candidate, champion, rows in part.cells:
            by_call[candidate == label, champion == label] += rows
        both, first, second, neither = by_call.values()
        return both, first, second, neither

    def level(slices: Sequence[Slice], who: int) -> Found:
        if slices[0].weights:
            return resampled.level(slices, who)
        both, first, second, neither = counts(slices[0])
        hits, n = both + (second if who == CHAMPION else first), both + first + second + neither
        return share(hits, n) if n else Undefined(why="no rows")

    def change(slices: Sequence[Slice]) -> Found:
        if slices[0].weights:
            return resampled.change(slices)
        cells = counts(slices[0])
        n = sum(cells)
        if not n:
            return Undefined(why="no rows")
        return Quantity(
            value=(cells[1] - cells[2]) / n,
            bounds=lambda c: paired_difference(*cells, c),
            method="newcombe-paired",
            limits=(-1.0, 1.0),
        )

    return Metric(name=name, doc=doc, better=1, limits=(0.0, 1.0), level=level, change=change)


def _own_class(model: ModelColumns) -> str:
    """Return the score of the row's own class."""
    cases = " ".join(f"WHEN {place} THEN {score}" for place, score in enumerate(model.scores))
    return f"CASE {model.label} {cases} END"


def _log_loss(model: ModelColumns, _parameters: Parameters) -> Sequence[Staged]:
    least, most = double(2.0**-52), double(1 - 2.0**-52)
    own = f"({_own_class(model)})"  # as it is: the scores of a row add up to 1
    cut = f"CASE WHEN {own} < {least} THEN {least} WHEN {own} > {most} THEN {most} ELSE {own} END"
    found = ln(cut, f"{model.prefix}log_")
    return [Staged(expression=f"-({found.expression})", steps=found.steps)]


def _top_k(model: ModelColumns, parameters: Parameters) -> Sequence[Staged]:
    """Tell whether the own class is among the k highest; of classes that tie the later one counts as higher, as in
    scikit-learn."""
    own, k = f"{model.prefix}own", dict(parameters)["k"]
    above = " + ".join(
        f"CASE WHEN {score} > {own} OR ({score} = {own} AND {place} > {model.label}) THEN 1 ELSE 0 END"
        for place, score in enumerate(model.scores)
    )
    hit = f"CASE WHEN ({above}) < {k} THEN {double(1.0)} ELSE {double(0.0)} END"
    return [Staged(expression=hit, steps=({own: _own_class(model)},))]


QUANTITIES: Mapping[str, Quantities] = {
    "multiclass_log_loss": Quantities(models=_log_loss, scores=True),
    "top_k_accuracy": Quantities(models=_top_k, scores=True),
}

_NEVER = "a class has no row that is called, or labelled, so"
_OF = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
_AVERAGES = {"macro": "averaged over classes", "micro": "over all rows", "weighted": "averaged by the classes' rows"}


def _top(parameters: Parameters) -> Metric:
    return of_moments.metric(
        SHARE,
        Statistic(form="moments", name="top_k_accuracy", parameters=parameters),
        name=f"top_k_accuracy{parameters_text(parameters)}",
        doc=_TOP,
        better=1,
        points=True,
    )


_TOP = "Share of rows whose class is among the `k` scored highest."
_LOG = "Mean negative logarithm of the probability given to the row's class."
_AUC = "ROC-AUC of each class against the rest, averaged over classes."

_SHARES: Mapping[str, ClassShare] = {
    "precision": lambda hits, _, call: (hits, call),
    "recall": lambda hits, label, _: (hits, label),
    "f1": lambda hits, label, call: (hits, label + call - hits),  # of which F1 is a function
}


def _same(share_: float) -> float:
    return share_


def _f1_of(share_: float) -> float:
    return 2 * share_ / (1 + share_)


_MACRO: Mapping[str, tuple[ClassBounds, Support]] = {
    "precision": (of_shares(_SHARES["precision"], _same), rarest_called),
    "recall": (of_shares(_SHARES["recall"], _same), rarest),
    "f1": (of_shares(_SHARES["f1"], _f1_of), rarest_called),
}


def _average(of: str, average: str) -> Metric:
    name, doc = f"{of}_{average}", f"{_OF[of]}, {_AVERAGES[average]}."
    if average == "micro" or name == "recall_weighted":
        return _accuracy(name, doc)  # which these are
    family = Averaged(
        value=partial(averaged, of=of, average=average),
        limits=(0.0, 1.0),
        why=f"{_NEVER} its {of} is undefined",
        support=rows_of,
    )
    if average == "macro":
        bounds, support = _MACRO[of]
        family = replace(family, bounds=bounds, both=of == "f1", support=support, method="mover")
    return _metric(name, doc, family)


METRICS: tuple[MetricEntry, ...] = (
    fixed(_accuracy(), "multiclass"),
    fixed(
        _metric(
            "balanced_accuracy",
            "Mean recall over classes.",
            Averaged(
                value=balanced_accuracy,
                limits=(0.0, 1.0),
                why="no rows",
                support=rarest,
                bounds=of_shares(lambda hits, label, _: (hits, label), _same),
                method="mover",
            ),
        ),
        "multiclass",
    ),
    fixed(
        _metric(
            "cohen_kappa",
            "Agreement beyond chance.",
            Averaged(
                value=kappa,
                limits=(-1.0, 1.0),
                why="one class only",
                support=rows_of,
                bounds=of_agreement,
                both=True,
            ),
        ),
        "multiclass",
    ),
    *(fixed(_average(of, average), "multiclass") for of in _OF for average in _AVERAGES),
    fixed(
        of_moments.metric(
            MEAN_LOSS,
            Statistic(form="moments", name="multiclass_log_loss"),
            name="log_loss",
            doc=_LOG,
            better=-1,
            limits=(0.0, MOST_LOSS),
        ),
        "multiclass",
    ),
    MetricEntry(name="top_k_accuracy", doc=_TOP, better=1, tasks=("multiclass",), takes={"k": ...}, make=_top),
    fixed(
        of_computed.metric(
            Statistic(form="computed", name="roc_auc_ovr"),
            name="roc_auc_ovr",
            doc=_AUC,
            better=1,
            limits=(0.0, 1.0),
            points=True,
            support=rarest,
        ),
        "multiclass",
    ),
)
