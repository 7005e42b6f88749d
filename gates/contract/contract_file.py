"""Read a contract file into rules. Reports every mistake at once, with its place; an unknown keyword is never skipped.

Reports every mistake at once, with its place; an unknown keyword is never skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gates.contract import references, schemas
from gates.contract.rules import row_rules
from gates.contract.rules.contract_rule import Contract, ContractRule, Known, Shown, TableRule
from gates.contract.rules.table_rules import TABLE_RULES, written
from gates.schema.fields import Plain, build, schema_of
from gates.schema.validation import Problem, nearest, problems
from gates.schema.yaml_text import Path, Source

PARTS = ("record", "table", "shown")
SCHEMA: dict[str, Plain] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "contract.yaml",
    "description": "What a row and a table of data must look like.",
    "type": "object",
    "minProperties": 1,
    "properties": {
        "record": {"description": "A JSON Schema (2020-12) of one row.", "type": ["object", "boolean"]},
        "table": {
            "description": "Rules over the whole table.",
            "type": "array",
            "items": {"anyOf": [schema_of(rule) for rule in TABLE_RULES.values()]},
        },
        "shown": {"description": "Which values may be shown as examples.", **schema_of(Shown)},
    },
    "additionalProperties": False,
}


def _is_schema(value: Plain) -> bool:
    """Tell whether the whole file is the JSON Schema of a record."""
    return isinstance(value, dict) and not set(PARTS) & value.keys() and bool(value)


def mistakes(source: Source) -> Iterator[Problem]:
    """Yield every mistake of the file."""
    value = source.value
    if _is_schema(value):
        yield from schemas.mistakes(source, value, ())
        return
    whole = {**SCHEMA, "properties": {"record": {}, "table": {"type": "array"}, "shown": schema_of(Shown)}}
    yield from problems(source, (), value, whole)
    if not isinstance(value, dict):
        return
    record_mistakes = list(schemas.mistakes(source, value["record"], ("record",))) if "record" in value else []
    yield from record_mistakes
    known = Known() if record_mistakes else _known(references.resolved(value.get("record", {})))
    yield from _table_mistakes(source, value.get("table"), known)


def _known(schema: Plain) -> Known:
    named = schema.get("properties", {}) if isinstance(schema, dict) else {}
    return Known(columns=tuple(named), hidden=schemas.hidden(schema))


def _table_mistakes(source: Source, entries: Plain, known: Known) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        path: Path = ("table", index)
        name = written(entry)
        if name is None:
            words = list(entry) if isinstance(entry, dict) else []
            hint = next((nearest(word, TABLE_RULES) for word in words if nearest(word, TABLE_RULES)), "")
            yield Problem.at(source, path, f"is not a rule ({', '.join(TABLE_RULES)}){hint}")
            continue
        mistakes = list(problems(source, path, entry, schema_of(TABLE_RULES[name])))
        yield from mistakes
        if not mistakes:
            yield from _meaning(source, (*path, name), build(TABLE_RULES[name], entry), known, index + 1, seen)


def _meaning(source: Source, path: Path, entry: Any, known: Known, number: int, seen: set[str]) -> Iterator[Problem]:
    """Yield what no schema can see of an entry."""
    wrong = entry.mistake() if hasattr(entry, "mistake") else None
    if wrong:
        yield Problem.at(source, path, wrong)
    name = entry.rule(replace(known, place=number)).id
    if name in seen:
        yield Problem.at(source, path, f"the rule {name} occurs twice")
    seen.add(name)


def read(source: Source) -> Contract:
    """Return a source in which ``mistakes`` finds none -> its rules."""
    value = source.value
    schema = references.resolved(value if _is_schema(value) else value.get("record", {}))
    entries = [] if _is_schema(value) else value.get("table", [])
    known = _known(schema)
    return Contract(
        written=value,
        rules=(*_record(schema, known), *(_table(entry, place, known) for place, entry in enumerate(entries, 1))),
        hidden=known.hidden,
        shown=build(Shown, {} if _is_schema(value) else value.get("shown", {})),
    )


def _record(schema: Plain, known: Known) -> Iterator[ContractRule]:
    if isinstance(schema, bool):
        schema = {} if schema else {"not": {}}
    yield from row_rules.rules(schema, known.hidden)


def _table(entry: Plain, place: int, known: Known) -> ContractRule:
    made: TableRule = build(TABLE_RULES[str(written(entry))], entry)
    return made.rule(replace(known, place=place))
