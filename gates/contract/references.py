"""Resolve references between schemas: `$id`, `$anchor` and `$ref`, and a schema with every reference expanded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urldefrag, urljoin

from gates.contract.rules.row_rules import NOTES, ROW
from gates.schema.fields import Plain
from gates.schema.yaml_text import Path

LARGEST = 20_000  # schemas and listed values within a schema, its references resolved
DEEPEST = 60  # schemas within schemas, its references resolved
FOLDERS = ("$defs", "definitions")  # where schemas lie that are only referred to
REFERENCES = ("$ref", "$id", "$anchor", *FOLDERS)
Inner = tuple[Path, Plain]  # where a schema stands within a keyword's value, and the schema


def _listed(value: Plain) -> list[Inner]:
    """Return the schemas of a list. An empty list, or something else, is reported as not being a schema."""
    return [((index,), one) for index, one in enumerate(value)] if isinstance(value, list) and value else [((), None)]


def _named(value: Plain) -> list[Inner]:
    return [((name,), one) for name, one in value.items()] if isinstance(value, dict) else [((), None)]


def _itself(value: Plain) -> list[Inner]:
    return [((), value)]


def _dependent(value: Plain) -> list[Inner]:
    """Return the schemas that ``dependencies`` of earlier drafts holds, without its lists of names."""
    return [one for one in _named(value) if not isinstance(one[1], list)]


INSIDE: Mapping[str, Callable[[Plain], list[Inner]]] = {  # keyword -> the schemas inside its value
    **dict.fromkeys(("properties", "patternProperties", "dependentSchemas", *FOLDERS), _named),
    "dependencies": _dependent,
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), _listed),
    **dict.fromkeys(
        ("not", "if", "then", "else", "additionalProperties", "propertyNames", "unevaluatedProperties"), _itself
    ),
}
BELOW = ("properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "propertyNames")
"""Keywords whose schemas are of a column's value, or of its name: no row."""


class UnresolvedError(ValueError):
    """A schema whose references can't be written out."""


@dataclass(frozen=True, slots=True)
class SchemaPlace:
    """A schema with the URI that its own `$id` is relative to, and where it has none its references."""

    schema: Plain
    base: str


