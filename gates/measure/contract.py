"""A table held to the contract: one aggregate query, one for each rule beside another table, and the examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gates.contract.columns import quoted
from gates.contract.rules import Contract, Rule
from gates.errors import GatesError
from gates.evidence import Finding, Part
from gates.measure.tables import Opened, run

EXAMPLES = 5
SHOWN = 40  # characters of an example


def findings(
    connection: Any, opened: Opened, contract: Contract, beside: Callable[[str], Opened | None]
) -> list[Finding]:
    """What every rule of the contract counts in this table.

    ``beside`` opens a second table, ``train`` or a path; None where the policy has none. Raises ``GatesError``
    for a column that a rule needs and the table lacks, or that is nested.
    """
    rules = [rule for rule in contract.rules if opened.name in rule.tables]
    for rule in rules:
        for column in rule.columns:
            opened.require(column, f"contract, {rule.id}")
    nested = [column for column in opened.columns if column not in opened.seen]
    if nested:
        kind = opened.columns[nested[0]]
        raise GatesError(f"{opened.path}: the column {nested[0]} is {kind}; a contract sees flat columns only")
    single = [rule for rule in rules if rule.count]
    rows, counts = _counts(connection, opened, single)
    made = {
        rule.id: _finding(connection, opened, rule, rows, count) for rule, count in zip(single, counts, strict=True)
    }
    made |= {rule.id: one for rule in rules if rule.query for one in _beside(connection, opened, rule, rows, beside)}
    return [made[rule.id] for rule in rules if rule.id in made]


def _counts(connection: Any, opened: Opened, rules: list[Rule]) -> tuple[int, list[int]]:
    """All rules in one pass over the table."""
    aggregates = [rule.count(opened.seen) or "0" for rule in rules if rule.count]
    ((rows, *counts),) = run(connection, f"SELECT count(*), {', '.join(aggregates) or 0} FROM {quoted(opened.name)}")
    return rows, counts[: len(rules)]


def _finding(connection: Any, opened: Opened, rule: Rule, rows: int, count: int) -> Finding:
    shown = rule.example(opened.seen) if count and rule.example else None
    examples = tuple(_examples(connection, opened, *shown)) if shown else ()
    return Finding(table=opened.name, rule=rule.id, rows=rows, count=count, examples=examples, parts=())


def _examples(connection: Any, opened: Opened, value: str, condition: str) -> Iterator[str]:
    """Up to five distinct offending values, most frequent first."""
    query = (
        f"SELECT CAST({value} AS VARCHAR) AS v, count(*) AS n FROM {quoted(opened.name)} "
        f"WHERE {condition} GROUP BY v ORDER BY n DESC, v LIMIT {EXAMPLES}"
    )
    for text, _ in run(connection, query):
        yield "null" if text is None else str(text)[:SHOWN]


def _beside(
    connection: Any, opened: Opened, rule: Rule, rows: int, beside: Callable[[str], Opened | None]
) -> Iterator[Finding]:
    other = beside(str(rule.beside))
    if other is None or rule.query is None:
        return
    found = run(connection, rule.query(opened.name, other.name, opened.seen))
    parts = tuple(Part(label=label, here=int(here or 0), there=int(there or 0)) for label, here, there in found)
    yield Finding(table=opened.name, rule=rule.id, rows=rows, count=0, examples=(), parts=parts)
