"""Rules over a whole table. Each is one class: its keys in the file, and the rule that it makes.

To add one, write a class like these and name it in ``TABLE_RULES``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final, Literal, Protocol

from gates.contract.columns import Column, Columns, literal, quoted
from gates.contract.record import counted
from gates.contract.rules import Bounds, Rule, Severity
from gates.evidence import Finding
from gates.fields import Plain, declare
from gates.stats.drift import MEASURES

BINS = 10  # of a numeric column, at the reference's quantiles
SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
NOW = "gates_now()"  # the time of measuring, which the engine is told


def _severity() -> Any:
    return declare("What breaking it does: error stops the run, warn is only told.", default="error")


def _named(columns: Sequence[str]) -> str:
    return ", ".join(columns)


def _tuple(columns: Sequence[str], table: str = "") -> str:
    names = [f"{table}{quoted(column)}" for column in columns]
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


class TableRule(Protocol):
    """One entry of ``table``."""

    def rule(self, known: tuple[str, ...], /) -> Rule:
        """The rule; ``known`` are the columns that the record names, in their order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Bounds, both inclusive."""

    min: float = declare("At least this.", default=0, minimum=0)
    max: float | None = declare("At most this.", default=None, minimum=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """How many rows there may be."""

    rows: Range = declare("The bounds.", minProperties=1)
    severity: Severity = _severity()

    def rule(self, _: tuple[str, ...], /) -> Rule:
        """Count all rows."""
        bounds = Bounds(low=self.rows.min, high=inf if self.rows.max is None else self.rows.max)
        return Rule(id="rows", asks="rows", count=lambda _: "count(*)", bounds=bounds, severity=self.severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unique:
    """Values that may not repeat."""

    unique: tuple[str, ...] = declare("A column, or several taken together.", single=True, minItems=1)
    severity: Severity = _severity()

    def rule(self, _: tuple[str, ...], /) -> Rule:
        """Count rows beyond the first of each value; a missing value counts as a repeat."""
        return Rule(
            id=f"unique({_named(self.unique)})",
            asks="no value twice, none missing",
            count=lambda _: f"count(*) - count(DISTINCT {_tuple(self.unique)})",
            severity=self.severity,
            columns=self.unique,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Nulls:
    """The share of missing values."""

    nulls: str = declare("The column.")
    max: float = declare("The largest share, 0 to 1.", default=0, minimum=0, maximum=1)
    severity: Severity = _severity()

    def rule(self, _: tuple[str, ...], /) -> Rule:
        """Count nulls."""
        return Rule(
            id=f"nulls({self.nulls})",
            asks=f"{self.nulls} missing",
            count=lambda _: counted(f"{quoted(self.nulls)} IS NULL"),
            bounds=Bounds(high=self.max, share=True),
            severity=self.severity,
            columns=(self.nulls,),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """The share of the rows that have a value, such as the balance of classes."""

    values: str = declare("The column.")
    equal: str | float | bool = declare("The value.")
    min: float = declare("The smallest share, 0 to 1.", default=0, minimum=0, maximum=1)
    max: float = declare("The largest share, 0 to 1.", default=1, minimum=0, maximum=1)
    severity: Severity = _severity()

    def rule(self, _: tuple[str, ...], /) -> Rule:
        """Count rows with the value."""
        value = str(self.equal).lower() if isinstance(self.equal, bool) else str(self.equal)
        numeric = isinstance(self.equal, int | float) and not isinstance(self.equal, bool)
        text = f"CAST({quoted(self.values)} AS VARCHAR) = {literal(value)}"
        number = f"TRY_CAST({quoted(self.values)} AS DOUBLE) = {literal(self.equal)}"
        return Rule(
            id=f"values({self.values}={value})",
            asks=f"{self.values} is {value}",
            count=lambda _: counted(number if numeric else text),
            bounds=Bounds(low=self.min, high=self.max, share=True),
            severity=self.severity,
            columns=(self.values,),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """How old the newest row may be when it is measured."""

    fresh: str = declare("A column of dates or timestamps; without a zone they are UTC.")
    within: str = declare("A time such as 36h, 7d or 2w.", pattern="^[1-9][0-9]{0,5}[mhdw]$")
    severity: Severity = _severity()

    def rule(self, _: tuple[str, ...], /) -> Rule:
        """Count all rows if the newest is too old, else none."""
        seconds = int(self.within[:-1]) * SECONDS[self.within[-1]]
        newest = f"max(TRY_CAST({quoted(self.fresh)} AS TIMESTAMP))"
        limit = f"{NOW} - INTERVAL {seconds} SECOND"
        return Rule(
            id=f"fresh({self.fresh})",
            asks=f"the newest within {self.within}",
            count=lambda _: f"CASE WHEN {newest} >= {limit} THEN 0 ELSE count(*) END",
            severity=self.severity,
            columns=(self.fresh,),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Leakage:
    """Holdout rows that the training has seen."""

    leakage: tuple[str, ...] = declare("Columns that together name a row.", single=True, minItems=1)
    max: float = declare("The largest share of holdout rows, 0 to 1.", default=0, minimum=0, maximum=1)
    severity: Severity = _severity()

    def rule(self, _: tuple[str, ...], /) -> Rule:
        """Count holdout rows whose columns stand in a training row as well."""
        return Rule(
            id=f"leakage({_named(self.leakage)})",
            asks=f"{_named(self.leakage)} stand in the training data too",
            query=lambda this, other, _: _found(this, self.leakage, other, self.leakage, found=True),
            value=_first_share,
            bounds=Bounds(high=self.max, share=True),
            severity=self.severity,
            columns=self.leakage,
            tables=("holdout",),
            beside="train",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refers:
    """Values that must stand in another table."""

    refers: tuple[str, ...] = declare("A column, or several taken together.", single=True, minItems=1)
    to: str = declare("The other table: a file or a glob.", minLength=1)
    column: tuple[str, ...] = declare("Its columns; the same names if left out.", default=(), single=True)
    max: float = declare("The largest share of rows without a partner, 0 to 1.", default=0, minimum=0, maximum=1)
    severity: Severity = _severity()

    def rule(self, _: tuple[str, ...], /) -> Rule:
        """Count rows whose value is not there; a missing value refers to nothing and is not counted."""
        there = self.column or self.refers
        return Rule(
            id=f"refers({_named(self.refers)})",
            asks=f"{_named(self.refers)} not found in {self.to}",
            query=lambda this, other, _: _found(this, self.refers, other, there, found=False),
            value=_first_share,
            bounds=Bounds(high=self.max, share=True),
            severity=self.severity,
            columns=self.refers,
            beside=self.to,
        )


def _found(this: str, here: Sequence[str], other: str, there: Sequence[str], *, found: bool) -> str:
    """One row: rows of ``this`` whose columns are (not) found in ``other``, and all its rows."""
    matched = " AND ".join(f"t.{quoted(a)} = o.{quoted(b)}" for a, b in zip(here, there, strict=False))
    present = " AND ".join(f"t.{quoted(column)} IS NOT NULL" for column in here)
    exists = f"{'' if found else 'NOT '}EXISTS (SELECT 1 FROM {quoted(other)} o WHERE {matched})"
    return f"SELECT 'rows', count(*) FILTER (WHERE {present} AND {exists}), count(*) FROM {quoted(this)} t"


def _first_share(finding: Finding) -> float:
    part = finding.parts[0]
    return part.here / part.there if part.there else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far a column may lie from a reference; of the label it is label shift."""

    drift: str = declare("The column.")
    max: float = declare("The largest distance.", minimum=0)
    measure: Literal["psi", "js", "ks"] = declare("The distance: psi, js (Jensen-Shannon) or ks.", default="psi")
    against: str = declare("The reference: train, or a file or a glob.", default="train")
    severity: Severity = _severity()

    def rule(self, _: tuple[str, ...], /) -> Rule:
        """Count both tables' rows by bins at the reference's quantiles, or by value."""
        return Rule(
            id=f"drift({self.drift})",
            asks=f"{self.measure} of {self.drift} against {self.against}",
            query=self._query,
            value=lambda finding: MEASURES[self.measure]([(part.here, part.there) for part in finding.parts]),
            bounds=Bounds(high=self.max),
            severity=self.severity,
            columns=(self.drift,),
            tables=("holdout",) if self.against == "train" else ("train", "holdout"),
            beside=self.against,
        )

    def _query(self, this: str, other: str, columns: Columns) -> str:
        column = columns[self.drift]
        if self.measure == "ks":
            return _ks(this, other, column.sql)
        value = _binned(column, other) if column.is_number else f"CAST({column.sql} AS VARCHAR)"
        sides = _sides(this, other, f"{value} AS v")
        return f"SELECT v, sum(here), sum(there) FROM ({sides}) GROUP BY v ORDER BY v NULLS FIRST"


