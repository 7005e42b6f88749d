"""gates contract diff: what it says of two contracts holds, row for row, by the jsonschema package."""

from __future__ import annotations

import json

import jsonschema
import pytest
from edge_project import call, refused
from extent import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.checkout.workspace import read_contract
from gates.contract.contract_diff import compare
from gates.documents.printed.diff import ChangeKind
from gates.schema.yaml_text import Source

VALUES = [
    None,
    True,
    False,
    -1,
    0,
    1,
    1.0,
    1.5,
    2,
    3,
    4,
    6,
    2**60,
    -0.5,
    1e300,
    "",
    "a",
    "b",
    "ab",
    "abc",
    "2020-01-01",
]
NUMBERS = st.sampled_from([-1, 0, 1, 1.0, 1.5, 2, 3, 2**60])
TYPES = ["string", "integer", "number", "boolean", "null"]
KEYWORDS = {
    "type": st.one_of(st.sampled_from(TYPES), st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True)),
    "enum": st.lists(st.sampled_from([one for one in VALUES if one is not None]), max_size=4),
    "const": st.sampled_from(VALUES),
    "minimum": NUMBERS,
    "maximum": NUMBERS,
    "exclusiveMinimum": NUMBERS,
    "exclusiveMaximum": NUMBERS,
    "multipleOf": st.sampled_from([1, 2, 3, 4, 6, 0.5, 1.5]),
    "minLength": st.integers(0, 3),
    "maxLength": st.integers(0, 3),
    "pattern": st.sampled_from(["a", "^b$", "c"]),
    "anyOf": st.sampled_from([[{"minimum": 1}, {"type": "string"}], [{"const": "a"}, {"maximum": 2}]]),
    "not": st.sampled_from([{"const": 1}, {"type": "null"}]),
    "if": st.just({"type": "string"}),
    "then": st.sampled_from([{"minLength": 1}, {"maxLength": 2}]),
    "else": st.sampled_from([{"minimum": 0}, False]),
}
NAMES = ["p", "q", "r"]
COLUMN = st.one_of(st.booleans(), st.fixed_dictionaries({}, optional=KEYWORDS))
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "properties": st.dictionaries(st.sampled_from(NAMES), COLUMN, max_size=2),
        "required": st.lists(st.sampled_from(NAMES), unique=True, max_size=2),
        "additionalProperties": st.one_of(st.booleans(), st.sampled_from([{"type": "string"}, {"minimum": 1}])),
        "dependentRequired": st.sampled_from([{"p": ["q"]}, {"q": ["r"]}]),
        "not": st.just({"required": ["r"]}),
    },
)
ROWS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=3)


@st.composite
def pairs(draw):
    """A record's schema, and one that differs from it in a keyword of a column or of the row."""
    before = draw(RECORDS)
    after = json.loads(json.dumps(before))
    columns = [name for name, said in after.get("properties", {}).items() if isinstance(said, dict)]
    inside = after["properties"][draw(st.sampled_from(columns))] if columns and draw(st.booleans()) else None
    if inside is None:
        after |= draw(RECORDS)
        if draw(st.booleans()):
            after.pop(draw(st.sampled_from([*RECORD_WORDS])), None)
        return before, after
    for word in draw(st.lists(st.sampled_from([*KEYWORDS]), min_size=1, max_size=2, unique=True)):
        if word in inside and draw(st.booleans()):
            del inside[word]
        else:
            inside[word] = draw(KEYWORDS[word])
    return before, after


RECORD_WORDS = ("properties", "required", "additionalProperties", "dependentRequired", "not")


def contract(value):
    return read_contract(Source(name="contract", value=value, places={}))


def kinds(before, after):
    return {change.kind for change in compare(contract(before), contract(after)).changes}


def hold(said, taken):
    """What is said against (taken before, taken after, what) of many rows or values."""
    if said <= {ChangeKind.STRICTER, ChangeKind.NEW}:
        assert [one for before, after, one in taken if after and not before] == []
    if said <= {ChangeKind.LOOSER, ChangeKind.GONE}:
        assert [one for before, after, one in taken if before and not after] == []


@st.composite
def columns(draw):
    """Two schemas of a column that say something by the same keywords, or by those of one family."""
    words = draw(st.sampled_from([*FAMILIES, *FAMILIES, ["type"], *([word] for word in KEYWORDS)]))
    return tuple(
        {word: draw(KEYWORDS[word]) for word in draw(st.lists(st.sampled_from(words), min_size=1, unique=True))}
        for _ in range(2)
    )


