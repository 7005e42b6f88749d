"""Table rules that compare a table with another one: shared rows, references, drift. See ``table_rules``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gates.contract.rules.contract_rule import SEVERITY, AllowedRange, ContractRule, Known, Severity, TableSide, listed
from gates.contract.sql import TEMPORAL, Column, literal, quoted
from gates.documents.evidence import Finding
from gates.errors import GatesError
from gates.schema.fields import declare
from gates.stats.drift import MEASURES, SEEN

BINS = 10  # of a column of numbers, at the reference's quantiles
FEW = 20  # different values of a column of numbers, each of which is a bin
GAP = "gap"  # the label of the part of ks that is not a number of rows
MOST = 200  # values of a column of text that are distinguished, the most frequent
LARGE = 50  # so many times the rows of a value, and it is distinguished in any case


@dataclass(frozen=True, slots=True, kw_only=True)
class Leakage:
    """Holdout rows that the training has seen: rows or keys that stand in both. Judged where there is a train table."""

    EXAMPLE = "leakage: [customer, month]\nmax: 0.01"
    leakage: tuple[str, ...] = declare(
        "Columns that together identify a row; a row with a missing value equals no other.", single=True, minItems=1
    )
    max: float = declare("The largest share of holdout rows, 0 to 1.", default=0, minimum=0, maximum=1)
    severity: Severity = declare(SEVERITY, default="error")

    def rule(self, _: Known, /) -> ContractRule:
        """Count holdout rows whose columns stand in a training row as well."""
        return ContractRule(
            id=f"leakage({listed(self.leakage)})",
            asks=f"{listed(self.leakage)} in the training data, too",
            query=lambda this, other: _found(this, self.leakage, other, self.leakage, matching=True),
            value=_first_share,
            bounds=AllowedRange(high=self.max, share=True),
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
    refers: tuple[str, ...] = declare("A column, or several together.", single=True, minItems=1)
    to: str = declare("The other table: a file or a glob.", minLength=1)
    column: tuple[str, ...] = declare("Its columns. Default: the same names.", default=(), single=True)
    max: float = declare("The largest share of rows without a partner, 0 to 1.", default=0, minimum=0, maximum=1)
    severity: Severity = declare(SEVERITY, default="error")

    def rule(self, _: Known, /) -> ContractRule:
        """Count rows whose value is not there."""
        there = self.column or self.refers
        return ContractRule(
            id=f"refers({listed(self.refers)})",
            asks=f"{listed(self.refers)} not in {self.to}",
            query=lambda this, other: _found(this, self.refers, other, there, matching=False),
            value=_first_share,
            bounds=AllowedRange(high=self.max, share=True),
            severity=self.severity,
            columns=self.refers,
            columns_beside=there,
            beside=self.to,
        )

    def mistake(self) -> str | None:
        """Return what no schema can see."""
        if self.column and len(self.column) != len(self.refers):
            return f"refers and column must name equally many columns, not {len(self.refers)} and {len(self.column)}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far a column lies from a reference; of the label it is label shift.

    `psi` and `js` compare shares of rows. Numbers, dates and times lie in 10 bins at the reference's quantiles; what is
    below its lowest value and above its highest has bins of its own, and so has a value that a tenth of its rows hold.
    A column of up to 20 different values is compared value by value. Text is compared by value: the 200 most frequent
    ones of both tables, the rest together. Missing values, NaN and each infinity are bins of their own. Bins in which
    fewer than 5 rows are expected are taken together. `psi` adds half a row to every bin. `ks` is the two-sample
    statistic of the values that are not missing.

    The verdict is `pass` where the distance is at most `max` with the policy's confidence, `fail` where it is more with
    that confidence, else `inconclusive`.
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

    def rule(self, known: Known, /) -> ContractRule:
        """Count both tables' rows by bins at the reference's quantiles, or by value."""
        plain = (self.measure, self.against) == ("psi", "train")
        more = "" if plain else f", {self.measure}, {self.against}"
        return ContractRule(
            id=f"drift({self.drift}{more})",
            asks=f"{self.measure} of {self.drift} against {self.against}",
            query=lambda this, other: self._query(this, other, secret=self.drift in known.hidden),
            distance=lambda finding: MEASURES[self.measure]([(part.here, part.there) for part in finding.parts]),
            bounds=AllowedRange(high=self.max),
            severity=self.severity,
            columns=(self.drift,),
            columns_beside=(self.drift,),
            tables=("holdout",) if self.against == "train" else ("train", "holdout"),
            beside=self.against,
        )

    def _query(self, this: TableSide, other: TableSide, *, secret: bool) -> str:
        column, there = _same_kind(this, self.drift, other, self.drift)
        measurable = column.is_number or (column.line == there.line and column.line in TEMPORAL)
        if self.measure == "ks":
            if not measurable:
                raise GatesError(f"contract, ks of {self.drift}: {this.path} has {column.words} there, not numbers")
            return _ks(this, other, column.place)
        rows = _binned(this, other, column.place) if measurable else _valued(this, other, column)
        counts = f"SELECT v, sum(here) AS n, sum(there) AS m FROM ({rows}) GROUP BY v"
        label = "CASE WHEN v IS NOT NULL THEN CAST(row_number() OVER (ORDER BY v) AS VARCHAR) END"
        label = label if secret else _BIN if measurable else "v"
        return f"SELECT {label}, n, m FROM ({counts}) ORDER BY v NULLS FIRST"


def _same_kind(this: TableSide, here: str, other: TableSide, there: str) -> tuple[Column, Column]:
    """Return both columns, if values of both can be equal at all. Raises ``GatesError``."""
    ours, theirs = this.columns[here], other.columns[there]
    if ours.json == theirs.json or (ours.is_number and theirs.is_number):
        return ours, theirs
    raise GatesError(f"contract: {here} holds {ours.words} in {this.path}, but {there} {theirs.words} in {other.path}")


def _found(this: TableSide, here: Sequence[str], other: TableSide, there: Sequence[str], *, matching: bool) -> str:
    """Return one row: rows of ``this`` whose columns are (not) found in ``other``, and all its rows."""
    pairs = [_same_kind(this, mine, other, its) for mine, its in zip(here, there, strict=True)]
    ours, theirs = (
        ", ".join(f"{_value(*pair)} AS k{number}" for number, pair in enumerate(ordered))
        for ordered in (pairs, [(its, mine) for mine, its in pairs])
    )
    keys = [f"k{number}" for number in range(len(pairs))]
    matched = " AND ".join(f"t.{key} = o.{key}" for key in keys)
    present = " AND ".join(f"t.{key} IS NOT NULL" for key in keys)
    exists = "EXISTS" if matching else "NOT EXISTS"
    exists += f" (SELECT 1 FROM (SELECT {theirs} FROM {quoted(other.name)}) o WHERE {matched})"
    rows = f"SELECT count(*) FROM (SELECT {ours} FROM {quoted(this.name)}) t"
    return f"SELECT 'rows', ({rows} WHERE {present} AND {exists}), ({rows})"


def _value(column: Column, other: Column) -> str:
    """Write SQL by which values of two columns are equal: text, where they are of two types that are text to JSON."""
    return column.text if column.is_text and column.kind != other.kind else column.sql


def _first_share(finding: Finding) -> float:
    part = finding.parts[0]
    return part.here / part.there if part.there else 0.0


def _sides(this: TableSide, other: TableSide, value: str, where: str = "TRUE") -> str:
    """Return both tables' rows, one under the other, each telling on which side it stands."""
    return " UNION ALL ".join(
        f"SELECT {value}, {here} AS here, {1 - here} AS there FROM {quoted(side.name)} WHERE {where}"
        for side, here in ((this, 1), (other, 0))
    )


