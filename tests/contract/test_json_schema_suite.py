"""The contract holds the JSON Schema Test Suite's own cases, draft 2020-12: those that a flat row can hold."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from contract_tables import engine

from gates.contract import references, schemas
from gates.contract.rules import row_rules
from gates.contract.sql import Column, quoted
from gates.schema.yaml_text import Source

CASES = [
    json.loads(line) for line in (Path(__file__).parent / "json_schema_suite/cases.jsonl").read_text().splitlines()
]
FILES = sorted({case[0] for case in CASES})
ANNOTATED = "is only an annotation by default"  # format.json; optional/format says the contrary of the same values
REFUSED = {  # with an error that names the place: lists, what leads out of the file, what depends on who refers
    "contains.json": 2,
    "dynamicRef.json": 10,
    "items.json": 2,
    "maxItems.json": 1,
    "minItems.json": 1,
    "optional/format-assertion.json": 4,
    "optional/format/unknown.json": 6,
    "optional/refOfUnknownKeyword.json": 6,
    "optional/unknownKeyword.json": 3,
    "prefixItems.json": 1,
    "properties.json": 2,
    "ref.json": 3,
    "refRemote.json": 22,
    "unevaluatedItems.json": 6,
    "unevaluatedProperties.json": 2,
    "vocabulary.json": 5,
}
KINDS = {bool: ("BOOLEAN", "boolean"), int: ("HUGEINT", "integer"), float: ("DOUBLE", "number")}


@pytest.fixture(scope="module")
def connection():
    return engine()


def contract_of(schema, instance):
    """A row's schema as it is; that of one value in a file of its own, under its own name."""
    if isinstance(instance, dict):
        return schema
    if isinstance(schema, bool):
        return {"properties": {"value": schema}}
    name = schema.get("$id", "urn:the-case")
    return {"properties": {"value": {"$ref": name}}, "$defs": {"case": {**schema, "$id": name}}}


def holds(connection, schema, instance):
    """Whether a table of one row keeps every rule; None where the contract is refused."""
    contract = contract_of(schema, instance)
    source = Source(name="contract.json", value=contract, places={})
    if list(schemas.mistakes(source, contract, ())):
        return None
    row = instance if isinstance(instance, dict) else {"value": instance}
    row = {name: float(one) if type(one) is int and abs(one) >= 2**127 else one for name, one in row.items()}
    told = {name: KINDS.get(type(one), ("VARCHAR", "string")) for name, one in row.items()}
    columns = {name: Column(name=name, category=category, kind=kind) for name, (kind, category) in told.items()}
    values = ", ".join(f"CAST(? AS {kind}) AS {quoted(name)}" for name, (kind, _) in told.items()) or "0 AS nothing"
    resolved = references.resolved(contract)
    resolved = resolved if isinstance(resolved, dict) else {} if resolved else {"not": {}}
    counts = [rule.count(columns) or "0" for rule in row_rules.rules(resolved)] or ["0"]
    query = f"SELECT {', '.join(counts)} FROM (SELECT {values})"  # noqa: S608 -- the suite's
    (found,) = connection.execute(query, list(row.values())).fetchall()
    return not any(found)


@pytest.mark.parametrize("file", FILES)
def test_the_suite(connection, file):
    seen, wrong = Counter(), []
    for _, about, schema, tests in (case for case in CASES if case[0] == file):
        for told, instance, valid in tests:
            if ANNOTATED in told or (isinstance(instance, dict) and "" in instance):  # no table has such a column
                continue
            found = holds(connection, schema, instance)
            seen[found is None] += 1
            if found is not None and found != valid:
                wrong.append((about, told, instance, found))
    assert wrong == []
    assert seen[True] == REFUSED.get(file, 0)


def test_how_many_cases_there_are():
    told = [test for _, _, _, tests in CASES for test in tests]
    assert (len(told), len(FILES)) == (1484, 74)
    assert sum(ANNOTATED in test[0] for test in told) == 19
    assert sum(REFUSED.values()) == 76