class Index:
    """The schemas of a file by what they are called."""

    def __init__(self, root: Plain) -> None:
        self._called: dict[str, SchemaPlace] = {"": SchemaPlace(root, "")}
        self._enter(SchemaPlace(root, ""))

    def _enter(self, at: SchemaPlace) -> None:
        if not isinstance(at.schema, dict):
            return
        here = self.within(at)
        if here.base != at.base:
            self._called.setdefault(here.base, at)
        anchor = at.schema.get("$anchor")
        if isinstance(anchor, str):
            self._called.setdefault(f"{here.base}#{anchor}", at)
        for word, value in at.schema.items():
            for _, inner in INSIDE[word](value) if word in INSIDE else ():
                self._enter(SchemaPlace(inner, here.base))

    def within(self, at: SchemaPlace) -> SchemaPlace:
        """Return the same schema with its own `$id` as the base."""
        id_ = at.schema.get("$id") if isinstance(at.schema, dict) else None
        return SchemaPlace(at.schema, urldefrag(_joined(at.base, id_)).url) if isinstance(id_, str) else at

    def named_by(self, reference: str, base: str) -> SchemaPlace:
        """Return what a reference names that stands where ``base`` is the base. Raises ``LookupError`` where it leads
        out of the file, or to what is no schema."""
        target, _, fragment = _joined(base, reference).partition("#")
        if fragment and not fragment.startswith("/"):
            return self._called[f"{target}#{unquote(fragment)}"]
        here = self._called[target]
        return self._along(here, fragment)

    def _along(self, here: SchemaPlace, pointer: str) -> SchemaPlace:
        parts = [unquote(part).replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        while parts:
            word, schema = parts.pop(0), here.schema
            if word not in INSIDE or not isinstance(schema, dict) or word not in schema:
                raise LookupError(pointer)
            single = INSIDE[word] is _itself
            inner = schema[word] if single else _member(schema[word], parts.pop(0) if parts else "")
            here = SchemaPlace(inner, self.within(here).base)
        return here


def _joined(base: str, reference: str) -> str:
    """Return a URI by its reference. The library joins nothing to a URN, of which only fragments are relative."""
    if reference.startswith("#") or not reference:
        return urldefrag(base).url + reference
    return urljoin(base, reference)


def _member(schemas: Plain, name: str) -> Plain:
    """Return one of several schemas, by its name or its place. Raises ``LookupError``."""
    if isinstance(schemas, list) and name.isdecimal():
        return schemas[int(name)]
    if isinstance(schemas, dict):
        return schemas[name]
    raise LookupError(name)


def resolved(root: Plain) -> Plain:
    """Return a schema with every reference replaced by what it names. Raises ``UnresolvedError``.

    A column's value is no object, so what a schema of one says of objects is left out: circles of references end there.
    """
    return _Resolver(Index(root)).schema(SchemaPlace(root, ""), (), 0, of_row=True)


class _Resolver:
    def __init__(self, index: Index) -> None:
        self._index = index
        self._left = LARGEST

    def schema(self, at: SchemaPlace, above: tuple[tuple[int, bool], ...], depth: int, *, of_row: bool) -> Plain:
        if depth > DEEPEST:
            raise UnresolvedError(f"with its references expanded it is more than {DEEPEST} levels deep")
        value = at.schema
        if not isinstance(value, dict):
            return value
        at, step = self._index.within(at), (id(value), of_row)
        if step in above:
            raise UnresolvedError("a reference refers to itself")
        above = (*above, step)
        said = [(word, inner) for word, inner in value.items() if word not in REFERENCES]
        keywords = {
            word: self._keyword(word, inner, at.base, above, depth, of_row=of_row)
            for word, inner in said
            if of_row or word not in ROW or word in ("const", "enum")
        }
        if "$ref" not in value:
            return keywords
        named = self._index.named_by(value["$ref"], at.base)
        return _beside(keywords, self.schema(named, above, depth + 1, of_row=of_row))

    def _keyword(
        self, word: str, value: Plain, base: str, above: tuple[tuple[int, bool], ...], depth: int, *, of_row: bool
    ) -> Plain:
        self._charge(value)
        if word not in INSIDE:  # a default or an enum may hold anything
            return value
        inner_row = of_row and word not in BELOW
        passed = above if inner_row == of_row else ()
        resolved_inside = [
            (path, self.schema(SchemaPlace(inner, base), passed, depth + 1, of_row=inner_row))
            for path, inner in INSIDE[word](value)
        ]
        if INSIDE[word] is _itself:
            return resolved_inside[0][1]
        if INSIDE[word] is _listed:
            return [inner for _, inner in resolved_inside]
        return (dict(value) if INSIDE[word] is _dependent else {}) | {
            str(path[0]): inner for path, inner in resolved_inside
        }

    def _charge(self, value: Plain) -> None:
        self._left -= len(value) if isinstance(value, list) else 1
        if self._left < 0:
            raise UnresolvedError(f"with its references expanded it holds more than {LARGEST:,} schemas and values")


def _beside(keywords: dict[str, Plain], named: Plain) -> Plain:
    """Return a schema and the one that it refers to, in one. Where one of them is only notes, so that a rule of the
    other keeps its own name, the two lie side by side."""
    if isinstance(named, dict) and (set(keywords) <= set(NOTES) or set(named) <= set(NOTES)):
        secret = {"x-sensitive": True} if keywords.get("x-sensitive") or named.get("x-sensitive") else {}
        return {**named, **keywords, **secret}
    return {**keywords, "allOf": [*keywords.get("allOf", []), named]}


def combined(schema: dict[str, Plain]) -> Iterator[Plain]:
    """Yield the schemas in a schema, but for those of its properties."""
    for word, value in schema.items():
        if word in INSIDE and word != "properties":
            yield from (inner for _, inner in INSIDE[word](value))