# bins by name; those between have numbers of their own
_OUTSIDE = {"-infinity": -1, "below": 0, "above": 1000, "infinity": 1001, "NaN": 1002}
_NAMED = " ".join(f"WHEN {number} THEN '{name}'" for name, number in _OUTSIDE.items())
_BIN = f"CASE v {_NAMED} ELSE CAST(v AS VARCHAR) END"


def _binned(this: TableSide, other: TableSide, position: str) -> str:
    """Return rows with the number of the bin that a value falls into.

    Bins lie between cuts: all values of the reference where these are few, else its quantiles. The quantile of ``k``
    tenths is the smallest value that so many rows do not exceed: counted, so that no engine rounds it. A cut is a bin
    of its own where values are few, or a tenth of the rows hold it; else it is the last value of the bin below it. So a
    bin's number is twice the number of cuts below the value, and one more on such a cut.
    """
    double = f"CAST({position} AS DOUBLE) + 0.0"  # no -0.0
    counts = f"SELECT {double} AS p, count(*) AS n FROM {quoted(other.name)} WHERE isfinite({double}) GROUP BY 1"
    upto = (
        "SELECT p, n, sum(n) OVER (ORDER BY p) AS upto, sum(n) OVER () AS total, "
        f"row_number() OVER (ORDER BY p) AS place, count(*) OVER () <= {FEW} AS few FROM ({counts})"
    )
    lone = f"(few OR n * {BINS} >= total)"
    inf = literal(math.inf)
    ends = [f"coalesce(min(p), {inf}) AS low", f"coalesce(max(p), {inf}) AS high"]
    for step in range(1, FEW + 1):
        reached = f"CASE WHEN few THEN place = {step} ELSE {step} <= {BINS} AND upto * {BINS} >= {step} * total END"
        ends.append(f"coalesce(min(CASE WHEN {reached} THEN p END), {inf}) AS e{step}")
        ends.append(f"coalesce(min(CASE WHEN {reached} AND {lone} THEN p END), {inf}) AS t{step}")
    steps = range(1, FEW + 1)
    passed = " + ".join(["CAST(p >= low AS INTEGER)", *(f"CAST(p > e{step} AS INTEGER)" for step in steps)])
    between = f"2 * ({passed}) + CAST(p IN ({', '.join(f't{step}' for step in steps)}) AS INTEGER)"
    outside = {
        "NaN": "isnan(p)",
        "-infinity": f"p = {literal(-math.inf)}",
        "infinity": f"p = {inf}",
        "below": "p < low",
        "above": "p > high",
    }
    told = " ".join(f"WHEN {condition} THEN {_OUTSIDE[name]}" for name, condition in outside.items())
    bin_ = f"CASE WHEN p IS NULL THEN NULL {told} ELSE {between} END"
    rows = _sides(this, other, f"{double} AS p")
    return f"SELECT {bin_} AS v, here, there FROM ({rows}) CROSS JOIN (SELECT {', '.join(ends)} FROM ({upto}))"


