"""The holdout's rows as the engine needs them: position, key, label as 0 or 1, and the slice columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gates.contract.columns import literal, quoted
from gates.errors import GatesError
from gates.fields import Plain
from gates.measure.tables import Opened, run
from gates.policy import Data
from gates.slices import Dimension, edge_text

MAX_SLICES = 1000
_CLASSES = 2
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The two classes as text, and SQL that tells whether a column of labels or calls is positive."""

    negative: str
    positive: str

    @property
    def classes(self) -> tuple[str, str]:
        """Negative, positive."""
        return self.negative, self.positive


def read_labels(connection: Any, opened: Opened, data: Data) -> Labels:
    """Which label is positive. Raises ``GatesError`` for labels that are missing, of more than two values, or
    without the positive one."""
    column = opened.require(data.label, "data.label")
    found = run(
        connection,
        f"SELECT CAST({column} AS VARCHAR) AS v, count(*) FROM {quoted(opened.name)} GROUP BY v ORDER BY v",
    )
    nulls = sum(rows for value, rows in found if value is None)
    if nulls:
        raise GatesError(f"{nulls:,} rows of {opened.path} have no label in {data.label}", where="data.label")
    values = [value for value, _ in found]
    if len(values) > _CLASSES:
        shown = ", ".join(values[:_SHOWN])
        raise GatesError(f"{data.label} has {len(values)} values ({shown}); task: binary has two", where="data.label")
    positive = _positive(values, data.positive)
    if positive not in values:
        raise GatesError(
            f"{positive} does not occur in {data.label}; its values are {', '.join(values)}",
            where="data.positive",
            mend=f"Write data.positive: {' or '.join(map(repr, values))}.",
        )
    negative = next((value for value in values if value != positive), f"not {positive}")
    return Labels(negative=negative, positive=positive)


def _positive(values: Sequence[str], declared: Plain) -> str:
    if declared is None:
        natural = [("false", "true"), ("0", "1"), ("0.0", "1.0")]
        for pair in natural:
            if set(values) <= set(pair):
                return pair[1]
        raise GatesError(
            f"which of {' and '.join(values)} is positive?",
            where="data.positive",
            mend=f"Write data.positive: {' or '.join(map(repr, values))}.",
        )
    if isinstance(declared, bool):
        return "true" if declared else "false"
    if isinstance(declared, int | float):  # 1, 1.0 and "1" are one label
        return next((value for value in values if _same_number(value, declared)), edge_text(float(declared)))
    return str(declared)


def _same_number(text: str, number: float) -> bool:
    try:
        return float(text) == number
    except ValueError:
        return False


def is_positive(column: str, labels: Labels) -> str:
    """SQL: 1 where the column holds the positive label, else 0."""
    return f"CAST(CAST({column} AS VARCHAR) = {literal(labels.positive)} AS TINYINT)"


def parts_of(dimensions: Sequence[Dimension]) -> dict[tuple[str, tuple[float, ...]], str]:
    """Distinct (column, edges) of the dimensions -> a short column name in the table of rows."""
    found: dict[tuple[str, tuple[float, ...]], str] = {}
    for dimension in dimensions:
        for column in dimension.columns:
            found.setdefault((column, dimension.edges), f"d{len(found)}")
    return found


def part_sql(opened: Opened, column: str, edges: tuple[float, ...]) -> str:
    """SQL of the slice that a row falls into: its value as text, or its bin; null where there is no value."""
    name = opened.require(column, "slices")
    numeric = column in opened.seen and opened.seen[column].is_number
    value = f"CASE WHEN isnan(CAST({name} AS DOUBLE)) THEN NULL ELSE {name} END" if numeric else name
    if not edges:
        return f"CAST({value} AS VARCHAR)"
    if not numeric:
        raise GatesError(f"the column {column} is {opened.columns[column]}; only numbers can be cut into bins")
    bins = Dimension(columns=(column,), edges=edges).bins
    cases = " ".join(
        f"WHEN ({value}) < {literal(edge)} THEN {literal(name_)}" for edge, name_ in zip(edges, bins, strict=False)
    )
    return f"CASE WHEN ({value}) IS NULL THEN NULL {cases} ELSE {literal(bins[-1])} END"


def make_rows(
    connection: Any, opened: Opened, data: Data, labels: Labels, parts: Mapping[tuple[str, tuple[float, ...]], str]
) -> None:
    """The table ``gates_rows``: pos, k (the key), y and one column a slice part."""
    key = opened.require(data.key, "data.key") if data.key else "NULL"
    columns = "".join(f", {part_sql(opened, *part)} AS {name}" for part, name in parts.items())
    label = is_positive(quoted(data.label), labels)
    run(
        connection,
        f"CREATE OR REPLACE TEMP TABLE gates_rows AS SELECT row_number() OVER () - 1 AS pos, "
        f"CAST({key} AS VARCHAR) AS k, {label} AS y{columns} FROM {quoted(opened.name)}",
    )
    if data.key:
        ((repeated, missing),) = run(
            connection, "SELECT count(k) - count(DISTINCT k), count(*) - count(k) FROM gates_rows"
        )
        if repeated or missing:
            what = f"{repeated:,} rows repeat a key" if repeated else f"{missing:,} rows have no key"
            raise GatesError(f"{opened.path}: {what} in {data.key}", where="data.key")
    for (column, _), name in parts.items():
        ((distinct,),) = run(connection, f"SELECT count(DISTINCT {name}) FROM gates_rows")
        if distinct > MAX_SLICES:
            raise GatesError(
                f"{column} has {distinct:,} values, too many to slice by",
                where="slices",
                mend=f"Cut it into bins: {{{column}: [..., ...]}}.",
            )
