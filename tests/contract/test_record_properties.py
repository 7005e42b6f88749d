"""The compiled record means what the standard means, row for row, as two other validators tell it: schemas and rows are
made at random."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from functools import cache

import jsonschema
import jsonschema_rs
import pytest
from contract_tables import KINDS, WORDS, Sample, broken, engine, samples
from extent import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.contract import references, schemas
from gates.contract.rules import row_rules
from gates.contract.rules.keywords import KEYWORDS as KEYWORDS_OF_VALUES
from gates.contract.sql import Column
from gates.measure.holdout.tables import OpenTable
from gates.schema.yaml_text import Source

NAMES = ("a", "b")


def _multiple_of(validator, divisor, instance, schema):
    """jsonschema's own, but numbers of up to 15 digits are the decimals that they are written as, and what it crashes
    on (NaN, the infinities) breaks the keyword."""
    if isinstance(divisor, float) and isinstance(instance, int | float) and math.isfinite(instance):
        step = Fraction(repr(divisor))
        times = round(Fraction(instance) / step)
        if abs(times * step.numerator) < 10**15 and step.denominator <= 10**22 and step.numerator < 10**15:
            if float(times * step) != instance:
                yield jsonschema.ValidationError("no multiple")
            return
    try:
        yield from jsonschema.Draft202012Validator.VALIDATORS["multipleOf"](validator, divisor, instance, schema)
    except (ValueError, OverflowError):
        yield jsonschema.ValidationError("no multiple")


@cache
def _by_rust(word, parameter):
    return jsonschema_rs.Draft202012Validator({word: parameter}, validate_formats=True)


def _told_by_rust(word):
    """Patterns are those of ECMA 262 and formats what their RFC says: jsonschema takes Python's, and looser ones."""

    def told(_, parameter, instance, __):
        if isinstance(instance, str) and not _by_rust(word, parameter).is_valid(instance):
            yield jsonschema.ValidationError(word)

    return told


ORACLE = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"multipleOf": _multiple_of, "pattern": _told_by_rust("pattern"), "format": _told_by_rust("format")},
)


def valid(schema, instance) -> bool:
    return ORACLE(schema).is_valid(instance)


@pytest.fixture(scope="module")
def connection():
    return engine()


NUMBERS = st.one_of(
    st.integers(-6, 20),
    st.sampled_from(
        [2**53, 2**53 + 1, 2**63, -(2**63), 2**64, 2**127, 10**38, -(10**39), 1e308, -1e308, 0.1, 0.3, 2.5, 5e-324]
    ),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
)
DIVISORS = st.one_of(
    st.integers(1, 12),
    st.sampled_from([0.1, 0.5, 2.0, 0.3, 1e-300, 5e-324, 1e300, 2**53 + 1, 2**63, 2**127, 10**38, 10**39]),
    st.floats(min_value=0, exclude_min=True, allow_infinity=False),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, st.sampled_from(WORDS), st.just("2020-01-01T00:00:00Z"))
ANYTHING = SCALARS | st.just([]) | st.just({}) | st.just([1]) | st.just({"a": 1})
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "null", "object", "array"])
PATTERNS = st.sampled_from(
    ["", "a", "^a$", "^$", r"^\d+", r"\w", r"^\S+$", r"[^a]", "es$", r"^.$", r"^.{2,}$", "^2020-", "Z$", "é|日"]
)
KEYWORDS = {
    "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
    "enum": st.lists(ANYTHING, max_size=4),
    "const": ANYTHING,
    "minimum": NUMBERS,
    "maximum": NUMBERS,
    "exclusiveMinimum": NUMBERS,
    "exclusiveMaximum": NUMBERS,
    "multipleOf": DIVISORS,
    "minLength": st.integers(0, 4) | st.just(2.0),
    "maxLength": st.integers(0, 12),
    "pattern": PATTERNS,
    "format": st.sampled_from(["date", "date-time", "time", "email", "ipv4", "uuid"]),
}
REFERENCES = st.sampled_from(
    [{"$ref": "#/$defs/one"}, {"$ref": "#/$defs/two", "title": "two"}, {"$ref": "#/$defs/two", "minLength": 1}]
)


def some_of(keywords, most):
    return st.lists(st.sampled_from(sorted(keywords)), max_size=most, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({word: keywords[word] for word in chosen})
    )


def combined(inner):
    lists = st.lists(inner, min_size=1, max_size=3)
    return {
        "allOf": lists, "anyOf": lists, "oneOf": lists, "not": inner, "if": inner, "then": inner, "else": inner,
    }  # fmt: skip


