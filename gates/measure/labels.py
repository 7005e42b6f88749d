"""The holdout's rows as the engine needs them: position, key, label as 0 or 1, and the slice columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gates.contract.columns import literal, quoted
from gates.errors import GatesError
from gates.fields import Plain
from gates.measure.tables import Opened, run
from gates.policy import Data, Policy
from gates.slices import Dimension, edge_text

MAX_SLICES = 1000
_CLASSES = 2
_SHOWN = 5


Kind = Literal["text", "number", "boolean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The two classes as text. ``kind`` says when two spellings are one class: 1 and 1.0, true and True."""

    negative: str
    positive: str
    kind: Kind

    @property
    def classes(self) -> tuple[str, str]:
        """Negative, positive."""
        return self.negative, self.positive

    def same(self, one: str, other: str) -> bool:
        """Whether two texts name the same class."""
        if self.kind == "number":
            return _number(one) is not None and _number(one) == _number(other)
        return one.lower() == other.lower() if self.kind == "boolean" else one == other

    def is_one(self, column: str, *classes: str) -> str:
        """SQL: whether a column of labels or calls holds one of these classes."""
        text = f"CAST({column} AS VARCHAR)"
        if self.kind == "number":
            return f"TRY_CAST({text} AS DOUBLE) IN ({', '.join(literal(_number(name)) for name in classes)})"
        names = ", ".join(literal(name) for name in classes)
        return f"lower({text}) IN ({names})" if self.kind == "boolean" else f"{text} IN ({names})"

    def is_positive(self, column: str) -> str:
        """SQL: 1 where a column of labels or calls holds the positive class, else 0."""
        return f"CAST({self.is_one(column, self.positive)} AS TINYINT)"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _kind(values: Sequence[str]) -> Kind:
    if {value.lower() for value in values} <= {"true", "false"}:
        return "boolean"
    return "text" if any(_number(value) is None for value in values) else "number"


def read_labels(connection: Any, opened: Opened, data: Data) -> Labels:
    """Which label is positive. Raises ``GatesError`` for labels that are missing, of more than two values, or
    without the positive one."""
    column = opened.require(data.label, "data.label")
    found = run(
        connection,
        f"SELECT CAST({column} AS VARCHAR), count(*) FROM {quoted(opened.name)} GROUP BY 1 ORDER BY 1",
    )
    nulls = sum(rows for value, rows in found if value is None)
    if nulls:
        raise GatesError(f"{nulls:,} rows of {opened.path} have no label in {data.label}", where="data.label")
    values = [value for value, _ in found]
    if len(values) > _CLASSES:
        shown = ", ".join(values[:_SHOWN])
        raise GatesError(f"{data.label} has {len(values)} values ({shown}); task: binary has two", where="data.label")
    kind = _kind(values)
    wanted = _positive(values, data.positive)
    labels = Labels(negative="", positive=wanted, kind=kind)
    positive = next((value for value in values if labels.same(value, wanted)), None)
    if positive is None:
        raise GatesError(
            f"{wanted} does not occur in {data.label}; its values are {', '.join(values)}",
            where="data.positive",
            mend=f"Write data.positive: {' or '.join(map(repr, values))}.",
        )
    negative = next((value for value in values if value != positive), f"not {positive}")
    if kind == "boolean":
        return Labels(negative=negative.lower(), positive=positive.lower(), kind=kind)
    return Labels(negative=negative, positive=positive, kind=kind)


def _positive(values: Sequence[str], declared: Plain) -> str:
    if declared is None:
        for pair in (("false", "true"), ("0", "1"), ("0.0", "1.0")):
            if {value.lower() for value in values} <= set(pair):
                return pair[1]
        raise GatesError(
            f"which of {' and '.join(values)} is positive?",
            where="data.positive",
            mend=f"Write data.positive: {' or '.join(map(repr, values))}.",
        )
    if isinstance(declared, bool):
        return "true" if declared else "false"
    return edge_text(float(declared)) if isinstance(declared, int | float) else str(declared)


def parts_of(dimensions: Sequence[Dimension]) -> dict[tuple[str, tuple[float, ...]], str]:
    """Distinct (column, edges) of the dimensions -> a short column name in the table of rows."""
    found: dict[tuple[str, tuple[float, ...]], str] = {}
    for dimension in dimensions:
        for column in dimension.columns:
            found.setdefault((column, dimension.edges), f"d{len(found)}")
    return found


def part_sql(opened: Opened, column: str, edges: tuple[float, ...], role: str) -> str:
    """SQL of the slice that a row falls into: its value as text, or its bin; null where there is no value."""
    name = opened.require(column, role)
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
    connection: Any, opened: Opened, policy: Policy, labels: Labels, parts: Mapping[tuple[str, tuple[float, ...]], str]
) -> None:
    """The table ``gates_rows``: pos, k (the key), y and one column a slice part."""
    data = policy.data
    sliced = {column for dimension in policy.slices for column in dimension.columns}
    key = opened.require(data.key, "data.key") if data.key else "NULL"
    columns = "".join(
        f", {part_sql(opened, *part, 'slices' if part[0] in sliced else 'by')} AS {name}"
        for part, name in parts.items()
    )
    label = labels.is_positive(quoted(data.label))
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
