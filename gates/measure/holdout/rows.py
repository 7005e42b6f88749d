"""Prepare the holdout's rows for the engine: key, label, weight, bucket, query, and the slice columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import frexp

from gates.contract.sql import literal, quoted
from gates.documents.evidence import BUCKETS
from gates.documents.slices import Dimension, bins_of
from gates.errors import GatesError
from gates.kinds.protocol import Needs
from gates.measure.engines import Engine
from gates.measure.holdout.hidden import Hidden, Values
from gates.measure.holdout.labels import Labels
from gates.measure.holdout.tables import OpenTable, double_of, exact_text, row_text, shortest
from gates.metrics.expressions import double
from gates.policy import Policy
from gates.wording import counted, have, plural

MAX_SLICES = 1000
WEIGHT_BITS = 30  # binary digits of the largest weight at least; where there are no weights, of each row's 1
_DOUBLE = 53  # binary digits of a double
_ENDS = ("min", "max")
_NOTHING = "CAST(NULL AS TINYINT)"  # in the place of text that nobody asks for, which takes 16 bytes a row

NOTHING = Hidden()
Parts = Mapping[tuple[str, tuple[float, ...]], str]  # (column, edges) -> a short column name in the table of rows


def parts_of(dimensions: Sequence[Dimension]) -> Parts:
    """Give each distinct (column, edges) of the dimensions a short name for its column in the table of rows."""
    names: dict[tuple[str, tuple[float, ...]], str] = {}
    for dimension in dimensions:
        for part in dimension.parts:
            names.setdefault(part, f"d{len(names)}")
    return names


def part_sql(opened: OpenTable, column: str, edges: tuple[float, ...], role: str) -> str:
    """Write SQL of the slice that a row falls into: its value as text, or its bin; null where there is no value."""
    name = opened.require(column, role)
    numeric = column in opened.seen and opened.seen[column].is_number
    value = f"CASE WHEN isnan(CAST({name} AS DOUBLE)) THEN NULL ELSE {name} END" if numeric else name
    if not edges:
        return f"CAST({value} AS VARCHAR)"
    if not numeric:
        raise GatesError(f"the column {column} holds {opened.told(column)}; only numbers can be cut into bins")
    if opened.columns[column] == "FLOAT":
        value = f"CASE WHEN isnan({name}) THEN NULL ELSE {shortest(opened, column, name)} END"
    bins = bins_of(edges)
    cases = " ".join(
        f"WHEN ({value}) < {literal(edge)} THEN {literal(name_)}" for edge, name_ in zip(edges, bins, strict=False)
    )
    return f"CASE WHEN ({value}) IS NULL THEN NULL {cases} ELSE {literal(bins[-1])} END"


def make_rows(
    engine: Engine,
    opened: OpenTable,
    policy: Policy,
    labels: Labels,
    parts: Parts,
    where: str = "TRUE",
    *,
    told_apart: bool = True,
    hidden: Hidden = NOTHING,
    places: int,
) -> Values:
    """Return the table ``gates_rows``: row_key, label, weight (in whole 2**-places), unit (null unless ``told_apart``),
    query and one column a slice part, of the rows of which ``where`` holds. Gives the SQL of each part.

    Raises ``GatesError`` for keys that repeat, weights or units that are missing, and columns of too many values.
    """
    data = policy.data
    sliced = {column for dimension in policy.slices for column in dimension.columns}
    key = f"CAST({opened.require(data.key, 'data.key')} AS VARCHAR)" if data.key else _NOTHING
    values: dict[tuple[str, tuple[float, ...]], str] = {}
    for column, edges in parts:
        value = part_sql(opened, column, edges, "slices" if column in sliced else "by")
        secret = column in hidden.columns and not edges
        values[column, edges] = hidden.grouped(engine, value, quoted(opened.name), MAX_SLICES) if secret else value
    columns = "".join(f", {values[part]} AS {name}" for part, name in parts.items())
    label = _label(opened, data.label, labels) if data.label else "CAST(NULL AS DOUBLE)"
    query = f"CAST({opened.require(data.query, 'data.query')} AS VARCHAR)" if data.query else _NOTHING
    weight = _whole_weight(opened, data.weight, places) if data.weight else f"CAST({2**WEIGHT_BITS} AS BIGINT)"
    unit = _unit(engine, opened, policy) if told_apart else _NOTHING
    engine.run(
        f"CREATE OR REPLACE TEMP TABLE gates_rows AS SELECT {key} AS row_key, {label} AS label, "
        f"{weight} AS weight, {unit} AS unit, {query} AS query{columns} FROM {quoted(opened.name)} WHERE {where}",
    )
    if data.key:
        _check_keys(engine, opened, data.key)
    check_queries(engine, policy, parts, "gates_rows", hidden)
    for (column, _), name in parts.items():
        ((distinct,),) = engine.run(f"SELECT count(DISTINCT {name}) FROM gates_rows")
        if distinct > MAX_SLICES:
            raise too_many(column, distinct)
    return values


def _label(opened: OpenTable, column: str, labels: Labels) -> str:
    """Write SQL of the number of a label's class, or of the number that it is."""
    value = quoted(column)
    return labels.value(shortest(opened, column, value) if labels.kind == "value" else value)


def too_many(column: str, values: int) -> GatesError:
    """Return what is said of a column that has more than ``MAX_SLICES`` values."""
    return GatesError(
        f"{column} has {counted(values, 'value')}, too many to slice by",
        where="slices",
        hint=f"Cut it into bins: {{{column}: [..., ...]}}.",
    )


