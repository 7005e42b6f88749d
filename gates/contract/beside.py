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
        rows = _binned(this, other, _position(column)) if measurable else _valued(this, other, column)
        counts = f"SELECT v, sum(here) AS n, sum(there) AS m FROM ({rows}) GROUP BY v"
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
    rows = f"SELECT count(*) FROM {quoted(this.name)} t"
    return f"SELECT 'rows', ({rows} WHERE {present} AND {exists}), ({rows})"


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
    """Where a value lies on a line: a number as it is, a date or time in whole microseconds."""
    if column.category == "time":
        return f"epoch_us(DATE '1970-01-01' + CAST({column.sql} AS TIME))"
    return f"epoch_us({column.sql})" if column.category in TEMPORAL else column.sql


def _binned(this: Side, other: Side, position: str) -> str:
    """Rows with the bin that a value falls into, between the reference's quantiles; NaN is a bin of its own.

    The quantile of ``k`` tenths is the smallest value that so many rows do not exceed: counted, so that no engine
    rounds it.
    """
    double = f"CAST({position} AS DOUBLE)"
    counts = f"SELECT {double} AS p, count(*) AS n FROM {quoted(other.name)} WHERE isfinite({double}) GROUP BY 1"
    upto = f"SELECT p, sum(n) OVER (ORDER BY p) AS upto, sum(n) OVER () AS total FROM ({counts})"
    steps = range(1, BINS)
    edges = ", ".join(f"min(CASE WHEN upto * {BINS} >= {step} * total THEN p END) AS e{step}" for step in steps)
    bins = " ".join(f"WHEN p <= e{step} THEN '{step - 1}'" for step in steps)
    bin_ = f"CASE WHEN p IS NULL THEN NULL WHEN isnan(p) THEN 'NaN' {bins} ELSE '{BINS - 1}' END"
    rows = _sides(this, other, f"{double} AS p")
    return f"SELECT {bin_} AS v, here, there FROM ({rows}) CROSS JOIN (SELECT {edges} FROM ({upto}))"


def _valued(this: Side, other: Side, column: Column) -> str:
    """Rows with the value, told apart from what has the bin of the rest."""
    text = f"CAST({column.sql} AS VARCHAR)"
    frequent = f"SELECT {text} AS v FROM {quoted(other.name)} WHERE {column.sql} IS NOT NULL GROUP BY 1"
    among = f"v IN (SELECT v FROM ({frequent} ORDER BY count(*) DESC, v LIMIT {MOST}))"
    shown = f"CASE WHEN v IS NULL THEN NULL WHEN {among} THEN '=' || v ELSE 'rest' END"
    return f"SELECT {shown} AS v, here, there FROM ({_sides(this, other, f'{text} AS v')})"


def _ks(this: Side, other: Side, position: str) -> str:
    """The largest gap between the two step functions, times both numbers of rows: a whole number."""
    rows = _sides(this, other, f"{position} AS v", f"{position} IS NOT NULL")
    steps = f"SELECT v, sum(here) AS n, sum(there) AS m FROM ({rows})"
    upto = ", ".join(f"sum({side}) OVER (ORDER BY v) AS {side}s, sum({side}) OVER () AS {side}_all" for side in "nm")
    gap = "max(abs(ns * m_all - ms * n_all)), any_value(n_all * m_all)"
    return f"SELECT 'ks', {gap} FROM (SELECT {upto} FROM ({steps} GROUP BY v)) HAVING count(*) > 0"
