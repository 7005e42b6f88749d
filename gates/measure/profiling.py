"""Profile a table for a first contract: one pass over all columns, one over those with few or no repeats.

The first pass needs little memory at any number of rows: its numbers of distinct values are estimates. They only
choose which columns the second pass counts exactly. A wide table is looked at some columns at a time, as the engine
plans a query of thousands of aggregates for minutes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gates.contract.profile import MOST_VALUES, SAFE, ColumnProfile, Profile
from gates.contract.rules.keywords import KEYWORDS
from gates.contract.sql import TEMPORAL, Column, quoted
from gates.errors import GatesError
from gates.measure.engines.engine_types import told
from gates.measure.holdout.tables import OpenTable

FEW = 2 * MOST_VALUES  # estimated distinct values, up to which they are listed
FORMATS = {"date": "date", "time": "time", "timestamp": "date-time"}
AT_ONCE = 50  # columns of one query
NEARLY = 0.7  # of the rows: from this share of distinct values on, estimated, a column may be a key


def profile(connection: Any, opened: OpenTable) -> Profile:
    """Return the columns of a table as they were seen. Raises ``GatesError`` for a column that no contract can hold."""
    seen = opened.seen
    unseen = [name for name in opened.columns if name not in seen]
    if unseen:
        raise GatesError(
            f"{opened.path}: the column {unseen[0]} is {told(opened.columns[unseen[0]])}",
            hint="Contracts cover text, numbers, booleans, dates and times. Flatten the column, or leave it out.",
        )
    columns = list(seen.values())
    ((rows,),) = connection.run(f"SELECT count(*) FROM {quoted(opened.name)}")
    found = _select(connection, opened, [_seen(column) for column in columns])
    estimates = [counts.pop("distinct") for counts in found]
    profiles = [_column(column, rows, counts) for column, counts in zip(columns, found, strict=True)]
    whole = [
        not profile.nulls and column.category in ("integer", "string")
        for column, profile in zip(columns, profiles, strict=True)
    ]
    asked = [
        _exactly(column, n, key=complete and n >= NEARLY * rows)
        for column, n, complete in zip(columns, estimates, whole, strict=True)
    ]
    exact = _select(connection, opened, asked)
    known = tuple(
        replace(profile, values=_listed(column, part.get("values")), unique=part.get("distinct") == rows, distinct=n)
        for column, profile, part, n in zip(columns, profiles, exact, estimates, strict=True)
    )
    return Profile(path=opened.path, rows=rows, columns=known)


def _select(connection: Any, opened: OpenTable, asked: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return the values of aggregates by name, a mapping for each column; ``AT_ONCE`` columns a query."""
    selected: list[dict[str, Any]] = []
    for start in range(0, len(asked), AT_ONCE):
        parts = asked[start : start + AT_ONCE]
        expressions = [sql for part in parts for sql in part.values()]
        (row,) = connection.run(f"SELECT {', '.join(['0', *expressions])} FROM {quoted(opened.name)} LIMIT 1")
        values = iter(row[1:])
        selected += [{name: next(values) for name in part} for part in parts]
    return selected


def _seen(column: Column) -> dict[str, str]:
    """Return the aggregates of the first pass, by name."""
    asked = {"present": f"count({column.sql})", "distinct": f"approx_count_distinct({column.sql})"}
    if column.category == "integer":
        asked |= {"low": f"min({column.sql})", "high": f"max({column.sql})"}
    elif column.category == "number":
        finite = f"CASE WHEN isfinite({column.double}) THEN {column.double} END"
        asked |= {"low": f"min({finite})", "high": f"max({finite})"}
        asked["nan"] = f"count_if(isnan({column.double}))"
        asked["below"] = f"count_if({column.double} = '-infinity'::DOUBLE)"
        asked["above"] = f"count_if({column.double} = 'infinity'::DOUBLE)"
    elif column.line in TEMPORAL:
        asked |= {end: f"CAST({end[:3]}({column.sql}) AS VARCHAR)" for end in ("min", "max")}
        kept = KEYWORDS["format"].kept(column, FORMATS[column.line])
        asked["strange"] = f"count_if(NOT ({kept}))"
    elif column.category == "string":
        asked |= {"shortest": f"min(length({column.text}))", "longest": f"max(length({column.text}))"}
    return asked


def _column(column: Column, rows: int, counts: Mapping[str, Any]) -> ColumnProfile:
    present = counts["present"]
    shortest, longest = counts.get("shortest"), counts.get("longest")
    return ColumnProfile(
        name=column.name,
        category=column.line if present else None,
        rows=rows,
        nulls=rows - present,
        low=_whole(column, counts.get("low", counts.get("min"))),
        high=_whole(column, counts.get("high", counts.get("max"))),
        below=counts.get("below") or 0,
        above=counts.get("above") or 0,
        nan=counts.get("nan") or 0,
        lengths=None if shortest is None or longest is None else (shortest, longest),
        format=FORMATS[column.line] if counts.get("strange") == 0 else None,
    )


def _whole(column: Column, value: Any) -> Any:
    """Return a value of an integer column as a whole number: to the contract a decimal without places is one."""
    return int(value) if column.category == "integer" and value is not None else value


def _exactly(column: Column, distinct: int, *, key: bool) -> dict[str, str]:
    """Return the aggregates of the second pass: values where they seem few, how many are distinct in a possible key."""
    few = distinct <= FEW and column.line not in TEMPORAL
    asked = {"values": f"histogram({_value(column)})"} if few else {}
    return asked | ({"distinct": f"count(DISTINCT {column.sql})"} if key else {})


def _value(column: Column) -> str:
    """Return the value as the contract compares it."""
    return column.text if column.category == "string" else column.double if column.category == "number" else column.sql


def _listed(column: Column, counts: Mapping[Any, int] | None) -> tuple[tuple[Any, int], ...] | None:
    """Return all values where they are few, and such that JSON can say them exactly."""
    if not counts or len(counts) > MOST_VALUES:
        return None
    if column.category == "integer" and any(abs(value) > SAFE for value in counts):
        return None
    return tuple((_whole(column, value), n) for value, n in counts.items())


def shared(connection: Any, ours: OpenTable, theirs: OpenTable, key: str) -> int:
    """Return rows of one table whose key stands in the other, too."""
    name = quoted(key)
    sql = f"SELECT count(*) FROM {quoted(ours.name)} WHERE {name} IN (SELECT {name} FROM {quoted(theirs.name)})"
    ((rows,),) = connection.run(sql)
    return int(rows)
