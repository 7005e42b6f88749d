"""Convert frames in memory into what the engine can read, column by column."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from gates.errors import GatesError

_NUMBERS = {int, float, Decimal}
_TEXT: Mapping[type, Callable[[Any], str]] = {  # types of cells -> their text, as JSON has it
    str: str,
    bool: lambda value: str(value).lower(),
    int: str,
    float: repr,
    Decimal: str,
    dt.date: dt.date.isoformat,
    dt.datetime: lambda value: _utc(value).isoformat().replace("+00:00", "Z"),
    dt.time: dt.time.isoformat,
}


def names(table: Any) -> list[str] | None:
    """Return the columns' names as the frame has them; None where it can't say."""
    given = getattr(table, "column_names", getattr(table, "columns", None))
    return None if given is None else [str(name) for name in given]


def parts(table: Any) -> list[tuple[str, Any]]:
    """Return the columns' names, each with a frame of that column alone; none where that can't be had."""
    if hasattr(table, "column_names"):
        return [(name, table.select([name])) for name in table.column_names]
    return [(str(name), table[[name]]) for name in getattr(table, "columns", ())]


def plain(table: Any, name: str) -> Any:
    """Return the frame. In one of pandas each column of objects is made of one type, which is that of all its values:
    the engine would go by the first. Values of several types are text.

    Raises ``GatesError`` for what is no value of a cell beside others that are.
    """
    if not _is_pandas(table):
        return table
    retyped: dict[Any, Any] = {}
    for column in table.columns:
        if table[column].dtype == object:
            values = _of_one_type(table[column], f"{name}: the column {column}")
            retyped |= {} if values is None else {column: values}
    if not retyped:
        return table
    changed = table.copy(deep=False)
    for column, values in retyped.items():
        changed[column] = values
    return changed


def straight(table: Any) -> Any:
    """Return a copy of a frame of pandas whose values lie in memory from the last to the first, which the engine can't
    read; None of any other."""
    if not _is_pandas(table):
        return None
    arrays = [table.iloc[:, place].to_numpy() for place in range(table.shape[1])]
    return table.copy() if any(stride < 0 for array in arrays for stride in array.strides) else None


def _is_pandas(table: Any) -> bool:
    return type(table).__module__.split(".")[0] == "pandas" and hasattr(table, "dtypes")


def _of_one_type(series: Any, where: str) -> Any:
    """Return the column as one of a single type; None where it is one already, or of what the engine has to judge."""
    present = series[~series.isna()]
    kinds = set(map(type, present))
    if len(kinds) <= 1 and not kinds & {dt.datetime}:
        return None
    values = present.map(_plain)
    kinds = set(map(type, values))
    unknown = kinds - _TEXT.keys()
    if unknown and len(kinds) > 1:
        told = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise GatesError(f"{where} holds {told}", hint="Give it one type.")
    if kinds == {dt.datetime}:
        values = values.map(_utc) if len({value.tzinfo is None for value in values}) > 1 else values
    elif kinds <= _NUMBERS and len(kinds) > 1:
        values = values.map(float if float in kinds else Decimal)
    elif len(kinds) > 1:
        values = values.map(lambda value: _TEXT[type(value)](value))
    return values.astype(object).reindex(series.index)


def _plain(value: Any) -> Any:
    """Return a value of numpy's or pandas' as Python's own."""
    if isinstance(value, dt.datetime):
        return value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
    return value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value


def _utc(value: dt.datetime) -> dt.datetime:
    """Convert a time to UTC. One without a zone is taken as UTC."""
    return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
