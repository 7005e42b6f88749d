"""What a table looks like, for a first contract: one pass over all columns, one over those of few or no repeats.

The first pass needs little memory at any number of rows: its numbers of distinct values are estimates. They only
choose which columns the second pass counts exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gates.contract.columns import TEMPORAL, Column, quoted
from gates.contract.profile import MOST_VALUES, ColumnProfile, Profile
from gates.errors import GatesError
from gates.measure.tables import Opened, run

FEW = 2 * MOST_VALUES  # estimated distinct values, up to which they are listed
NEARLY = 0.7  # of the rows: from this share of distinct values on, estimated, a column may be a key


def profile(connection: Any, opened: Opened) -> Profile:
    """The columns of a table as they were seen. Raises ``GatesError`` for a column that no contract can hold."""
    unseen = [name for name in opened.columns if name not in opened.seen]
    if unseen:
        kind = opened.columns[unseen[0]]
        raise GatesError(
            f"{opened.path}: the column {unseen[0]} is {kind}; a contract sees flat columns only",
            mend="Flatten it, or leave it out.",
        )
    columns = list(opened.seen.values())
    parts = [_seen(column) for column in columns]
    rows, *found = _select(connection, opened, ["count(*)", *(sql for part in parts for sql in part.values())])
    made, estimates = [], []
    for column, part in zip(columns, parts, strict=True):
        values, found = dict(zip(part, found, strict=False)), found[len(part) :]
        estimates.append(values.pop("distinct"))
        made.append(_column(column, rows, values))
    return Profile(path=opened.path, rows=rows, columns=tuple(_exactly(connection, opened, columns, made, estimates)))


def _select(connection: Any, opened: Opened, expressions: Sequence[str]) -> list[Any]:
    return list(run(connection, f"SELECT {', '.join(expressions)} FROM {quoted(opened.name)}")[0])


def _seen(column: Column) -> dict[str, str]:
    """Aggregates of the first pass, by name."""
    asked = {"present": f"count({column.sql})", "distinct": f"approx_count_distinct({column.sql})"}
    if column.category == "integer":
        asked |= {"low": f"min({column.sql})", "high": f"max({column.sql})"}
    elif column.category == "number":
        finite = f"FILTER (WHERE isfinite({column.double}))"
        asked |= {"low": f"min({column.double}) {finite}", "high": f"max({column.double}) {finite}"}
        asked["nan"] = f"count(*) FILTER (WHERE isnan({column.double}))"
        asked["below"] = f"count(*) FILTER (WHERE {column.double} = '-infinity'::DOUBLE)"
        asked["above"] = f"count(*) FILTER (WHERE {column.double} = 'infinity'::DOUBLE)"
    elif column.category in TEMPORAL:
        asked |= {end: f"CAST({end[:3]}({column.sql}) AS VARCHAR)" for end in ("min", "max")}
    elif column.category == "string":
        asked |= {"shortest": f"min(length({column.text}))", "longest": f"max(length({column.text}))"}
    return asked


def _column(column: Column, rows: int, found: Mapping[str, Any]) -> ColumnProfile:
    present = found["present"]
    shortest, longest = found.get("shortest"), found.get("longest")
    return ColumnProfile(
        name=column.name,
        category=column.category if present else None,
        rows=rows,
        nulls=rows - present,
        low=_whole(column, found.get("low", found.get("min"))),
        high=_whole(column, found.get("high", found.get("max"))),
        below=found.get("below") or 0,
        above=found.get("above") or 0,
        nan=found.get("nan") or 0,
        lengths=None if shortest is None or longest is None else (shortest, longest),
    )


def _whole(column: Column, value: Any) -> Any:
    """A decimal without places is a whole number to the contract."""
    return int(value) if column.category == "integer" and value is not None else value


def _exactly(
    connection: Any,
    opened: Opened,
    columns: Sequence[Column],
    made: Sequence[ColumnProfile],
    estimates: Sequence[int],
) -> list[ColumnProfile]:
    """The columns with their values where these are few, and with whether they are unique: the second pass."""
    few = [column for column, n in zip(columns, estimates, strict=True) if n <= FEW and column.category not in TEMPORAL]
    whole = {one.name for one in made if not one.nulls and one.category in ("integer", "string")}
    keys = [
        column
        for column, n, one in zip(columns, estimates, made, strict=True)
        if n >= NEARLY * one.rows and one.name in whole
    ]
    asked = [f"histogram({_value(column)})" for column in few]
    asked += [f"count(DISTINCT {column.sql})" for column in keys]
    found = _select(connection, opened, asked or ["0"])
    values = {column.name: counts for column, counts in zip(few, found, strict=False)}
    distinct = {column.name: n for column, n in zip(keys, found[len(few) :], strict=False)}
    return [
        replace(one, values=_listed(column, values.get(one.name)), unique=distinct.get(one.name) == one.rows)
        for column, one in zip(columns, made, strict=True)
    ]


def _value(column: Column) -> str:
    """The value as the contract compares it."""
    return column.text if column.category == "string" else column.double if column.category == "number" else column.sql


def _listed(column: Column, counts: Mapping[Any, int] | None) -> tuple[tuple[Any, int], ...] | None:
    if not counts or len(counts) > MOST_VALUES:
        return None
    return tuple((_whole(column, value), n) for value, n in counts.items())


def shared(connection: Any, one: Opened, other: Opened, key: str) -> int:
    """Rows of one table whose key stands in the other, too."""
    name = quoted(key)
    sql = f"SELECT count(*) FROM {quoted(one.name)} WHERE {name} IN (SELECT {name} FROM {quoted(other.name)})"
    ((rows,),) = run(connection, sql)
    return int(rows)
