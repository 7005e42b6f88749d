"""Search for the worst slices, by one column or by two: what is searched, and which slices are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from gates.contract.sql import quoted
from gates.documents.evidence import Evidence, Search, Slice
from gates.documents.slices import AUTO, Dimension
from gates.kinds import metric
from gates.kinds.metric import slice_search
from gates.kinds.metric.rule import limits_of, metric_of
from gates.kinds.protocol import Needs
from gates.measure.engines import Engine
from gates.measure.holdout.joined import ScoredRows
from gates.measure.holdout.tables import OpenTable
from gates.measure.slice_counts import along
from gates.measure.statistics.cells import Key
from gates.policy import ResolvedPolicy

LEAST = 100  # rows of a slice that is looked at; the policy's min_rows where that is more
VALUES = 20  # most values of a column that is taken by them
BINS = 5  # of a column of numbers, at its quantiles; one of no more values is taken by them
CROSSED = 30  # most columns of which every two are crossed

Chosen = Mapping[Dimension, frozenset[Key]]


def searched(engine: Engine, opened: OpenTable, resolved: ResolvedPolicy) -> tuple[Dimension, ...]:
    """Return the columns that are searched, in the table's order: text and booleans of few values, numbers in bins of
    about as many rows each. Columns that have a part of their own in the policy are none, nor are those of one
    value."""
    if not resolved.needs.searches:
        return ()
    data = resolved.policy.data
    taken = {data.label, data.key, data.unit, data.weight, data.query}
    kinds = {
        name: column
        for name, column in opened.seen.items()
        if name not in taken and (column.is_number or column.line in ("string", "boolean"))
    }
    if not kinds:
        return ()
    counts = ", ".join(f"count(DISTINCT {quoted(name)})" for name in kinds)
    (values,) = engine.run(f"SELECT {counts} FROM {quoted(opened.name)}")
    dimensions = []
    for (name, column), distinct in zip(kinds.items(), values, strict=True):
        if column.is_number and distinct > BINS and resolved.contract and name in resolved.contract.hidden:
            continue  # where its bins begin would be values of it
        if column.is_number and distinct > BINS:
            edges = edges_of(engine, opened, column.double, BINS)
            dimensions.append(Dimension(columns=(name,), edges=(edges,) if edges else (), found=True))
        elif 1 < distinct <= VALUES:
            dimensions.append(Dimension(columns=(name,), found=True))
    varying = _varying(engine, opened, data.query, [one.columns[0] for one in dimensions])
    return tuple(one for one in dimensions if one.columns[0] not in varying)


def edges_of(engine: Engine, opened: OpenTable, value: str, bins: int) -> tuple[float, ...]:
    """Return the smallest values that each so many of ``bins`` parts of the rows do not exceed; counted, so that
    nothing is rounded."""
    counts = f"SELECT {value} + 0.0 AS p, count(*) AS n FROM {quoted(opened.name)} WHERE isfinite({value}) GROUP BY 1"
    upto = f"SELECT p, sum(n) OVER (ORDER BY p) AS upto, sum(n) OVER () AS total FROM ({counts})"
    steps = [f"min(CASE WHEN upto * {bins} >= {step} * total THEN p END)" for step in range(1, bins)]
    ((least, *edges),) = engine.run(f"SELECT min(p), {', '.join(steps)} FROM ({upto})")
    return tuple(sorted({float(edge) for edge in edges if edge is not None and edge > least}))


def _varying(engine: Engine, opened: OpenTable, query: str | None, columns: Sequence[str]) -> set[str]:
    """Return the columns that differ within a query: of a ranking, slices are of whole queries."""
    if query is None or not columns:
        return set()
    names = [quoted(column) for column in columns]
    mixed = [f"CASE WHEN min({n}) <> max({n}) OR count({n}) NOT IN (0, count(*)) THEN 1 ELSE 0 END" for n in names]
    of_each = ", ".join(f"{sql} AS m{place}" for place, sql in enumerate(mixed))
    source = f"SELECT {of_each} FROM {quoted(opened.name)} GROUP BY {quoted(query)}"
    ((*worst,),) = engine.run(f"SELECT {', '.join(f'max(m{place})' for place in range(len(names)))} FROM ({source})")
    return {column for column, one in zip(columns, worst, strict=True) if one}


def search(
    joined: ScoredRows, resolved: ResolvedPolicy, evidence: Evidence, columns: Sequence[Dimension]
) -> tuple[Search | None, Chosen]:
    """Return every slice by a column, and by every two of them, is counted; those are kept that come nearest to being
    blamed under one of the policy's rules of slices."""
    if not resolved.needs.searches:
        return None, {}
    crossed = len(columns) <= CROSSED
    dimensions = [*columns, *(_crossing(one, other) for one, other in combinations(columns, 2) if crossed)]
    needs = _needs(resolved, dimensions)
    least = max(LEAST, resolved.policy.min_rows)
    slices = {
        (slice_.dimension, slice_.key): (dimension, slice_)
        for dimension in dimensions
        for slice_ in along(joined, dimension, resolved.policy, needs, {}, lambda _, n: least <= n < joined.rows)
    }
    terms = resolved.terms()
    chosen: dict[Dimension, set[Key]] = {}
    for gate in resolved.gates:
        if gate.kind != metric.KEY or gate.rule.slices is None:
            continue
        made = metric_of(gate.rule, resolved.policy.task)
        for rule, limit in limits_of(gate.rule.slices) if slice_search.searchable(made.statistic) else ():
            seen = [slice_ for _, slice_ in slices.values()]
            for suspect in slice_search.suspects(made, rule, limit, seen, evidence, terms):
                dimension, _ = slices[suspect.dimension, suspect.key]
                chosen.setdefault(dimension, set()).add(tuple(value for _, value in suspect.key))
    told = tuple(Dimension(columns=one.columns, edges=one.edges).id for one in columns)
    return Search(columns=told, crossed=crossed, slices=len(slices)), {
        dimension: frozenset(keys) for dimension, keys in sorted(chosen.items(), key=lambda item: item[0].id)
    }


def _crossing(one: Dimension, other: Dimension) -> Dimension:
    edges = tuple(edges for dimension in (one, other) for _, edges in dimension.parts)
    return Dimension(columns=one.columns + other.columns, edges=edges if any(edges) else (), found=True)


def _needs(resolved: ResolvedPolicy, dimensions: Sequence[Dimension]) -> Needs:
    return Needs(wanted=frozenset((one, at) for one in resolved.needs.along(AUTO) for at in dimensions))


def kept(joined: ScoredRows, resolved: ResolvedPolicy, chosen: Chosen) -> tuple[Slice, ...]:
    """Return the slices that a search has chosen."""
    needs = _needs(resolved, list(chosen))
    return tuple(
        part
        for dimension, keys in chosen.items()
        for part in along(joined, dimension, resolved.policy, needs, {}, lambda key, _, keys=keys: key in keys)  # type: ignore[misc]
    )
