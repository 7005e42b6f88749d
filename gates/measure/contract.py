"""A table held to the contract: one aggregate query, one for each rule beside another table, and the examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gates.contract.columns import quoted
from gates.contract.rules import Contract, Rule, Side
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
    this = _side(opened, [(column, rule) for rule in rules for column in rule.columns])
    single = [rule for rule in rules if rule.count]
    rows, counts = _counts(connection, this, single)
    counted = dict(zip((rule.id for rule in single), counts, strict=True))
    shown = _examples(connection, this, [rule for rule in single if counted[rule.id]])

    def made(rule: Rule, parts: tuple[Part, ...] = ()) -> Finding:
        count, examples = counted.get(rule.id, 0), shown.get(rule.id, ())
        return Finding(table=opened.name, rule=rule.id, rows=rows, count=count, examples=examples, parts=parts)

    found = {rule.id: made(rule) for rule in single}
    for rule in rules:
        other = beside(rule.beside) if rule.query and rule.beside else None
        if rule.query and other:
            there = _side(other, [(column, rule) for column in rule.columns_beside], all_flat=False)
            found[rule.id] = made(rule, _parts(connection, rule.query(this, there)))
    return [found[rule.id] for rule in rules if rule.id in found]


def _side(opened: Opened, needed: Sequence[tuple[str, Rule]], *, all_flat: bool = True) -> Side:
    """The table as rules see it. Raises ``GatesError`` where a column is missing or nested."""
    for column, rule in needed:
        opened.require(column, f"contract, {rule.id}")
    for column in opened.columns if all_flat else [column for column, _ in needed]:
        if column not in opened.seen:
            kind = opened.columns[column]
            raise GatesError(
                f"{opened.path}: the column {column} is {kind[:60]}; a contract sees text, numbers, booleans, dates "
                "and times only"
            )
    return Side(name=opened.name, path=opened.path, columns=opened.seen)


def _counts(connection: Any, this: Side, rules: list[Rule]) -> tuple[int, list[int]]:
    """All rules in one pass over the table."""
    aggregates = [rule.count(this.columns) or "0" for rule in rules if rule.count]
    ((rows, *counts),) = run(connection, f"SELECT {', '.join(['count(*)', *aggregates])} FROM {quoted(this.name)}")
    return rows, counts


def _examples(connection: Any, this: Side, broken: list[Rule]) -> dict[str, tuple[str, ...]]:
    """Up to five distinct offending values of each rule that shows any, most frequent first; in one query."""
    found: dict[str, list[str]] = {rule.id: [] for rule in broken}
    parts = []
    for place, rule in enumerate(broken):
        shown = rule.example(this.columns) if rule.example else None
        if shown:
            value, condition = shown
            parts.append(
                f"(SELECT {place} AS place, CAST({value} AS VARCHAR) AS v, count(*) AS n FROM {quoted(this.name)} "
                f"WHERE {condition} GROUP BY 2 ORDER BY n DESC, v LIMIT {EXAMPLES})"
            )
    if parts:
        for place, text, _ in run(connection, f"{' UNION ALL '.join(parts)} ORDER BY place, n DESC, v"):
            found[broken[place].id].append("null" if text is None else str(text)[:SHOWN])
    return {id_: tuple(values) for id_, values in found.items()}


def _parts(connection: Any, query: str) -> tuple[Part, ...]:
    return tuple(
        Part(label=label, here=int(here or 0), there=int(there or 0)) for label, here, there in run(connection, query)
    )
