"""A contract file -> its rules. Every mistake at once, with place; an unknown keyword is never skipped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gates.contract.rules import RECORD_KEYWORDS, Contract, Rule, TableRules
from gates.fields import Plain, build, schema_of
from gates.source import Source
from gates.validate import Problem, problems

_NOTES = {"title": {"type": "string"}, "description": {"type": "string"}}
_PROPERTY = {
    "type": "object",
    "properties": _NOTES
    | {word: schema for word, schema in RECORD_KEYWORDS.items() if word != "required"}
    | {"x-sensitive": {"type": "boolean"}},
    "additionalProperties": False,
}
SCHEMA: dict[str, Plain] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "contract.yaml",
    "description": "What a row and a table of data must look like.",
    "type": "object",
    "minProperties": 1,
    "properties": {
        "record": {
            "description": "A JSON Schema (2020-12) of one row.",
            "type": "object",
            "properties": _NOTES
            | {"$schema": {"type": "string"}, "$id": {"type": "string"}, "type": {"enum": ["object"]}}
            | {"properties": {"type": "object", "additionalProperties": _PROPERTY}}
            | {"required": RECORD_KEYWORDS["required"]},
            "additionalProperties": False,
        },
        "table": schema_of(TableRules),
    },
    "additionalProperties": False,
}


def mistakes(source: Source) -> Iterator[Problem]:
    """Every mistake of the file."""
    yield from problems(source, (), source.value, SCHEMA)


def read(source: Source) -> Contract:
    """A source in which ``mistakes`` finds none -> its rules."""
    value = source.value
    record = value.get("record", {})
    table = build(TableRules, value.get("table", {}))
    return Contract(rules=(*_record_rules(record), *_table_rules(table)))


def _record_rules(record: dict[str, Plain]) -> Iterator[Rule]:
    properties: dict[str, dict[str, Any]] = record.get("properties", {})
    for column in record.get("required", []):
        yield Rule(columns=(column,), keyword="required")
    for column, schema in properties.items():
        sensitive = bool(schema.get("x-sensitive"))
        for word in schema:
            if word in RECORD_KEYWORDS:
                yield Rule(columns=(column,), keyword=word, value=schema[word], sensitive=sensitive)


def _table_rules(table: TableRules) -> Iterator[Rule]:
    if table.rows:
        yield Rule(columns=(), keyword="rows", low=table.rows.min, high=table.rows.max)
    for columns in table.unique:
        yield Rule(columns=tuple(part.strip() for part in columns.split(",")), keyword="unique")
    for column, most in (table.nulls or {}).items():
        yield Rule(columns=(column,), keyword="nulls", high=most, share=True)
    for column, shares in (table.values or {}).items():
        for value, bounds in shares.items():
            yield Rule(columns=(column,), keyword="values", value=value, low=bounds.min, high=bounds.max, share=True)
