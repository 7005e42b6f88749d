"""A JSON Schema as it is written: its references resolved, and everything in it that can't be compiled told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import unquote

from gates.contract.keywords import KEYWORDS
from gates.contract.record import NOTES
from gates.fields import Plain
from gates.source import Path, Source
from gates.validate import Problem, nearest, problems

LARGEST = 20_000  # schemas and listed values within a schema, its references resolved
DEEPEST = 60  # schemas within schemas, its references resolved
OTHERS = (  # keywords of JSON Schema that are neither compiled nor notes
    "items", "prefixItems", "contains", "minContains", "maxContains", "minItems", "maxItems", "uniqueItems",
    "patternProperties", "propertyNames", "minProperties", "maxProperties", "dependentSchemas", "unevaluatedItems",
    "unevaluatedProperties", "contentEncoding", "contentMediaType", "contentSchema", "$anchor", "$dynamicRef",
    "$dynamicAnchor", "$vocabulary", "dependencies", "additionalItems",
)  # fmt: skip
FOLDERS = ("$defs", "definitions")  # where schemas lie that are only referred to
REFERENCES = ("$ref", *FOLDERS)

_NAMES = {"type": "array", "items": {"type": "string"}}
_NOTED: dict[str, Plain] = {  # keywords that are neither about one value nor hold schemas
    "x-sensitive": {"type": "boolean"},
    "x-severity": {"enum": ["error", "warn"]},
    "x-tolerance": {"type": "number", "minimum": 0},
    "required": _NAMES,
    "dependentRequired": {"type": "object", "additionalProperties": _NAMES},
}
_OF_RULES = ("x-severity", "x-tolerance")
Inner = tuple[Path, Plain]  # where a schema stands within a keyword's value, and the schema


def _listed(value: Plain) -> list[Inner]:
    """Schemas of a list; what is no list, or an empty one, is told as no schema."""
    return [((index,), one) for index, one in enumerate(value)] if isinstance(value, list) and value else [((), None)]


def _named(value: Plain) -> list[Inner]:
    return [((name,), one) for name, one in value.items()] if isinstance(value, dict) else [((), None)]


def _itself(value: Plain) -> list[Inner]:
    return [((), value)]


_INSIDE: Mapping[str, Callable[[Plain], list[Inner]]] = {  # keyword -> the schemas inside its value
    "properties": _named,
    **dict.fromkeys(FOLDERS, _named),
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), _listed),
    **dict.fromkeys(("not", "if", "then", "else", "additionalProperties"), _itself),
}


DOCS: Mapping[str, str] = {  # keywords that are not about one value
    "properties": "Columns by name, each with a schema. Of a column that is not there nothing is asked.",
    "required": "Columns that must be there. A null in one of them is a value: `type` says whether there may be any.",
    "dependentRequired": "Columns that must be there if another one is.",
    "additionalProperties": "`false`: no columns but those under `properties`; or a schema for all others.",
    "allOf": "All of these schemas hold.",
    "anyOf": "One of these schemas holds, or several.",
    "oneOf": "Exactly one of these schemas holds.",
    "not": "This schema does not hold.",
    "if": "Where this schema holds, so must `then`; where it does not, `else`.",
    "$ref": "A schema that stands elsewhere in the file: `#/$defs/name`. Circles are refused.",
    "$defs": "A place for schemas that are referred to; `definitions` is another.",
    "x-sensitive": "`true`: values of this column are shown nowhere.",
    "x-severity": "`error` (the default) or `warn`, of the rules that this property makes.",
    "x-tolerance": "How many rows may break a rule of this property: below 1 a share of the rows, from 1 on a number.",
}


class UnresolvedError(ValueError):
    """A schema whose references can't be written out."""


def named_by(reference: str, root: Plain) -> Plain:
    """The schema that ``#/$defs/name`` names. Raises ``LookupError`` where it leads out of the file, or to what is
    no schema."""
    if reference == "#":
        return root
    if not reference.startswith("#/"):
        raise LookupError(reference)
    parts = [unquote(part).replace("~1", "/").replace("~0", "~") for part in reference[2:].split("/")]
    here = root
    while parts:
        word = parts.pop(0)
        if word not in _INSIDE or not isinstance(here, dict) or word not in here:
            raise LookupError(reference)
        here = here[word] if _INSIDE[word] is _itself else _member(here[word], parts.pop(0) if parts else "")
    return here


def _member(schemas: Plain, part: str) -> Plain:
    """One of several schemas, by its name or its place. Raises ``LookupError``."""
    if isinstance(schemas, list) and part.isdecimal():
        return schemas[int(part)]
    if isinstance(schemas, dict):
        return schemas[part]
    raise LookupError(part)


