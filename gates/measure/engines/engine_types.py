"""What each type of the engine, by its full name, is in JSON. A contract can't cover a type that is missing here."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gates.contract.sql import ZONED, Category, Column, Dated

CATEGORIES: Mapping[str, Category] = {
    "BOOLEAN": "boolean",
    "TINYINT": "integer",
    "SMALLINT": "integer",
    "INTEGER": "integer",
    "BIGINT": "integer",
    "HUGEINT": "integer",
    "UTINYINT": "integer",
    "USMALLINT": "integer",
    "UINTEGER": "integer",
    "UBIGINT": "integer",
    "FLOAT": "number",
    "DOUBLE": "number",
    "VARCHAR": "string",
    "UUID": "string",
    '"NULL"': "string",  # of nothing but nulls no type can be told
    "DATE": "date",
    "TIME": "time",
    "TIME_NS": "time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP_NS": "timestamp",
    ZONED: "timestamp",
    "TIMESTAMPTZ_NS": "timestamp",
}
REFUSED: Mapping[str, str] = {  # every other type of the engine, in words
    "UHUGEINT": "whole numbers of 128 bits without a sign, which other engines lack",
    "BIGNUM": "whole numbers of more than 128 bits",
    "TIME WITH TIME ZONE": "times of day in a zone, which mean nothing without their day",
    "INTERVAL": "spans of time, which JSON lacks",
    "BLOB": "bytes, which JSON lacks",
    "BIT": "bits, which JSON lacks",
    "GEOMETRY": "shapes, which JSON lacks",
    "JSON": "values of several types, or nested ones",
    "VARIANT": "values of several types",
    "TYPE": "types of the engine",
}
_NESTED = {  # by how a type begins or ends
    "]": "lists",
    "ARRAY": "lists",
    "STRUCT": "records with fields of their own",
    "MAP": "maps",
    "UNION": "values of several types",
}
_DECIMAL = re.compile(r"DECIMAL\(\d+,(\d+)\)")
_ENUM = re.compile(r"ENUM\(.*\)", re.DOTALL)  # a list of them ends in []


def category_of(type_name: str) -> Category | None:
    """Return what a type is to JSON; None for what it has no place for."""
    decimal = _DECIMAL.fullmatch(type_name)
    if decimal:
        return "integer" if decimal.group(1) == "0" else "number"
    return "string" if _ENUM.fullmatch(type_name) else CATEGORIES.get(type_name)


def told(type_name: str) -> str:
    """Return what a column of a type holds that no contract can hold, in words."""
    upper = type_name.upper()
    nested = (words for mark, words in _NESTED.items() if upper.startswith(mark) or type_name.endswith(mark))
    return REFUSED.get(type_name) or next(nested, type_name[:60])


def seen(columns: Mapping[str, str], dated: Mapping[str, Dated]) -> dict[str, Column]:
    """Return the columns as JSON sees them; those that it has no place for are left out."""
    return {
        name: Column(name=name, category=category, kind=kind, dated=dated.get(name))
        for name, kind in columns.items()
        if (category := category_of(kind))
    }
