"""A contract file -> rules; every mistake with its place, no keyword skipped."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from gates.contract.read import SCHEMA, mistakes, read
from gates.contract.rules import RECORD_KEYWORDS, Rule
from gates.evidence import Finding
from gates.source import parse

HERE = Path(__file__).parent
BAD = sorted(HERE.glob("bad/*.yaml"))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_mistakes(path, golden):
    found = sorted(mistakes(parse(path.read_bytes(), path.name)))
    assert found
    golden(path.with_suffix(".out"), "".join(f"{problem}\n" for problem in found))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_the_jsonschema_package_agrees(path):
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(parse(path.read_bytes(), path.name).value)


def test_the_published_schema_is_itself_valid():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def rules_of(text: str) -> tuple[Rule, ...]:
    source = parse(text.encode(), "contract.yaml")
    assert list(mistakes(source)) == []
    return read(source).rules


def test_rules_in_the_order_of_the_file():
    rules = rules_of("""
        table:
          values: {left: {"yes": {min: 0.1}}}
          rows: {min: 5}
          unique: [id, "shop,  day"]
          nulls: {age: 0.1}
        record:
          title: Row
          $schema: https://json-schema.org/draft/2020-12/schema
          properties:
            b: {description: B., maximum: 3, type: [integer, "null"], x-sensitive: true}
            a: {enum: [1, x, null]}
          required: [b, c]
          type: object
    """)
    assert [rule.id for rule in rules] == [
        "b.required", "c.required", "b.maximum", "b.type", "a.enum",
        "rows", "unique(id)", "unique(shop, day)", "nulls(age)", "values(left=yes)",
    ]  # fmt: skip
    assert [rule.id for rule in rules if rule.sensitive] == ["b.maximum", "b.type"]
    assert [rule.value for rule in rules[2:5]] == [3, ["integer", "null"], [1, "x", None]]


def test_a_json_schema_file_is_a_contract():
    record = {
        "type": "object",
        "properties": {"a": {"type": "integer", "title": "A"}},
        "required": ["a"],
        "title": "Row",
    }
    assert [rule.id for rule in rules_of(json.dumps({"record": record}))] == ["a.required", "a.type"]


def test_every_keyword_has_a_valid_schema_of_its_parameter():
    for schema in RECORD_KEYWORDS.values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("low", "high", "share", "count", "rows", "kept"),
    [
        (None, 0, False, 0, 10, True), (None, 0, False, 1, 10, False),
        (5, None, False, 5, 5, True), (5, None, False, 4, 4, False),
        (5, 9, False, 9, 9, True), (5, 9, False, 10, 10, False),
        (None, 0.1, True, 1, 10, True), (None, 0.1, True, 2, 10, False),
        (0.5, None, True, 5, 10, True), (0.5, None, True, 4, 10, False),
        (0.5, None, True, 0, 0, False), (None, 0.1, True, 0, 0, True),
    ],
)  # fmt: skip
def test_what_is_kept(low, high, share, count, rows, kept):
    rule = Rule(columns=("a",), keyword="nulls", low=low, high=high, share=share)
    finding = Finding(table="holdout", rule=rule.id, rows=rows, count=count, examples=())
    assert rule.kept(finding) is kept
