"""Declare fields: a frozen dataclass is its own JSON Schema, its own reader and its own writer.

Policy, contract, evidence and decision are all such dataclasses, so there is one way in and one way out.
A class whose written form is not an object brings ``SCHEMA`` and ``read`` (and ``plain``) of its own.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

Plain = Any  # None, bool, int, float, str, list and dict with text keys
Stricter = (
    str | tuple[str, ...]
)  # a word that ``gates.documents.printed.diff`` knows, or options from the laxest to the strictest
T = TypeVar("T")
DATE = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"  # a day: days so written compare as text
TIME_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"  # a moment in UTC, to the second


def declare(
    doc: str,
    *,
    default: Any = dataclasses.MISSING,
    big: bool = False,
    single: bool = False,
    late: bool = False,
    short: str | None = None,
    stricter: Stricter | None = None,
    **schema: Plain,
) -> Any:
    """Declare a documented field.

    ``big``: an integer, or a tuple of them, that may pass 2**53 and is therefore written as decimal text.
    ``single``: one item may stand for a list of one. ``late``: a key that came later, which is left out where it has
    its default, so that what was written before it keeps its form and its bytes. ``short``: a bare value may stand for
    an object with only this key.
    ``stricter``: which of two values asks for more: the ``larger`` or the ``smaller`` number (of yes and no, yes is
    the larger), the later one of some options, the ``earlier`` day (none at all being the earliest), the list of
    ``fewer`` items, or any that is ``set``. ``each``: every item of a list is asked for on its own. ``free``: it asks
    for nothing. Left out: that can't be determined.
    ``schema``: further JSON Schema keywords of the value, such as ``minimum``.
    """
    metadata = {
        "doc": doc,
        "big": big,
        "single": single,
        "late": late,
        "short": short,
        "stricter": stricter,
        "schema": schema,
    }
    return dataclasses.field(default=default, metadata=metadata)


@cache
def hints(cls: type) -> Mapping[str, Any]:
    """Return a dataclass's field names and their types."""
    return typing.get_type_hints(cls)


def written(field: dataclasses.Field[Any]) -> str:
    """Return the key under which a field is written: its name less a trailing underscore."""
    return field.name.removesuffix("_")


def _optional(annotation: Any) -> tuple[Any, bool]:
    """Split ``X | None`` into X and True; any other annotation comes back with False."""
    if get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [item for item in get_args(annotation) if item is not type(None)]
        rest = inner[0] if len(inner) == 1 else typing.Union[tuple(inner)]  # noqa: UP007 -- built at run time
        return rest, len(inner) < len(get_args(annotation))
    return annotation, False


_SCALARS: Mapping[Any, dict[str, Plain]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Any: {},
}