def of_rows(inner):
    return combined(inner) | {"dependentSchemas": st.dictionaries(st.sampled_from(["a", "c"]), inner, max_size=2)}


def recursive(leaf, words=combined):
    return st.recursive(leaf, lambda inner: some_of(words(inner), 3), max_leaves=6)


VALUE = recursive(st.booleans() | some_of(KEYWORDS, 2))
LEAF_ROW = {
    "properties": st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUE, max_size=2),
    "required": st.lists(st.sampled_from(["a", "b", "c"]), max_size=2, unique=True),
    "dependentRequired": st.dictionaries(
        st.sampled_from(["a", "c"]), st.lists(st.sampled_from(["b", "c"]), unique=True)
    ),
    "additionalProperties": VALUE,
    "unevaluatedProperties": VALUE,
    "patternProperties": st.dictionaries(st.sampled_from(["a", "^[ab]$", "", "[^a]"]), VALUE, max_size=2),
    "propertyNames": some_of({"pattern": PATTERNS, "maxLength": st.integers(0, 2), "enum": st.just(["a", "b"])}, 2),
    "minProperties": st.integers(0, 3),
    "maxProperties": st.integers(0, 3),
    "type": TYPES | st.just("object"),
    "enum": st.just([{}]) | st.just([{"a": 1, "b": None}, {"a": "a", "b": "a"}]),
    "minimum": st.just(3),
    "pattern": st.just("x"),
}
ROW = recursive(st.booleans() | some_of(LEAF_ROW, 3), of_rows)
WHOLE = st.builds(
    lambda properties, rest: {"properties": properties, **rest},
    st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUE | REFERENCES, max_size=3),
    st.one_of(some_of({**LEAF_ROW, **of_rows(ROW)}, 3)),
)
DEFINITIONS = st.fixed_dictionaries({"one": some_of(KEYWORDS, 2), "two": VALUE})


def compiled(schema):
    text = json.dumps(schema)
    source = Source(name="contract.json", value=schema, places={})
    assert list(schemas.mistakes(source, schema, ())) == [], text
    return list(row_rules.rules(references.resolved(schema)))


def alone(rule, schema):
    """(what jsonschema is asked about one rule, whether of a column's value)."""
    name, _, word = rule.id.rpartition(".")
    if word == "required":
        return {"required": [name]}, None
    if name:
        inner = schema["properties"][name]
        inner = {"not": {}} if inner is False else inner
        return {key: inner[key] for key in (word, *(("then", "else") if word == "if" else ())) if key in inner}, name
    if word in ("additionalProperties", "unevaluatedProperties"):
        return None, None  # what it looks at depends on what stands beside it
    return {key: schema[key] for key in (word, *(("then", "else") if word == "if" else ())) if key in schema}, None


def check(connection, sample: Sample, schema) -> None:
    columns = sample.load(connection)
    rows = sample.json()
    any_broken = set()
    for rule in compiled(schema):
        found = broken(connection, rule, columns, len(rows))
        any_broken |= found
        if "$ref" not in json.dumps(schema):
            asked, name = alone(rule, schema)
            if asked is None:
                continue
            wanted = {
                index for index, row in enumerate(rows)
                if (name is None or name in row) and not valid(asked, row if name is None else row[name])
            }  # fmt: skip
            assert found == wanted, (rule.id, asked, [rows[index] for index in found ^ wanted])
    assert any_broken == {index for index, row in enumerate(rows) if not valid(schema, row)}


@pytest.mark.parametrize("word", sorted(KEYWORDS))
def test_one_keyword(connection, word):
    @settings(max_examples=examples(70))
    @given(samples(("a",)), KEYWORDS[word])
    def holds(sample, parameter):
        check(connection, sample, {"properties": {"a": {word: parameter}}})

    holds()


def test_the_smallest_whole_number_is_a_multiple_of_what_no_column_holds(connection):
    sample = Sample({"a": "hugeint"}, [{"a": value} for value in (-(2**127), 2**127 - 1, 0, None)])
    check(connection, sample, {"properties": {"a": {"multipleOf": 2**127}}})


MULTIPLES = {  # divisor: (doubles that are multiples, those that are not)
    0.1: ((0.1, 0.2, 0.3, 0.6, 0.7, -0.3, 1.1, 100.3, 123456789.7, 1e300), (0.25, 0.35, 0.30000000000001, 1e-9, -0.05)),
    0.01: ((0.29, 0.57, 0.58, 4.35, 1.15, -8.41, 123456.78), (0.295, 0.291, 4.3500001)),
    0.7: ((2.1, 21.0, 6.3), (2.2, 20.9, 6.30000000001)),
    1e-8: ((3e-8, 0.00000007, 1.00000003), (3.5e-8, 1e-9)),
    3.3: ((9.9, 6.6, -33.0), (9.8, 1.1)),
}


