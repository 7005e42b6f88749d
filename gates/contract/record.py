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
    "$defs", "x-sensitive", "x-severity", "x-tolerance",
)  # fmt: skip
SHOWN = 60  # characters of a keyword's parameter in words


def kept(schema: Plain, target: Target, columns: Columns) -> str:
    """SQL that holds for the rows in which the target keeps the schema."""
    if isinstance(schema, bool):
        return "TRUE" if schema else "FALSE"
    return every([keyword_kept(word, schema, target, columns) for word in schema if word not in NOTES])


def keyword_kept(word: str, schema: Mapping[str, Plain], target: Target, columns: Columns) -> str:
    """SQL that holds for the rows in which the target keeps one keyword of a schema."""
    if word in _COMBINE:
        return _COMBINE[word](schema, target, columns)
    if target is None:
        return ROW[word](schema[word], columns) if word in ROW else _row_keeps(word, schema[word])
    return KEYWORDS[word].kept(target, schema[word]) if word in KEYWORDS else "TRUE"  # not about scalars


def _row_keeps(word: str, parameter: Plain) -> str:
    """A row is an object: of its type, equal to no scalar, and what is said of numbers and text does not touch it."""
    if word == "type":
        return "TRUE" if "object" in ([parameter] if isinstance(parameter, str) else parameter) else "FALSE"
    return "FALSE" if word in ("enum", "const") else "TRUE"


def _one_of(schema: Mapping[str, Plain], target: Target, columns: Columns) -> str:
    branches = [kept(branch, target, columns) for branch in schema["oneOf"]]
    return " + ".join(f"CAST(({branch}) AS INTEGER)" for branch in branches) + " = 1"


def _conditional(schema: Mapping[str, Plain], target: Target, columns: Columns) -> str:
    condition = kept(schema["if"], target, columns)
    then = kept(schema.get("then", True), target, columns)
    otherwise = kept(schema.get("else", True), target, columns)
    return every([some([negated(condition), then]), some([condition, otherwise])])


_COMBINE: Mapping[str, Callable[[Mapping[str, Plain], Target, Columns], str]] = {
    "allOf": lambda schema, target, columns: every([kept(one, target, columns) for one in schema["allOf"]]),
    "anyOf": lambda schema, target, columns: some([kept(one, target, columns) for one in schema["anyOf"]]),
    "oneOf": _one_of,
    "not": lambda schema, target, columns: negated(kept(schema["not"], target, columns)),
    "if": _conditional,
    "then": lambda *_: "TRUE",  # told with their if
    "else": lambda *_: "TRUE",
}


def _properties(parameter: Plain, columns: Columns) -> str:
    return every([kept(schema, columns[name], columns) for name, schema in parameter.items() if name in columns])


def _dependent(parameter: Plain, columns: Columns) -> str:
    """Every row has every column, a null being a value, so this is a question about columns."""
    lacking = any(name in columns and not set(needed) <= columns.keys() for name, needed in parameter.items())
    return "FALSE" if lacking else "TRUE"


ROW: Mapping[str, Callable[[Plain, Columns], str]] = {
    "properties": _properties,
    "required": lambda names, columns: "TRUE" if set(names) <= columns.keys() else "FALSE",
    "dependentRequired": _dependent,
    # False alone is allowed: which columns there may be is judged by the rule, with the properties beside it
    "additionalProperties": lambda *_: "TRUE",
}


def rules(schema: Mapping[str, Plain]) -> Iterator[Rule]:
    """A rule for every keyword of every property, and for every keyword of the row itself."""
    for word in schema:
        if word == "properties":
            for name, inner in schema[word].items():
                yield from _property_rules(name, inner)
        elif word == "required":
            for name in schema[word]:
                yield _rule(f"{name}.required", "the column must be there", {"required": [name]}, None, None, {})
        elif word == "additionalProperties" and schema[word] is False:
            yield _closed(tuple(schema.get("properties", {})))
        elif word not in (*NOTES, "additionalProperties", "type", "then", "else"):
            yield _rule(f"record.{word}", word, schema, word, None, schema)


def _property_rules(name: str, schema: Plain) -> Iterator[Rule]:
    if schema is True or schema == {}:
        return
    if schema is False:
        schema = {"not": {}}
    for word in schema:
        if word not in (*NOTES, "then", "else"):
            yield _rule(f"{name}.{word}", _asks(word, schema[word]), schema, word, name, schema)


def _asks(word: str, value: Plain) -> str:
    """The keyword in words, with its parameter where that is a value or a list of values."""
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, dict) for item in items):
        return word
    text = f"{word} {', '.join(str(item) for item in items)}"
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _rule(
    id_: str, asks: str, schema: Mapping[str, Plain], word: str | None, name: str | None, notes: Mapping[str, Plain]
) -> Rule:
    """``word``: the one keyword of ``schema`` that is meant, None: all of it. ``name``: the column, None: the row."""

    def breaking(columns: Columns) -> str | None:
        if name is not None and name not in columns:
            return None  # JSON Schema says nothing of a property that is not there; ``required`` does
        target = columns[name] if name is not None else None
        held = kept(schema, target, columns) if word is None else keyword_kept(word, schema, target, columns)
        return negated(held)

    def example(columns: Columns) -> tuple[str, str] | None:
        condition = breaking(columns)
        if name is None or condition is None or notes.get("x-sensitive"):
            return None
        return columns[name].text, condition

    return Rule(
        id=id_,
        asks=asks,
        count=lambda columns: None if (condition := breaking(columns)) is None else counted(condition),
        example=example,
        bounds=_tolerated(notes.get("x-tolerance", 0)),
        severity=notes.get("x-severity", "error"),
    )


def _tolerated(most: float) -> Bounds:
    """Below 1 a share of the rows, from 1 on a number of rows."""
    return Bounds(high=most, share=0 < most < 1)


def _closed(known: tuple[str, ...]) -> Rule:
    """Every row has every column, so one column too many is in all of them."""
    return Rule(
        id="record.additionalProperties",
        asks="no further columns",
        count=lambda columns: "0" if set(columns) <= set(known) else "count(*)",
    )


def counted(condition: str) -> str:
    """An aggregate that counts the rows in which a condition holds."""
    return {"FALSE": "0", "TRUE": "count(*)"}.get(condition, f"count(*) FILTER (WHERE {condition})")
