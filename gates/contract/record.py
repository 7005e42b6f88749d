"""A JSON Schema of one row -> conditions on the columns. Keywords that combine schemas; references; the checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gates.contract.columns import Column, Columns, every, negated, some
from gates.contract.keywords import KEYWORDS
from gates.fields import Plain
from gates.source import Path

Target = Column | None  # a column, or None: the whole row
NOTES = (
    "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "$schema", "$id",
    "$defs", "x-sensitive", "x-severity", "x-tolerance",
)  # fmt: skip
DEEPEST = 20  # references within references
_SUBSCHEMAS = ("allOf", "anyOf", "oneOf")


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
        return _ROW[word](schema[word], columns) if word in _ROW else _row_keeps(word, schema[word])
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


_ROW: Mapping[str, Callable[[Plain, Columns], str]] = {
    "properties": _properties,
    "required": lambda names, columns: "TRUE" if set(names) <= columns.keys() else "FALSE",
    "dependentRequired": _dependent,
    # False alone is allowed: which columns there may be is judged by the rule, with the properties beside it
    "additionalProperties": lambda *_: "TRUE",
}


def resolved(schema: Plain, root: Plain) -> Plain:
    """The schema with every reference inside the file replaced by what it names. ``mistakes`` finds none in it."""
    if isinstance(schema, list):
        return [resolved(item, root) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {word: resolved(value, root) for word, value in schema.items() if word not in ("$ref", "$defs")}
    if "$ref" not in schema:
        return made
    named = resolved(named_by(schema["$ref"], root), root)
    return {**made, "allOf": [*made.get("allOf", []), named]} if made else named


def named_by(reference: str, root: Plain) -> Plain:
    """What ``#/$defs/name`` names. Raises ``LookupError`` where there is nothing, or it leads out of the file."""
    if reference == "#" or not reference.startswith("#/"):
        raise LookupError(reference)
    here = root
    for part in reference[2:].split("/"):
        word = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(here, dict) or word not in here:
            raise LookupError(reference)
        here = here[word]
    return here


def mistakes(schema: Plain, root: Plain, path: Path, *, depth: int = 0) -> Iterator[tuple[Path, str]]:
    """(path, what) of everything in a schema that can't be compiled, an unknown keyword first of all."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        yield path, "expected keys with values, or true or false"
        return
    for word, value in schema.items():
        yield from _keyword_mistakes(word, value, schema, root, (*path, word), depth)


def _keyword_mistakes(
    word: str, value: Plain, schema: dict[str, Plain], root: Plain, path: Path, depth: int
) -> Iterator[tuple[Path, str]]:
    if word == "$ref":
        yield from _reference_mistakes(value, root, path, depth)
    elif word in _SUBSCHEMAS:
        if not isinstance(value, list) or not value:
            yield path, "expected a list of schemas"
            return
        for index, one in enumerate(value):
            yield from mistakes(one, root, (*path, index), depth=depth)
    elif word in ("not", "if", "then", "else"):
        yield from mistakes(value, root, path, depth=depth)
    elif word == "properties":
        for name, one in value.items() if isinstance(value, dict) else ():
            yield from mistakes(one, root, (*path, name), depth=depth)
        if not isinstance(value, dict):
            yield path, "expected keys with values"
    elif word == "additionalProperties":
        if value is not True and value is not False:
            yield path, "expected true or false; a schema for further columns can't be compiled"
    elif word == "$defs":
        for name, one in value.items() if isinstance(value, dict) else ():
            yield from mistakes(one, root, (*path, name), depth=depth)
    elif word in KEYWORDS:
        why = KEYWORDS[word].refuse(value) if isinstance(value, str) else None
        if why:
            yield path, f"this pattern can't be compiled: {why}"
    elif word not in (*NOTES, *_ROW):
        yield path, "this keyword can't be compiled; nothing is skipped in silence, so take it out"


def _reference_mistakes(value: Any, root: Plain, path: Path, depth: int) -> Iterator[tuple[Path, str]]:
    if not isinstance(value, str):
        yield path, "expected text"
        return
    try:
        named = named_by(value, root)
    except LookupError:
        yield path, f"{value} names nothing in this file"
        return
    if depth >= DEEPEST:
        yield path, f"{value} leads back to itself, or deeper than {DEEPEST} references"
        return
    for _, what in mistakes(named, root, path, depth=depth + 1):
        if "leads back" in what:
            yield path, what
            return
