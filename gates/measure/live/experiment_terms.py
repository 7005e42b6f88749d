"""Write SQL of what each gate of an experiment adds up: a numerator and a denominator of each unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gates.measure.live.experiment_quantiles import GateQuantile
from gates.measure.live.experiment_tables import MOST, ROWS, SCALE, ExperimentTables, unsummable
from gates.metrics.expressions import double
from gates.policy.experiment_section import ExperimentGate


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """SQL of a unit's numerator, denominator (None: 1, the unit itself) and whether it has values."""

    x: str
    y: str | None
    valued: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summed:
    """Columns of outcomes as sums over the rows of a unit. ``columns``: SQL of what is summed of a row -> its name;
    ``odd``: names of sums that count values which can't be summed."""

    tables: ExperimentTables
    columns: dict[str, str] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)

    def named(self, sql: str) -> str:
        """Return the name of a sum; the same SQL is summed once."""
        return self.columns.setdefault(sql, f"s{len(self.columns)}")

    def count(self, name: str) -> str:
        """Return the number of a column's values: that of rows where none lacks one."""
        summed = self.tables.summed[name]
        if not summed.gaps:
            return ROWS
        return f"coalesce({self.named(f'CASE WHEN {summed.column.sql} IS NOT NULL THEN 1 END')}, 0)"

    def count_if(self, name: str, compared: str) -> str:
        """Return the number of a column's values that a comparison holds of, such as ``> 5``."""
        column = self.tables.summed[name].column
        return f"coalesce({self.named(f'CASE WHEN {column.double} {compared} THEN 1 END')}, 0)"

    def value(self, name: str) -> str:
        """Return the sum of a column, whose doubles are added as whole numbers."""
        summed = self.tables.summed[name]
        column = summed.column
        if column.category == "boolean":
            return f"coalesce({self.named(f'CAST({column.sql} AS INTEGER)')}, 0)"
        if column.category == "integer":
            return f"CAST(coalesce({self.named(column.whole)}, 0) AS DOUBLE)"
        fit = column.double
        if summed.odd:
            self.odd.append(self.named(f"CASE WHEN {unsummable(column)} THEN 1 END"))
            fit = f"CASE WHEN abs({fit}) < {double(2.0**MOST)} THEN {fit} END"
        whole = self.named(f"CAST(round({fit} * {double(2.0**SCALE)}) AS HUGEINT)")
        return f"CAST(coalesce({whole}, 0) AS DOUBLE) * {double(2.0**-SCALE)}"


def _ratio(summed: Summed, gate: ExperimentGate, _: GateQuantile | None) -> Terms:
    x, rows = summed.value(gate.of), summed.count(gate.of)
    if summed.tables.is_per_unit(gate, gate.per):
        return Terms(x=x, y=None, valued=f"{rows} > 0")
    per = str(gate.per)
    return Terms(x=x, y=summed.value(per), valued=f"{rows} > 0 AND {summed.count(per)} > 0")


def _mean(summed: Summed, gate: ExperimentGate, _: GateQuantile | None) -> Terms:
    rows = summed.count(gate.of)
    return Terms(x=summed.value(gate.of), y=rows, valued=f"{rows} > 0")


def _share_above(summed: Summed, gate: ExperimentGate, _: GateQuantile | None) -> Terms:
    rows = summed.count(gate.of)
    return Terms(x=summed.count_if(gate.of, f"> {double(float(gate.above or 0))}"), y=rows, valued=f"{rows} > 0")


def _quantile(summed: Summed, gate: ExperimentGate, quantile: GateQuantile | None) -> Terms:
    return _under(summed, gate, quantile, "<=")


def strictly_below(summed: Summed, gate: ExperimentGate, quantile: GateQuantile) -> Terms:
    """Return what else a quantile's error comes from: of a unit's values, how many lie below that of its arm."""
    return _under(summed, gate, quantile, "<")


def _under(summed: Summed, gate: ExperimentGate, quantile: GateQuantile | None, compared: str) -> Terms:
    rows, values = summed.count(gate.of), quantile.values if quantile else (None, None)
    under = ["0" if one is None else summed.count_if(gate.of, f"{compared} {double(one)}") for one in values]
    return Terms(x=f"CASE arm WHEN 0 THEN {under[0]} ELSE {under[1]} END", y=rows, valued=f"{rows} > 0")


_TERMS: Mapping[str, Callable[[Summed, ExperimentGate, GateQuantile | None], Terms]] = {
    "ratio": _ratio,
    "mean": _mean,
    "share_above": _share_above,
    "quantile": _quantile,
}


def terms_of(summed: Summed, gate: ExperimentGate, quantile: GateQuantile | None) -> Terms:
    """Return what a gate adds up. ``quantile``: that of each arm, where it is about one."""
    return _TERMS[gate.metric](summed, gate, quantile)
