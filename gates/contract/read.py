"""A contract file -> its rules. Every mistake at once, with place; an unknown keyword is never skipped."""

from __future__ import annotations

from collections.abc import Iterator

from gates.contract import record, schemas
from gates.contract.rules import Contract, Rule
from gates.contract.tables import TABLE_RULES, written
from gates.fields import Plain, build, schema_of
from gates.source import Path, Source
from gates.validate import Problem, nearest, problems

PARTS = ("record", "table")
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
    },
    "additionalProperties": False,
}


def _is_schema(value: Plain) -> bool:
    """Whether the whole file is the JSON Schema of a record."""
    return isinstance(value, dict) and not set(PARTS) & value.keys() and bool(value)


def mistakes(source: Source) -> Iterator[Problem]:
    """Every mistake of the file."""
    value = source.value
    if _is_schema(value):
        yield from schemas.mistakes(source, value, ())
        return
    whole = {**SCHEMA, "properties": {"record": {}, "table": {"type": "array"}}}
    yield from problems(source, (), value, whole)
    if not isinstance(value, dict):
        return
    if "record" in value:
        yield from schemas.mistakes(source, value["record"], ("record",))
    yield from _table_mistakes(source, value.get("table"))


def _table_mistakes(source: Source, entries: Plain) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        path: Path = ("table", index)
        kind = written(entry)
        if kind is None:
            words = list(entry) if isinstance(entry, dict) else []
            hint = next((nearest(word, TABLE_RULES) for word in words if nearest(word, TABLE_RULES)), "")
            yield Problem.at(source, path, f"names no rule ({', '.join(TABLE_RULES)}){hint}")
            continue
        found = list(problems(source, path, entry, schema_of(TABLE_RULES[kind])))
        yield from found
        if found:
            continue
        name = build(TABLE_RULES[kind], entry).rule(()).id
        if name in seen:
            yield Problem.at(source, (*path, kind), f"the rule {name} stands twice")
        seen.add(name)


def read(source: Source) -> Contract:
    """A source in which ``mistakes`` finds none -> its rules."""
    value = source.value
    whole = value if _is_schema(value) else value.get("record", {})
    schema = schemas.resolved(whole, whole)
    known = tuple(schema.get("properties", {})) if isinstance(schema, dict) else ()
    entries = [] if _is_schema(value) else value.get("table", [])
    return Contract(written=value, rules=(*_record(schema), *(_table(entry, known) for entry in entries)))


def _record(schema: Plain) -> Iterator[Rule]:
    if isinstance(schema, bool):
        schema = {} if schema else {"not": {}}
    yield from record.rules(schema)


def _table(entry: Plain, known: tuple[str, ...]) -> Rule:
    kind = written(entry)
    rule: Rule = build(TABLE_RULES[str(kind)], entry).rule(known)
    return rule
