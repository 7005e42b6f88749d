"""Rules over a whole table. Each is one class: its keys in the file, and the rule it makes.

To add one, write a class like these and name it in ``TABLE_RULES``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final, Literal

from gates.contract.rules.contract_rule import SEVERITY, AllowedRange, ContractRule, Known, Severity, listed
from gates.contract.rules.freshness import Fresh
from gates.contract.rules.reference_rules import Drift, Leakage, Refers
from gates.contract.rules.row_rules import counted, kept
from gates.contract.sql import Columns, every, quoted
from gates.schema.fields import Plain, declare

COLUMNS = "columns"  # the id of the rule about which columns there are


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Bounds, both inclusive."""

    min: float = declare("At least this.", default=0, minimum=0)
    max: float | None = declare("At most this.", default=None, minimum=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsRule:
    """How many rows there may be."""

    EXAMPLE = "rows: {min: 500, max: 1000000}"
    rows: Range = declare("The bounds.", minProperties=1)
    severity: Severity = declare(SEVERITY, default="error")

    def rule(self, _: Known, /) -> ContractRule:
        """Count all rows."""
        bounds = AllowedRange(low=self.rows.min, high=inf if self.rows.max is None else self.rows.max)
        return ContractRule(id="rows", asks="rows", count=lambda _: "count(*)", bounds=bounds, severity=self.severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unique:
    """Values that may not repeat. A row in which one of the columns is missing counts as a repeat."""

    EXAMPLE = "unique: [customer, month]\nmax: 0.001"
    unique: tuple[str, ...] = declare("A column, or several together.", single=True, minItems=1)
    max: float = declare("The largest share of rows that repeat, 0 to 1.", default=0, minimum=0, maximum=1)
    severity: Severity = declare(SEVERITY, default="error")

    def rule(self, _: Known, /) -> ContractRule:
        """Count rows beyond the first of each value."""
        columns = [quoted(column) for column in self.unique]
        present = every([f"{column} IS NOT NULL" for column in columns])
        together = f"({', '.join(columns)})" if len(columns) > 1 else columns[0]
        return ContractRule(
            id=f"unique({listed(self.unique)})",
            asks=f"{listed(self.unique)} repeated or missing" if self.max else "no value twice, none missing",
            count=lambda _: f"count(*) - count(DISTINCT {together}) FILTER (WHERE {present})",
            bounds=AllowedRange(high=self.max, share=self.max > 0),
            severity=self.severity,
            columns=self.unique,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Nulls:
    """The share of missing values. NaN is a number, not missing."""

    EXAMPLE = "nulls: income\nmax: 0.02"
    nulls: str = declare("The column.")
    max: float = declare("The largest share, 0 to 1.", default=0, minimum=0, maximum=1)
    severity: Severity = declare(SEVERITY, default="error")

    def rule(self, _: Known, /) -> ContractRule:
        """Count nulls."""
        return ContractRule(
            id=f"nulls({self.nulls})",
            asks=f"{self.nulls} missing",
            count=lambda _: counted(f"{quoted(self.nulls)} IS NULL"),
            bounds=AllowedRange(high=self.max, share=True),
            severity=self.severity,
            columns=(self.nulls,),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesRule:
    """The share of the rows that have a value, such as the balance of classes."""

    EXAMPLE = 'values: churn\nequal: "Yes"\nmin: 0.1\nmax: 0.5'
    values: str = declare("The column.")
    equal: str | float | bool = declare("The value; equal to it is what `const` takes to be equal.")
    min: float = declare("The smallest share, 0 to 1.", default=0, minimum=0, maximum=1)
    max: float = declare("The largest share, 0 to 1.", default=1, minimum=0, maximum=1)
    severity: Severity = declare(SEVERITY, default="error")

    def rule(self, known: Known, /) -> ContractRule:
        """Count rows with the value; of a column whose values are shown nowhere the rule doesn't name it either."""
        value = str(self.equal).lower() if isinstance(self.equal, bool) else str(self.equal)
        shown = f"entry {known.place} of table" if self.values in known.hidden else value
        return ContractRule(
            id=f"values({self.values}={shown})",
            asks=f"{self.values} is {shown}",
            count=lambda columns: counted(kept({"const": self.equal}, columns[self.values], columns)),
            bounds=AllowedRange(low=self.min, high=self.max, share=True),
            severity=self.severity,
            columns=(self.values,),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSet:
    """Which columns there may be, and in which order: those that the record names."""

    EXAMPLE = "columns: ordered"
    columns: Literal["exact", "ordered"] = declare("exact: these and no others; ordered: in the record's order, too.")
    severity: Severity = declare(SEVERITY, default="error")

    def rule(self, known: Known, /) -> ContractRule:
        """Count all rows if a column is extra, missing or out of place: columns are in all rows or in none."""

        def count(columns: Columns) -> str:
            ordered = self.columns == "ordered"
            same = tuple(columns) == known.columns if ordered else set(columns) == set(known.columns)
            return "0" if same else "count(*)"

        asks = "the record's columns and no others" + (", in its order" if self.columns == "ordered" else "")
        return ContractRule(id=COLUMNS, asks=asks, count=count, severity=self.severity)


TABLE_RULES: Final[Mapping[str, type[Any]]] = {
    "rows": RowsRule,
    "unique": Unique,
    "nulls": Nulls,
    "values": ValuesRule,
    "fresh": Fresh,
    "leakage": Leakage,
    "refers": Refers,
    "drift": Drift,
    "columns": ColumnSet,
}


def written(rule: Plain) -> str | None:
    """Return the kind of an entry: the one key of ``TABLE_RULES`` that it has first."""
    return next((key for key in rule if key in TABLE_RULES), None) if isinstance(rule, dict) else None
