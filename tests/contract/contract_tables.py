"""Small tables for property tests: columns of every type, and what their values are to JSON."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import struct
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
from hypothesis import strategies as st

from gates.contract.sql import Column, quoted
from gates.measure.engines import connect
from gates.measure.holdout.tables import OpenTable

WORDS = [
    "",
    "a",
    "Yes",
    "No",
    "yes",
    "a\n",
    "é",
    "e\u0301",
    "日本",
    "👩‍👩‍👧",
    "x" * 12,
    "1",
    "true",
    "null",
    "a b",
    "\x00",
    "'",
    '"',
]


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Kind:
    """A column's type in Arrow and in the engine, its values, and what JSON sees of one."""

    arrow: pa.DataType
    sql: str
    values: st.SearchStrategy[Any]
    json: Any = _same


def _float32(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]


_INTS = st.one_of(
    st.integers(-5, 20),
    st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 10**15, 3 * 10**18]),
    st.integers(-(2**63), 2**63 - 1),
)
_BIG = st.one_of(
    _INTS, st.integers(-(2**127), 2**127 - 1), st.sampled_from([2**63, 2**64, 2**100, 2**127 - 1, -(2**127)])
)
_FLOATS = st.one_of(
    st.integers(-5, 20).map(float),
    st.sampled_from(
        [0.1, 0.3, 0.5, 2.5, -0.0, math.nan, math.inf, -math.inf, 1e308, 5e-324, 2.0**53, 1e22, -7.25, 1e300]
    ),
    st.floats(),
)
_DAYS = st.one_of(st.dates(), st.sampled_from([dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(2024, 2, 29)]))
_MOMENTS = st.one_of(
    st.datetimes(),
    st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 2)).map(lambda m: m.replace(microsecond=0)),
)


def _moment(value: dt.datetime) -> str:
    return value.replace(tzinfo=None).isoformat() + "Z"


KINDS: dict[str, Kind] = {
    "tiny": Kind(pa.int8(), "TINYINT", st.integers(-128, 127)),
    "int": Kind(pa.int32(), "INTEGER", st.integers(-(2**31), 2**31 - 1) | st.integers(-3, 12)),
    "bigint": Kind(pa.int64(), "BIGINT", _INTS),
    "ubigint": Kind(pa.uint64(), "UBIGINT", st.integers(0, 2**64 - 1) | st.integers(0, 12)),
    "hugeint": Kind(pa.string(), "HUGEINT", _BIG),
    "double": Kind(pa.float64(), "DOUBLE", _FLOATS),
    "float": Kind(pa.float32(), "FLOAT", st.floats(width=32) | st.sampled_from([0.1, 0.5, 3.0]), _float32),
    "decimal": Kind(
        pa.decimal128(12, 2),
        "DECIMAL(12,2)",
        st.decimals(-(10**9), 10**9, places=2) | st.sampled_from([decimal.Decimal("0.10"), decimal.Decimal("3.00")]),
        float,
    ),
    "whole decimal": Kind(
        pa.decimal128(38, 0),
        "DECIMAL(38,0)",
        (st.integers(-(10**38) + 1, 10**38 - 1) | st.integers(-3, 12)).map(decimal.Decimal),
        int,
    ),
    "string": Kind(pa.string(), "VARCHAR", st.sampled_from(WORDS) | st.text(max_size=8)),
    "enum": Kind(pa.string(), "ENUM('Yes', 'No', '')", st.sampled_from(["Yes", "No", ""])),
    "uuid": Kind(pa.string(), "UUID", st.uuids().map(str)),
    "boolean": Kind(pa.bool_(), "BOOLEAN", st.booleans()),
    "date": Kind(pa.date32(), "DATE", _DAYS, dt.date.isoformat),
    "time": Kind(pa.time64("us"), "TIME", st.times() | st.just(dt.time(12, 0)), lambda value: value.isoformat() + "Z"),
    "timestamp": Kind(pa.timestamp("us"), "TIMESTAMP", _MOMENTS, _moment),
    "zoned": Kind(
        pa.timestamp("us", "UTC"), "TIMESTAMP WITH TIME ZONE", _MOMENTS.map(lambda m: m.replace(tzinfo=dt.UTC)), _moment
    ),
}


@dataclass(frozen=True)
class Sample:
    """A table: its columns' kinds, and its rows as Python values."""

    kinds: dict[str, str]
    rows: list[dict[str, Any]]

    def json(self) -> list[dict[str, Any]]:
        """The rows as JSON sees them."""
        return [
            {name: None if value is None else KINDS[self.kinds[name]].json(value) for name, value in row.items()}
            for row in self.rows
        ]

    def arrow(self) -> pa.Table:
        arrays = {}
        for name, kind in self.kinds.items():
            values = [row[name] for row in self.rows]
            if KINDS[kind].arrow == pa.string():
                values = [None if value is None else str(value) for value in values]
            arrays[name] = pa.array(values, KINDS[kind].arrow, from_pandas=False)
        return pa.table(arrays)

    def load(self, connection: Any, name: str = "t") -> dict[str, Column]:
        """Put the rows into the engine, with their numbers in the column ``#``, and tell its columns."""
        columns = "".join(
            f", CAST({quoted(one)} AS {KINDS[kind].sql}) AS {quoted(one)}" for one, kind in self.kinds.items()
        )
        table = self.arrow().append_column("#", pa.array(range(len(self.rows))))
        connection.register("source", table)
        connection.execute(f'CREATE OR REPLACE TABLE {quoted(name)} AS SELECT "#"{columns} FROM source')  # noqa: S608 -- ours
        kinds = {row[0]: row[1] for row in connection.execute(f"DESCRIBE {quoted(name)}").fetchall() if row[0] != "#"}
        return OpenTable(name=name, path=name, columns=kinds).seen


def broken(connection: Any, rule: Any, columns: dict[str, Column], rows: int) -> set[int]:
    """The rows that a rule counts: its own aggregate, a row at a time; and the whole count must be theirs."""
    aggregate = rule.count(columns) or "0"
    found = connection.execute(f'SELECT "#", {aggregate} FROM t GROUP BY 1').fetchall()  # noqa: S608 -- ours
    assert all(count in (0, 1) for _, count in found)
    ((_, count),) = connection.execute(f"SELECT count(*), {aggregate} FROM t").fetchall()  # noqa: S608 -- ours
    chosen = {number for number, one in found if one}
    assert count == len(chosen) <= rows
    return chosen


@st.composite
def samples(draw: Any, names: tuple[str, ...] = ("a", "b"), most: int = 6) -> Sample:
    kinds = {name: draw(st.sampled_from(list(KINDS))) for name in names}
    row = st.fixed_dictionaries({name: st.none() | KINDS[kind].values for name, kind in kinds.items()})
    return Sample(kinds, draw(st.lists(row, min_size=1, max_size=most)))


def engine() -> duckdb.DuckDBPyConnection:
    return connect(threads=1).connection
