"""Rules -> SQL that counts, in DuckDB's dialect. The meaning of a keyword is that of the jsonschema package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from gates.contract.rules import Rule
from gates.fields import Plain

Category = Literal["string", "integer", "number", "boolean"]  # what a column's values are in JSON


def quoted(name: str) -> str:
    """A column's name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Plain) -> str:
    """A plain value as an SQL literal."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"CAST('{value!r}' AS DOUBLE)"
    return "'" + str(value).replace("'", "''") + "'"


def counting(rule: Rule, columns: Mapping[str, Category]) -> str | None:
    """An aggregate that counts a rule's rows, an integer. None where the record's column is not there:
    JSON Schema says nothing of a property that is absent (``required`` does)."""
    if rule.keyword == "rows":
        return "count(*)"
    if rule.keyword == "unique":
        inner = ", ".join(quoted(column) for column in rule.columns)
        return f"count(*) - count(DISTINCT {inner if len(rule.columns) == 1 else f'({inner})'})"
    condition = offending(rule, columns)
    return None if condition is None else f"count(*) FILTER (WHERE {condition})"


def offending(rule: Rule, columns: Mapping[str, Category]) -> str | None:
    """A condition that holds for the rows that a rule counts."""
    name = rule.columns[0] if rule.columns else ""
    if rule.keyword == "required":
        return "FALSE" if name in columns else "TRUE"
    if rule.keyword == "nulls":
        return f"{quoted(name)} IS NULL"
    if rule.keyword == "values":
        return f"CAST({quoted(name)} AS VARCHAR) = {literal(str(rule.value))}"
    if name not in columns:
        return None
    column, category = quoted(name), columns[name]
    if rule.keyword == "type":
        allowed = {rule.value} if isinstance(rule.value, str) else set(rule.value)
        return _case(column, "null" not in allowed, _wrong_type(column, category, allowed))
    if rule.keyword == "enum":
        return _case(column, None not in rule.value, _not_in(column, category, rule.value))
    if category not in ("integer", "number"):
        return "FALSE"  # minimum and maximum say nothing of what is no number
    if rule.keyword == "minimum":
        return f"coalesce({column} < {literal(rule.value)}, FALSE)"
    # to the engine NaN is the largest number; to JSON Schema's comparison it is not larger than anything
    return f"coalesce({column} > {literal(rule.value)} AND NOT isnan(CAST({column} AS DOUBLE)), FALSE)"


def _case(column: str, null_offends: bool, otherwise: str) -> str:
    return f"CASE WHEN {column} IS NULL THEN {literal(null_offends)} ELSE {otherwise} END"


def _wrong_type(column: str, category: Category, allowed: set[str]) -> str:
    if category in allowed or (category == "integer" and "number" in allowed):
        return "FALSE"
    if category == "number" and "integer" in allowed:  # 3.0 is an integer, infinity is not
        number = f"CAST({column} AS DOUBLE)"
        return f"NOT (isfinite({number}) AND {number} = floor({number}))"
    return "TRUE"


def _not_in(column: str, category: Category, values: list[Plain]) -> str:
    kinds: dict[Category, tuple[type, ...]] = {
        "string": (str,),
        "boolean": (bool,),
        "integer": (int, float),
        "number": (int, float),
    }
    fitting = [
        value
        for value in values
        if isinstance(value, kinds[category]) and isinstance(value, bool) == (category == "boolean")
    ]
    return f"{column} NOT IN ({', '.join(map(literal, fitting))})" if fitting else "TRUE"