@pytest.mark.parametrize("divisor", MULTIPLES)
def test_multiples_are_told_as_they_are_written(connection, divisor):
    """0.3 / 0.1 is not whole in doubles."""
    kept, strange = MULTIPLES[divisor]
    sample = Sample({"a": "double"}, [{"a": value} for value in (*kept, *strange)])
    (rule,) = compiled({"properties": {"a": {"multipleOf": divisor}}})
    assert broken(connection, rule, sample.load(connection), len(sample.rows)) == set(
        range(len(kept), len(kept) + len(strange))
    )


def test_whole_numbers_are_multiples_of_what_is_written(connection):
    sample = Sample({"a": "bigint"}, [{"a": value} for value in (21, 42, -7, 20, 10**15, 10**14 + 1)])
    (rule,) = compiled({"properties": {"a": {"multipleOf": 0.7}}})
    assert broken(connection, rule, sample.load(connection), 6) == {3, 4, 5}


NEAR = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "const", "multipleOf")


@settings(max_examples=examples(150))
@given(st.data())
def test_numbers_beside_their_bounds(connection, data):
    """The bound is a value of the column, or its nearest neighbour."""
    kind = data.draw(st.sampled_from(["bigint", "ubigint", "hugeint", "double", "float", "decimal", "whole decimal"]))
    values = data.draw(st.lists(KINDS[kind].values, min_size=1, max_size=5))
    sample = Sample({"a": kind}, [{"a": value} for value in values])
    value = next((row["a"] for row in sample.json() if math.isfinite(row["a"])), 1)
    bounds = [value, -value, value + 1, value - 1, float(value), math.nextafter(float(value), math.inf), value + 0.5]
    bound = data.draw(st.sampled_from([one for one in bounds if math.isfinite(one)]))
    word = data.draw(st.sampled_from(NEAR))
    if word == "multipleOf" and bound <= 0:
        return
    check(connection, sample, {"properties": {"a": {word: bound}}})


@settings(max_examples=examples(220))
@given(samples(NAMES), WHOLE, DEFINITIONS)
def test_whole_records(connection, sample, schema, definitions):
    if "$ref" in json.dumps(schema):
        schema = {**schema, "$defs": definitions}
    check(connection, sample, schema)


DIGITS = st.text("0123456789", min_size=1, max_size=4)
CLOCKS = st.from_regex(r"\A[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,9})?(Z|z|[+-][0-2][0-9]:[0-6][0-9]|)\n?\Z")
DATES = st.from_regex(r"\A[0-2][0-9]{3}-[01][0-9]-[0-3][0-9]\n?\Z")
FORMED = {
    "date": DATES | st.dates().map(str) | st.from_regex(r"\A[0-9٣]{4}-?0[0-9]-[0-9]{2}\Z"),
    "time": CLOCKS
    | st.builds(
        lambda hour, shift: f"{hour:02}:29:60{shift}", st.integers(0, 23), st.sampled_from(["+01:30", "-05:30", "Z"])
    ),
    "date-time": st.builds(
        lambda day, sign, clock: day.strip() + sign + clock, DATES, st.sampled_from(["T", "t", " ", ""]), CLOCKS
    ),
    "duration": st.from_regex(r"\AP?([0-9]W)?([0-9]Y)?([0-9]M)?([0-9]D)?(T([0-9]H)?([0-9]M)?([0-9]S)?)?\n?\Z"),
    "email": st.from_regex(r"\A[a.]{0,3}@?(a|a\.b|-a|\[127\.0\.0\.1\])\n?\Z"),
    "hostname": st.text("ab-.0", max_size=6) | st.from_regex(r"\A[a-z]{60,64}(\.[a-z]{0,3})?\Z"),
    "ipv4": st.lists(DIGITS | st.integers(0, 260).map(str), min_size=3, max_size=5).map(".".join)
    | st.from_regex(r"\A[0-9]{1,3}(\.[0-9٣]{1,3}){3}\n?\Z"),
    "ipv6": st.ip_addresses(v=6).map(str)
    | st.text("0:f1.", max_size=9)
    | st.from_regex(r"\A(::)?([0-9a-g]{1,4}:){5,8}1?\Z"),
    "uuid": st.uuids().map(str)
    | st.uuids().map(lambda one: str(one).upper())
    | st.from_regex(r"\A\{?(urn:)?[0-9a-f]{8}-[0-9a-g_]{4}-[0-9a-f+]{4}-[0-9a-f ]{4}-[0-9a-f٣_-]{12,14}\}?\Z"),
    "json-pointer": st.text("/~01a\n", max_size=6),
    "relative-json-pointer": st.text("/~01#-", max_size=5),
    "uri": st.text("a:/?#[]@%0 \\{é", max_size=8) | st.from_regex(r"\Aa:(//)?[a-b@:/\[\]%0]{0,6}\Z"),
    "uri-reference": st.text("a:/?#[]@%0 \\{é", max_size=8),
    "iri": st.from_regex(r"\Aa:(//)?[a-bé日@:/%0 ]{0,6}\Z"),
    "iri-reference": st.text("a:/?#@%0é日 ", max_size=8),
    "uri-template": st.text("a{},:*1+/ %", max_size=8),
}


