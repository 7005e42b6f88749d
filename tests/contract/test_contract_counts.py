"""What the engine counts is what the jsonschema package rejects, row for row."""

from __future__ import annotations

import math

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gates.contract.read import mistakes, read
from gates.errors import GatesError
from gates.measure.contract import EXAMPLES, findings
from gates.measure.tables import Opened, connect
from gates.source import Source

TYPES = ["string", "integer", "number", "boolean", "null"]
EXACT = 2**53  # beyond it neither JSON nor a double tells neighbours apart
WHOLE = st.integers(-EXACT, EXACT) | st.integers(-3, 3)
REAL = st.floats() | st.sampled_from([0.0, -0.0, 1.0, 2.0, 0.1, 1e300, math.nan, math.inf, -math.inf])
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5) | st.sampled_from(
    ["", "a", "A", "'", "''", '"', "\\", "é", "e\u0301", "1", "true", "null", " a", "%", "_", "--", "\n", "😀"]
)
COLUMNS = {"BIGINT": WHOLE, "DOUBLE": REAL, "VARCHAR": WORDS, "BOOLEAN": st.booleans()}
NAMES = st.sampled_from(["a", 'x"; DROP TABLE t; --', "select", "A b", "é", "'", '"', "a.b", "%s", "{}", "?", "$1"])
FINITE = st.floats(allow_nan=False, allow_infinity=False)
NUMBER = WHOLE | FINITE | st.sampled_from([0, 1, 0.0, 1.0, 0.1, -1])
TYPE = st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), min_size=1, max_size=3)


@st.composite
def tables(draw):
    """(engine's type, column's name, values, schema of the column)."""
    kind = draw(st.sampled_from(sorted(COLUMNS)))
    values = draw(st.lists(st.none() | COLUMNS[kind], min_size=1, max_size=12))
    written = [one for one in values if not (isinstance(one, float) and not math.isfinite(one))]
    options = st.none() | st.booleans() | NUMBER | WORDS
    option = options | st.sampled_from(written) if written else options
    schema = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "type": TYPE,
                "enum": st.lists(option, min_size=1, max_size=5),
                "minimum": NUMBER,
                "maximum": NUMBER,
            },
        )
    )
    return kind, draw(NAMES), values, schema


@pytest.fixture(scope="module")
def engine():
    return connect(threads=1)


def contract_of(value):
    source = Source(name="contract.yaml", value=value, places={(): (1, 1)})
    assert list(mistakes(source)) == []
    return read(source)


def table_of(engine, columns: dict[str, tuple[str, list]]) -> Opened:
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in columns}
    engine.execute(f"CREATE OR REPLACE TABLE t ({', '.join(f'{quoted[n]} {columns[n][0]}' for n in columns)})")
    rows = list(zip(*(values for _, values in columns.values()), strict=True))
    if rows:
        holes = ", ".join("?" * len(columns))
        engine.executemany(f"INSERT INTO t VALUES ({holes})", [list(row) for row in rows])  # noqa: S608
    return Opened(name="t", path="t.parquet", columns={name: kind for name, (kind, _) in columns.items()})


def rejected(schema, values) -> list:
    validator = jsonschema.Draft202012Validator(schema)
    return [value for value in values if not validator.is_valid(value)]


@given(tables())
@example(("DOUBLE", "a", [math.nan, math.inf, -math.inf, None, 1.0], {"type": "integer", "minimum": 0, "maximum": 5}))
@example(("DOUBLE", "a", [math.nan, 1.0, 2.0, None], {"enum": [1, True, None]}))
@example(("BIGINT", "a", [0, 1, None], {"enum": [False, 1.0]}))
@example(("BOOLEAN", "a", [False, True, None], {"enum": [0, 1], "type": "number", "minimum": 5}))
@example(("VARCHAR", 'x"; DROP TABLE t; --', ["'; DROP TABLE t; --", "", None], {"enum": ["'; DROP TABLE t; --"]}))
@settings(max_examples=200)
def test_counts_are_jsonschema_s(engine, made):
    kind, name, values, schema = made
    contract = contract_of({"record": {"properties": {name: schema}}})
    found = findings(engine, table_of(engine, {name: (kind, values)}), contract)
    assert [one.rule for one in found] == [f"{name}.{word}" for word in schema]
    for one, (word, parameter) in zip(found, schema.items(), strict=True):
        wrong = rejected({word: parameter}, values)
        assert (one.rule, one.rows, one.count) == (f"{name}.{word}", len(values), len(wrong))
        assert (len(one.examples) > 0) == (len(wrong) > 0)
        assert len(one.examples) <= EXAMPLES