FAMILIES = [["type", "enum"], ["enum", "const"], ["minimum", "exclusiveMinimum"], ["maximum", "exclusiveMaximum"]]


@settings(max_examples=examples(600))
@given(columns())
def test_what_is_said_of_two_columns_holds_for_every_value(pair):
    first, second = (jsonschema.Draft202012Validator(one) for one in pair)
    before, after = ({"record": {"properties": {"p": one}}} for one in pair)
    hold(kinds(before, after), [(first.is_valid(value), second.is_valid(value), value) for value in VALUES])


@settings(max_examples=examples(200))
@given(pairs(), st.lists(ROWS, min_size=40, max_size=40))
def test_what_is_said_of_two_contracts_holds_for_every_row(pair, rows):
    first, second = (jsonschema.Draft202012Validator(one) for one in pair)
    before, after = ({"record": one} for one in pair)
    hold(kinds(before, after), [(first.is_valid(row), second.is_valid(row), row) for row in rows])


MIRROR = {
    ChangeKind.STRICTER: ChangeKind.LOOSER,
    ChangeKind.LOOSER: ChangeKind.STRICTER,
    ChangeKind.NEW: ChangeKind.GONE,
    ChangeKind.GONE: ChangeKind.NEW,
}


@settings(max_examples=examples(200))
@given(pairs())
def test_the_other_way_round_the_contrary_is_said(pair):
    there, back = (compare(*(contract({"record": one}) for one in sides)).changes for sides in (pair, pair[::-1]))
    named = sorted((change.kind, str(change.before), str(change.after)) for change in there)
    assert named == sorted((MIRROR.get(one.kind, one.kind), str(one.after), str(one.before)) for one in back)


@given(RECORDS)
def test_a_contract_does_not_differ_from_itself(record):
    assert compare(contract({"record": record}), contract({"record": record})).changes == ()


COLUMN_CASES = [  # one column before and after, and what became of which rule
    ({"minimum": 0}, {"minimum": 1}, {"x.minimum": "stricter"}),
    ({"minimum": 0}, {"exclusiveMinimum": 0}, {"x.exclusiveMinimum": "stricter"}),
    ({"minimum": 0, "exclusiveMinimum": -5}, {"minimum": 0}, {}),
    ({"maximum": 9}, {"maximum": 9.5}, {"x.maximum": "looser"}),
    ({"maximum": 9}, {"maximum": 9.0}, {}),
    ({}, {"maximum": 9}, {"x.maximum": "new"}),
    ({"maxLength": 9}, {}, {"x.maxLength": "gone"}),
    ({"enum": ["a", "b"]}, {"enum": ["a"]}, {"x.enum": "stricter"}),
    ({"enum": ["a", "b"]}, {"const": "a"}, {"x.const": "stricter"}),
    ({"enum": ["a", "b"]}, {"enum": ["b", "a", "c"]}, {"x.enum": "looser"}),
    ({"enum": ["a", "b"]}, {"enum": ["b", "c"]}, {"x.enum": "incompatible"}),
    ({"enum": [1, True]}, {"enum": [True, 1.0]}, {}),
    ({"type": "integer"}, {"type": "number"}, {"x.type": "looser"}),
    ({"type": ["integer", "null"]}, {"type": "integer"}, {"x.type": "stricter"}),
    ({"type": "integer"}, {"type": "string"}, {"x.type": "incompatible"}),
    ({"type": ["number"]}, {"type": ["integer", "number"]}, {}),
    ({"type": "string"}, {"enum": ["a"]}, {"x.enum": "new"}),
    ({"type": "string"}, {"enum": ["a", 1]}, {"x.type": "looser", "x.enum": "new"}),
    ({"pattern": "a"}, {"pattern": "b"}, {"x.pattern": "unknown"}),
    ({"format": "date"}, {"format": "uri"}, {"x.format": "unknown"}),
    ({"multipleOf": 2}, {"multipleOf": 6}, {"x.multipleOf": "stricter"}),
    ({"multipleOf": 4}, {"multipleOf": 6}, {"x.multipleOf": "incompatible"}),
    ({"multipleOf": 0.5}, {"multipleOf": 1}, {"x.multipleOf": "unknown"}),
    ({"anyOf": [{"minimum": 1}, {"const": 0}]}, {"anyOf": [{"minimum": 2}, {"const": 0}]}, {"x.anyOf": "unknown"}),
    ({"minimum": 0, "x-severity": "warn"}, {"minimum": 0}, {"x.x-severity": "stricter"}),
    ({"minimum": 0, "x-tolerance": 0.1}, {"minimum": 0, "x-tolerance": 0.2}, {"x.x-tolerance": "looser"}),
    ({"minimum": 0, "x-tolerance": 0.1}, {"minimum": 0, "x-tolerance": 5}, {"x.x-tolerance": "unknown"}),
    ({"type": "string", "x-sensitive": True}, {"type": "string"}, {"x.x-sensitive": "gone"}),
    ({"$ref": "#/$defs/age"}, {"minimum": 0}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "said"), COLUMN_CASES, ids=str)
