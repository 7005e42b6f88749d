"""gates init: what it writes holds for its own data, whatever that looks like, and is what was meant."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import os
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import yaml
from edge_project import call, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = ["yes", "no", "null", "~", "1", "1e5", "0x1f", "a: b", "#c", "- d", "e#f #g", '"h"', "i'j", "k\nl", "m\tn", "ünï",
         "データ", "🙂", " lead", "trail ", "{o}", "[p]", "&q", "*r", "!s", "%t", "@u", "`v`", "?", "-", ":", "label", "id",
         "record", "on", "2020-01-01", "x" * 200, "y" * 1500, "", "\u2028", "\x7f", "?w", "a,b", "a\\b"]  # fmt: skip
MOMENTS = st.datetimes(datetime.datetime(1000, 1, 1), datetime.datetime(9999, 12, 31))
TEXT = st.one_of(
    st.sampled_from(["", "yes", "No", "1", "null", " a", "#", "a: b", "x\ny", "0", "true", "1e5", "é", "🙂"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12),
)


def decimals(precision: int, scale: int):
    most = decimal.Decimal(10 ** (precision - scale) - 1)
    return st.decimals(-most, most, places=scale)


COLUMNS = st.sampled_from(
    [
        (pa.int64(), st.integers(-50, 50)),
        (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
        (pa.int8(), st.integers(0, 1)),
        (pa.uint64(), st.integers(0, 2**64 - 1)),
        (pa.float64(), st.floats()),
        (pa.float64(), st.floats(0, 1)),
        (pa.float64(), st.sampled_from([0.0, 1.0])),
        (pa.float32(), st.floats(width=32)),
        (pa.decimal128(9, 2), decimals(9, 2)),
        (pa.decimal128(38, 10), decimals(38, 10)),
        (pa.decimal128(20, 0), decimals(20, 0)),
        (pa.bool_(), st.booleans()),
        (pa.string(), TEXT),
        (pa.string(), st.sampled_from(["yes", "no"])),
        (pa.dictionary(pa.int32(), pa.string()), st.sampled_from(["a", "b", "c"])),
        (pa.date32(), MOMENTS.map(datetime.datetime.date)),
        (pa.timestamp("us"), MOMENTS),
        (pa.timestamp("us", tz="UTC"), MOMENTS),
        (pa.time64("us"), st.times()),
        (pa.null(), st.none()),
        (pa.string(), st.none()),
    ]
)


@st.composite
def tables(draw):
    rows = draw(st.sampled_from([1, 2, 3, 25, 120]))
    names = draw(st.lists(st.one_of(st.sampled_from(NAMES), TEXT), min_size=1, max_size=6, unique_by=str.casefold))
    columns = {}
    for name in names:
        kind, values = draw(COLUMNS)
        few = draw(
            st.lists(st.one_of(values, values, st.none()), min_size=1, max_size=draw(st.sampled_from([1, 4, 30])))
        )
        turned = draw(st.integers(0, 9))
        columns[name] = pa.array([few[(row * 7 + turned) % len(few)] for row in range(rows)], kind)
    return pa.table(columns)


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory() as made, contextlib.chdir(made):
        yield Path(made)


def holds(path: str) -> None:
    """`gates check` and `gates data` say that what was written is right."""
    for arguments in (("check",), ("data", path)):
        done = call(*arguments)
        assert done.code == 0, f"{done.err}{done.out}{Path('contract.yaml').read_text()}"


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(tables())
def test_what_is_written_holds_for_any_parquet(table):
    with folder():
        pyarrow.parquet.write_table(table, "data.parquet")
        done = call("init", "data.parquet")
        assert done.code == 0, done.err
        holds("data.parquet")
