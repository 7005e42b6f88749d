"""Read a JSON Schema: resolve its references, and report everything in it that gates does not support."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gates.contract.references import BELOW, FOLDERS, INSIDE, Index, SchemaPlace, UnresolvedError, combined, resolved
from gates.contract.rules.keywords import KEYWORDS
from gates.contract.rules.row_rules import NOTES
from gates.schema.fields import Plain
from gates.schema.validation import Problem, nearest, problems
from gates.schema.yaml_text import Path, Source

OTHERS = (  # keywords of JSON Schema that are neither compiled nor notes
    "items", "prefixItems", "contains", "minContains", "maxContains", "minItems", "maxItems", "uniqueItems",
    "unevaluatedItems", "additionalItems", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor",
    "$vocabulary",
)  # fmt: skip
DRAFTS = "json-schema.org/"  # whose metaschemas are known

_NAMES = {"type": "array", "items": {"type": "string"}}
_NOTED: dict[str, Plain] = {  # keywords that are neither about one value nor hold schemas
    "x-sensitive": {"type": "boolean"},
    "x-severity": {"enum": ["error", "warn"]},
    "x-tolerance": {"type": "number", "minimum": 0},
    "required": _NAMES,
    "dependentRequired": {"type": "object", "additionalProperties": _NAMES},
    "minProperties": {"type": "integer", "minimum": 0},
    "maxProperties": {"type": "integer", "minimum": 0},
    "$id": {"type": "string"},
    "$anchor": {"type": "string", "pattern": "^[A-Za-z_][-A-Za-z0-9._]*$"},
}
_OF_RULES = ("x-severity", "x-tolerance")
DOCS: Mapping[str, str] = {  # keywords that are not about one value
    "properties": "Columns by name, each with a schema. A column that is missing breaks none of them.",
    "required": "Columns that must be there. A null in one of them is a value: `type` says whether there may be any.",
    "dependentRequired": "Columns that must be there if another one is.",
    "dependentSchemas": "A schema that rows keep if a column is there. `dependencies` of earlier drafts is either.",
    "patternProperties": "Columns by a pattern that is found in their names, each with a schema.",
    "additionalProperties": "`false`: no columns but those of `properties` and `patternProperties`; or a schema.",
    "unevaluatedProperties": "The same of columns that no schema which holds has looked at, beside this one or within.",
    "propertyNames": "A schema of the columns' names.",
    "minProperties": "At least this many columns.",
    "maxProperties": "At most this many columns.",
    "allOf": "All of these schemas hold.",
    "anyOf": "One of these schemas holds, or several.",
    "oneOf": "Exactly one of these schemas holds.",
    "not": "This schema does not hold.",
    "if": "Where this schema holds, so must `then`; where it does not, `else`.",
    "$ref": "A schema elsewhere in the file: `#/$defs/name`, an `$anchor`, or an `$id`. Circles are refused.",
    "$defs": "A place for schemas that are referred to; `definitions` is another.",
    "x-sensitive": "`true`: values of this column are shown nowhere.",
    "x-severity": "`error` (the default) or `warn`, of the rules that this property makes.",
    "x-tolerance": "How many rows may break a rule of this property: below 1 a share of the rows, from 1 on a number.",
}


def hidden(schema: Plain) -> frozenset[str]:
    """Return the columns of a resolved schema that are marked ``x-sensitive``, wherever in it."""
    if not isinstance(schema, dict):
        return frozenset()
    named = schema.get("properties", {}).items()
    found = {name for name, inner in named if schema.get("x-sensitive") or _marked(inner)}
    return frozenset(found).union(*(hidden(inner) for inner in combined(schema)))


def _marked(schema: Plain) -> bool:
    """Tell whether a column's schema, or any that is combined into it, is marked."""
    return isinstance(schema, dict) and (bool(schema.get("x-sensitive")) or any(map(_marked, combined(schema))))