@given(st.lists(st.none() | st.integers(0, 3), max_size=10), st.lists(st.none() | st.integers(0, 2), min_size=10))
@settings(max_examples=60)
def test_table_rules_count(engine, one, other):
    other = other[: len(one)]
    opened = table_of(engine, {"a": ("BIGINT", one), "b": ("BIGINT", other)})
    table = {"rows": {"min": 1}, "unique": ["a, b"], "nulls": {"a": 0.5}, "values": {"b": {"1": {"max": 0.5}}}}
    found = {finding.rule: finding.count for finding in findings(engine, opened, contract_of({"table": table}))}
    assert found == {
        "rows": len(one),
        "unique(a, b)": len(one) - len(set(zip(one, other, strict=True))),
        "nulls(a)": one.count(None),
        "values(b=1)": other.count(1),
    }


@given(st.lists(st.integers(0, 5), max_size=10))
@settings(max_examples=30)
def test_unique_counts_what_repeats(engine, values):
    opened = table_of(engine, {"a": ("BIGINT", values)})
    (found,) = findings(engine, opened, contract_of({"table": {"unique": ["a"]}}))
    assert found.count == len(values) - len(set(values))


def test_required_is_about_columns(engine):
    opened = table_of(engine, {"a": ("BIGINT", [1, None])})
    found = findings(engine, opened, contract_of({"record": {"required": ["a", "b"]}}))
    assert [(one.rule, one.count) for one in found] == [("a.required", 0), ("b.required", 2)]


def test_nothing_is_said_of_a_column_that_is_not_there(engine):
    """As JSON Schema has it: an absent property is missed by `required` alone."""
    opened = table_of(engine, {"a": ("BIGINT", [1])})
    schema = {"type": "string", "enum": ["x"], "minimum": 3, "maximum": 1}
    found = findings(engine, opened, contract_of({"record": {"properties": {"b": schema}}}))
    assert [one.count for one in found] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "table", [{"unique": ["b"]}, {"unique": ["a, b"]}, {"nulls": {"b": 0}}, {"values": {"b": {"x": {"min": 0}}}}]
)
def test_a_table_rule_on_a_column_that_is_not_there_is_told(engine, table):
    opened = table_of(engine, {"a": ("BIGINT", [1])})
    with pytest.raises(GatesError, match="no column b"):
        findings(engine, opened, contract_of({"table": table}))


def test_a_nested_column_is_told_never_skipped(engine):
    opened = table_of(engine, {"a": ("BIGINT[]", [[1, 2]])})
    with pytest.raises(GatesError, match="the column a is BIGINT"):
        findings(engine, opened, contract_of({"record": {"properties": {"a": {"minimum": 3}}}}))


def test_sensitive_values_are_not_shown(engine):
    opened = table_of(engine, {"a": ("BIGINT", [1, 2]), "b": ("BIGINT", [1, 2])})
    hidden = {"minimum": 3, "x-sensitive": True}
    found = findings(engine, opened, contract_of({"record": {"properties": {"a": hidden, "b": {"minimum": 3}}}}))
    assert [(one.rule, one.count, one.examples) for one in found] == [
        ("a.minimum", 2, ()),
        ("b.minimum", 2, ("1", "2")),
    ]


def test_examples_are_the_most_frequent_and_cut(engine):
    values = ["x" * 100] * 3 + ["b"] * 2 + ["a", "c", "d", "e", "f", None]
    opened = table_of(engine, {"a": ("VARCHAR", values)})
    (found,) = findings(engine, opened, contract_of({"record": {"properties": {"a": {"enum": ["none of them"]}}}}))
    assert found.count == len(values)
    assert found.examples == ("x" * 40, "b", "a", "c", "d")


@pytest.mark.parametrize(
    "kind", ["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL(9,3)"]
)
def test_every_type_of_number(engine, kind):
    values = [0, 1, 2, None, 100]
    opened = table_of(engine, {"a": (kind, values)})
    schema = {"type": "integer", "enum": [1, 2.0, "x"], "minimum": 1, "maximum": 2.5}
    found = findings(engine, opened, contract_of({"record": {"properties": {"a": schema}}}))
    assert [one.count for one in found] == [
        len(rejected({word: parameter}, values)) for word, parameter in schema.items()
    ]


@pytest.mark.parametrize(
    ("kind", "values", "schema"),
    [
        ("VARCHAR", ["a\0b", "a"], {"enum": ["a\0b"]}),
        ("ENUM('x', 'y')", ["x", "y", None], {"enum": ["x", "zzz"], "type": "string"}),
        ("BIGINT", [2**62, 5], {"minimum": 10**30, "maximum": -(10**38)}),
        ("UBIGINT", [0, 2**64 - 1], {"minimum": -1, "maximum": 2**64, "enum": [-1]}),
        ("TINYINT", [0, 5], {"minimum": 1000, "maximum": -1000, "enum": [1000, 5]}),
        ("DOUBLE", [0.1], {"minimum": 0.1, "maximum": 0.1, "enum": [0.1]}),
    ],
)
def test_awkward_values(engine, kind, values, schema):
    opened = table_of(engine, {"a": (kind, values)})
    found = findings(engine, opened, contract_of({"record": {"properties": {"a": schema}}}))
    assert [one.count for one in found] == [len(rejected({word: value}, values)) for word, value in schema.items()]
