"""A contract file -> its rules: whatever is written there ends in rules that the engine takes, or in mistakes."""

from __future__ import annotations

import copy
import datetime as dt
import json
import uuid
from pathlib import Path

import jsonschema
import pyarrow as pa
import pytest
import yaml
from contract_bench import Held, parquet
from contract_tables import Sample, broken, engine
from extent import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.contract.contract_file import SCHEMA, mistakes, read
from gates.contract.references import resolved
from gates.contract.rules.keywords import KEYWORDS
from gates.contract.rules.table_rules import TABLE_RULES
from gates.contract.schemas import hidden
from gates.schema.fields import schema_of
from gates.schema.yaml_text import Source, parse

ROW = json.loads(
    (Path(__file__).parent / "pydantic_row.json").read_text()
)  # as a Pydantic model's model_json_schema() gives it
GOOD = {
    "id": 7,
    "score": 0.25,
    "rate": 1.5,
    "plan": "basic",
    "version": 1,
    "colour": "green",
    "level": 2,
    "favourite": "red",
    "note": "x",
    "code": "AB12",
    "born": dt.date(1980, 2, 29),
    "seen": dt.datetime(2026, 1, 2, 3, 4, 5),
    "key": str(uuid.UUID(int=5)),
    "active": False,
    "either": 3,
    "ratio": 0.5,
    "mail": "a@b",
    "at": dt.time(9, 30),
}
NULLS = GOOD | dict.fromkeys(("level", "note", "ratio"))
WRONG = {
    "id": 0,
    "score": 1.0,
    "rate": 0.3,
    "plan": "free",
    "version": 2,
    "colour": "blue",
    "level": 3,
    "favourite": "pink",
    "code": "ab12",
    "key": "x",
    "ratio": -1.0,
    "mail": "nobody",
    "active": None,
    "born": None,
    "seen": None,
    "at": None,
}
RULES = {"colour": "colour.enum", "favourite": "favourite.enum", "level": "level.anyOf", "ratio": "ratio.anyOf"}


def written(form):
    if form == "yaml":
        return yaml.safe_dump(ROW, sort_keys=False)
    if form == "record":
        return yaml.safe_dump({"record": ROW, "table": [{"unique": "id"}]})
    return json.dumps(ROW, **{"json": {}, "indented": {"indent": 2}, "tabs": {"indent": "\t"}}[form])


@pytest.mark.parametrize("form", ["json", "indented", "tabs", "yaml", "record"])
def test_the_schema_of_a_pydantic_model_is_a_contract_as_it_is(tmp_path, form):
    rows = [GOOD, NULLS, *(GOOD | {name: value} for name, value in WRONG.items())]
    parquet(tmp_path / "holdout.parquet", pa.Table.from_pylist(rows))
    held = Held(tmp_path, written(form))
    broken_rules = {
        gate.rule: gate for gate in held.decision.gates if gate.verdict == "fail" and gate.id == "data.holdout"
    }
    for name in WRONG:
        assert any(rule.startswith(f"{name}.") for rule in broken_rules), (name, sorted(broken_rules))
    assert RULES.items() <= {rule.split(".")[0]: rule for rule in broken_rules}.items()
    assert "pink" not in broken_rules["favourite.enum"].reason
    assert ("unique(id)" in broken_rules) is (form == "record")


def test_good_rows_of_the_model_pass(tmp_path):
    parquet(tmp_path / "holdout.parquet", pa.Table.from_pylist([GOOD, NULLS]))
    gates = [gate for gate in Held(tmp_path, written("json")).decision.gates if gate.id == "data.holdout"]
    assert {gate.reason for gate in gates if gate.verdict != "pass"} == set()
    parquet(tmp_path / "holdout.parquet", pa.Table.from_pylist([GOOD | {"further": 1}]))
    assert Held(tmp_path, written("json")).gate("additionalProperties").verdict == "fail"


def rules_of(value):
    source = Source(name="contract.yaml", value=value, places={})
    assert list(mistakes(source)) == []
    return read(source)


