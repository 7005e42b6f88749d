"""Make the profile of a table, and count a window's rows in its bins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from math import inf, nextafter
from typing import Literal

from gates.contract.sql import Column, literal, quoted
from gates.documents.live.drift_profile import SCHEMA, ColumnBins, DriftProfile
from gates.documents.live.live_evidence import ColumnCounts
from gates.errors import GatesError
from gates.measure.engines import Engine
from gates.measure.holdout.tables import OpenTable, double_of
from gates.stats.drift import SEEN

BINS = {"psi": 10, "ks": 100}
LONE = 10  # a number that one in so many rows holds is a bin of its own
MOST = 200  # values of text that are bins of their own
Measure = Literal["psi", "ks"]


def profile(engine: Engine, tables: Sequence[OpenTable], asked: Iterable[tuple[str, Measure]]) -> DriftProfile:
    """Return the profile of columns, each from the first table that has it. Raises ``GatesError`` where none has it, or
    where it is of no kind that can be compared."""
    made = (_column(engine, _holder(tables, column), column, measure) for column, measure in sorted(set(asked)))
    return DriftProfile(schema=SCHEMA, columns=tuple(made))


def _holder(tables: Sequence[OpenTable], column: str) -> OpenTable:
    holder = next((table for table in tables if column in table.columns), None)
    if holder is None:
        tables[0].require(column, "monitor, drift")
        raise AssertionError(column)
    return holder


def _column(engine: Engine, table: OpenTable, column: str, measure: Measure) -> ColumnBins:
    seen = _comparable(table, column, measure)
    if not seen.is_number:
        bare = ColumnBins(
            column=column,
            measure=measure,
            text=True,
            edges=(),
            points=(),
            values=_values(engine, table, seen),
            counts=(),
        )
    else:
        points = _points(engine, table, seen) if measure == "psi" else ()
        edges = _edges(engine, table, seen, measure)
        bare = ColumnBins(column=column, measure=measure, text=False, edges=edges, points=points, values=(), counts=())
    (counts,) = count(engine, table, DriftProfile(schema=SCHEMA, columns=(bare,)))
    return replace(bare, counts=counts.counts)


def _comparable(table: OpenTable, column: str, measure: Measure) -> Column:
    seen = table.seen.get(column)
    if seen is None or seen.category in ("date", "time", "timestamp") or seen.dated:
        what = f"{table.path}: the column {column} holds {table.told(column)}, which drifts by itself"
        raise GatesError(what, where="monitor, drift", hint="Watch columns of numbers, text, or true and false.")
    if measure == "ks" and not seen.is_number:
        what = f"{table.path}: the column {column} holds {table.told(column)}, and ks compares numbers"
        raise GatesError(what, where="monitor, drift", hint="Take psi.")
    return seen


def _values(engine: Engine, table: OpenTable, column: Column) -> tuple[str, ...]:
    """Return the most frequent values of which there are rows enough to tell anything, by name."""
    text = f"CAST({column.sql} AS VARCHAR)"
    counted = f"SELECT {text} AS v, count(*) AS n FROM {quoted(table.name)} GROUP BY 1 HAVING count(*) >= {SEEN}"
    frequent = f"SELECT v FROM ({counted}) WHERE v IS NOT NULL ORDER BY n DESC, v LIMIT {MOST}"
    return tuple(sorted(str(value) for (value,) in engine.run(frequent)))


def _finite(column: Column) -> str:
    return f"({column.double} + 0.0)"  # no -0.0


def _points(engine: Engine, table: OpenTable, column: Column) -> tuple[float, ...]:
    """Return the numbers that a tenth of the rows hold."""
    number = _finite(column)
    counted = (
        f"SELECT {number} AS v, count(*) AS n, sum(count(*)) OVER () AS total FROM {quoted(table.name)} GROUP BY 1"
    )
    lone = f"SELECT gates_bits(v) FROM ({counted}) WHERE isfinite(v) AND n * {LONE} >= total ORDER BY v"
    return tuple(double_of(int(bits)) for (bits,) in engine.run(lone))


def _edges(engine: Engine, table: OpenTable, column: Column, measure: Measure) -> tuple[float, ...]:
    """Return the smallest number, the quantiles, each the smallest number that so many rows don't exceed, and the
    largest; for ks each with the next double, as how far two distributions are apart can't be seen inside of a bin."""
    number, bins = _finite(column), BINS[measure]
    counted = f"SELECT {number} AS v, count(*) AS n FROM {quoted(table.name)} WHERE isfinite({number}) GROUP BY 1"
    upto = f"SELECT v, sum(n) OVER (ORDER BY v) AS upto, sum(n) OVER () AS total FROM ({counted})"
    steps = ", ".join(
        f"gates_bits(min(CASE WHEN upto * {bins} >= {step} * total THEN v END))" for step in range(1, bins + 1)
    )
    ((low, *rest),) = engine.run(f"SELECT gates_bits(min(v)), {steps} FROM ({upto})")
    if low is None:
        return ()
    found = dict.fromkeys(double_of(int(bits)) for bits in (low, *rest))
    if measure == "psi":
        return tuple(found)
    return tuple(one for edge in found for one in (edge, nextafter(edge, inf)))  # rows that hold an edge, apart


