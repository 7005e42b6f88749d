"""Columns and values as SQL text, in DuckDB's dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gates.schema.fields import Plain

Category = Literal["string", "integer", "number", "boolean", "date", "time", "timestamp"]
Dated = Literal["date", "timestamp"]
ZONED = "TIMESTAMP WITH TIME ZONE"
TEMPORAL = ("date", "time", "timestamp")  # text to JSON, with a format that holds by their type


_WHOLE_US = "(epoch_ns({0}) - ((epoch_ns({0}) % 1000) + 1000) % 1000) // 1000"  # cut off; a cast would round
READ: Mapping[str, str] = {  # types that the functions of others don't take -> SQL of the value to the microsecond
    "TIMESTAMP_S": "CAST({0} AS TIMESTAMP)",
    "TIMESTAMP_MS": "CAST({0} AS TIMESTAMP)",
    "TIMESTAMP_NS": f"CASE WHEN isfinite({{0}}) THEN make_timestamp({_WHOLE_US}) ELSE CAST({{0}} AS TIMESTAMP) END",
    "TIMESTAMPTZ_NS": f"CASE WHEN {{0}} IS NOT NULL THEN make_timestamp({_WHOLE_US}) END",
    "TIME_NS": "TIME '00:00:00' + to_microseconds(epoch_ns({0}) // 1000)",
}
BELOW: Mapping[str, str] = dict.fromkeys(  # SQL of the nanoseconds that are cut off
    ("TIMESTAMP_NS", "TIMESTAMPTZ_NS", "TIME_NS"), "((epoch_ns({0}) % 1000) + 1000) % 1000"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as JSON sees it: its quoted name and what its values are."""

    name: str
    category: Category
    kind: str = ""  # the engine's own type
    dated: Dated | None = None  # what all of its text is

    @property
    def sql(self) -> str:
        """The value, to the microsecond where it is a time."""
        name = quoted(self.name)
        return f"({READ[self.kind].format(name)})" if self.kind in READ else name

    @property
    def line(self) -> Category:
        """Its values for distances: text that is dates counts as dates."""
        return self.dated or self.category

    @property
    def place(self) -> str:
        """Where a value lies on a line: a number as it is, a date or time in whole microseconds; for
        all columns of the same line, whatever their types."""
        name, line = quoted(self.name), self.line
        if line == "time":
            return f"epoch_us(DATE '1970-01-01' + CAST({name} AS TIME))"
        kinds = {"date": "DATE", "timestamp": "TIMESTAMPTZ"}
        return f"epoch_us(CAST({name} AS {kinds[line]}))" if line in kinds else self.sql

    @property
    def json(self) -> str:
        """Its type in JSON."""
        return "string" if self.is_text else self.category

    @property
    def words(self) -> str:
        """What it holds, as people say it."""
        return _WORDS[self.category]

    @property
    def is_text(self) -> bool:
        """Whether its values are strings to JSON."""
        return self.category == "string" or self.category in TEMPORAL

    @property
    def text(self) -> str:
        """Its value as JSON text: dates and times in ISO 8601, those without a zone taken as UTC, a fraction of a
        second told in six digits where there is one."""
        if self.category == "date":
            return f"strftime({self.sql}, '%Y-%m-%d')"
        if self.category == "time":
            return _moment(f"DATE '2000-01-01' + CAST({self.sql} AS TIME)", "%H:%M:%S")
        if self.category == "timestamp":
            zoned = f"timezone('UTC', {self.sql})" if self.kind == ZONED else self.sql
            return _moment(f"CAST({zoned} AS TIMESTAMP)", "%Y-%m-%dT%H:%M:%S")
        return self.sql if self.kind in ("", "VARCHAR") else f"CAST({self.sql} AS VARCHAR)"

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers to JSON."""
        return self.category in ("integer", "number")

    @property
    def is_double(self) -> bool:
        """Whether its values are doubles, which engines write as text in their own ways."""
        return self.category == "number" and not self.kind.startswith("DECIMAL")

    @property
    def whole(self) -> str:
        """The value of a column of whole numbers as one; decimals without places are such columns, too."""
        return f"CAST({self.sql} AS HUGEINT)" if self.kind.startswith("DECIMAL") else self.sql

    @property
    def double(self) -> str:
        """Its value as the nearest double; the engine's own cast of wide numbers rounds twice."""
        wide = self.kind == "HUGEINT" or self.kind.startswith("DECIMAL(")
        return f"CAST(CAST({self.sql} AS VARCHAR) AS DOUBLE)" if wide else f"CAST({self.sql} AS DOUBLE)"


Columns = Mapping[str, Column]
_WORDS: Mapping[Category, str] = {
    "string": "text",
    "integer": "whole numbers",
    "number": "numbers",
    "boolean": "true and false",
    "date": "days",
    "time": "times of day",
    "timestamp": "moments",
}


def _moment(timestamp: str, form: str) -> str:
    return f"replace(strftime({timestamp}, '{form}.%fZ'), '.000000Z', 'Z')"


def quoted(name: str) -> str:
    """Return a column's name, or a table's, as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Plain) -> str:
    """Return a plain value as an SQL literal."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return f"CAST('{value}' AS HUGEINT)" if abs(value) >= 2**63 else str(value)
    if isinstance(value, float):
        return f"CAST('{value!r}' AS DOUBLE)"
    return "'" + str(value).replace("'", "''") + "'"


def matches(text: str, expression: str) -> str:
    """Write SQL that holds where an RE2 expression is found in a text."""
    return f"regexp_matches({text}, {literal(expression)})"


def sayable(text: str) -> bool:
    """Tell whether a text can stand in a table at all: half a surrogate pair can't."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def every(conditions: list[str]) -> str:
    """Return all of them, with what is always or never so taken out."""
    rest = list(dict.fromkeys(condition for condition in conditions if condition != "TRUE"))
    if "FALSE" in rest:
        return "FALSE"
    return " AND ".join(f"({condition})" for condition in rest) or "TRUE"


def some(conditions: list[str]) -> str:
    """Return any of them."""
    rest = list(dict.fromkeys(condition for condition in conditions if condition != "FALSE"))
    if "TRUE" in rest:
        return "TRUE"
    return " OR ".join(f"({condition})" for condition in rest) or "FALSE"


def negated(condition: str) -> str:
    """Return the contrary; conditions of this package are never null."""
    return {"TRUE": "FALSE", "FALSE": "TRUE"}.get(condition, f"NOT ({condition})")
