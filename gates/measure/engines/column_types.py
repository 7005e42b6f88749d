"""Find a column's type in a file without types, from the text of all its cells (docs/contract.md has the rule).

Each cell is of one class. A column is of the type that all of its classes fit into; where there is none it is text.
No order of rows matters. Dates and moments stay text as they are written: that they are such is only remembered.

Telling a cell's class takes longer than reading it. So the first rows say what a column may be, and of all others it is
only asked whether they keep to that (``keeps``), which costs less; the classes of those that don't are listed in full.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gates.contract.sql import Dated, literal, quoted

Asked = Callable[[str], Sequence[Sequence[object]]]  # a query -> its rows
AT_ONCE = 500  # columns of one query: the time to plan it grows with the square
FIRST = 1000  # rows that rule most types out, before all rows are looked at

_DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
_ZONE = r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
INTEGER = r"-?(0|[1-9][0-9]*)"
NUMBER = rf"{INTEGER}(\.[0-9]+)?([eE][+-]?[0-9]+)?"
DATE = _DAY
MOMENT = rf"{_DAY}T{_TIME}{_ZONE}"
BOOLEANS = ("true", "True", "TRUE", "false", "False", "FALSE")
SHORT = 18  # characters that always fit into 64 bits
DIGITS = 38  # characters of a whole number that always fit into 128

# classes of cells, as bits
INT, WIDE, NUM, BOOL, DAY, AT, TEXT, NESTED = (1 << bit for bit in range(8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """What a column is: the engine's type for it, and what its text is."""

    kind: str = "VARCHAR"
    dated: Dated | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadColumns:
    """SQL that reads a table, which of its columns of text hold dates, and its number of rows where it is known."""

    sql: str
    dated: Mapping[str, Dated] = field(default_factory=dict)
    rows: int | None = None


def type_of(classes: int) -> Type:
    """Return the widest that all of a column's classes need."""
    if classes in (DAY, AT):
        return Type(dated="date" if classes == DAY else "timestamp")
    if classes and not classes & ~(INT | WIDE | NUM):
        return Type(kind="DOUBLE" if classes & NUM else "HUGEINT" if classes & WIDE else "BIGINT")
    return Type(kind="BOOLEAN") if classes == BOOL else Type()


def _number(text: str, beyond: int) -> str:
    """Write SQL of the class of a text that may be a number; ``beyond`` is that of those with too many digits."""
    whole = (
        f"CASE WHEN length({text}) <= {SHORT} OR TRY_CAST({text} AS BIGINT) IS NOT NULL THEN {INT} "
        f"WHEN TRY_CAST({text} AS HUGEINT) IS NOT NULL THEN {WIDE} ELSE {beyond} END"
    )
    finite = f"CASE WHEN isfinite(TRY_CAST({text} AS DOUBLE)) THEN {NUM} ELSE {beyond} END"
    return (
        f"WHEN regexp_full_match({text}, {literal(INTEGER)}) THEN {whole} "
        f"WHEN regexp_full_match({text}, {literal(NUMBER)}) THEN {finite}"
    )


def _dated(text: str) -> str:
    """Write SQL of the class of a text that may be a date or a moment; both exist, in a year from 1 on."""
    ours = f"{text} >= '0001'"
    return (
        f"WHEN regexp_full_match({text}, {literal(DATE)}) AND {ours} AND TRY_CAST({text} AS DATE) IS NOT NULL "
        f"THEN {DAY} "
        f"WHEN regexp_full_match({text}, {literal(MOMENT)}) AND {ours} AND TRY_CAST({text} AS TIMESTAMPTZ) IS NOT NULL "
        f"THEN {AT}"
    )


def of_cell(text: str) -> str:
    """Write SQL of the class of a CSV's cell."""
    booleans = f"WHEN {text} IN ({', '.join(map(literal, BOOLEANS))}) THEN {BOOL}"
    return f"CASE WHEN {text} IS NULL THEN 0 {_number(text, TEXT)} {booleans} {_dated(text)} ELSE {TEXT} END"


def of_json(value: str) -> str:
    """Write SQL of the class of a value as JSON text."""
    inner = f"{value}[2:-2]"
    return (
        f"CASE WHEN {value} IS NULL THEN 0 WHEN starts_with({value}, '\"') THEN CASE {_dated(inner)} ELSE {TEXT} END "
        f"WHEN {value} IN ('true', 'false') THEN {BOOL} "
        f"WHEN starts_with({value}, '{{') OR starts_with({value}, '[') THEN {NESTED} "
        f"{_number(value, NUM)} ELSE {NUM} END"
    )


def keeps(text: str, typed: str, classes: int) -> str:
    """Write SQL that holds where a cell is a null or of the classes of its column so far, or where its class makes no
    difference to the column's type. ``typed`` is the cell cast to that type, a null where it can't be."""
    type_ = type_of(classes)
    if type_.kind in ("BIGINT", "HUGEINT"):
        kept = f"CAST({typed} AS VARCHAR) = {text} OR {text} = '-0'"
    elif type_.kind == "DOUBLE":
        exact = f"CASE WHEN strlen({text}) <= {DIGITS} THEN TRUE ELSE {of_cell(text)} <> {TEXT} END"
        json = f"json_valid({text}) AND {text} >= '-' AND {text} < ':' AND {text}[-1] >= '0'"  # faster than a pattern
        kept = f"isfinite({typed}) AND {json} AND {exact}"
    elif type_.kind == "BOOLEAN":
        kept = f"{text} IN ({', '.join(map(literal, BOOLEANS))})"
    elif type_.dated == "date":
        kept = f"strlen({text}) = 10 AND CAST(TRY_CAST({text} AS DATE) AS VARCHAR) = {text}"
    elif type_.dated:
        kept = f"{of_cell(text)} = {AT}"
    else:
        kept = "TRUE" if classes else "FALSE"
    return "TRUE" if kept == "TRUE" else f"({text} IS NULL OR coalesce({kept}, FALSE))"


def first(columns: Sequence[str], source: str, ask: Asked, of: Callable[[str], str]) -> list[int]:
    """Return the classes of each column, as bits, in the first rows."""
    return bits_of(columns, f"(SELECT * FROM {source} LIMIT {FIRST})", ask, of)[0]


def classes(columns: Sequence[str], source: str, ask: Asked, of: Callable[[str], str]) -> tuple[list[int], int]:
    """Return the classes of each column, as bits, and the number of rows.

    What the first rows show to be text, or of no one type, is looked at no further.
    """
    first_bits = first(columns, source, ask, of)
    open_ = [name for name, bits in zip(columns, first_bits, strict=True) if not bits & (TEXT | NESTED)]
    rest, rows = bits_of(open_, source, ask, of)
    further = dict(zip(open_, rest, strict=True))
    return [bits | further.get(name, 0) for name, bits in zip(columns, first_bits, strict=True)], rows


def bits_of(columns: Sequence[str], source: str, ask: Asked, of: Callable[[str], str]) -> tuple[list[int], int]:
    """Return the classes of each column, as bits, and the number of rows."""
    every: list[int] = []
    rows = 0
    for start in range(0, max(1, len(columns)), AT_ONCE):
        asked = [f"bit_or({of(quoted(name))})" for name in columns[start : start + AT_ONCE]]
        ((rows, *bits),) = ask(f"SELECT {', '.join(['count(*)', *asked])} FROM {source}")  # type: ignore[assignment]
        every += [int(one or 0) for one in bits]  # type: ignore[call-overload]
    return every, int(rows)