@pytest.mark.parametrize("name", sorted(FORMED))
def test_formats_of_text_that_nearly_has_them(connection, name):
    @settings(max_examples=examples(50))
    @given(st.lists(FORMED[name], min_size=1, max_size=8))
    def holds(texts):
        check(
            connection,
            Sample({"a": "string"}, [{"a": text} for text in texts]),
            {"properties": {"a": {"format": name}}},
        )

    holds()


TYPED = {
    "DATE": ["2026-02-28", "0001-01-01", "9999-12-31", "10000-01-01", "0001-01-01 (BC)", "infinity", "-infinity"],
    "TIMESTAMP": [
        "2026-02-28 12:00:00.5",
        "9999-12-31 23:59:59",
        "10000-01-01 00:00:00",
        "infinity",
        "0001-01-01 (BC) 00:00:00",
    ],
    "TIMESTAMP_NS": ["2026-02-28 12:00:00.123456789"],
    "TIMESTAMP_S": ["2026-02-28 12:00:00"],
    "TIME": ["12:00:00", "23:59:59.000001", "00:00:00"],
}


@pytest.mark.parametrize("kind", TYPED)
def test_a_column_of_times_has_the_format_that_its_text_has(connection, kind):
    """Judged by the type, or by what `Column.text` makes of the value: the answer is the same."""
    name = {"DATE": "date", "TIME": "time"}.get(kind, "date-time")
    column = OpenTable(name="t", path="t", columns={"a": kind}).seen["a"]
    typed, texts = (
        KEYWORDS_OF_VALUES["format"].kept(one, name) for one in (column, Column(name="b", category="string"))
    )
    source = f"SELECT a, {column.text} AS b FROM (SELECT CAST($1 AS {kind}) AS a)"  # noqa: S608 -- ours
    query = f"SELECT {typed}, {texts}, b FROM ({source})"  # noqa: S608 -- ours
    for value in TYPED[kind]:
        ((by_type, by_text, text),) = connection.execute(query, [value]).fetchall()
        assert by_type == by_text == valid({"format": name}, text), text


URIS = {
    True: [
        "a:",
        "http://a",
        "http://",
        "urn:isbn:123",
        "http://[::1]:80/x?y#z",
        "http://[v1.a:b]",
        "ftp://u:p@h/%20",
        "mailto:a@b",
        "file:///etc",
        "http://[1:2:3:4:5:6:7:8]",
        "http://[1::8]",
        "http://[::ffff:1.2.3.4]",
        "x:/",
        "x:?#",
        "a+b-c.9:1",
        "http://1.2.3.4:",
        "http://a/;,=",
        "http://[1:2:3:4:5:6:7::]",
    ],
    False: [
        "",
        "a",
        "//a",
        "http:// a",
        "http://a b",
        "1a:",
        "http://[::1",
        "http://[::g]",
        "a:%2",
        "a:%zz",
        "http://é",
        "a:[",
        "a:\n",
        "http://h:8a/",
        "a:#b#c",
        "http://[1:2:3:4:5:6:7:8:9]",
        "http://[1::2::3]",
        "http://[::256.1.1.1]",
        ":a",
        "a:\\",
        'a:"',
        "a:^",
        "a://u@v@w",
    ],
}


@pytest.mark.parametrize("good", [True, False])
def test_uris_are_those_of_rfc_3986(connection, good):
    """jsonschema checks them only where another package is installed, so they are told one by one."""
    sample = Sample({"a": "string"}, [{"a": text} for text in URIS[good]])
    columns = sample.load(connection)
    (rule,) = compiled({"properties": {"a": {"format": "uri"}}})
    wanted = set() if good else set(range(len(sample.rows)))
    assert broken(connection, rule, columns, len(sample.rows)) == wanted
