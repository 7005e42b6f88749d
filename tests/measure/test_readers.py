"""What the engine's readers are told: nothing is left to be guessed, and no option is unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from gates.measure.engines import connect
from gates.measure.engines.engine_types import CATEGORIES, REFUSED, category_of
from gates.measure.engines.reader_options import LONGEST, READERS

PATHS = {"path", "paths"}


@pytest.fixture(scope="module")
def engine():
    return connect(threads=1)


@pytest.mark.parametrize("reader", READERS, ids=lambda one: one.function)
def test_every_option_of_a_reader_is_stated_or_left_out_for_a_reason(engine, reader):
    found = engine.run(f"SELECT parameters FROM duckdb_functions() WHERE function_name = '{reader.function}'")  # noqa: S608
    options = {name for (names,) in found for name in names} - PATHS
    stated = {*reader.fixed, *reader.given, *reader.left}
    assert options == stated, (options - stated, stated - options)
    assert len(stated) == len(reader.fixed) + len(reader.given) + len(reader.left), "an option occurs twice"
    assert all(reader.left.values())


def test_an_option_that_the_engine_gains_is_seen(engine):
    """The control: without one of its options a reader no longer states them all."""
    (found, *_) = engine.run("SELECT parameters FROM duckdb_functions() WHERE function_name = 'read_csv'")
    csv = READERS[0]
    assert set(found[0]) - PATHS - {"new_line"} != {*csv.fixed, *csv.given, *csv.left}


def test_every_type_of_the_engine_is_seen_or_refused(engine):
    """Types by their whole names: a new one fails here until somebody says what it is to JSON."""
    logical = {name for (name,) in engine.run("SELECT DISTINCT logical_type FROM duckdb_types()")}
    nested = {"LIST", "STRUCT", "MAP", "ARRAY", "UNION", "TUPLE"}
    others = {"DECIMAL", "ENUM", "NULL", "INVALID", "TABLE", "AGGREGATE_STATE", "LAMBDA"}
    known = set(CATEGORIES) | set(REFUSED) | {"TIMESTAMP_S", "JSON"}
    assert logical - known - nested - others == set()
    assert not set(CATEGORIES) & set(REFUSED)


@pytest.mark.parametrize(
    ("kind", "category"),
    [
        ("DECIMAL(18,0)", "integer"),
        ("DECIMAL(18,3)", "number"),
        ("ENUM('a', 'b')", "string"),
        ("ENUM('a)', 'b')[]", None),
        ("INTEGER[]", None),
        ("INTEGER[3]", None),
        ("STRUCT(a INTEGER)", None),
        ("MAP(VARCHAR, INTEGER)", None),
        ("TIMESTAMP WITH TIME ZONE", "timestamp"),
        ("TIMESTAMP WITH TIME ZONE[]", None),
        ("TIME WITH TIME ZONE", None),
        ("TIMESTAMPTZ_NS", "timestamp"),
        ("TIME_NS", "time"),
        ("DATETIME_OF_TOMORROW", None),
        ("BIGNUM", None),
        ("UHUGEINT", None),
    ],
)
def test_types_are_told_by_their_whole_names(kind, category):
    assert category_of(kind) == category


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", 'a,b\n1,"{}"\n2,y\n'),
        ("t.jsonl", '{{"a": 1, "b": "{}"}}\n{{"a": 2, "b": "y"}}\n'),
    ],
)
def test_a_cell_of_megabytes(engine, tmp_path, name, text):
    (tmp_path / name).write_text(text.format("x" * 20_000_000))
    engine.open(tmp_path, name, "big")
    assert engine.run("SELECT sum(length(b)) FROM big") == [(20_000_001,)]
    assert LONGEST == 32 * 2**20  # docs/contract.md says so
    assert "32 MiB" in (Path(__file__).parents[2] / "docs/contract.md").read_text(encoding="utf-8")
