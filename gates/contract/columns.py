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
        """Its value as JSON text: dates and times in ISO 8601, a timestamp without zone taken as UTC."""
        forms = {
            "date": f"strftime({self.sql}, '%Y-%m-%d')",
            "time": f"CAST({self.sql} AS VARCHAR)",
            "timestamp": f"strftime(CAST({self.sql} AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%fZ')",
        }
        plain = self.sql if self.kind in ("", "VARCHAR") else f"CAST({self.sql} AS VARCHAR)"
        return forms.get(self.category, plain)

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers to JSON."""
        return self.category in ("integer", "number")

    @property
    def double(self) -> str:
        """Its value as a double."""
        return f"CAST({self.sql} AS DOUBLE)"


Columns = Mapping[str, Column]


def quoted(name: str) -> str:
    """A column's name as an SQL identifier."""
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