def _sides(this: str, other: str, value: str, where: str = "TRUE") -> str:
    """Both tables' rows, one under the other, each telling on which side it stands."""
    return " UNION ALL ".join(
        f"SELECT {value}, {here} AS here, {1 - here} AS there FROM {quoted(table)} WHERE {where}"
        for table, here in ((this, 1), (other, 0))
    )


def _binned(column: Column, reference: str) -> str:
    """SQL of the bin that a number falls into, between the reference's quantiles; NaN is a bin of its own."""
    steps = ", ".join(str(step / BINS) for step in range(1, BINS))
    finite = f"CASE WHEN isfinite({column.double}) THEN {column.double} END"
    edges = f"(SELECT list_distinct(quantile_disc({finite}, [{steps}])) FROM {quoted(reference)})"
    bin_ = f"CAST(len(list_filter({edges}, lambda e: e < {column.double})) AS VARCHAR)"
    return f"CASE WHEN {column.sql} IS NULL THEN NULL WHEN isnan({column.double}) THEN 'NaN' ELSE {bin_} END"


def _ks(this: str, other: str, name: str) -> str:
    """The largest gap between the two step functions, times both numbers of rows: a whole number."""
    steps = (
        f"SELECT v, sum(here) AS n, sum(there) AS m FROM ({_sides(this, other, f'{name} AS v', f'{name} IS NOT NULL')})"
    )
    upto = ", ".join(f"sum({side}) OVER (ORDER BY v) AS {side}s, sum({side}) OVER () AS {side}_all" for side in "nm")
    gap = "max(abs(ns * m_all - ms * n_all)), any_value(n_all * m_all)"
    return f"SELECT 'ks', {gap} FROM (SELECT {upto} FROM ({steps} GROUP BY v)) HAVING count(*) > 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSet:
    """Which columns there may be, and in which order: those that the record names."""

    columns: Literal["exact", "ordered"] = declare("exact: these and no others; ordered: in the record's order, too.")
    severity: Severity = _severity()

    def rule(self, known: tuple[str, ...], /) -> Rule:
        """Columns are in all rows or in none: one too many, too few or out of place is told of every row."""

        def count(columns: Columns) -> str:
            same = tuple(columns) == known if self.columns == "ordered" else set(columns) == set(known)
            return "0" if same else "count(*)"

        asks = "the record's columns and no others" + (", in its order" if self.columns == "ordered" else "")
        return Rule(id="columns", asks=asks, count=count, severity=self.severity)


TABLE_RULES: Final[Mapping[str, type[Any]]] = {
    "rows": Rows,
    "unique": Unique,
    "nulls": Nulls,
    "values": Values,
    "fresh": Fresh,
    "leakage": Leakage,
    "refers": Refers,
    "drift": Drift,
    "columns": ColumnSet,
}


def written(rule: Plain) -> str | None:
    """The kind of an entry: the one key of ``TABLE_RULES`` that it has first."""
    return next((key for key in rule if key in TABLE_RULES), None) if isinstance(rule, dict) else None