def test_a_column(before, after, said):
    sides = ({"properties": {"x": one}, "$defs": {"age": {"minimum": 0}}} for one in (before, after))
    found = compare(*(contract({"record": side}) for side in sides))
    assert {change.rule: str(change.kind) for change in found.changes} == said
    assert found.looser == bool(set(said.values()) - {"stricter", "new"})


TABLE_CASES = [
    ({"rows": {"min": 5}}, {"rows": {"min": 6}}, ["stricter"]),
    ({"rows": {"min": 5}}, {"rows": {"min": 4, "max": 9}}, ["looser", "stricter"]),
    ({"rows": {"min": 5}}, {"rows": {"min": 5}, "severity": "warn"}, ["looser"]),
    ({"rows": {"min": 5}}, {"rows": {"min": 5}, "severity": "error"}, []),
    ({"unique": "a"}, {"unique": ["a"]}, []),
    ({"unique": "a"}, {"unique": ["a", "b"]}, ["gone", "new"]),
    ({"nulls": "a", "max": 0.1}, {"nulls": "a"}, ["stricter"]),
    ({"values": "a", "equal": "x", "min": 0.1}, {"values": "a", "equal": "x", "min": 0.2}, ["stricter"]),
    ({"fresh": "a", "within": "7d"}, {"fresh": "a", "within": "1w"}, []),
    ({"fresh": "a", "within": "7d"}, {"fresh": "a", "within": "36h"}, ["stricter"]),
    ({"drift": "a", "max": 0.1}, {"drift": "a", "max": 0.2}, ["looser"]),
    ({"columns": "exact"}, {"columns": "ordered"}, ["stricter"]),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "said"), TABLE_CASES, ids=str)
def test_a_rule_over_the_table(before, after, said):
    found = compare(contract({"table": [before]}), contract({"table": [after]}))
    assert [str(change.kind) for change in found.changes] == said


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({}, {"values": 5, "min_cell": 1}, []),
        ({}, {"values": 0}, ["stricter"]),
        ({"min_cell": 10}, {"min_cell": 9}, ["looser"]),
        ({"values": 0}, {"min_cell": 2}, ["looser", "stricter"]),
    ],
    ids=str,
)
def test_telling_more_of_the_data_is_looser(before, after, said):
    found = compare(*(contract({"record": {}, "shown": one}) for one in (before, after)))
    assert [(change.rule, str(change.kind)) for change in found.changes] == [("shown", kind) for kind in said]


def test_the_columns_of_an_exact_set_are_part_of_it():
    sides = ({"record": {"properties": {name: {}}}, "table": [{"columns": "exact"}]} for name in ("a", "b"))
    assert [str(one.kind) for one in compare(*map(contract, sides)).changes] == ["incompatible"]


def test_the_command_tells_and_ends_with_its_code(tmp_path):
    (tmp_path / "a.yaml").write_text("record: {required: [x], properties: {x: {type: integer, minimum: 0}}}")
    (tmp_path / "b.yaml").write_text("record: {required: [x], properties: {x: {type: integer, minimum: 5}}}")
    a, b = str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")
    stricter, looser, same = (call("contract", "diff", *pair) for pair in ((a, b), (b, a), (a, a)))
    assert (stricter.code, looser.code, same.code) == (0, 1, 0)
    assert "stricter   x.minimum   minimum: 0   minimum: 5" in stricter.out
    assert "no rule differs" in same.out
    document = json.loads(call("contract", "diff", a, b, "--json").out)
    jsonschema.validate(document, json.loads(call("schema", "contract-diff").out))
    assert document["changes"][0] == {
        "rule": "x.minimum", "kind": "stricter", "before": {"minimum": 0}, "after": {"minimum": 5},
    }  # fmt: skip
    (tmp_path / "c.yaml").write_text("record: {properties: {x: {minimun: 0}}}")
    refused(call("contract", "diff", a, str(tmp_path / "c.yaml")), "c.yaml:1:", "minimum?")
    refused(call("contract", "diff", a, str(tmp_path / "none.yaml")), "none.yaml", "can't be read")
