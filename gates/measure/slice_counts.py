"""Count joined rows into the slices of the evidence: every statistic that a gate needs, along every dimension."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from gates.documents.evidence import Moments, Slice
from gates.documents.slices import Dimension
from gates.documents.spread import Curve
from gates.kinds.protocol import Needs
from gates.measure.holdout.joined import ScoredRows, bin_of, of_scores
from gates.measure.holdout.labels import Labels
from gates.measure.holdout.rows import clustered
from gates.measure.statistics import cells
from gates.measure.statistics.cells import Key
from gates.measure.statistics.function_calls import GuestMetric, general
from gates.measure.statistics.moments import moments
from gates.measure.statistics.quantiles import ordered
from gates.measure.statistics.ranks import ranks
from gates.metrics.columns import ORDERED
from gates.metrics.expressions import ModelColumns
from gates.metrics.functions import is_general
from gates.policy import Policy


def count(joined: ScoredRows, policy: Policy, needs: Needs, labels: Labels, guest: GuestMetric) -> tuple[Slice, ...]:
    """Return the slices of all dimensions that are needed, the whole holdout first."""
    found = general(joined, policy, needs, labels, guest)
    return tuple(part for dimension in needs.dimensions for part in along(joined, dimension, policy, needs, found))


def along(
    joined: ScoredRows,
    dimension: Dimension,
    policy: Policy,
    needs: Needs,
    computed_elsewhere: Mapping[tuple[str, str], Any],
    wanted: Callable[[Key, int], bool] = lambda _, __: True,
) -> Iterator[Slice]:
    """Yield the slices of one dimension. ``found``: what metrics of the general road gave; ``wanted``: which slices, by
    key and rows, are to be made."""
    called = policy.task in ("binary", "multiclass")
    together = clustered(policy)
    rows = cells.rows(joined, dimension)
    calls = cells.cells(joined, dimension) if called else {}
    weights = cells.weights(joined, dimension) if called and together else {}
    placements: Mapping[Key, Any] = {}
    sums: list[tuple[str, Mapping[Key, Moments]]] = []
    values: list[Mapping[Key, Any]] = []
    for statistic in needs.along(dimension):
        if is_general(statistic):
            values.append(computed_elsewhere[statistic.id, dimension.id])
            continue
        if of_scores(statistic) and not joined.scored:
            continue
        if statistic.form == "ranks":
            placements = ranks(joined, dimension, buckets=together)
        elif statistic.form == "moments":
            sums.append((statistic.id, moments(joined, dimension, statistic, buckets=together)))
        elif statistic.form == "computed":
            weighted = policy.data.weight is not None
            if statistic.name in ORDERED:
                values.append(ordered(joined, dimension, statistic, weighted=weighted, together=together))
            else:
                from gates.measure.statistics.computed import computed  # it imports numpy

                values.append(computed(joined, dimension, statistic, weighted=weighted))
    made = [key for key, n in rows.items() if wanted(key, n)]
    for key in sorted(made, key=lambda key: order(dimension, key)):
        yield Slice(
            dimension=dimension.id,
            key=tuple(zip(dimension.columns, key, strict=True)),
            rows=rows[key],
            cells=tuple(calls.get(key, ())),
            weights=tuple(weights.get(key, ())),
            ranks=placements.get(key),
            moments=tuple(held.get(key, _no_query(id_)) for id_, held in sums),
            computed=tuple(one[key] for one in values if key in one),
        )


def _no_query(id_: str) -> Moments:
    """Return the sums of a slice in which no query counts."""
    return Moments(id=id_, rows=0, sums=(), products=(), buckets=())


def order(dimension: Dimension, key: Key) -> list[tuple[bool, int, str]]:
    """Return a key to sort slices by: missing values first, bins as they rise, other values by their text."""
    held = zip(key, dimension.bins, strict=True)
    return [(v is not None, bins.index(v) if v in bins else 0, v or "") for v, bins in held]


def curves(joined: ScoredRows, policy: Policy) -> tuple[Curve, ...]:
    """Tell how each model's scores are spread, of a task that calls classes by scores."""
    if policy.task not in ("binary", "multiclass"):
        return ()
    names: tuple[Literal["candidate", "champion"], ...] = ("candidate", "champion")
    spread = []
    for name, model, scored in zip(names, joined.models, joined.scored_by, strict=False):
        if not scored:
            continue
        two = policy.task == "binary"
        yes = "label" if two else f"CASE WHEN label = {model.call} THEN 1 ELSE 0 END"
        score = bin_of(model.score if two else _of_call(model))  # null: the model gives none of that class
        source = f"SELECT {score} AS bin, {yes} AS yes FROM joined"
        rows = joined.engine.run(
            f"SELECT bin, count_if(yes = 0), count_if(yes = 1) FROM ({source}) WHERE bin IS NOT NULL "
            "GROUP BY bin ORDER BY bin"
        )
        bins = tuple((int(at), int(no), int(yes)) for at, no, yes in rows)
        spread.append(Curve(model=name, counts="labels" if two else "calls", bins=bins))
    return tuple(spread)


def _of_call(model: ModelColumns) -> str:
    """Write SQL of the score of the class that a model called."""
    cases = " ".join(f"WHEN {place} THEN {score}" for place, score in enumerate(model.scores))
    return f"CASE {model.call} {cases} END"