def count(engine: Engine, table: OpenTable, known: DriftProfile) -> tuple[ColumnCounts, ...]:
    """Count the rows of a table in the bins of every profile, in one pass; no counts of a column that is not there, or
    is of another kind."""
    asked: list[str] = []
    places: list[tuple[ColumnBins, int]] = []
    for bins_of in known.columns:
        conditions = _conditions(table, bins_of)
        asked += [f"count_if({condition})" for condition in conditions]
        places.append((bins_of, len(conditions)))
    numbers = (
        iter(engine.run(f"SELECT {', '.join(['0', *asked])} FROM {quoted(table.name)}")[0][1:]) if asked else iter(())
    )
    counted = []
    for bins_of, bins in places:
        upto = [int(next(numbers)) for _ in range(bins)]
        counted.append(ColumnCounts(column=bins_of.column, measure=bins_of.measure, counts=_split(bins_of, upto)))
    return tuple(counted)


def _conditions(table: OpenTable, bins: ColumnBins) -> list[str]:
    """Write SQL of what is counted: all rows, those missing, then of numbers NaN, each point, and all below each edge
    that are no points; of text each value."""
    column = table.seen.get(bins.column)
    if column is None or column.is_number == bins.text:
        return []
    if bins.text:
        text = f"CAST({column.sql} AS VARCHAR)"
        return ["TRUE", f"{column.sql} IS NULL", *(f"{text} = {literal(value)}" for value in bins.values)]
    number = _finite(column)
    points = [f"{number} = {literal(point)}" for point in bins.points]
    other = f" AND NOT coalesce({number} IN ({', '.join(map(literal, bins.points))}), FALSE)" if bins.points else ""
    below = [f"{number} < {literal(edge)}{other}" for edge in bins.edges]
    last = [f"{number} <= {literal(bins.edges[-1])}{other}"] if bins.edges else []
    return ["TRUE", f"{column.sql} IS NULL", f"isnan({number})", *points, *below, *last]


def _split(bins: ColumnBins, numbers: Sequence[int]) -> tuple[int, ...]:
    """Return the rows of each bin from those that were counted up to each edge."""
    if not numbers:
        return ()
    total, missing, *rest = numbers
    if bins.text:
        return (missing, *rest, total - missing - sum(rest))
    nan, points, upto = rest[0], rest[1 : 1 + len(bins.points)], rest[1 + len(bins.points) :]
    valued = total - missing - nan - sum(points)
    if not upto:
        return (missing, nan, *points, valued)
    ends = [*upto[:-2], upto[-1]] if len(upto) > 2 else upto
    edges = [0, *ends, valued]
    return (missing, nan, *points, *(after - before for before, after in pairwise(edges)))