def resolved(root: Plain) -> Plain:
    """A schema with every reference replaced by what it names. Raises ``UnresolvedError``."""
    left = LARGEST

    def charge(value: Plain) -> None:
        nonlocal left
        left -= len(value) if isinstance(value, list) else 1
        if left < 0:
            raise UnresolvedError(f"with its references written out it holds more than {LARGEST:,} schemas and values")

    def inside(word: str, value: Plain, above: tuple[str, ...], depth: int) -> Plain:
        charge(value)
        if word not in _INSIDE:  # a default or an enum may hold anything
            return value
        found = [(path, schema(one, above, depth + 1)) for path, one in _INSIDE[word](value)]
        if _INSIDE[word] is _itself:
            return found[0][1]
        return [one for _, one in found] if _INSIDE[word] is _listed else {path[0]: one for path, one in found}

    def schema(value: Plain, above: tuple[str, ...], depth: int) -> Plain:
        if depth > DEEPEST:
            raise UnresolvedError(f"with its references written out it is more than {DEEPEST} levels deep")
        if not isinstance(value, dict):
            return value
        made = {word: inside(word, one, above, depth) for word, one in value.items() if word not in REFERENCES}
        reference = value.get("$ref")
        if reference is None:
            return made
        if reference in above:
            raise UnresolvedError(f"the reference {reference} leads back to itself")
        return _beside(made, schema(named_by(reference, root), (*above, reference), depth + 1))

    return schema(root, ("#",), 0)


def _beside(made: dict[str, Plain], named: Plain) -> Plain:
    """A schema and the one that it refers to, in one. Where one of them is only notes, so that a rule of the other
    keeps its own name, the two lie side by side."""
    if isinstance(named, dict) and (set(made) <= set(NOTES) or set(named) <= set(NOTES)):
        secret = {"x-sensitive": True} if made.get("x-sensitive") or named.get("x-sensitive") else {}
        return {**named, **made, **secret}
    return {**made, "allOf": [*made.get("allOf", []), named]}


def hidden(schema: Plain) -> frozenset[str]:
    """The columns of a resolved schema that are marked ``x-sensitive``, wherever in it."""
    if not isinstance(schema, dict):
        return frozenset()
    named = schema.get("properties", {}).items()
    found = {name for name, inner in named if schema.get("x-sensitive") or _marked(inner)}
    return frozenset(found).union(*(hidden(inner) for inner in _combined(schema)))


def _marked(schema: Plain) -> bool:
    """Whether a column's schema, or any that is combined into it, is marked."""
    return isinstance(schema, dict) and (bool(schema.get("x-sensitive")) or any(map(_marked, _combined(schema))))


def _combined(schema: dict[str, Plain]) -> Iterator[Plain]:
    for word, value in schema.items():
        if word in _INSIDE and word != "properties":
            yield from (inner for _, inner in _INSIDE[word](value))


def mistakes(source: Source, root: Plain, path: Path) -> Iterator[Problem]:
    """Everything in the schema at ``path`` that can't be compiled, an unknown keyword first of all."""
    found = list(_mistakes(source, root, root, path, path))
    yield from found
    if found:
        return
    try:
        resolved(root)
    except UnresolvedError as error:
        yield Problem.at(source, path, str(error))


def _mistakes(source: Source, schema: Plain, root: Plain, base: Path, path: Path) -> Iterator[Problem]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        yield Problem.at(source, path, "expected a schema: keys with values, or true or false")
        return
    for word, value in schema.items():
        here = (*path, word)
        if word in _INSIDE:
            for step, inner in _INSIDE[word](value):
                yield from _mistakes(source, inner, root, base, (*here, *step))
        elif word == "$ref":
            yield from _reference(source, value, root, here)
        elif word in KEYWORDS or word in _NOTED:
            yield from _parameter(source, word, value, here)
        elif word not in NOTES:
            known = nearest(word, [*KEYWORDS, *_NOTED, *_INSIDE, *NOTES])
            other = "this keyword of JSON Schema can't be compiled; take it out"
            yield Problem.at(source, here, other if word in OTHERS else f"unknown keyword{known}")
        yield from _misplaced(source, word, base, here)


def _misplaced(source: Source, word: str, base: Path, here: Path) -> Iterator[Problem]:
    """What would be without effect where it stands."""
    within = here[len(base) : -1]
    if word == "$id" and within:
        yield Problem.at(source, here, "only the whole schema may have one: here it would change what references name")
    if word == "x-sensitive" and not {"properties", *FOLDERS} & set(within):
        yield Problem.at(source, here, "is of one column; write it into the column's properties")
    of_a_rule = not within or (len(within) == 2 and within[0] in ("properties", *FOLDERS))  # noqa: PLR2004 -- and a name
    if word in _OF_RULES and not of_a_rule:
        yield Problem.at(source, here, "is of a whole rule; write it beside the property's other keywords")


def _parameter(source: Source, word: str, value: Plain, path: Path) -> Iterator[Problem]:
    found = list(problems(source, path, value, KEYWORDS[word].schema if word in KEYWORDS else _NOTED[word]))
    yield from found
    why = KEYWORDS[word].refuse(value) if word in KEYWORDS and not found else None
    if why:
        yield Problem.at(source, path, f"can't be compiled: {why}")


def _reference(source: Source, value: Plain, root: Plain, path: Path) -> Iterator[Problem]:
    try:
        named_by(str(value), root)
    except LookupError:
        yield Problem.at(source, path, f"{value} names no schema in this file")
