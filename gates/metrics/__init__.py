"""The tables of metrics. A metric is one row in one family's module; nothing else needs to know it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache

from gates.documents.statistic import Parameters, parameters_text
from gates.metrics import columns, functions
from gates.metrics.definition import ANY_TASK, ONE_OF, Better, Metric, MetricEntry, Task, fixed
from gates.metrics.expressions import Quantities
from gates.metrics.families import classification, fairness, multiclass, probability, ranking, regression, roc_auc

_FAMILIES = (classification, roc_auc, probability, multiclass, regression, ranking, columns, functions)

QUANTITIES: Mapping[str, Quantities] = {
    **probability.QUANTITIES,
    **multiclass.QUANTITIES,
    **regression.QUANTITIES,
    **ranking.QUANTITIES,
    **columns.QUANTITIES,
}

# Gaps that have a name of their own: (name, doc, the metrics whose worst gap it is).
_NAMED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("demographic_parity", "share called positive", ("selection_rate",)),
    ("equal_opportunity", "share of positives called", ("recall",)),
    (
        "equalized_odds",
        "share called, of positives or of negatives, whichever is worse,",
        ("recall", "false_positive_rate"),
    ),
    ("predictive_parity", "share of the called that are positive", ("precision",)),
)


def _named() -> Iterator[MetricEntry]:
    for name, words, of in _NAMED:
        for gap in ("difference", "ratio"):
            whole = f"{name}_{gap}"
            doc = fairness.doc_of(gap, words)
            yield fixed(fairness.worst([find(one, "binary") for one in of], gap, whole, doc), "binary")


def _gap(entry: MetricEntry, gap: str) -> MetricEntry:
    """Return the row of a metric's gap between groups, with the same parameters."""
    doc, better = fairness.doc_of(gap, entry.name), fairness.GAPS[gap].better(entry.better)

    def make(parameters: Parameters) -> Metric:
        return fairness.of(entry.make(parameters), gap, f"{entry.name}_{gap}{parameters_text(parameters)}", doc)

    return replace(entry, name=f"{entry.name}_{gap}", doc=doc, better=better, make=make)


def _twinned(entry: MetricEntry, own: Mapping[str, MetricEntry], task: Task) -> MetricEntry:
    """Return a row that is ours where it is only another name for it."""
    twins = {given: name for (of, given), name in functions.TWINS.get(task, {}).items() if of == entry.name}

    def make(parameters: Parameters) -> Metric:
        if parameters not in twins:
            return entry.make(parameters)
        told = entry.name + parameters_text(parameters)
        return replace(own[twins[parameters]].make(()), name=told, doc=entry.doc, better=entry.better)

    return replace(entry, make=make) if twins else entry


@cache
def table(task: Task) -> Mapping[str, MetricEntry]:
    """Return every metric of a task, by name; the gaps between groups after those that they are made of."""
    own = {entry.name: entry for family in _FAMILIES for entry in family.METRICS if task in entry.tasks}
    plain = {name: _twinned(entry, own, task) for name, entry in own.items()}
    gaps = {f"{name}_{kind}": _gap(entry, kind) for name, entry in plain.items() for kind in fairness.GAPS}
    named = {entry.name: entry for entry in _named()} if task == "binary" else {}
    return plain | named | gaps


def row(name: str, task: Task) -> MetricEntry | None:
    """Return a row of a task's table, or that of a ``module:function``; None where the task has none of that name."""
    return table(task).get(name) or functions.own(name, task)


def find(name: str, task: Task, parameters: Parameters = ()) -> Metric:
    """Return a metric of a task, with its parameters. Raises ``KeyError`` where the task has none of that name."""
    plain = next((e for family in _FAMILIES for e in family.METRICS if e.name == name and task in e.tasks), None)
    return (plain if plain and plain.name not in functions.FUNCTIONS else table(task)[name]).make(parameters)


__all__ = ["ANY_TASK", "ONE_OF", "QUANTITIES", "Better", "Metric", "MetricEntry", "Task", "find", "row", "table"]
