"""Metrics of a ranking: one value a query, from its rows' scores and relevance, averaged over queries.

A query without a relevant row distinguishes no rankings, and is left out. Of rows that tie NDCG averages over the
orders, as scikit-learn's ``ndcg_score`` does; the others give each the last of the tied ranks, so that a tie never
counts for the model, as in scikit-learn's ``label_ranking_average_precision_score``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import log

from gates.documents.statistic import Parameters, Statistic, parameters_text
from gates.metrics import of_moments
from gates.metrics.definition import Metric, MetricEntry
from gates.metrics.expressions import ModelColumns, Quantities, Staged, double, ln

_ONE = 2.0**44  # sums of doubles depend on their order; of whole multiples of 2**-44 they don't
_FINE = 2.0**33  # of NDCG, to which many such roundings add up: as fine as it is told, so that the ideal one is 1


def _relevant(label: str, parameters: Parameters) -> str:
    least = dict(parameters).get("relevant")
    return f"{label} > 0" if least is None else f"{label} >= {double(float(least))}"  # type: ignore[arg-type]


def _counts(parameters: Parameters) -> str:
    """Tell whether a query has a relevant row."""
    return f"sum(CASE WHEN {_relevant('label', parameters)} THEN 1 ELSE 0 END) > 0"


def _found(model: ModelColumns, parameters: Parameters) -> tuple[str, str, Mapping[str, str]]:
    """Return whether a row is relevant and within the k highest, its rank, and the step that makes it, all as SQL.

    The rank is the number of rows of its query that are scored at least as high.
    """
    rank, k = f"{model.prefix}rank", dict(parameters).get("k")
    within = f" AND {rank} <= {k}" if k is not None else ""
    step = {rank: f"count(*) OVER (PARTITION BY query ORDER BY {model.score} DESC)"}
    return f"{_relevant(model.label, parameters)}{within}", rank, step


def _mrr(model: ModelColumns, parameters: Parameters) -> Staged:
    found, rank, step = _found(model, parameters)
    first = f"max(CASE WHEN {found} THEN {double(1.0)} / CAST({rank} AS DOUBLE) END)"
    return Staged(expression=f"coalesce({first}, {double(0.0)})", steps=(step,))


def _hit_rate(model: ModelColumns, parameters: Parameters) -> Staged:
    found, _, step = _found(model, parameters)
    return Staged(expression=f"max(CASE WHEN {found} THEN {double(1.0)} ELSE {double(0.0)} END)", steps=(step,))


def _recall(model: ModelColumns, parameters: Parameters) -> Staged:
    relevant, _, step = _found(model, parameters)
    hits, all_ = (
        f"CAST(sum(CASE WHEN {which} THEN 1 ELSE 0 END) AS DOUBLE)"
        for which in (relevant, _relevant(model.label, parameters))
    )
    return Staged(expression=f"{hits} / {all_}", steps=(step,))


def _average_precision(model: ModelColumns, parameters: Parameters) -> Staged:
    """Sum the precision at each relevant row within the k highest, over the most that it could be."""
    within, rank, step = _found(model, parameters)
    relevant, hits = f"CASE WHEN {_relevant(model.label, parameters)} THEN 1 ELSE 0 END", f"{model.prefix}hits"
    counted = {hits: f"sum({relevant}) OVER (PARTITION BY query ORDER BY {model.score} DESC)"}
    share = f"CAST({hits} AS DOUBLE) / CAST({rank} AS DOUBLE)"
    total = f"sum(CASE WHEN {within} THEN {_whole(share)} ELSE 0 END)"
    k = dict(parameters).get("k")
    most = f"sum({relevant})" if k is None else f"CASE WHEN sum({relevant}) < {k} THEN sum({relevant}) ELSE {k} END"
    value = f"CAST({total} AS DOUBLE) / ({double(_ONE)} * CAST({most} AS DOUBLE))"
    return Staged(expression=value, steps=({**step, **counted},))


def _ndcg(model: ModelColumns, parameters: Parameters) -> Staged:
    """Divide the discounted gain by the ideal ranking's; the gain is the label, the discount 1 / log2(1 + rank).

    Source: Jarvelin and Kekalainen, ACM TOIS 2002;20:422; ties: McSherry and Najork, ECIR 2008.
    """
    at, best, most, mean = (f"{model.prefix}{name}" for name in ("at", "best", "most", "mean"))
    placed = {
        at: f"row_number() OVER (PARTITION BY query ORDER BY {model.score} DESC)",
        best: f"row_number() OVER (PARTITION BY query ORDER BY {model.label} DESC)",
        most: f"max({model.label}) OVER (PARTITION BY query)",
    }
    logs = [ln(f"{double(1.0)} / CAST({place} + 1 AS DOUBLE)", f"{place}_") for place in (at, best)]
    k = dict(parameters).get("k")
    discounts = {
        f"{place}_d": f"CASE WHEN {place} <= {k} THEN {discount} ELSE 0 END" if k is not None else discount
        for place, one in zip((at, best), logs, strict=True)
        for discount in [_whole(f"{double(-log(2))} / ({one.expression})")]
    }
    tied = f"OVER (PARTITION BY query, {model.score})"
    averaged = {mean: f"CAST(sum({at}_d) {tied} AS DOUBLE) / CAST(count(*) {tied} AS DOUBLE)"}
    gain = f"{model.label} / CASE WHEN {most} > 0 THEN {most} ELSE {double(1.0)} END"
    ours, ideal = (f"sum({_rounded(f'({gain}) * {discount}')})" for discount in (mean, f"CAST({best}_d AS DOUBLE)"))
    steps = (placed, *({**one, **other} for one, other in zip(*(one.steps for one in logs), strict=True)), discounts)
    share = f"{double(_FINE)} * (CAST({ours} AS DOUBLE) / CAST({ideal} AS DOUBLE))"
    return Staged(expression=f"floor({share} + {double(0.5)}) / {double(_FINE)}", steps=(*steps, averaged))


def _whole(value: str) -> str:
    return _rounded(f"{double(_ONE)} * ({value})")


def _rounded(value: str) -> str:
    return f"CAST(floor({value} + {double(0.5)}) AS BIGINT)"


_K: Mapping[str, object] = {"k": None, "relevant": None}
_NEEDS_K: Mapping[str, object] = {"k": ..., "relevant": None}

_TABLE: tuple[tuple[str, Callable[[ModelColumns, Parameters], Staged], Mapping[str, object], str], ...] = (
    (
        "ndcg",
        _ndcg,
        {"k": None},
        "Normalised discounted gain of the `k` rows scored highest, or all; a gain is a label.",
    ),
    (
        "map",
        _average_precision,
        _K,
        "Mean average precision: the share of relevant rows down to each relevant one among the `k` highest, or all.",
    ),
    ("mrr", _mrr, _K, "One over the rank of the first relevant row; 0 where it is not among the `k` highest."),
    ("recall_at", _recall, _NEEDS_K, "Share of the relevant rows that are among the `k` scored highest."),
    ("hit_rate_at", _hit_rate, _NEEDS_K, "Share of queries with a relevant row among the `k` scored highest."),
)

QUANTITIES: Mapping[str, Quantities] = {
    f"ranking_{name}": Quantities(
        models=lambda model, parameters, value=value: [value(model, parameters)],  # type: ignore[misc] # its default
        queries=_counts,
        scores=True,
    )
    for name, value, *_ in _TABLE
}

_MEAN = of_moments.Smooth(value=float, gradient=lambda _: (1.0,), limits=(0.0, 1.0), why="no query has a relevant row")


def _entry(name: str, takes: Mapping[str, object], doc: str) -> MetricEntry:
    def make(parameters: Parameters) -> Metric:
        statistic = Statistic(form="moments", name=f"ranking_{name}", parameters=parameters)
        told = name + parameters_text(parameters)
        return of_moments.metric(_MEAN, statistic, name=told, doc=doc, better=1, points=True)

    return MetricEntry(name=name, doc=doc, better=1, tasks=("ranking",), takes=takes, make=make)


METRICS: Sequence[MetricEntry] = tuple(_entry(name, takes, doc) for name, _, takes, doc in _TABLE)