def check_queries(engine: Engine, policy: Policy, parts: Parts, table: str, hidden: Hidden = NOTHING) -> None:
    """Check that every row has a query, if there are any, and that all rows of one query agree on what is counted once.

    Raises ``GatesError`` where they don't.
    """
    data, role = policy.data, "data.query"
    if data.query is None:
        return
    ((missing,),) = engine.run(f"SELECT count(*) - count(query) FROM {table}")
    if missing:
        raise GatesError(f"{counted(missing, 'row')} of {data.holdout} {have(missing)} no {data.query}", where=role)
    of_rows = {"weight": data.weight, "unit": data.unit} | {name: column for (column, _), name in parts.items()}
    for name, column in of_rows.items():
        if column is None:
            continue
        mixed = f"min({name}) <> max({name}) OR count({name}) NOT IN (0, count(*))"
        ((wrong, first),) = engine.run(
            f"SELECT count(*), min(query) FROM (SELECT query FROM {table} GROUP BY query HAVING {mixed})"
        )
        if wrong:
            which = "" if data.query in hidden.columns else f" ({data.query}: {first}{', …' if wrong > 1 else ''})"
            raise GatesError(
                f"{column} differs within {counted(wrong, 'query')}{which}",
                where=role,
                hint="In a ranking, unit, weight and slices belong to whole queries.",
            )


def _check_keys(engine: Engine, opened: OpenTable, key: str) -> None:
    ((repeated, missing),) = engine.run(
        "SELECT count(row_key) - count(DISTINCT row_key), count(*) - count(row_key) FROM gates_rows"
    )
    if repeated or missing:
        twice = plural(repeated, "row repeats", "rows repeat")
        what = f"{twice} a key" if repeated else f"{counted(missing, 'row')} {have(missing)} no key"
        raise GatesError(f"{opened.path}: {what} in {key}", where="data.key")


def weight_places(engine: Engine, opened: OpenTable, column: str | None) -> int:
    """Tell how many binary places a weight is kept to. What weights are to each other counts, so it is as many as give
    the largest ``WEIGHT_BITS`` digits at least, and more of few rows: all together then make a double's 53.

    Raises ``GatesError`` for what is no weight, for weights of 0 alone, and for one that would be rounded to 0.
    """
    if column is None:
        return WEIGHT_BITS
    value = _weight(opened, column)
    good = f"coalesce(isfinite({value}) AND {value} >= 0, FALSE)"
    ends = [f"gates_bits(CAST({end}(CASE WHEN {good} AND {value} > 0 THEN {value} END) AS DOUBLE))" for end in _ENDS]
    counts = f"count(*), count_if(NOT {good}), {', '.join(ends)}"
    ((rows, bad, *bits),) = engine.run(f"SELECT {counts} FROM {quoted(opened.name)}")
    if bad or bits[0] is None:
        what = (
            f"{counted(bad, 'row')} {have(bad)} a {column} that is not a number of 0 or more"
            if bad
            else "every weight is 0"
        )
        raise GatesError(f"{opened.path}: {what}", where="data.weight")
    smallest, largest = (double_of(int(one)) for one in bits)
    digits = max(WEIGHT_BITS + 1, _DOUBLE - int(rows).bit_length())
    places = digits - frexp(largest)[1]
    if Fraction(smallest) * Fraction(2) ** places < 1:
        raise GatesError(
            f"{opened.path}: {column} holds the weights {smallest:.6g} and {largest:.6g}; one above 0 must be at least "
            f"2^-{digits - 1} of the largest to count",
            where="data.weight",
            hint="Set this weight to 0, or make the largest smaller.",
        )
    return places


def _weight(opened: OpenTable, column: str) -> str:
    name = opened.require(column, "data.weight")
    if not (column in opened.seen and opened.seen[column].is_number):
        raise GatesError(f"{column} holds {opened.told(column)}, not numbers", where="data.weight")
    return f"({shortest(opened, column, name)})"


def _whole_weight(opened: OpenTable, column: str, places: int) -> str:
    """Write SQL of a weight in whole 2**-places."""
    halves = (places // 2, places - places // 2)  # of which both are doubles, however small or large weights are
    scaled = " * ".join([_weight(opened, column), *(double(2.0**half) for half in halves)])
    return f"CAST(floor({scaled} + {double(0.5)}) AS BIGINT)"


def _unit(engine: Engine, opened: OpenTable, policy: Policy) -> str:
    """Write SQL of a text that distinguishes units, otherwise queries or keys, otherwise rows by all they contain."""
    data = policy.data
    column = data.unit or data.query or data.key
    if column is None:
        return f"sha256({row_text(opened)})"
    if column != data.key:
        role = "data.unit" if data.unit else "data.query"
        name = opened.require(column, role)
        ((missing,),) = engine.run(f"SELECT count(*) - count({name}) FROM {quoted(opened.name)}")
        if missing:
            raise GatesError(f"{counted(missing, 'row')} of {opened.path} {have(missing)} no {column}", where=role)
    return exact_text(opened, column)


def bucket_of(text: str) -> str:
    """Write SQL of the bucket that a text falls into."""
    return f"CAST(gates_hex(substr(sha256({text}), 1, 12)) % {BUCKETS} AS SMALLINT)"


def identified(policy: Policy) -> bool:
    """Tell whether a column distinguishes units, queries or rows; without one, equal rows can't be distinguished."""
    return bool(policy.data.unit or policy.data.query or policy.data.key)


def told_apart(policy: Policy, needs: Needs) -> bool:
    """Tell whether anything needs units, or buckets of rows: hashing every row is expensive."""
    computes = any(statistic.form == "computed" for statistic, _ in needs.wanted)
    return computes or clustered(policy) or policy.data.query is not None


def clustered(policy: Policy) -> bool:
    """Tell whether rows belong together or are weighted, so that errors come from buckets."""
    return policy.data.unit is not None or policy.data.weight is not None
