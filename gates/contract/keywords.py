"""Keywords of JSON Schema about one value -> SQL that holds for the rows that keep them; never null.

The meaning is that of the jsonschema package, row for row. To add a keyword, add a function and its row below.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from gates.contract.columns import Column, every, literal
from gates.contract.patterns import UnsupportedError, translate
from gates.fields import Plain

TYPES = ("string", "integer", "number", "boolean", "null", "object", "array")
_SMALLEST, _LARGEST = -(2**127), 2**127 - 1  # what a HUGEINT holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyword:
    """A keyword: the schema of its parameter, and the condition that it puts on a column.

    ``refuse`` says what is wrong with a parameter that its schema accepts, or None.
    """

    schema: dict[str, Plain]
    kept: Callable[[Column, Plain], str]
    refuse: Callable[[Plain], str | None] = lambda _: None


def unless_null(column: Column, condition: str) -> str:
    """The condition for values, nulls keeping it."""
    return (
        condition
        if condition in ("TRUE", "FALSE") and condition == "TRUE"
        else f"{column.sql} IS NULL OR ({condition})"
    )


def _type(column: Column, parameter: Plain) -> str:
    allowed = {parameter} if isinstance(parameter, str) else set(parameter)
    null = "TRUE" if "null" in allowed else "FALSE"
    return _by_null(column, null, _of_type(column, allowed))


def _by_null(column: Column, null: str, value: str) -> str:
    if null == value:
        return null
    if null == "TRUE":
        return f"{column.sql} IS NULL OR ({value})" if value != "FALSE" else f"{column.sql} IS NULL"
    return f"{column.sql} IS NOT NULL AND ({value})" if value != "TRUE" else f"{column.sql} IS NOT NULL"


def _of_type(column: Column, allowed: set[str]) -> str:
    if column.is_text:
        return "TRUE" if "string" in allowed else "FALSE"
    if column.category in allowed or (column.category == "integer" and "number" in allowed):
        return "TRUE"
    if column.category == "number" and "integer" in allowed:  # 3.0 is an integer, infinity is not
        return f"isfinite({column.double}) AND {column.double} = floor({column.double})"
    return "FALSE"


def _enum(column: Column, values: Plain) -> str:
    return _by_null(column, "TRUE" if None in values else "FALSE", _among(column, values))


def _among(column: Column, values: list[Plain]) -> str:
    fitting = [text for value in values if (text := _equal_literal(column, value)) is not None]
    left = column.text if column.is_text else column.double if column.category == "number" else column.sql
    return f"{left} IN ({', '.join(fitting)})" if fitting else "FALSE"


def _equal_literal(column: Column, value: Plain) -> str | None:
    """The literal that only an equal value of the column equals; None where none can be equal."""
    if isinstance(value, bool):
        return literal(value) if column.category == "boolean" else None
    if isinstance(value, str):
        return literal(value) if column.is_text else None
    if not isinstance(value, int | float) or not column.is_number or not math.isfinite(value):
        return None
    if column.category == "integer":
        whole = Fraction(value)
        fits = whole.denominator == 1 and _SMALLEST <= whole <= _LARGEST
        return literal(int(whole)) if fits else None
    try:
        near = float(value)
    except OverflowError:
        return None
    return literal(near) if Fraction(near) == Fraction(value) else None


def _compared(operator: str) -> Callable[[Column, Plain], str]:
    """``column operator bound`` exactly, for whole numbers, doubles and bounds of either sort. NaN keeps all four:
    no comparison with it is true, and it is the failing that is asked for."""

    def kept(column: Column, bound: Plain) -> str:
        if not column.is_number:
            return "TRUE"
        failing = {">=": "<", ">": "<=", "<=": ">", "<": ">="}[operator]
        if column.category == "integer":
            fails = _whole_fails(column, failing, Fraction(bound))
        else:
            fails = _double_fails(column, failing, bound)
        return "TRUE" if fails == "FALSE" else f"NOT coalesce({fails}, FALSE)"

    return kept


def _whole_fails(column: Column, failing: str, bound: Fraction) -> str:
    """For a whole x: x < b is x < ceil(b), x <= b is x <= floor(b), and so on."""
    limit = math.ceil(bound) if failing in ("<", ">=") else math.floor(bound)
    if limit > _LARGEST or limit < _SMALLEST:
        always = (limit > _LARGEST) == (failing in ("<", "<="))
        return f"{column.sql} IS NOT NULL" if always else "FALSE"
    return f"{column.sql} {failing} {literal(limit)}"


def _double_fails(column: Column, failing: str, bound: Plain) -> str:
    """A whole bound that no double equals lies between two of them: strict and not strict are then the same."""
    try:
        near = float(bound)
    except OverflowError:
        near = math.copysign(math.inf, bound)
    if near != bound and math.isfinite(near):
        below = near if near < bound else math.nextafter(near, -math.inf)
        above = math.nextafter(below, math.inf)
        failing, near = ("<=", below) if failing in ("<", "<=") else (">=", above)
    finite = f"NOT isnan({column.double})"  # to the engine NaN is the largest number
    return f"({column.double} {failing} {literal(near)} AND {finite})"


def _multiple_of(column: Column, divisor: Plain) -> str:
    if not column.is_number:
        return "TRUE"
    if isinstance(divisor, float):
        quotient = f"({column.double} / {literal(divisor)})"
        return unless_null(column, f"isfinite({quotient}) AND {quotient} = trunc({quotient})")
    value = column.sql if column.category == "integer" else column.double
    return unless_null(column, f"{value} % {literal(divisor)} = 0")


def _length(operator: str) -> Callable[[Column, Plain], str]:
    def kept(column: Column, bound: Plain) -> str:
        return unless_null(column, f"length({column.text}) {operator} {int(bound)}") if column.is_text else "TRUE"

    return kept


def _matches(column: Column, expression: str) -> str:
    return f"regexp_matches({column.text}, {literal(expression)})"


def _pattern(column: Column, pattern: Plain) -> str:
    return unless_null(column, _matches(column, translate(pattern))) if column.is_text else "TRUE"


def _unsayable(pattern: Plain) -> str | None:
    try:
        translate(pattern)
    except UnsupportedError as error:
        return str(error)
    return None


_DATE = r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\z"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
FORMATS: Mapping[str, tuple[str | None, str]] = {  # format -> (pattern, kind of column that has it by its type)
    "date": (_DATE, "date"),
    "time": (rf"\A{_CLOCK}\z", "time"),
    "date-time": (rf"\A[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt ]{_CLOCK}\z", "timestamp"),
    "email": ("@", ""),
    "ipv4": (rf"\A{_BYTE}(\.{_BYTE}){{3}}\z", ""),
    "uuid": (r"\A[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\z", ""),
    "uri": (r"\A[A-Za-z][A-Za-z0-9+.-]*:[^\s\x00-\x20<>\"{}|\\^`]*\z", ""),
}


def _format(column: Column, name: Plain) -> str:
    pattern, natural = FORMATS[name]
    if not column.is_text or column.category == natural:
        return "TRUE"
    condition = _matches(column, str(pattern))
    if name in ("date", "date-time"):  # the day must exist
        condition = every([condition, f"TRY_CAST(substr({column.text}, 1, 10) AS DATE) IS NOT NULL"])
    return unless_null(column, condition)


_NUMBER = {"type": "number"}
_COUNT = {"type": "integer", "minimum": 0}

KEYWORDS: Mapping[str, Keyword] = {
    "type": Keyword(
        schema={"anyOf": [{"enum": list(TYPES)}, {"type": "array", "items": {"enum": list(TYPES)}, "minItems": 1}]},
        kept=_type,
    ),
    "enum": Keyword(schema={"type": "array"}, kept=_enum),
    "const": Keyword(schema={}, kept=lambda column, value: _enum(column, [value])),
    "minimum": Keyword(schema=_NUMBER, kept=_compared(">=")),
    "maximum": Keyword(schema=_NUMBER, kept=_compared("<=")),
    "exclusiveMinimum": Keyword(schema=_NUMBER, kept=_compared(">")),
    "exclusiveMaximum": Keyword(schema=_NUMBER, kept=_compared("<")),
    "multipleOf": Keyword(schema={"type": "number", "exclusiveMinimum": 0}, kept=_multiple_of),
    "minLength": Keyword(schema=_COUNT, kept=_length(">=")),
    "maxLength": Keyword(schema=_COUNT, kept=_length("<=")),
    "pattern": Keyword(schema={"type": "string"}, kept=_pattern, refuse=_unsayable),
    "format": Keyword(schema={"enum": list(FORMATS)}, kept=_format),
}
