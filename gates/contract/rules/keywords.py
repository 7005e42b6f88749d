"""Turn JSON Schema's keywords about one value into SQL that is true for the rows that keep them; never null.

The meaning is that of the standard, row for row. To add a keyword, add a function and its row below.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from gates.contract.sql import Column, every, literal, matches, sayable, some
from gates.contract.text.patterns import UnsupportedError, translate
from gates.contract.text.text_formats import FORMATS
from gates.schema.fields import Plain

TYPES = ("string", "integer", "number", "boolean", "null", "object", "array")
_DECIMAL, _POWER = 10**15, 10**22  # a double tells any two decimals of so many digits apart; what it holds at most
_HUGE, _WIDE = 2**127, 10**38  # a HUGEINT holds -_HUGE up to _HUGE - 1; all other whole numbers have up to 38 digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyword:
    """A keyword: what it says, the schema of its parameter, and the condition that it puts on a column.

    ``refuse`` says what is wrong with a parameter that its schema accepts, or None.
    """

    doc: str
    schema: dict[str, Plain]
    kept: Callable[[Column, Plain], str]
    refuse: Callable[[Plain], str | None] = lambda _: None


def unless_null(column: Column, condition: str) -> str:
    """Return the condition for values, nulls keeping it."""
    return some([f"{column.sql} IS NULL", condition])


def _type(column: Column, parameter: Plain) -> str:
    allowed = {parameter} if isinstance(parameter, str) else set(parameter)
    null = "TRUE" if "null" in allowed else "FALSE"
    return _by_null(column, null, _of_type(column, allowed))


def _by_null(column: Column, null: str, value: str) -> str:
    """Return the SQL of one condition for nulls, ``null`` (TRUE or FALSE), and another for values, ``value``."""
    return unless_null(column, value) if null == "TRUE" else every([f"{column.sql} IS NOT NULL", value])


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
    left = column.text if column.is_text else column.double if column.category == "number" else column.whole
    return f"{left} IN ({', '.join(fitting)})" if fitting else "FALSE"


def _equal_literal(column: Column, value: Plain) -> str | None:
    """Return the literal that only an equal value of the column equals; None where none can be equal."""
    if isinstance(value, bool):
        return literal(value) if column.category == "boolean" else None
    if isinstance(value, str):
        return literal(value) if column.is_text and sayable(value) else None
    if not isinstance(value, int | float):
        return None
    if column.category == "integer" and math.isfinite(value):
        whole = Fraction(value)
        smallest, largest = _reach(column)
        fits = whole.denominator == 1 and smallest <= whole <= largest
        return literal(int(whole)) if fits else None
    near = _nearest_double(value)
    return literal(near) if column.category == "number" and near == value else None


def _reach(column: Column) -> tuple[int, int]:
    """Return whole numbers beyond these stand in no such column, and an engine may be unable to write them."""
    return (-_HUGE, _HUGE - 1) if "HUGEINT" in column.kind else (1 - _WIDE, _WIDE - 1)


def _nearest_double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def _compared(operator: str) -> Callable[[Column, Plain], str]:
    """Return a check that compares a column with a bound exactly: whole numbers and doubles, with bounds of either
    sort.

    NaN keeps all four: no comparison with it is true, and it is the failing that is asked for.
    """

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
    """Return the SQL of whether a whole number misses a bound that may be a fraction.

    For a whole x: x < b is x < ceil(b), x <= b is x <= floor(b), and so on.
    """
    limit = math.ceil(bound) if failing in ("<", ">=") else math.floor(bound)
    smallest, largest = _reach(column)
    if limit > largest or limit < smallest:
        always = (limit > largest) == (failing in ("<", "<="))
        return f"{column.sql} IS NOT NULL" if always else "FALSE"
    return f"{column.whole} {failing} {literal(limit)}"


def _double_fails(column: Column, failing: str, bound: Plain) -> str:
    """Return a whole bound that no double equals lies between two of them: strict and not strict are then the same."""
    near = _nearest_double(bound)
    if near != bound and math.isfinite(near):
        below = near if near < bound else math.nextafter(near, -math.inf)
        above = math.nextafter(below, math.inf)
        failing, near = ("<=", below) if failing in ("<", "<=") else (">=", above)
    return f"({column.double} {failing} {literal(near)} AND NOT isnan({column.double}))"  # its largest number is NaN


def _multiple_of(column: Column, divisor: Plain) -> str:
    """Return the SQL of whether a number is a multiple of another, as both are written in decimals: 0.3 is one of 0.1.

    The nearest multiple is made again from whole numbers, rounded once, and must be the column's double. Decimals of
    more than 15 digits a double does not hold: of these the quotient must be whole, as rounded as it is, and where it
    overflows the remainder is asked for, which is exact. What is no finite number is a multiple of nothing.
    """
    if not column.is_number:
        return "TRUE"
    whole = column.category == "integer"
    if not isinstance(divisor, float):
        return unless_null(column, _no_remainder(column, divisor))
    quotient = f"({column.double} / {literal(divisor)})"
    exact = _no_remainder(column, Fraction(divisor).numerator if whole else divisor)
    multiple = f"{quotient} = trunc({quotient})"
    written = Fraction(repr(divisor))
    digits, power = written.numerator, written.denominator
    if (
        digits < _DECIMAL and power <= _POWER and float(power) == power
    ):  # a double holds both, so the multiple is rounded once
        times = f"trunc({quotient} + CASE WHEN {quotient} < 0 THEN -0.5 ELSE 0.5 END)"
        made = f"{times} * {literal(float(digits))}"
        same = f"{made} / {literal(float(power))} = {column.double}"
        multiple = f"CASE WHEN abs({made}) < {literal(float(_DECIMAL))} THEN {same} ELSE {multiple} END"
    finite = f"isfinite({quotient}) AND {multiple}"
    return unless_null(column, f"({finite}) OR (NOT isfinite({quotient}) AND ({exact}))")


def _no_remainder(column: Column, divisor: Plain) -> str:
    """Return the SQL of whether a division leaves no remainder. NaN and infinity always leave one."""
    if column.category == "number":
        return f"coalesce({column.double} % {literal(float(divisor))} = 0, FALSE)"
    smallest, largest = _reach(column)
    if divisor <= largest:
        return f"{column.whole} % {literal(divisor)} = 0"
    multiples = [literal(value) for value in (0, smallest) if value % divisor == 0]  # there are no others
    return f"{column.whole} IN ({', '.join(multiples)})"


def _length(operator: str) -> Callable[[Column, Plain], str]:
    def kept(column: Column, bound: Plain) -> str:
        return unless_null(column, f"length({column.text}) {operator} {int(bound)}") if column.is_text else "TRUE"

    return kept


def _pattern(column: Column, pattern: Plain) -> str:
    if not column.is_text:
        return "TRUE"
    return unless_null(column, matches(column.text, translate(pattern)))


def _unsayable(pattern: Plain) -> str | None:
    try:
        translate(pattern)
    except UnsupportedError as error:
        return str(error)
    return None


def _format(column: Column, name: Plain) -> str:
    """Return a column of dates, times or timestamps is judged by its type, which is quicker than by its text."""
    if not column.is_text:
        return "TRUE"
    form = FORMATS[name]
    return unless_null(column, form.typed(column) if column.category == form.category else form.kept(column.text))


def _endless(value: Plain) -> str | None:
    return None if math.isfinite(value) else "no finite number"


_NUMBER = {"type": "number"}
_COUNT = {"type": "integer", "minimum": 0}

KEYWORDS: Mapping[str, Keyword] = {
    "type": Keyword(
        doc="What the value is: one type, or a list of types. 3.0 is an integer; a null is of the type null.",
        schema={"anyOf": [{"enum": list(TYPES)}, {"type": "array", "items": {"enum": list(TYPES)}, "minItems": 1}]},
        kept=_type,
    ),
    "enum": Keyword(doc="The value is one of these. 1 equals 1.0, but not true.", schema={"type": "array"}, kept=_enum),
    "const": Keyword(doc="The value is this one.", schema={}, kept=lambda column, value: _enum(column, [value])),
    "minimum": Keyword(doc="At least this. NaN passes.", schema=_NUMBER, kept=_compared(">="), refuse=_endless),
    "maximum": Keyword(doc="At most this. NaN passes.", schema=_NUMBER, kept=_compared("<="), refuse=_endless),
    "exclusiveMinimum": Keyword(doc="Above this.", schema=_NUMBER, kept=_compared(">"), refuse=_endless),
    "exclusiveMaximum": Keyword(doc="Below this.", schema=_NUMBER, kept=_compared("<"), refuse=_endless),
    "multipleOf": Keyword(
        doc="A multiple of this, as both are written: 0.3 is one of 0.1. NaN and infinities break it.",
        schema={"type": "number", "exclusiveMinimum": 0},
        kept=_multiple_of,
        refuse=_endless,
    ),
    "minLength": Keyword(doc="At least this many characters.", schema=_COUNT, kept=_length(">=")),
    "maxLength": Keyword(doc="At most this many characters.", schema=_COUNT, kept=_length("<=")),
    "pattern": Keyword(
        doc="A regular expression of ECMA 262, is found in the text: `\\d` and `\\w` are ASCII, `$` is the end of the "
        "text. Look-around, back references and more than 1,000 repeats are refused, as RE2 has no equal.",
        schema={"type": "string"},
        kept=_pattern,
        refuse=_unsayable,
    ),
    "format": Keyword(doc="The text is of this form.", schema={"enum": list(FORMATS)}, kept=_format),
}
