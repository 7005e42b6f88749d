"""Table rules that hold a table against another one: rows in both, references, drift. See ``tables``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gates.contract.columns import TEMPORAL, Column, quoted
from gates.contract.rules import SEVERITY, Bounds, Known, Rule, Severity, Side, listed
from gates.errors import GatesError
from gates.evidence import Finding
from gates.fields import declare
from gates.stats.drift import MEASURES

BINS = 10  # of a column of numbers, at the reference's quantiles
MOST = 200  # values of a column of text that are told apart, the reference's most frequent


@dataclass(frozen=True, slots=True, kw_only=True)
class Leakage:
    """Holdout rows that the training has seen: rows or keys that stand in both. Judged where there is a train table."""

    EXAMPLE = "leakage: [customer, month]\nmax: 0.01"
    leakage: tuple[str, ...] = declare(
        "Columns that together name a row; one with a missing value is the same as no other.", single=True, minItems=1
    )
    max: float = declare("The largest share of holdout rows, 0 to 1.", default=0, minimum=0, maximum=1)
    severity: Severity = declare(SEVERITY, default="error")

    def rule(self, _: Known, /) -> Rule:
        """Count holdout rows whose columns stand in a training row as well."""
        return Rule(
            id=f"leakage({listed(self.leakage)})",
            asks=f"{listed(self.leakage)} in the training data, too",
            query=lambda this, other: _found(this, self.leakage, other, self.leakage, found=True),
            value=_first_share,
            bounds=Bounds(high=self.max, share=True),
            severity=self.severity,
            columns=self.leakage,
            columns_beside=self.leakage,
            tables=("holdout",),
            beside="train",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refers:
    """Values that must stand in another table. A row in which one is missing refers to nothing and keeps the rule."""

    EXAMPLE = "refers: branch_id\nto: branches.csv\ncolumn: id"
    refers: tuple[str, ...] = declare("A column, or several taken together.", single=True, minItems=1)
    to: str = declare("The other table: a file or a glob.", minLength=1)
    column: tuple[str, ...] = declare("Its columns; the same names if left out.", default=(), single=True)
    max: float = declare("The largest share of rows without a partner, 0 to 1.", default=0, minimum=0, maximum=1)
    severity: Severity = declare(SEVERITY, default="error")

    def rule(self, _: Known, /) -> Rule:
        """Count rows whose value is not there."""
        there = self.column or self.refers
        return Rule(
            id=f"refers({listed(self.refers)})",
            asks=f"{listed(self.refers)} not in {self.to}",
            query=lambda this, other: _found(this, self.refers, other, there, found=False),
            value=_first_share,
            bounds=Bounds(high=self.max, share=True),
            severity=self.severity,
            columns=self.refers,
            columns_beside=there,
            beside=self.to,
        )

    def mistake(self) -> str | None:
        """What no schema can see."""
        if self.column and len(self.column) != len(self.refers):
            return f"refers names {len(self.refers)} columns and column {len(self.column)}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far a column lies from a reference; of the label it is label shift.

    `psi` and `js` compare shares of rows: numbers, dates and times in 10 bins at the reference's quantiles, text by
    value (the reference's 200 most frequent, the rest together); missing values are a bin of their own. `psi` adds
    half a row to every bin. `ks` is the two-sample statistic of the values that are not missing.
    """

    EXAMPLE = "drift: age\nmax: 0.2\nmeasure: psi"
    drift: str = declare("The column.")
    max: float = declare("The largest distance.", minimum=0)
    measure: Literal["psi", "js", "ks"] = declare(
        "The distance: psi (population stability index), js (Jensen-Shannon, 0 to 1) or ks (Kolmogorov-Smirnov, 0 to "
        "1, not of text).",
        default="psi",
    )
    against: str = declare("The reference: train, or a file or a glob.", default="train", minLength=1)
    severity: Severity = declare(SEVERITY, default="error")

    def rule(self, known: Known, /) -> Rule:
        """Count both tables' rows by bins at the reference's quantiles, or by value."""
        plain = (self.measure, self.against) == ("psi", "train")
        more = "" if plain else f", {self.measure}, {self.against}"
        return Rule(
            id=f"drift({self.drift}{more})",
            asks=f"{self.measure} of {self.drift} against {self.against}",
            query=lambda this, other: self._query(this, other, secret=self.drift in known.hidden),
            value=lambda finding: MEASURES[self.measure]([(part.here, part.there) for part in finding.parts]),
            bounds=Bounds(high=self.max),
            severity=self.severity,
            columns=(self.drift,),
            columns_beside=(self.drift,),
            tables=("holdout",) if self.against == "train" else ("train", "holdout"),
            beside=self.against,
        )

    def _query(self, this: Side, other: Side, *, secret: bool) -> str:
        column = _same_kind(this, self.drift, other, self.drift)
        measurable = column.is_number or column.category in TEMPORAL
        if self.measure == "ks":
            if not measurable:
                raise GatesError(f"contract, ks of {self.drift}: {this.path} has {column.kind} there, no numbers")
            return _ks(this, other, _position(column))
        bins = _binned(_position(column), other) if measurable else _valued(column, other)
        counts = f"SELECT v, sum(here) AS n, sum(there) AS m FROM ({_sides(this, other, f'{bins} AS v')}) GROUP BY v"
        label = "CASE WHEN v IS NOT NULL THEN CAST(row_number() OVER (ORDER BY v) AS VARCHAR) END" if secret else "v"
        return f"SELECT {label}, n, m FROM ({counts}) ORDER BY v NULLS FIRST"