def test_ids_are_what_is_written_and_none_twice():
    contract = rules_of(
        {
            "record": {
                "$defs": {"far": {"maximum": 5}},
                "title": "Row",
                "type": "object",
                "required": ["b", "c", "b"],
                "properties": {
                    "b": {"description": "B.", "maximum": 3, "type": ["integer", "null"]},
                    "a": {"enum": [1, "x", None]},
                    "record": {"anyOf": [True]},
                    "far": {"$ref": "#/$defs/far", "title": "Far"},
                    "near": {"$ref": "#/$defs/far", "minimum": 1},
                    "any": True,
                    "none": False,
                },
                "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
                "additionalProperties": False,
                "then": {"required": ["z"]},
            },
            "table": [{"rows": {"min": 5}}, {"unique": "id"}, {"unique": ["shop", "day"]}, {"drift": "a", "max": 1}],
        }
    )
    assert [rule.id for rule in contract.rules] == [
        "b.required",
        "c.required",
        "b.maximum",
        "b.type",
        "a.enum",
        "record.anyOf",
        "far.maximum",
        "near.minimum",
        "near.allOf",
        "none.not",
        "anyOf",
        "additionalProperties",
        "rows",
        "unique(id)",
        "unique(shop, day)",
        "drift(a)",
    ]
    assert contract.rules[3].asks == "type integer, null"


def test_definitions_of_older_drafts_and_escaped_names_are_found():
    schema = {"definitions": {"a/b ~": {"enum": [1]}}, "properties": {"x": {"$ref": "#/definitions/a~1b%20~0"}}}
    assert resolved(schema) == {"properties": {"x": {"enum": [1]}}}
    assert resolved({"allOf": [{"$ref": "#/allOf/1"}, {"type": "object"}]}) == {"allOf": [{"type": "object"}] * 2}


def test_what_is_marked_anywhere_is_hidden():
    schema = resolved(
        {"$defs": {"s": {"x-sensitive": True}}, "if": {"properties": {"a": {"not": {"$ref": "#/$defs/s"}}, "b": {}}}}
    )
    assert hidden(schema) == {"a"}


def test_the_schemas_that_hold_what_is_written_are_valid_themselves():
    for schema in [SCHEMA, *(keyword.schema for keyword in KEYWORDS.values()), *map(schema_of, TABLE_RULES.values())]:
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    "value", [[], {}, "x", 3, None, True, {"record": 3}, {"table": {}}, {"record": {}, "tables": []}]
)
def test_what_is_no_contract_is_told(value):
    assert list(mistakes(Source(name="contract.yaml", value=value, places={})))


def test_all_mistakes_at_once_in_their_places():
    text = """\
record:
  properties:
    age: {type: int, minimun: 3, maximum: "9"}
    tags: {items: {type: string}}
  requires: [age]
table:
  - unique: age
    severity: warning
  - row: {}
"""
    found = sorted(mistakes(parse(text.encode(), "contract.yaml")))
    assert [(problem.line, problem.column) for problem in found] == [
        (3, 11),
        (3, 22),
        (3, 34),
        (4, 12),
        (5, 3),
        (8, 5),
        (9, 5),
    ]
    assert "did you mean integer?" in found[0].text
    assert "did you mean required?" in found[4].text


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.floats()
    | st.sampled_from(["", "a", "#/$defs/a", "#", "string", "^a$", "(", "date", "warn"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "$ref", "type", "allOf", "properties"]), inner, max_size=3)
    ),
    max_leaves=6,
)
WORDS = [
    *KEYWORDS,
    "properties",
    "required",
    "dependentRequired",
    "additionalProperties",
    "$ref",
    "$defs",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "x-sensitive",
    "x-severity",
    "x-tolerance",
    "title",
    "items",
    "$id",
]
LIKELY = st.dictionaries(st.sampled_from(WORDS), ANY, max_size=3)


@pytest.fixture(scope="module")
def connection():
    return engine()


@settings(max_examples=examples(300))
@given(
    LIKELY,
    LIKELY,
    st.lists(
        st.dictionaries(st.sampled_from([*TABLE_RULES, "max", "equal", "to", "within"]), ANY, max_size=3), max_size=2
    ),
)
def test_anything_ends_in_mistakes_or_in_rules_that_the_engine_takes(connection, row, column, table):
    value = {"record": {"properties": {"a": column}, **copy.deepcopy(row)}, "table": table}
    source = Source(name="contract.yaml", value=value, places={})
    found = list(mistakes(source))
    for problem in found:
        assert str(problem).startswith("contract.yaml:1:1: ")
    if not found:
        sample = Sample({"a": "double"}, [{"a": 1.5}])
        columns = sample.load(connection)
        for rule in read(source).rules:
            if rule.id.endswith(tuple(f".{word}" for word in KEYWORDS)):
                broken(connection, rule, columns, 1)
