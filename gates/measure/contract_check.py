"""Check a table against the contract: one aggregate query, one for each rule about another table, and the examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from math import isfinite
from struct import pack, unpack

from gates.contract.rules.contract_rule import Contract, ContractRule, Shown, TableSide
from gates.contract.sql import Column, quoted
from gates.documents.evidence import Finding, Part
from gates.errors import GatesError
from gates.measure.engines import Engine
from gates.measure.engines.engine_types import told
from gates.measure.holdout.tables import OpenTable

SHOWN = 40  # characters of an example
AT_ONCE = 500  # aggregates of one query: the time to plan it grows with the square
SHOWN_AT_ONCE = 25  # rules whose examples are found by one query


def findings(
    engine: Engine, opened: OpenTable, contract: Contract, beside: Callable[[str], OpenTable | None]
) -> list[Finding]:
    """Return what every rule of the contract counts in this table.

    ``beside`` opens a second table, ``train`` or a path; None where the policy has none. Raises ``GatesError``
    for a column that a rule needs and the table lacks, or that is nested.
    """
    rules = [rule for rule in contract.rules if opened.name in rule.tables]
    this = _side(opened, [(column, rule) for rule in rules for column in rule.columns])
    opened_beside = cache(beside)
    single = [rule for rule in rules if rule.count]
    rows, counted, split = _counts(engine, this, single)
    shown = _examples(engine, this, [rule for rule in single if counted[rule.id]], contract.shown)

    def finding(rule: ContractRule, parts: tuple[Part, ...] = ()) -> Finding:
        count, examples = counted.get(rule.id, 0), shown.get(rule.id, ())
        return Finding(table=opened.name, rule=rule.id, rows=rows, count=count, examples=examples, parts=parts)

    by_rule = {rule.id: finding(rule, split[rule.id]) for rule in single}
    for rule in rules:
        other = opened_beside(rule.beside) if rule.query and rule.beside else None
        if rule.query and other:
            there = _side(other, [(column, rule) for column in rule.columns_beside], all_flat=False)
            by_rule[rule.id] = finding(rule, _parts(engine, rule.query(this, there)))
    return [by_rule[rule.id] for rule in rules if rule.id in by_rule]


def _side(opened: OpenTable, needed: Sequence[tuple[str, ContractRule]], *, all_flat: bool = True) -> TableSide:
    """Return the table as rules see it. Raises ``GatesError`` where a column is missing or nested."""
    for column, rule in needed:
        opened.require(column, f"contract, {rule.id}")
    for column in opened.columns if all_flat else [column for column, _ in needed]:
        if column not in opened.seen:
            raise GatesError(
                f"{opened.path}: the column {column} holds {told(opened.columns[column])}",
                hint="Contracts cover text, numbers, booleans, dates and times. Flatten the column, or leave it out.",
            )
    return TableSide(name=opened.name, path=opened.path, columns=opened.seen)


def _counts(
    engine: Engine, this: TableSide, rules: list[ContractRule]
) -> tuple[int, dict[str, int], dict[str, tuple[Part, ...]]]:
    """Return what each rule counts, and its further aggregates as parts: all in one pass over the table; of a wide one,
    ``AT_ONCE`` aggregates a pass."""
    named = [(rule.id, label, sql) for rule in rules for label, sql in _aggregates(rule, this)]
    derived = {name: sql for rule in rules if rule.derive for name, sql in rule.derive(this.columns).items()}
    more = "".join(f", {sql} AS {quoted(name)}" for name, sql in derived.items())
    source = f"(SELECT *{more} FROM {quoted(this.name)})" if more else quoted(this.name)
    rows, counts = 0, list[int]()
    for start in range(0, max(1, len(named)), AT_ONCE):
        asked = ", ".join(["count(*)", *(sql for _, _, sql in named[start : start + AT_ONCE])])
        ((rows, *found),) = engine.run(f"SELECT {asked} FROM {source}")
        counts += found
    counted, split = dict[str, int](), {rule.id: list[Part]() for rule in rules}
    for (id_, label, _), count in zip(named, counts, strict=True):
        if label is None:
            counted[id_] = count
        else:
            split[id_].append(Part(label=label, here=count, there=0))
    return rows, counted, {id_: tuple(parts) for id_, parts in split.items()}


def _aggregates(rule: ContractRule, this: TableSide) -> Iterator[tuple[str | None, str]]:
    """Yield what one rule asks of all rows: its own count has no label."""
    if rule.count:
        yield None, rule.count(this.columns) or "0"
    if rule.split:
        yield from rule.split(this.columns).items()


def _examples(engine: Engine, this: TableSide, broken: list[ContractRule], may: Shown) -> dict[str, tuple[str, ...]]:
    """Return a few distinct offending values of each rule that shows any, most frequent first; in one query, of many
    rules in several.

    Doubles are shown as numbers, because each engine writes them differently as text.
    """
    examples: dict[str, list[str]] = {rule.id: [] for rule in broken}
    columns: dict[int, Column] = {}
    parts = []
    for at, rule in enumerate(broken):
        shown = rule.example(this.columns) if rule.example else None
        if shown:
            column, condition = shown
            columns[at] = column
            text, number = ("NULL", f"{column.double} + 0.0") if column.is_double else (column.text, "NULL")
            parts.append(
                f"(SELECT {at} AS rule, CAST({text} AS VARCHAR) AS v, CAST({number} AS DOUBLE) AS x, "
                f"count(*) AS n FROM {quoted(this.name)} WHERE {condition} "
                f"GROUP BY 2, 3 HAVING count(*) >= {may.min_cell} ORDER BY n DESC, v, x LIMIT {may.values})"
            )
    for start in range(0, len(parts), SHOWN_AT_ONCE):
        asked = " UNION ALL ".join(parts[start : start + SHOWN_AT_ONCE])
        for at, text, number, _ in engine.run(f"{asked} ORDER BY rule, n DESC, v, x"):
            value = text if number is None else _shortest(number, single=columns[at].kind == "FLOAT")
            examples[broken[at].id].append("null" if value is None else value[:SHOWN])
    return {id_: tuple(values) for id_, values in examples.items()}


def _shortest(number: float, *, single: bool) -> str:
    """Return the shortest text that reads as this number again, as a single or a double."""
    if single and isfinite(number):
        texts = (f"{number:.{digits}g}" for digits in range(1, 10))
        number = next(float(text) for text in texts if unpack("f", pack("f", float(text)))[0] == number)
    return repr(number)


def _parts(engine: Engine, query: str) -> tuple[Part, ...]:
    return tuple(
        Part(label=label, here=int(here or 0), there=int(there or 0)) for label, here, there in engine.run(query)
    )