def _schema_of_type(annotation: Any) -> dict[str, Plain]:
    annotation, nullable = _optional(annotation)
    origin = get_origin(annotation)
    if annotation in _SCALARS:
        schema = dict(_SCALARS[annotation])
    elif origin is Literal:
        options = list(get_args(annotation))
        schema = {"enum": options}
        if all(isinstance(option, str) for option in options):
            schema["type"] = "string"
    elif origin is tuple and get_args(annotation)[-1] is Ellipsis:
        schema = {"type": "array", "items": _schema_of_type(get_args(annotation)[0])}
    elif origin is tuple:
        items = [_schema_of_type(item) for item in get_args(annotation)]
        schema = {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    elif origin in (typing.Union, types.UnionType):
        schema = {"type": [_SCALARS[item]["type"] for item in get_args(annotation)]}
    elif origin in (dict, Mapping):
        schema = {"type": "object", "additionalProperties": _schema_of_type(get_args(annotation)[1])}
    elif isinstance(annotation, type) and issubclass(annotation, StrEnum):
        schema = {"enum": [str(item) for item in annotation]}
    else:
        schema = schema_of(annotation)
    return {"anyOf": [schema, {"type": "null"}]} if nullable else schema


_BIG: Mapping[str, Plain] = {"type": "string", "pattern": "^-?[0-9]{1,120}$"}


def _big_schema(annotation: Any) -> dict[str, Plain]:
    """Return the schema of an integer as text, or of a list, or list of lists, of such."""
    annotation, nullable = _optional(annotation)
    of_many = get_origin(annotation) is tuple
    schema = {"type": "array", "items": _big_schema(get_args(annotation)[0])} if of_many else dict(_BIG)
    return {"anyOf": [schema, {"type": "null"}]} if nullable else schema


def _small(value: Plain) -> Plain:
    """Return integers written as text -> integers."""
    if isinstance(value, list):
        return [_small(item) for item in value]
    return None if value is None else int(value)


def _large(value: Any) -> Plain:
    """Return integers -> text; the inverse of ``_small``."""
    if isinstance(value, tuple):
        return [_large(item) for item in value]
    return None if value is None else str(value)


def _field_schema(cls: type, field: dataclasses.Field[Any], *, strict: bool) -> dict[str, Plain]:
    meta = field.metadata
    annotation = hints(cls)[field.name]
    if not strict or meta["late"]:  # people leave a key out; they don't write null
        annotation, _ = _optional(annotation)
    schema = _big_schema(annotation) if meta["big"] else _schema_of_type(annotation)
    if meta["short"]:
        inner = next(f for f in dataclasses.fields(annotation) if written(f) == meta["short"])
        schema = {"anyOf": [_field_schema(annotation, inner, strict=strict), schema]}
    schema |= meta["schema"]
    if meta["single"]:
        schema = {"anyOf": [schema["items"], schema]}
    if isinstance(field.default, str | int | float):
        schema = schema | {"default": field.default}
    return {"description": meta["doc"]} | schema


def schema_of(cls: Any) -> dict[str, Plain]:
    """Return the JSON Schema (2020-12) of a declared dataclass; unknown keys are refused.

    Where a class sets ``WRITTEN = "whole"`` (evidence, decision) every key must be there and absent
    values are null; elsewhere (what people write) a key with a default may be left out.
    """
    if hasattr(cls, "SCHEMA"):
        return dict(cls.SCHEMA)
    strict = getattr(cls, "WRITTEN", "") == "whole"
    every = dataclasses.fields(cls)
    required = [written(f) for f in every if (strict and not f.metadata["late"]) or f.default is dataclasses.MISSING]
    return {
        "type": "object",
        "description": (cls.__doc__ or "").split("\n\n")[0].replace("\n", " ").strip(),
        "properties": {written(f): _field_schema(cls, f, strict=strict) for f in every},
        "required": required,
        "additionalProperties": False,
    }


Make = Callable[[Plain], Any]


def build(annotation: Any, value: Plain) -> Any:
    """Turn a value that its schema has accepted into the typed object."""
    return _maker(annotation)(value)


@cache
def _maker(annotation: Any) -> Make:
    """Tell how values of a type are made: looked up once a type, as there are many values."""
    annotation, nullable = _optional(annotation)
    make = _plainly(annotation)
    return (lambda value: None if value is None else make(value)) if nullable else make


def _plainly(annotation: Any) -> Make:
    origin, inner = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "read"):
        return cast(Make, annotation.read)
    if dataclasses.is_dataclass(annotation):
        return _object(cast(type, annotation))
    if origin is tuple and inner[-1] is Ellipsis:
        one = _maker(inner[0])
        return lambda value: tuple([one(item) for item in value])
    if origin is tuple:
        every = [_maker(item) for item in inner]
        return lambda value: tuple(make(item) for make, item in zip(every, value, strict=True))
    if origin in (dict, Mapping):
        named = _maker(inner[1])
        return lambda value: {name: named(item) for name, item in value.items()}
    if annotation is float or (isinstance(annotation, type) and issubclass(annotation, StrEnum)):
        return cast(Make, annotation)
    return lambda value: value


def _object(cls: type) -> Make:
    """Make a declared dataclass from its keys. Its fields are looked at when the first one is made, not before."""

    @cache
    def fields() -> tuple[tuple[str, str, Mapping[str, Any], Any], ...]:
        every = dataclasses.fields(cls)
        return tuple((written(f), f.name, f.metadata, hints(cls)[f.name]) for f in every)

    def make(value: dict[str, Plain]) -> Any:
        arguments: dict[str, Any] = {}
        for key, name, meta, annotation in fields():
            if key not in value:
                continue
            item = value[key]
            if meta["big"]:
                item = _small(item)
            if meta["single"] and not isinstance(item, list):
                item = [item]
            if meta["short"] and not isinstance(item, dict):
                item = {meta["short"]: item}
            arguments[name] = _maker(annotation)(item)
        return cls(**arguments)

    return make


_LEAVES = frozenset({type(None), str, int, float, bool})  # looked for first: nearly all values are such


def plain(value: Any) -> Plain:
    """Return a typed object -> what JSON can hold; the inverse of ``build``."""
    cls: Any = type(value)
    return value if cls in _LEAVES else _writer(cls)(value)


@cache
def _writer(cls: Any) -> Make:
    """Tell how values of a class are written: looked up once a class, as there are many values."""
    if hasattr(cls, "plain"):
        return lambda value: value.plain()
    if dataclasses.is_dataclass(cls):
        keys = [(f.name, written(f), _large if f.metadata.get("big") else plain) for f in dataclasses.fields(cls)]
        late = {written(f): plain(f.default) for f in dataclasses.fields(cls) if f.metadata.get("late")}

        def whole(value: Any) -> Plain:
            return {
                key: item if type(item := getattr(value, name)) in _LEAVES and write is plain else write(item)
                for name, key, write in keys
            }

        if not late:
            return whole
        return lambda value: {key: item for key, item in whole(value).items() if key not in late or item != late[key]}
    if issubclass(cls, Mapping):
        return lambda value: {str(name): plain(item) for name, item in value.items()}
    if issubclass(cls, tuple | list):
        return lambda value: [item if type(item) in _LEAVES else plain(item) for item in value]
    return next((scalar for scalar in (str, float, int) if issubclass(cls, scalar)), lambda value: value)