def _same_kind(this: Side, here: str, other: Side, there: str) -> Column:
    """The column here, if values of both can be equal at all. Raises ``GatesError``."""
    one, two = this.columns[here], other.columns[there]
    if one.category == two.category or (one.is_number and two.is_number):
        return one
    raise GatesError(f"contract: {here} is {one.kind} in {this.path}, but {there} is {two.kind} in {other.path}")


def _found(this: Side, here: Sequence[str], other: Side, there: Sequence[str], *, found: bool) -> str:
    """One row: rows of ``this`` whose columns are (not) found in ``other``, and all its rows."""
    pairs = list(zip(here, there, strict=True))
    for one, two in pairs:
        _same_kind(this, one, other, two)
    matched = " AND ".join(f"t.{quoted(one)} = o.{quoted(two)}" for one, two in pairs)
    present = " AND ".join(f"t.{quoted(column)} IS NOT NULL" for column in here)
    exists = f"{'' if found else 'NOT '}EXISTS (SELECT 1 FROM {quoted(other.name)} o WHERE {matched})"
    return f"SELECT 'rows', count(*) FILTER (WHERE {present} AND {exists}), count(*) FROM {quoted(this.name)} t"


def _first_share(finding: Finding) -> float:
    part = finding.parts[0]
    return part.here / part.there if part.there else 0.0


def _sides(this: Side, other: Side, value: str, where: str = "TRUE") -> str:
    """Both tables' rows, one under the other, each telling on which side it stands."""
    return " UNION ALL ".join(
        f"SELECT {value}, {here} AS here, {1 - here} AS there FROM {quoted(side.name)} WHERE {where}"
        for side, here in ((this, 1), (other, 0))
    )


def _position(column: Column) -> str:
    """Where a value lies on a line: a number as it is, a date or time in seconds."""
    return f"epoch({column.sql})" if column.category in TEMPORAL else column.sql


def _binned(position: str, other: Side) -> str:
    """SQL of the bin that a value falls into, between the reference's quantiles; NaN is a bin of its own."""
    double = f"CAST({position} AS DOUBLE)"
    steps = ", ".join(str(step / BINS) for step in range(1, BINS))
    finite = f"CASE WHEN isfinite({double}) THEN {double} END"
    edges = f"(SELECT list_distinct(quantile_disc({finite}, [{steps}])) FROM {quoted(other.name)})"
    bin_ = f"CAST(len(list_filter(coalesce({edges}, []), lambda edge: edge < {double})) AS VARCHAR)"
    return f"CASE WHEN {double} IS NULL THEN NULL WHEN isnan({double}) THEN 'NaN' ELSE {bin_} END"


def _valued(column: Column, other: Side) -> str:
    """SQL of the value, told apart from what has the bin of the rest."""
    text = f"CAST({column.sql} AS VARCHAR)"
    frequent = f"SELECT {text} AS v FROM {quoted(other.name)} WHERE {column.sql} IS NOT NULL GROUP BY v"
    among = f"{text} IN (SELECT v FROM ({frequent} ORDER BY count(*) DESC, v LIMIT {MOST}))"
    return f"CASE WHEN {column.sql} IS NULL THEN NULL WHEN {among} THEN '=' || {text} ELSE 'rest' END"


def _ks(this: Side, other: Side, position: str) -> str:
    """The largest gap between the two step functions, times both numbers of rows: a whole number."""
    rows = _sides(this, other, f"{position} AS v", f"{position} IS NOT NULL")
    steps = f"SELECT v, sum(here) AS n, sum(there) AS m FROM ({rows})"
    upto = ", ".join(f"sum({side}) OVER (ORDER BY v) AS {side}s, sum({side}) OVER () AS {side}_all" for side in "nm")
    gap = "max(abs(ns * m_all - ms * n_all)), any_value(n_all * m_all)"
    return f"SELECT 'ks', {gap} FROM (SELECT {upto} FROM ({steps} GROUP BY v)) HAVING count(*) > 0"
