"""A JSON Schema of one row -> conditions on the columns, and rules out of its keywords."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from gates.contract.columns import Column, Columns, every, negated, some
from gates.contract.keywords import KEYWORDS
from gates.contract.rules import Bounds, Rule
from gates.fields import Plain

Target = Column | None  # a column, or None: the whole row
NOTES = (
    "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "$schema", "$id",
    "$defs", "definitions", "x-sensitive", "x-severity", "x-tolerance",
)  # fmt: skip
SHOWN = 60  # characters of a keyword's parameter in words


def kept(schema: Plain, target: Target, columns: Columns) -> str:
    """SQL that holds for the rows in which the target keeps the schema; never null."""
    if isinstance(schema, bool):
        return "TRUE" if schema else "FALSE"
    return every([keyword_kept(word, schema, target, columns) for word in schema if word not in NOTES])


def keyword_kept(word: str, schema: Mapping[str, Plain], target: Target, columns: Columns) -> str:
    """SQL that holds for the rows in which the target keeps one keyword of a schema."""
    if word in _COMBINE:
        return _COMBINE[word](schema, target, columns)
    if target is None:
        return ROW[word](schema, columns) if word in ROW else _row_keeps(word, schema[word])
    return KEYWORDS[word].kept(target, schema[word]) if word in KEYWORDS else "TRUE"  # says nothing of scalars


def _row_keeps(word: str, parameter: Plain) -> str:
    """A row is an object: of its type, equal to no scalar, and what is said of numbers and text does not touch it."""
    if word == "type":
        return "TRUE" if "object" in ([parameter] if isinstance(parameter, str) else parameter) else "FALSE"
    return "FALSE" if word in ("enum", "const") else "TRUE"


def _one_of(schema: Mapping[str, Plain], target: Target, columns: Columns) -> str:
    branches = [kept(branch, target, columns) for branch in schema["oneOf"]]
    return " + ".join(f"CAST(({branch}) AS INTEGER)" for branch in branches) + " = 1"


def _conditional(schema: Mapping[str, Plain], target: Target, columns: Columns) -> str:
    """The condition is written once: conditions within conditions would double at every step."""
    then, otherwise = (kept(schema.get(word, True), target, columns) for word in ("then", "else"))
    if then == otherwise:
        return then
    return f"CASE WHEN {kept(schema['if'], target, columns)} THEN {then} ELSE {otherwise} END"


_COMBINE: Mapping[str, Callable[[Mapping[str, Plain], Target, Columns], str]] = {
    "allOf": lambda schema, target, columns: every([kept(one, target, columns) for one in schema["allOf"]]),
    "anyOf": lambda schema, target, columns: some([kept(one, target, columns) for one in schema["anyOf"]]),
    "oneOf": _one_of,
    "not": lambda schema, target, columns: negated(kept(schema["not"], target, columns)),
    "if": _conditional,
    "then": lambda *_: "TRUE",  # told with their if
    "else": lambda *_: "TRUE",
}


def _properties(schema: Mapping[str, Plain], columns: Columns) -> str:
    named = schema["properties"].items()
    return every([kept(inner, columns[name], columns) for name, inner in named if name in columns])


def _further(schema: Mapping[str, Plain], columns: Columns) -> str:
    """Every row has every column, so where none more may be, one too many is in all of them."""
    known = schema.get("properties", {})
    inner = schema["additionalProperties"]
    return every([kept(inner, column, columns) for name, column in columns.items() if name not in known])


def _dependent(schema: Mapping[str, Plain], columns: Columns) -> str:
    """Every row has every column, a null being a value, so this is a question about columns."""
    needs = schema["dependentRequired"].items()
    lacking = any(name in columns and not set(needed) <= columns.keys() for name, needed in needs)
    return "FALSE" if lacking else "TRUE"


ROW: Mapping[str, Callable[[Mapping[str, Plain], Columns], str]] = {
    "properties": _properties,
    "required": lambda schema, columns: "TRUE" if set(schema["required"]) <= columns.keys() else "FALSE",
    "dependentRequired": _dependent,
    "additionalProperties": _further,
}
_ASKS = {
    "additionalProperties": "no further columns",
    "dependentRequired": "columns that need others",
    "type": "a row is an object",
}


def rules(schema: Mapping[str, Plain], hidden: frozenset[str] = frozenset()) -> Iterator[Rule]:
    """A rule for every keyword of every property, and for every keyword of the row itself.

    The id of the first sort is ``property.keyword``, that of the second the keyword alone. ``hidden`` are the
    columns whose values may be shown nowhere.
    """
    named = schema.get("properties", {})
    for word, parameter in schema.items():
        if word == "properties":
            for name, inner in parameter.items():
                yield from _property_rules(name, inner, hidden=name in hidden)
        elif word == "required":
            for name in dict.fromkeys(parameter):
                notes = named.get(name) if isinstance(named.get(name), dict) else {}
                yield _required(name, notes)
        elif _asks_of_rows(word, parameter):
            yield _rule(word, _ASKS.get(word, "a rule of the whole row"), schema, word, None, hidden=True)


def _asks_of_rows(word: str, parameter: Plain) -> bool:
    """Whether a keyword beside ``properties`` asks anything at all."""
    if word in ("then", "else") or (word == "additionalProperties" and (parameter is True or parameter == {})):
        return False
    return word in ROW or word in _COMBINE or _row_keeps(word, parameter) == "FALSE"


def _property_rules(name: str, schema: Plain, *, hidden: bool) -> Iterator[Rule]:
    if isinstance(schema, bool):
        schema = {} if schema else {"not": {}}
    for word in schema:
        if word in (*KEYWORDS, *_COMBINE) and word not in ("then", "else"):
            asks = word if hidden else _asks(word, schema[word])
            yield _rule(f"{name}.{word}", asks, schema, word, name, hidden=hidden)


def _asks(word: str, value: Plain) -> str:
    """The keyword in words, with its parameter where that is a value or a list of values."""
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, dict) for item in items):
        return word
    text = f"{word} {', '.join(str(item) for item in items)}"
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _rule(id_: str, asks: str, schema: Mapping[str, Plain], word: str, name: str | None, *, hidden: bool) -> Rule:
    """One keyword of a schema, about the column ``name``, or None: about the row."""

    def breaking(columns: Columns) -> str | None:
        if name is not None and name not in columns:
            return None  # JSON Schema says nothing of a property that is not there; ``required`` does
        return negated(keyword_kept(word, schema, columns[name] if name is not None else None, columns))

    def example(columns: Columns) -> tuple[Column, str] | None:
        condition = breaking(columns)
        return None if name is None or condition is None or hidden else (columns[name], condition)

    return Rule(
        id=id_,
        asks=asks,
        count=lambda columns: None if (condition := breaking(columns)) is None else counted(condition),
        example=example,
        bounds=_tolerated(schema.get("x-tolerance", 0)),
        severity=schema.get("x-severity", "error"),
    )


def _required(name: str, notes: Mapping[str, Plain]) -> Rule:
    """A column is in all rows or in none, so there is nothing to tolerate."""
    return Rule(
        id=f"{name}.required",
        asks="the column must be there",
        count=lambda columns: "0" if name in columns else "count(*)",
        severity=notes.get("x-severity", "error"),
    )


def _tolerated(most: float) -> Bounds:
    """Below 1 a share of the rows, from 1 on a number of rows."""
    return Bounds(high=most, share=0 < most < 1)


def counted(condition: str) -> str:
    """An aggregate that counts the rows in which a condition holds."""
    return {"FALSE": "0", "TRUE": "count(*)"}.get(condition, f"count_if({condition})")
