"""Make the profile of a table, and count a window's rows in its bins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


def profile(
    engine: Engine, tables: Sequence[OpenTable], asked: Iterable[tuple[str, Measure]], cell: int = 1
) -> DriftProfile:
    """Return the profile of columns, each from the first table that has it. ``cell``: how many rows must have a value
    that it names.

    Raises ``GatesError`` where no table has the column, or where it is of no kind that can be compared.
    """
    made = (_column(engine, _holder(tables, column), column, measure, cell) for column, measure in sorted(set(asked)))
    return DriftProfile(schema=SCHEMA, columns=tuple(made))


def _holder(tables: Sequence[OpenTable], column: str) -> OpenTable:
    holder = next((table for table in tables if column in table.columns), None)
    if holder is None:
        tables[0].require(column, "monitor, drift")
        raise AssertionError(column)
    return holder


def _column(engine: Engine, table: OpenTable, column: str, measure: Measure, cell: int) -> ColumnBins:
    seen = _comparable(table, column, measure)
    if not seen.is_number:
        bare = ColumnBins(
            column=column,
            measure=measure,
            text=True,
            edges=(),
            points=(),
            values=_values(engine, table, seen, cell),
            counts=(),
        )
    else:
        points = _points(engine, table, seen, cell) if measure == "psi" else ()
        edges = _edges(engine, table, seen, measure, cell)
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


def _values(engine: Engine, table: OpenTable, column: Column, cell: int) -> tuple[str, ...]:
    """Return the most frequent values of which there are rows enough to tell anything, by name."""
    text = f"CAST({column.sql} AS VARCHAR)"
    counted = (
        f"SELECT {text} AS v, count(*) AS n FROM {quoted(table.name)} GROUP BY 1 HAVING count(*) >= {max(SEEN, cell)}"
    )
    frequent = f"SELECT v FROM ({counted}) WHERE v IS NOT NULL ORDER BY n DESC, v LIMIT {MOST}"
    return tuple(sorted(str(value) for (value,) in engine.run(frequent)))


def _finite(column: Column) -> str:
    return f"({column.double} + 0.0)"  # no -0.0


def _points(engine: Engine, table: OpenTable, column: Column, cell: int) -> tuple[float, ...]:
    """Return the numbers that a tenth of the rows hold."""
    number = _finite(column)
    counted = (
        f"SELECT {number} AS v, count(*) AS n, sum(count(*)) OVER () AS total FROM {quoted(table.name)} GROUP BY 1"
    )
    lone = f"SELECT gates_bits(v) FROM ({counted}) WHERE isfinite(v) AND n * {LONE} >= total AND n >= {cell} ORDER BY v"
    return tuple(double_of(int(bits)) for (bits,) in engine.run(lone))


def _edges(engine: Engine, table: OpenTable, column: Column, measure: Measure, cell: int) -> tuple[float, ...]:
    """Return the smallest number, the quantiles, each the smallest number that so many rows don't exceed, and the
    largest.

    The two ends are values of single rows: they are left out where ``cell`` asks for more. Of ks each edge has the next
    double behind it, as how far two distributions are apart can't be seen inside of a bin.
    """
    number, bins = _finite(column), BINS[measure]
    steps_of = range(1, bins + 1) if cell == 1 else range(1, bins)  # the last one is one row's value
    counted = f"SELECT {number} AS v, count(*) AS n FROM {quoted(table.name)} WHERE isfinite({number}) GROUP BY 1"
    upto = f"SELECT v, sum(n) OVER (ORDER BY v) AS upto, sum(n) OVER () AS total FROM ({counted})"
    steps = ", ".join(f"gates_bits(min(CASE WHEN upto * {bins} >= {step} * total THEN v END))" for step in steps_of)
    ((low, *rest),) = engine.run(f"SELECT gates_bits(min(v)), {steps} FROM ({upto})")
    if low is None:
        return ()
    found = dict.fromkeys(double_of(int(bits)) for bits in ((low, *rest) if cell == 1 else rest))
    if measure == "psi":
        return tuple(found)
    return tuple(one for edge in found for one in (edge, nextafter(edge, inf)))  # rows that hold an edge, apart


def count(engine: Engine, table: OpenTable, known: DriftProfile) -> tuple[ColumnCounts, ...]:
    """Count the rows of a table in the bins of every profile: numbers in one pass, and text in another; no counts of a
    column that is not there, or is of another kind."""
    there = [one for one in known.columns if _is_alike(table, one)]
    numbers, texts = ([one for one in there if one.text is text] for text in (False, True))
    asked = {one: _asked(table.seen[one.column], one) for one in numbers}
    flat = ["count(*)", *(sql for terms in asked.values() for sql in terms)]
    total, *upto = (int(n or 0) for n in engine.run(f"SELECT {', '.join(flat)} FROM {quoted(table.name)}")[0])
    rest = iter(upto)
    counts = {one: _of_numbers(one, total, [next(rest) for _ in terms]) for one, terms in asked.items()}
    values = _values_of(engine, table, texts)
    counts |= {one: _of_text(one, total, seen) for one, seen in zip(texts, values, strict=True)}
    return tuple(
        ColumnCounts(column=one.column, measure=one.measure, counts=counts.get(one, ())) for one in known.columns
    )


def _is_alike(table: OpenTable, one: ColumnBins) -> bool:
    column = table.seen.get(one.column)
    return column is not None and column.is_number != one.text


def _asked(column: Column, bins: ColumnBins) -> list[str]:
    """Write SQL of what is counted: rows that have a number, NaN, each point, and all below where each bin ends that
    are no points."""
    number = column.double
    points = [f"{number} = {literal(point)}" for point in bins.points]
    other = f" AND {number} NOT IN ({', '.join(map(literal, bins.points))})" if bins.points else ""
    ends = bins.edges[:-1] if len(bins.edges) > 1 else bins.edges
    below = [f"{number} < {literal(edge)}{other}" for edge in ends]
    last = [f"{number} <= {literal(bins.edges[-1])}{other}"] if bins.edges else []
    conditions = (f"isnan({number})", *points, *below, *last)
    return [f"count({column.sql})", *(f"count_if({condition})" for condition in conditions)]


def _of_numbers(one: ColumnBins, total: int, found: Sequence[int]) -> tuple[int, ...]:
    """Return the rows of each bin from those that were counted up to each end."""
    valued, nan, *rest = found
    points, upto = rest[: len(one.points)], rest[len(one.points) :]
    ends = [0, *upto, valued - nan - sum(points)]
    return (total - valued, nan, *points, *(after - before for before, after in pairwise(ends)))


def _values_of(engine: Engine, table: OpenTable, columns: Sequence[ColumnBins]) -> list[dict[str | None, int]]:
    """Count the rows of each value that a profile names, and those that have none, in one grouping of all columns: a
    condition for each value takes many times as long."""
    if not columns:
        return []
    places = range(len(columns))
    texts = [f"CAST({table.seen[one.column].sql} AS VARCHAR) AS v{place}" for place, one in enumerate(columns)]
    sets = ", ".join(f"(v{place})" for place in places)
    keys = ", ".join(f"v{place}, grouping(v{place}) AS g{place}" for place in places)
    inner = f"SELECT {', '.join(texts)} FROM {quoted(table.name)}"
    grouped = f"SELECT {keys}, count(*) AS n FROM ({inner}) GROUP BY GROUPING SETS ({sets})"
    named = [", ".join(map(literal, one.values)) for one in columns]
    wanted = " OR ".join(
        f"(g{place} = 0 AND (v{place} IS NULL{f' OR v{place} IN ({some})' if some else ''}))"
        for place, some in enumerate(named)
    )
    values: list[dict[str | None, int]] = [{} for _ in columns]
    for row in engine.run(f"SELECT * FROM ({grouped}) WHERE {wanted}"):
        place = next(place for place in places if row[2 * place + 1] == 0)
        values[place][row[2 * place]] = int(row[-1])
    return values


def _of_text(one: ColumnBins, total: int, found: Mapping[str | None, int]) -> tuple[int, ...]:
    missing, rows = found.get(None, 0), [found.get(value, 0) for value in one.values]
    return (missing, *rows, total - missing - sum(rows))
