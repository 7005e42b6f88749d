"""A JSON Schema as it is written: its references resolved, and everything in it that can't be compiled told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from gates.contract.keywords import KEYWORDS
from gates.contract.record import NOTES
from gates.fields import Plain
from gates.source import Path, Source
from gates.validate import Problem, nearest, problems

LARGEST = 5_000  # schemas within a schema, its references resolved

_GONE = ("$ref", "$defs")
_NAMES = {"type": "array", "items": {"type": "string"}}
_NOTED: dict[str, Plain] = {
    "x-sensitive": {"type": "boolean"},
    "x-severity": {"enum": ["error", "warn"]},
    "x-tolerance": {"type": "number", "minimum": 0},
    "required": _NAMES,
    "dependentRequired": {"type": "object", "additionalProperties": _NAMES},
    "additionalProperties": {"type": "boolean"},
}


def resolved(schema: Plain, root: Plain, left: list[int] | None = None) -> Plain:
    """A schema in which ``mistakes`` finds none, with every reference replaced by what it names.

    Raises ``OverflowError`` where that makes more than ``LARGEST`` schemas.
    """
    left = [LARGEST] if left is None else left
    left[0] -= 1
    if left[0] < 0:
        raise OverflowError
    if not isinstance(schema, dict):
        return schema
    made = {word: _inside_resolved(word, value, root, left) for word, value in schema.items() if word not in _GONE}
    if "$ref" not in schema:
        return made
    named = resolved(named_by(schema["$ref"], root), root, left)
    return {**made, "allOf": [*made.get("allOf", []), named]} if made else named


def _inside_resolved(word: str, value: Plain, root: Plain, left: list[int]) -> Plain:
    """Only what is a schema is looked into: a default or an enum may hold anything."""
    if word == "properties":
        return {name: resolved(one, root, left) for name, one in value.items()}
    if word in ("allOf", "anyOf", "oneOf"):
        return [resolved(one, root, left) for one in value]
    return resolved(value, root, left) if word in _INSIDE else value


def circular(schema: Plain, root: Plain, above: tuple[str, ...] = (), done: set[str] | None = None) -> str | None:
    """A reference that leads back to itself, or None."""
    done = set() if done is None else done
    for word, value in schema.items() if isinstance(schema, dict) else ():
        if word == "$ref" and value not in done:
            if value in above:
                return str(value)
            found = circular(named_by(value, root), root, (*above, value), done)
            done.add(value)
            if found:
                return found
        for _, inner in _INSIDE[word](value) if word in _INSIDE else ():
            found = circular(inner, root, above, done)
            if found:
                return found
    return None


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


def mistakes(source: Source, root: Plain, path: Path) -> Iterator[Problem]:
    """Everything in the schema at ``path`` that can't be compiled, an unknown keyword first of all."""
    found = list(_mistakes(source, root, root, path))
    yield from found
    if found:
        return
    back = circular(root, root)
    if back:
        yield Problem.at(source, path, f"the reference {back} leads back to itself")
        return
    try:
        resolved(root, root)
    except OverflowError:
        yield Problem.at(source, path, f"with its references resolved it holds more than {LARGEST:,} schemas")


def _mistakes(source: Source, schema: Plain, root: Plain, path: Path) -> Iterator[Problem]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        yield Problem.at(source, path, "expected a schema: keys with values, or true or false")
        return
    for word, value in schema.items():
        here = (*path, word)
        if word in _INSIDE:
            for step, inner in _INSIDE[word](value):
                yield from _mistakes(source, inner, root, (*here, *step))
        elif word == "$ref":
            yield from _reference(source, value, root, here)
        elif word in KEYWORDS or word in _NOTED:
            yield from _parameter(source, word, value, here)
        elif word not in NOTES:
            known = [*KEYWORDS, *_NOTED, *_INSIDE, *NOTES]
            hint = nearest(word, known) or "; no keyword is skipped in silence, so take it out"
            yield Problem.at(source, here, f"this keyword can't be compiled{hint}")


def _parameter(source: Source, word: str, value: Plain, path: Path) -> Iterator[Problem]:
    found = list(problems(source, path, value, KEYWORDS[word].schema if word in KEYWORDS else _NOTED[word]))
    yield from found
    why = KEYWORDS[word].refuse(value) if word in KEYWORDS and not found else None
    if why:
        yield Problem.at(source, path, f"can't be compiled: {why}")


def _listed(value: Plain) -> list[tuple[Path, Plain]]:
    """Schemas of a list; what is no list, or an empty one, is told as no schema."""
    return [((index,), one) for index, one in enumerate(value)] if isinstance(value, list) and value else [((), None)]


def _named(value: Plain) -> list[tuple[Path, Plain]]:
    return [((name,), one) for name, one in value.items()] if isinstance(value, dict) else [((), None)]


_INSIDE: Mapping[str, Callable[[Plain], list[tuple[Path, Plain]]]] = {  # keyword -> the schemas inside its value
    "properties": _named,
    "$defs": _named,
    "allOf": _listed,
    "anyOf": _listed,
    "oneOf": _listed,
    "not": lambda value: [((), value)],
    "if": lambda value: [((), value)],
    "then": lambda value: [((), value)],
    "else": lambda value: [((), value)],
}


def _reference(source: Source, value: Plain, root: Plain, path: Path) -> Iterator[Problem]:
    try:
        named_by(str(value), root)
    except LookupError:
        yield Problem.at(source, path, f"{value} names nothing in this file")