def mistakes(source: Source, root: Plain, path: Path) -> Iterator[Problem]:
    """Yield everything in the schema at ``path`` that can't be compiled, an unknown keyword first of all."""
    found = list(_Looking(source=source, index=Index(root), base=path).at(SchemaPlace(root, ""), path))
    yield from found
    if found:
        return
    try:
        whole = resolved(root)
    except UnresolvedError as error:
        yield Problem.at(source, path, str(error))
        return
    word = next(_secrets_of_unnamed(whole), None)
    if word:
        what = f"x-sensitive in {word} names no column, so it would hide nothing; write it into the column's properties"
        yield Problem.at(source, path, what)


def _secrets_of_unnamed(schema: Plain) -> Iterator[str]:
    """Yield the keywords of a resolved schema that mark columns as sensitive without naming them."""
    if not isinstance(schema, dict):
        return
    for word in BELOW:
        if word != "properties" and word in schema and any(_marked(inner) for _, inner in INSIDE[word](schema[word])):
            yield word
    for inner in combined(schema):
        yield from _secrets_of_unnamed(inner)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looking:
    """What is wrong, schema by schema. ``base`` is the path of the outermost one."""

    source: Source
    index: Index
    base: Path

    def at(self, schema_place: SchemaPlace, path: Path) -> Iterator[Problem]:
        schema = schema_place.schema
        if isinstance(schema, bool):
            return
        if not isinstance(schema, dict):
            yield Problem.at(self.source, path, "expected a schema: keys with values, or true or false")
            return
        uri = self.index.within(schema_place).base
        for word, value in schema.items():
            here = (*path, word)
            yield from self._keyword(word, value, uri, here)
            yield from _misplaced(self.source, word, self.base, here)

    def _keyword(self, word: str, value: Plain, uri: str, here: Path) -> Iterator[Problem]:
        if word in INSIDE:
            for step, inner in INSIDE[word](value):
                yield from self.at(SchemaPlace(inner, uri), (*here, *step))
        if word == "dependencies" and isinstance(value, dict):
            for name, one in value.items():
                yield from problems(self.source, (*here, name), one, _NAMES) if isinstance(one, list) else ()
        elif word == "patternProperties" and isinstance(value, dict):
            for pattern in value:
                yield from _parameter(self.source, "pattern", pattern, (*here, pattern))
        elif word == "$ref":
            yield from self._reference(value, uri, here)
        elif word == "$schema" and DRAFTS not in str(value):
            told = "unknown vocabulary, which may have other keywords; name a draft of json-schema.org"
            yield Problem.at(self.source, here, told)
        elif word in KEYWORDS or word in _NOTED:
            yield from _parameter(self.source, word, value, here)
        elif word not in NOTES and word not in INSIDE:
            known = nearest(word, [*KEYWORDS, *_NOTED, *INSIDE, *NOTES])
            other = "gates does not support this keyword of JSON Schema; remove it"
            yield Problem.at(self.source, here, other if word in OTHERS else f"unknown keyword{known}")

    def _reference(self, value: Plain, uri: str, here: Path) -> Iterator[Problem]:
        try:
            self.index.named_by(str(value), uri)
        except (LookupError, ValueError):
            yield Problem.at(self.source, here, f"{value} names no schema in this file")


def _misplaced(source: Source, word: str, base: Path, here: Path) -> Iterator[Problem]:
    """Yield what would be without effect where it stands."""
    within = here[len(base) : -1]
    if word == "x-sensitive" and not {"properties", *FOLDERS} & set(within):
        yield Problem.at(source, here, "belongs to one column; write it into the column's properties")
    of_a_rule = not within or (len(within) == 2 and within[0] in ("properties", *FOLDERS))  # and a name
    if word in _OF_RULES and not of_a_rule:
        yield Problem.at(source, here, "belongs to a whole rule; write it next to the property's other keywords")


def _parameter(source: Source, word: str, value: Plain, path: Path) -> Iterator[Problem]:
    found = list(problems(source, path, value, KEYWORDS[word].schema if word in KEYWORDS else _NOTED[word]))
    yield from found
    why = KEYWORDS[word].refuse(value) if word in KEYWORDS and not found else None
    if why:
        yield Problem.at(source, path, f"can't be compiled: {why}")