def _valued(this: TableSide, other: TableSide, column: Column) -> str:
    """Return rows by value: values that are frequent in both tables together, or in one of them, keep their own bin.

    A choice by the reference alone would treat whatever a small one lacks as new.
    """
    rows = _sides(this, other, f"CAST({column.sql} AS VARCHAR) AS v")
    counts = f"SELECT v, sum(here) AS here, sum(there) AS there FROM ({rows}) GROUP BY v"
    frequent = f"SELECT v FROM ({counts}) WHERE v IS NOT NULL ORDER BY here + there DESC, v LIMIT {MOST}"
    totals = f"SELECT sum(here) AS all_here, sum(there) AS all_there FROM ({rows})"
    large = " OR ".join(f"({side} >= {SEEN} AND {side} * {LARGE} >= all_{side})" for side in ("here", "there"))
    shown = f"CASE WHEN v IS NULL THEN NULL WHEN v IN ({frequent}) OR {large} THEN '=' || v ELSE 'rest' END"
    return f"SELECT {shown} AS v, here, there FROM ({counts}) CROSS JOIN ({totals})"


def _ks(this: TableSide, other: TableSide, position: str) -> str:
    """Return the rows that have a value; and the largest gap between the two step functions, times both numbers of
    rows: a whole number."""
    rows = _sides(this, other, f"{position} AS v", f"{position} IS NOT NULL")
    steps = f"SELECT v, sum(here) AS n, sum(there) AS m FROM ({rows})"
    upto = ", ".join(f"sum({side}) OVER (ORDER BY v) AS {side}s, sum({side}) OVER () AS {side}_all" for side in "nm")
    distance = (
        "any_value(n_all) AS n, any_value(m_all) AS m, max(abs(ns * m_all - ms * n_all)) AS gap "
        f"FROM (SELECT {upto} FROM ({steps} GROUP BY v)) HAVING count(*) > 0"
    )
    gap = f"SELECT '{GAP}', gap, n * m FROM (SELECT {distance})"
    parts = f"SELECT 'rows' AS v, n, m FROM (SELECT {distance}) UNION ALL {gap}"
    return f"SELECT v, n, m FROM ({parts}) ORDER BY v DESC"
