"""Tables of the engine: opening them, their columns, their digest."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gates.contract.sql import BELOW, Column, Dated, literal, quoted
from gates.documents.evidence import Table
from gates.errors import GatesError
from gates.measure.engines import Engine
from gates.measure.engines.engine_types import seen, told
from gates.schema.validation import nearest

LANES = 4  # of 60 bits each: a row's SHA-256 is summed lane by lane, so the order of rows does not matter
_HEX = 15


_PLACES = 10  # decimals of a float of 32 bits that are looked for


class MissingColumnError(GatesError):
    """A table lacks a column that it must have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTable:
    """A table of the engine: its name there, what the policy calls it, and its columns."""

    name: str
    path: str
    columns: Mapping[str, str]  # column -> the engine's type
    dated: Mapping[str, Dated] = field(default_factory=dict)  # columns of text that is dates, or moments

    @property
    def seen(self) -> dict[str, Column]:
        """The columns as JSON sees them; nested ones have no place among them and are left out."""
        return seen(self.columns, self.dated)

    def told(self, column: str) -> str:
        """Return what a column holds, in words."""
        return self.seen[column].words if column in self.seen else told(self.columns[column])

    def require(self, column: str, role: str) -> str:
        """Return the quoted column; raises ``GatesError`` where the table lacks it."""
        if column not in self.columns:
            known = nearest(column, self.columns) or f"; its columns are {', '.join(list(self.columns)[:20])}"
            raise MissingColumnError(f"{role}: {self.path} has no column {column}{known}")
        return quoted(column)


def shortest(opened: OpenTable, column: str, value: str) -> str:
    """Write SQL of a number as a double. A float of 32 bits stands for the shortest decimal that it is nearest to: 0.7,
    not 0.699999988."""
    double = f"CAST({value} AS DOUBLE)"
    if opened.columns[column] != "FLOAT":
        return double
    tried = []
    for places in range(_PLACES):
        scale = literal(10.0**places)
        decimal = f"(floor({double} * {scale} + 0.5) / {scale})"
        tried.append(f"WHEN CAST({decimal} AS FLOAT) = {value} THEN {decimal}")
    return f"CASE {' '.join(tried)} ELSE {double} END"


def open_table(engine: Engine, root: Path, path: str, name: str) -> OpenTable:
    """Return a file or a glob, beside ``root``, as a view. Raises ``GatesError`` where it can't be read or is empty."""
    opened = engine.open(root, path, name)
    if not opened.rows:
        raise GatesError(f"{path} has no rows", where=name if name != Path(path).name else None)
    return OpenTable(name=name, path=path, columns=opened.columns, dated=opened.dated)


def register(engine: Engine, table: Any, name: str) -> OpenTable:
    """Return an object in memory as a view. Raises ``GatesError`` for what the engine can't see, and for one without
    rows."""
    opened = engine.register(table, name)
    if not opened.rows:
        raise GatesError("has no rows", where=name)
    return OpenTable(name=name, path=name, columns=opened.columns, dated=opened.dated)


def double_of(bits: int) -> float:
    """Return the double of these bits, as ``gates_bits`` tells them: an engine's own text of a double may differ."""
    return float(struct.unpack("<d", struct.pack("<q", bits))[0])


def table_of(engine: Engine, opened: OpenTable) -> Table:
    """Count and digest a table's rows."""
    digest, rows = content_digest(engine, opened)
    return Table(name=opened.name, digest=digest, rows=rows)


def content_digest(engine: Engine, opened: OpenTable) -> tuple[str, int]:
    """Return a table's digest and number of rows: of the columns' names, what JSON sees in them, and the multiset of
    rows.

    Every engine gives the same.
    """
    lanes, rows = content_lanes(engine, opened)
    return digest_of(opened, lanes, rows), rows


def sequence_digest(engine: Engine, opened: OpenTable) -> str:
    """Return the digest of column names, what JSON sees in them, and the sequence of rows. Raises ``GatesError`` where
    rows have no order."""
    hasher = hashlib.sha256(repr(columns_told(opened)).encode())
    for hashes in engine.stream(f"SELECT sha256({row_text(opened)}) FROM {quoted(opened.name)}"):
        hasher.update("".join(hashes).encode())
    return f"sha256:{hasher.hexdigest()}"


def digest_of(opened: OpenTable, lanes: Sequence[int], rows: int) -> str:
    """Return the digest of a table from its lanes, which may have been added up over shards."""
    return told_digest(columns_told(opened), lanes, rows)


def columns_told(opened: OpenTable) -> list[tuple[str, str]]:
    """Return each column with its type in JSON, or else in the engine."""
    columns = opened.seen
    return [(name, columns[name].json if name in columns else kind) for name, kind in opened.columns.items()]


def told_digest(columns: Sequence[tuple[str, str]], lanes: Sequence[int], rows: int) -> str:
    """Return the digest of a table's columns, lanes and number of rows."""
    return "sha256:" + hashlib.sha256(repr((list(columns), rows, list(lanes))).encode()).hexdigest()


def content_lanes(engine: Engine, opened: OpenTable, *, where: str = "TRUE") -> tuple[tuple[int, ...], int]:
    """Return the lanes of a table's digest, and its number of rows.

    Each row's length-prefixed text is hashed with SHA-256, and the hashes are added up lane by lane, so files may be
    split and rows shuffled, and lanes of shards add up to those of the whole.
    """
    lanes = ", ".join(f"sum(gates_hex(substr(h, {1 + _HEX * lane}, {_HEX})))" for lane in range(LANES))
    source = f"(SELECT sha256({row_text(opened)}) AS h FROM {quoted(opened.name)} WHERE {where})"
    ((rows, *sums),) = engine.run(f"SELECT count(*), {lanes} FROM {source}")
    return tuple(int(lane or 0) for lane in sums), rows


def row_text(opened: OpenTable) -> str:
    """Write SQL of a text of a whole row that only an equal row has: each value's, prefixed by its length."""
    exact = [exact_text(opened, name) for name in opened.columns]
    return " || ',' || ".join(f"coalesce(length({text}) || ':' || {text}, '~')" for text in exact)


def exact_text(opened: OpenTable, name: str) -> str:
    """Write SQL of a text that only an equal value of a column has, and that every engine spells alike."""
    columns = opened.seen
    return _exact(columns[name]) if name in columns else f"CAST({quoted(name)} AS VARCHAR)"


def _exact(column: Column) -> str:
    """Write SQL of a text that only an equal value has, and that every engine spells alike, whatever the column's type:
    of a number with places the bits of its double."""
    if column.is_double:
        bits = f"CAST(gates_bits({column.double}) AS VARCHAR)"
        return f"CASE WHEN isnan({column.double}) THEN 'NaN' ELSE {bits} END"  # there is more than one NaN
    if column.category == "number":  # a decimal, which may have more digits than the double nearest to it
        bits, exact = f"CAST(gates_bits({column.double}) AS VARCHAR)", f"CAST({column.sql} AS VARCHAR)"
        same = f"coalesce(TRY_CAST({column.double} AS {column.kind}) = {column.sql}, FALSE)"
        return f"CASE WHEN {same} THEN {bits} ELSE {bits} || '=' || {exact} END"
    if column.kind in BELOW:  # JSON sees no nanoseconds
        below = BELOW[column.kind].format(quoted(column.name))
        return f"CASE WHEN {below} = 0 THEN {column.text} ELSE {column.text} || '+' || CAST({below} AS VARCHAR) END"
    return column.text if column.is_text else f"CAST({column.sql} AS VARCHAR)"
