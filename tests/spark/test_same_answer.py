"""Spark counts what DuckDB counts: every keyword, table rule and digest, on tables of every type."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from contract_bench import NOW, Held
from contract_tables import KINDS, Sample
from extent import part
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_hostile import FILES
from test_record_properties import KEYWORDS, VALUE

from gates.checkout.workspace import read_contract
from gates.contract.rules import row_rules
from gates.contract.rules.table_rules import TABLE_RULES
from gates.contract.text.text_formats import FORMATS
from gates.contract.text.timestamps import micros
from gates.errors import GatesError
from gates.measure.contract_check import findings
from gates.measure.engines import connect
from gates.measure.holdout.tables import content_digest, open_table, sequence_digest
from gates.measure.live import drift_bins
from gates.schema.yaml_text import Source

SEEN = [kind for kind in KINDS if kind not in ("hugeint", "uuid")]  # a file has no such column, or Spark can't see it
ROWS = st.fixed_dictionaries({kind: st.none() | KINDS[kind].values for kind in SEEN})
SCHEMAS = st.one_of(*(KEYWORDS[word].map(lambda value, word=word: {word: value}) for word in KEYWORDS), VALUE)


def some(cases, every):
    """Cases, of which one in so many is always tried."""
    return [pytest.param(case, marks=[pytest.mark.slow] if place % every else []) for place, case in enumerate(cases)]


@pytest.fixture(scope="module")
def duck():
    return connect(NOW, threads=1)


def hold(engine, folder, name, contract):
    """What the rules count in a table, which is its own second table; and its digest."""
    opened = open_table(engine, folder, name, "holdout")
    rules = read_contract(Source(name="contract", value=contract, places={}))
    return findings(engine, opened, rules, lambda _: opened), content_digest(engine, opened)


@settings(
    max_examples=part(3, 1),
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(st.lists(ROWS, min_size=4, max_size=12), st.lists(SCHEMAS, min_size=20, max_size=20))
def test_any_keyword_of_any_column_row_for_row(duck, spark, tmp_path, rows, schemas):
    table = Sample({kind: kind for kind in SEEN}, rows).arrow().append_column("#", pa.array(range(len(rows))))
    pq.write_table(table, tmp_path / "t.parquet")
    answers = []
    for engine in (duck, spark):
        opened = open_table(engine, tmp_path, "t.parquet", "t")
        asked = [
            f"CAST({row_rules.kept(schema, column, opened.seen)} AS INTEGER)"
            for schema in schemas
            for name, column in opened.seen.items()
            if name != "#"
        ]
        found = engine.run(f'SELECT "#", {", ".join(asked)} FROM t ORDER BY 1')  # noqa: S608 -- ours
        answers.append((found, content_digest(engine, opened)))
    assert answers[0] == answers[1]


N = 600
COLUMNS = {
    "x": [float("nan"), float("inf"), -0.0, 1e300, 1e-7, None] + [(i * 37 % 101) / 7 for i in range(N - 6)],
    "f": pa.array([i / 3 for i in range(N)], pa.float32()),
    "k": list(range(N)),
    "s": [f"w{i % 230}é" if i % 7 else None for i in range(N)],
    "b": [bool(i % 3) for i in range(N)],
    "d": [dt.date(2020, 1, 1) + dt.timedelta(i % 400) for i in range(N)],
    "ts": [dt.datetime(2020, 1, 1) + dt.timedelta(seconds=i, microseconds=i % 5) for i in range(N)],
    "z": pa.array([dt.datetime(2026, 2, 27)] * N, pa.timestamp("us", "UTC")),
    "tm": [dt.time(i % 24, 0, 1) for i in range(N)],
    "m": [Decimal(i) / 100 for i in range(N)],
    "tiny": pa.array([Decimal(i).scaleb(-9) for i in range(N)], pa.decimal128(12, 9)),
    "u": pa.array([2**64 - 1 - i for i in range(N)], pa.uint64()),
    "iso": ["2026-02-28T12:00:00+02:00"] * N,
}
EVERYTHING = {
    "record": {
        "required": ["x", "gone"],
        "properties": {
            "x": {"type": "integer", "minimum": 0, "multipleOf": 0.5},
            "f": {"exclusiveMaximum": 1},
            "s": {"pattern": r"^w1\d*é$", "enum": ["w1é", "w2é"]},
            "b": {"const": True},
            "d": {"pattern": "^2020", "maxLength": 9},
            "ts": {"pattern": "[05]Z$"},
            "z": {"not": {"format": "date-time"}},
            "tm": {"pattern": "^1"},
            "m": {"multipleOf": 0.05, "enum": [0.1, 0.2]},
            "tiny": {"minimum": 1},
            "u": {"maximum": 2**63},
        },
        "if": {"properties": {"b": {"const": True}}},
        "then": {"properties": {"x": {"minimum": 1}}},
        "anyOf": [{"properties": {"k": {"multipleOf": 3}}}, {"properties": {"b": {"const": False}}}],
    },
    "table": [
        {"rows": {"min": 1}},
        {"unique": "k"},
        {"unique": ["s", "b"]},
        {"unique": "x"},
        {"nulls": "s"},
        {"values": "b", "equal": True},
        {"columns": "ordered"},
        *({"fresh": column, "within": "7d"} for column in ("d", "ts", "z", "iso")),
        {"refers": ["k", "s"], "to": "other.parquet"},
        {"leakage": ["k", "b"]},
        *({"drift": column, "max": 0.1} for column in ("x", "s", "tm")),
        {"drift": "ts", "max": 0.1, "measure": "ks"},
        {"drift": "b", "max": 0.1, "measure": "js"},
    ],
}


def test_every_table_rule_and_the_whole_evidence(spark, tmp_path, monkeypatch):
    """The evidence has the same bytes: counts, shares, examples, distances, digests."""
    assert {key for entry in EVERYTHING["table"] for key in entry} >= TABLE_RULES.keys()
    whole = pa.table({"y": ["a"] * N} | COLUMNS)
    pq.write_table(whole.slice(0, N - 100), tmp_path / "holdout.parquet")
    pq.write_table(whole.slice(100, N // 2), tmp_path / "train.parquet")
    pq.write_table(whole.slice(50, N // 3), tmp_path / "other.parquet")
    monkeypatch.setattr("gates.measure.policy_tables.connect", lambda *_: spark)
    through_spark = Held(tmp_path, EVERYTHING, train="train.parquet", engine="spark")
    monkeypatch.undo()
    assert through_spark.bytes == Held(tmp_path, EVERYTHING, train="train.parquet").bytes
    assert len({one.count for one in through_spark.evidence.findings}) > 10


FORMED = [
    "2026-02-28",
    "2026-02-30",
    "0000-01-01",
    "0001-01-01",
    "12:00:00Z",
    "24:00:00Z",
    "2026-02-28T12:00:00.5+01:00",
]
FORMED += ["a@b", "1.2.3.4", "1.2.3.256", "12345678-1234-1234-1234-123456789012", "urn:x:y", "http://[::1]", "", "é\n"]
FORMED += [
    "::1",
    "a@[IPv6:::1]",
    "é@é.de",
    "xn--X",
    "xn--ll-0ea",
    "a-b.c",
    "a_b",
    "日本.jp",
    "0a.א",
    "P1DT2H",
    "/a~0",
    "0#",
    "a{b}",
]
FORMED += ["(a)+$", "^(a]", "23:59:60Z", "01:29:60+01:30", "22:59:60Z", "iri:é", "../é?x", "a%2", "x" * 300]
MOMENTS = ["2026-02-28", "2026-02-30", "0000-01-01", "0001-01-01", "9999-12-31T23:59:59.999999Z", "2026-02-28T12:00"]
MOMENTS += [
    "2026-02-28 12:00:01",
    "2026-02-28T12:00:01.123456+02:00",
    "2026-02-28T12:00:01-14:59",
    "1883-11-18T00:00:00Z",
    "2026-02-28t12:00:01.123456789z",
    "2026-02-28T12:00:01,5+0900",
    "2026-02-28T12:00-09",
    "2026-12-31T23:59:60Z",
    "2026-02-28T24:00:00Z",
    "0001-01-01T00:00:00+23:59",
]


def test_formats_and_moments_of_text(duck, spark, tmp_path):
    pq.write_table(pa.table({"a": FORMED + MOMENTS}), tmp_path / "t.parquet")
    asked = [form.kept('"a"') for form in FORMATS.values()]
    asked += [micros('"a"')]
    answers = []
    for engine in (duck, spark):
        open_table(engine, tmp_path, "t.parquet", "t")
        answers.append(engine.run(f'SELECT "a", {", ".join(asked)} FROM t ORDER BY 1'))  # noqa: S608 -- ours
    assert answers[0] == answers[1]
    assert all(len({row[place] for row in answers[0]}) > 1 for place in range(1, len(asked) + 1))


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t*.parquet"])
def test_files_of_every_sort(duck, spark, tmp_path, name):
    """Types that are guessed, that differ from file to file, and whole numbers without a sign."""
    if "*" in name:
        pq.write_table(pa.table({"a": pa.array([1, 2], pa.int32()), "b": ["x", None]}), tmp_path / "t1.parquet")
        pq.write_table(pa.table({"a": pa.array([2**40], pa.int64()), "b": ["y"]}), tmp_path / "t2.parquet")
    elif name == "t.jsonl":
        (tmp_path / name).write_text('{"a": 1, "b": "2026-01-01"}\n{"a": 2.5}\n')
    else:
        (tmp_path / name).write_text("a,b\n007,2026-01-01\n,Yes\n".replace(",", "\t" if name == "t.tsv" else ","))
    contract = {"properties": {"a": {"type": "integer", "maximum": 1}, "b": {"format": "date"}}}
    assert hold(duck, tmp_path, name, contract) == hold(spark, tmp_path, name, contract)


@pytest.mark.parametrize("case", some(FILES, 3))
def test_a_hostile_file_is_told_as_it_is_by_duckdb(duck, spark, tmp_path, case):
    name, data, _ = FILES[case]
    (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
    told = []
    for engine in (duck, spark):
        with pytest.raises(GatesError) as caught:
            hold(engine, tmp_path, name, {"properties": {"a": {"type": "integer"}}})
        told.append(caught.value)
    assert [error.exit_code for error in told] == [2, 2]
    column = told[0].what.split(";")[0]  # what is no flat column is told by either in its own words
    assert told[1].what == told[0].what or told[1].what.startswith(column), told


def test_a_pattern_that_backtracks(spark, tmp_path):
    pq.write_table(pa.table({"a": ["a" * 60 + "b"]}), tmp_path / "t.parquet")
    ((found,), _) = hold(spark, tmp_path, "t.parquet", {"properties": {"a": {"pattern": "^(a+)+$"}}})
    assert found.count == 1  # Java's own patterns would not have ended by then


@pytest.mark.parametrize(
    "name", some(['"; drop table', "a.b", "select", "é", "%s{}", "a`b", "x" * 300, "a\\", "v", "here"], 5)
)
def test_columns_of_any_name(duck, spark, tmp_path, name):
    table = [{"unique": name}, {"drift": name, "max": 1, "against": "t.parquet"}]
    contract = {"record": {"properties": {name: {"maximum": 1}}}, "table": table}
    pq.write_table(pa.table({name: [1, 2, 2]}), tmp_path / "t.parquet")
    assert hold(duck, tmp_path, "t.parquet", contract) == hold(spark, tmp_path, "t.parquet", contract)


UNSEEN = {
    "uuid": ("SELECT uuid() AS a", "the column a holds UUID; the engine spark can't read it"),
    "nanoseconds": ("SELECT TIMESTAMP_NS '2026-01-01 00:00:00.5' AS a", "the column a holds TIMESTAMP_NS"),
    "year 10000": ("SELECT DATE '10000-01-01' AS a", "outside the years 1 to 9999"),
    "infinity": ("SELECT TIMESTAMP 'infinity' AS a", "outside the years 1 to 9999"),
    "no UTF-8": (None, "INVALID_UTF8_STRING"),
}


@pytest.mark.parametrize("case", UNSEEN)
def test_what_spark_would_see_otherwise_is_an_error_that_names_it(spark, tmp_path, case):
    sql, told = UNSEEN[case]
    if sql:
        with duckdb.connect() as own:
            own.execute(f"COPY ({sql}) TO '{tmp_path}/t.parquet'")
    else:
        table = pa.table({"a": pa.array([b"\xff"])}).cast(pa.schema({"a": pa.string()}), safe=False)
        pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(GatesError) as caught:
        content_digest(spark, open_table(spark, tmp_path, "t.parquet", "t"))
    assert told in caught.value.what


def test_rows_have_no_order_in_spark(spark, tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "t.parquet")
    with pytest.raises(GatesError, match="rows have no order in Spark"):
        sequence_digest(spark, open_table(spark, tmp_path, "t.parquet", "t"))


def test_a_temporary_table_holds_what_it_held(spark, tmp_path):
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "t.parquet")
    open_table(spark, tmp_path, "t.parquet", "t")
    for _ in range(2):
        assert spark.run("CREATE OR REPLACE TEMP TABLE kept AS SELECT a, a * 2 AS b FROM t") == []
    (tmp_path / "t.parquet").unlink()
    assert spark.run("SELECT sum(a), sum(b) FROM kept") == [(3, 6)]


def test_profiles_and_rows_by_bin_are_the_same(duck, spark, tmp_path):
    words = [None if place % 9 == 0 else f"v{place % 5}" for place in range(200)]
    numbers = [None if place % 7 == 0 else float("nan") if place % 11 == 0 else place / 3 for place in range(200)]
    pq.write_table(pa.table({"t": words, "u": words[::-1], "x": numbers}), tmp_path / "live.parquet")
    asked = [("t", "psi"), ("u", "psi"), ("x", "psi"), ("x", "ks")]
    profiles = [
        drift_bins.profile(one, [open_table(one, tmp_path, "live.parquet", "live")], asked) for one in (duck, spark)
    ]
    assert profiles[0] == profiles[1]
    assert [sum(one.counts) for one in profiles[0].columns] == [200] * 4
