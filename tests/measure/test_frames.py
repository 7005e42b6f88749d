"""Frames in memory: a column is judged by all its values, every type is seen to the microsecond or refused by name."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gates.api import check_data
from gates.errors import GatesError
from gates.measure.engines import connect
from gates.measure.holdout.tables import content_digest, register

MANY = 5000


def counts(table, rule):
    return [one.count for one in check_data(table, {"properties": {"x": rule}}).findings]


def objects(common, odd):
    """A column of objects in which one value far down is another one."""
    values = [common] * MANY
    values[MANY // 2 + 13] = odd
    return pd.DataFrame({"x": pd.Series(values, dtype=object)})


DAY, MOMENT = dt.date(2026, 1, 1), dt.datetime(2026, 1, 1, 5)
OBJECTS = {
    "whole numbers and one with places": (1, 1.4, {"type": "integer", "maximum": 1}, [1, 1]),
    "whole numbers and one text": (1, "1", {"type": "integer"}, [MANY]),
    "whole numbers and one word": (1, "abc", {"enum": ["1"]}, [1]),
    "whole numbers and a boolean": (1, True, {"enum": ["1"]}, [1]),
    "whole numbers and one of 100 bits": (1, 2**100, {"maximum": 1}, [1]),
    "whole numbers of numpy's and others": (np.int8(1), 2, {"type": "integer", "maximum": 1}, [0, 1]),
    "whole numbers and a decimal": (1, Decimal("1.5"), {"type": "integer"}, [1]),
    "whole numbers and a missing one": (1, pd.NA, {"type": ["integer", "null"]}, [0]),
    "whole numbers and NaN": (1, float("nan"), {"type": "integer"}, [1]),
    "decimals of other places": (Decimal("1.5"), Decimal("1.549"), {"maximum": 1.5}, [1]),
    "decimals and a float": (Decimal("1.5"), 1.549, {"maximum": 1.5}, [1]),
    "dates and a moment": (DAY, MOMENT, {"format": "date"}, [1]),
    "moments with a zone and one without": (MOMENT.replace(tzinfo=dt.UTC), MOMENT, {"format": "date-time"}, [0]),
    "text and a missing one": ("a", None, {"type": "string"}, [1]),
    "booleans and a text": (True, "x", {"enum": ["true"]}, [1]),
}


@pytest.mark.parametrize(("common", "odd", "rule", "expected"), OBJECTS.values(), ids=OBJECTS)
def test_a_column_of_objects_is_judged_by_all_its_values(common, odd, rule, expected):
    frame = objects(common, odd)
    assert counts(frame, rule) == expected
    few = frame.iloc[MANY // 2 : MANY // 2 + 20]
    assert [bool(one) for one in counts(few, rule)] == [bool(one) for one in expected]
    assert [bool(one) for one in counts(few.iloc[::-1], rule)] == [bool(one) for one in expected]


@pytest.mark.parametrize("odd", [[1], {"a": 1}, b"x", 1j], ids=repr)
def test_what_is_no_cell_is_refused_beside_others(odd):
    with pytest.raises(GatesError, match="the column x holds ") as caught:
        check_data(objects("a", odd), {"properties": {"x": {}}})
    assert caught.value.hint


NS = 1_772_280_000_123_456_789  # 2026-02-28T12:00:00.123456789
US = "2026-02-28T12:00:00.123456Z"
EARLY = -315_619_199_876_543_211  # 1960-01-01T00:00:00.123456789
SEEN = {
    "pandas, nanoseconds": (pd.Series([pd.Timestamp(NS)]), US),
    "pandas, nanoseconds in UTC": (pd.Series([pd.Timestamp(NS, tz="UTC")]), US),
    "pandas, nanoseconds in Berlin": (pd.Series([pd.Timestamp(NS, tz="Europe/Berlin")]), US),
    "pandas, seconds": (pd.Series(pd.to_datetime(["2026-02-28 12:00:00"]).as_unit("s")), "2026-02-28T12:00:00Z"),
    "pandas, milliseconds in a zone": (
        pd.Series(pd.to_datetime(["2026-02-28 12:00:00"]).as_unit("ms").tz_localize("UTC")),
        "2026-02-28T12:00:00Z",
    ),
    "arrow, nanoseconds": (pa.array([NS], pa.timestamp("ns")), US),
    "arrow, nanoseconds in UTC": (pa.array([NS], pa.timestamp("ns", "UTC")), US),
    "arrow, before 1970": (pa.array([EARLY], pa.timestamp("ns")), "1960-01-01T00:00:00.123456Z"),
    "arrow, before 1970, in UTC": (pa.array([EARLY], pa.timestamp("ns", "UTC")), "1960-01-01T00:00:00.123456Z"),
    "arrow, seconds in a zone": (pa.array([1_772_280_000], pa.timestamp("s", "Europe/Berlin")), "2026-02-28T12:00:00Z"),
    "arrow, times in nanoseconds": (pa.array([86_399_999_999_999], pa.time64("ns")), "23:59:59.999999Z"),
    "arrow, times in seconds": (pa.array([43_200], pa.time32("s")), "12:00:00Z"),
    "arrow, dates of 64 bits": (pa.array([DAY], pa.date64()), "2026-01-01"),
    "arrow, a dictionary": (pa.array(["a"]).dictionary_encode(), "a"),
    "arrow, views": (pa.array(["a"], pa.string_view()), "a"),
    "pandas, categories": (pd.Series(["a"], dtype="category"), "a"),
    "pandas, objects of UUID": (pd.Series([uuid.UUID(int=1)]), "00000000-0000-0000-0000-000000000001"),
}


def table_of(column):
    return pa.table({"x": column}) if isinstance(column, pa.Array) else pd.DataFrame({"x": column})


@pytest.mark.parametrize(("column", "text"), SEEN.values(), ids=SEEN)
def test_every_type_is_seen_as_its_text(tmp_path, column, text):
    table = table_of(column)
    rules = {"const": text, "pattern": "^" + text.replace(".", r"\.") + "$", "maxLength": len(text), "type": "string"}
    assert counts(table, rules) == [0] * 4
    drift = {
        "table": [{"unique": "x"}, {"nulls": "x"}, {"drift": "x", "max": 1, "against": str(tmp_path / "t.parquet")}]
    }
    pq.write_table(table if isinstance(table, pa.Table) else pa.Table.from_pandas(table), tmp_path / "t.parquet")
    assert str(check_data(table, drift, name="holdout").verdict) in ("pass", "inconclusive")
    file = check_data(str(tmp_path / "t.parquet"), {"properties": {"x": rules}})
    assert [one.count for one in file.findings] == [0] * 4


REFUSED = {
    "pandas, periods": pd.Series(pd.period_range("2026-01", periods=2, freq="M")),
    "pandas, complex": pd.Series([1j]),
    "pandas, spans": pd.Series(pd.to_timedelta([1], unit="s")),
    "pandas, lists": pd.Series([[1]]),
    "pandas, sparse": pd.Series([1, 2], dtype=pd.SparseDtype("int")),
    "arrow, half floats": pa.array(np.array([1.5], dtype="float16")),
    "arrow, decimals of 256 bits": pa.array([Decimal(1)], pa.decimal256(50, 2)),
    "arrow, bytes": pa.array([b"x"]),
    "arrow, spans": pa.array([1], pa.duration("s")),
    "arrow, structs": pa.array([{"a": 1}]),
    "arrow, lists": pa.array([[1]]),
}


@pytest.mark.parametrize("column", REFUSED.values(), ids=REFUSED)
def test_any_other_type_is_refused_with_its_column(column):
    table = table_of(column)
    table = table.append_column("y", table["x"]) if isinstance(table, pa.Table) else table
    with pytest.raises(GatesError, match="the column x ") as caught:
        check_data(table, {"properties": {"x": {"type": "string"}}})
    assert caught.value.hint
    assert "%s" not in str(caught.value)


def test_rows_turned_round_are_read():
    """Their values lie in memory from the last to the first."""
    frame = pd.DataFrame({"x": [1, 2, 30], "y": ["a", "b", "c"]}).iloc[::-1]
    assert counts(frame, {"maximum": 2}) == [1]


def test_nanoseconds_count_in_a_digest_where_there_are_any():
    def digest(column):
        engine = connect(threads=1)
        return content_digest(engine, register(engine, pa.table({"x": column}), "t"))[0]

    whole = dt.datetime(2026, 1, 1, 0, 0, 0, 5)
    assert digest(pa.array([whole], pa.timestamp("ns"))) == digest(pa.array([whole], pa.timestamp("us", "UTC")))
    assert digest(pa.array([NS], pa.timestamp("ns"))) == digest(pa.array([NS], pa.timestamp("ns", "UTC")))
    assert digest(pa.array([NS], pa.timestamp("ns"))) != digest(pa.array([NS + 1], pa.timestamp("ns")))


def test_what_is_not_a_number_is_shown_where_a_file_says_that_there_is_none(tmp_path):
    """Parquet's minimum and maximum leave NaN out; the engine prunes by them."""
    duckdb.sql(f"COPY (SELECT unnest([1.0::DOUBLE, 'nan'::DOUBLE]) AS x) TO '{tmp_path}/t.parquet'")
    pq.write_table(pa.table({"x": [1.0, float("nan")]}), tmp_path / "u.parquet")
    for name in ("t.parquet", "u.parquet"):
        (found,) = check_data(str(tmp_path / name), {"properties": {"x": {"type": "integer"}}}).findings
        assert (found.count, found.examples) == (1, ("nan",))
