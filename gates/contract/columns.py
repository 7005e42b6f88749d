"""Columns and values as SQL text, in DuckDB's dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gates.fields import Plain

Category = Literal["string", "integer", "number", "boolean", "date", "time", "timestamp"]
TEMPORAL = ("date", "time", "timestamp")  # text to JSON, with a format that holds by their type


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as JSON sees it: its quoted name and what its values are."""

    name: str
    category: Category
    kind: str = ""  # the engine's own type

    @property
    def sql(self) -> str:
        """The quoted name."""
        return quoted(self.name)

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
            zoned = f"timezone('UTC', {self.sql})" if "ZONE" in self.kind else self.sql
            return _moment(f"CAST({zoned} AS TIMESTAMP)", "%Y-%m-%dT%H:%M:%S")
        return self.sql if self.kind in ("", "VARCHAR") else f"CAST({self.sql} AS VARCHAR)"

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers to JSON."""
        return self.category in ("integer", "number")

    @property
    def is_double(self) -> bool:
        """Whether its values are doubles, of which engines tell the text in their own ways."""
        return self.category == "number" and not self.kind.startswith("DECIMAL")

    @property
    def whole(self) -> str:
        """The value of a column of whole numbers as one; decimals without places are such columns, too."""
        return f"CAST({self.sql} AS HUGEINT)" if self.kind.startswith("DECIMAL") else self.sql

    @property
    def double(self) -> str:
        """Its value as the nearest double; the engine's own cast of 128 bits rounds twice."""
        wide = self.category == "integer" and self.kind.startswith(("HUGEINT", "DECIMAL"))
        return f"CAST(CAST({self.sql} AS VARCHAR) AS DOUBLE)" if wide else f"CAST({self.sql} AS DOUBLE)"


Columns = Mapping[str, Column]


def _moment(timestamp: str, form: str) -> str:
    return f"replace(strftime({timestamp}, '{form}.%fZ'), '.000000Z', 'Z')"


def quoted(name: str) -> str:
    """A column's name, or a table's, as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Plain) -> str:
    """A plain value as an SQL literal."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return f"CAST('{value}' AS HUGEINT)" if abs(value) >= 2**63 else str(value)
    if isinstance(value, float):
        return f"CAST('{value!r}' AS DOUBLE)"
    return "'" + str(value).replace("'", "''") + "'"


def matches(text: str, expression: str) -> str:
    """SQL that holds where an RE2 expression is found in a text."""
    return f"regexp_matches({text}, {literal(expression)})"


def sayable(text: str) -> bool:
    """Whether a text can stand in a table at all: half a surrogate pair can't."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def every(conditions: list[str]) -> str:
    """All of them, with what is always or never so taken out."""
    rest = list(dict.fromkeys(one for one in conditions if one != "TRUE"))
    if "FALSE" in rest:
        return "FALSE"
    return " AND ".join(f"({one})" for one in rest) or "TRUE"


def some(conditions: list[str]) -> str:
    """Any of them."""
    rest = list(dict.fromkeys(one for one in conditions if one != "FALSE"))
    if "TRUE" in rest:
        return "TRUE"
    return " OR ".join(f"({one})" for one in rest) or "FALSE"


def negated(condition: str) -> str:
    """The contrary; conditions of this package are never null."""
    return {"TRUE": "FALSE", "FALSE": "TRUE"}.get(condition, f"NOT ({condition})")
