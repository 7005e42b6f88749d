"""A table held to the contract: one aggregate query, and one more for examples of what offends."""

from __future__ import annotations

from typing import Any

from gates.contract.rules import RECORD_KEYWORDS, Contract, Rule
from gates.contract.sql import counting, offending, quoted
from gates.errors import GatesError
from gates.evidence import Finding
from gates.measure.tables import Opened, run

EXAMPLES = 5
SHOWN = 40  # characters of an example


def findings(connection: Any, opened: Opened, contract: Contract) -> list[Finding]:
    """What every rule of the contract counts in this table. Raises ``GatesError`` for a column that a table
    rule needs and the table lacks, or that is nested."""
    categories = opened.categories
    for rule in contract.rules:
        for column in rule.columns:
            if rule.keyword not in RECORD_KEYWORDS:
                opened.require(column, f"contract, {rule.id}")
            elif column in opened.columns and column not in categories:
                raise GatesError(
                    f"{opened.path}: the column {column} is {opened.columns[column]}, which no rule can see"
                )
    counts = [counting(rule, categories) for rule in contract.rules]
    aggregates = ", ".join(["count(*)", *(count or "0" for count in counts)])
    ((rows, *found),) = run(connection, f"SELECT {aggregates} FROM {quoted(opened.name)}")
    return [
        Finding(
            table=opened.name,
            rule=rule.id,
            rows=rows,
            count=count,
            examples=tuple(_examples(connection, opened, rule)) if _tells(rule, count) else (),
        )
        for rule, count in zip(contract.rules, found, strict=True)
    ]


def _tells(rule: Rule, count: int) -> bool:
    return count > 0 and rule.keyword in ("type", "enum", "minimum", "maximum") and not rule.sensitive


def _examples(connection: Any, opened: Opened, rule: Rule) -> list[str]:
    """Up to five distinct offending values, most frequent first."""
    column = quoted(rule.columns[0])
    rows = run(
        connection,
        f"SELECT CAST({column} AS VARCHAR), count(*) FROM {quoted(opened.name)} "
        f"WHERE {offending(rule, opened.categories)} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {EXAMPLES}",
    )
    return ["null" if value is None else str(value)[:SHOWN] for value, _ in rows]
