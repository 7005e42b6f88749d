"""Tables of the engine: opening them, their columns, their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gates.contract.columns import Category, Column, quoted
from gates.errors import GatesError
from gates.evidence import Table
from gates.measure.engines import Engine, Rows
from gates.validate import nearest

LANES = 4  # of 60 bits each: a row's SHA-256 is summed lane by lane, so the order of rows does not matter
_HEX = 15

_CATEGORIES: tuple[tuple[Category, tuple[str, ...]], ...] = (  # how a type's name begins; the first that fits
    ("boolean", ("BOOLEAN",)),
    (
        "integer",
        ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
    ),
    ("number", ("FLOAT", "DOUBLE", "DECIMAL")),
    ("timestamp", ("TIMESTAMP",)),
    ("date", ("DATE",)),
    ("time", ("TIME",)),
    ("string", ("VARCHAR", "ENUM", "UUID", '"NULL"')),  # of nothing but nulls no type can be told
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A table of the engine: its name there, what the policy calls it, and its columns."""

    name: str
    path: str
    columns: Mapping[str, str]  # column -> the engine's type

    @property
    def seen(self) -> dict[str, Column]:
        """The columns as JSON sees them; nested ones have no place among them and are left out."""
        found: dict[str, Column] = {}
        for name, kind in self.columns.items():
            category = next((word for word, starts in _CATEGORIES if kind.startswith(starts)), None)
            if category and not kind.endswith("]") and kind != "TIME WITH TIME ZONE":
                whole = kind.startswith("DECIMAL") and kind.endswith(",0)")
                found[name] = Column(name=name, category="integer" if whole else category, kind=kind)
        return found

    def require(self, column: str, role: str) -> str:
        """The quoted column; raises ``GatesError`` where the table lacks it."""
        if column not in self.columns:
            known = nearest(column, self.columns) or f"; its columns are {', '.join(list(self.columns)[:20])}"
            raise GatesError(f"{role}: {self.path} has no column {column}{known}")
        return quoted(column)


def open_table(engine: Engine, root: Path, path: str, name: str) -> Opened:
    """A file or a glob, beside ``root``, as a view. Raises ``GatesError`` where it can't be read or is empty."""
    columns, rows = engine.open(root, path, name)
    if not rows:
        raise GatesError(f"{path} has no rows", where=name if name != Path(path).name else None)
    return Opened(name=name, path=path, columns=columns)


def register(engine: Engine, table: Any, name: str) -> Opened:
    """An object in memory as a view. Raises ``GatesError`` for what the engine can't see, and for one without rows."""
    columns, rows = engine.register(table, name)
    if not rows:
        raise GatesError("has no rows", where=name)
    return Opened(name=name, path=name, columns=columns)


def run(engine: Engine, sql: str) -> Rows:
    """All rows of a query in DuckDB's dialect. Raises ``GatesError`` where the data does not let the engine finish."""
    return engine.run(sql)


def table_of(engine: Engine, opened: Opened) -> Table:
    """Number of rows and digest of a table."""
    digest, rows = content_digest(engine, opened)
    return Table(name=opened.name, digest=digest, rows=rows)


def content_digest(engine: Engine, opened: Opened) -> tuple[str, int]:
    """(digest, rows) of column names, what JSON sees in them, and the multiset of rows. The same of every engine."""
    lanes, rows = content_lanes(engine, opened)
    return digest_of(opened, lanes, rows), rows


def sequence_digest(engine: Engine, opened: Opened) -> str:
    """Digest of column names, what JSON sees in them, and the sequence of rows. Raises ``GatesError`` where rows have
    no order."""
    hasher = hashlib.sha256(repr(columns_told(opened)).encode())
    for hashes in engine.stream(f"SELECT sha256({row_text(opened)}) FROM {quoted(opened.name)}"):
        hasher.update("".join(hashes).encode())
    return f"sha256:{hasher.hexdigest()}"


def digest_of(opened: Opened, lanes: Sequence[int], rows: int) -> str:
    """The digest of a table from its lanes, which may have been added up over shards."""
    return told_digest(columns_told(opened), lanes, rows)


def columns_told(opened: Opened) -> list[tuple[str, str]]:
    """Each column with what JSON sees in it, or else with its type."""
    seen = opened.seen
    return [(name, seen[name].category if name in seen else kind) for name, kind in opened.columns.items()]


def told_digest(columns: Sequence[tuple[str, str]], lanes: Sequence[int], rows: int) -> str:
    """The digest of a table's columns, lanes and number of rows."""
    return "sha256:" + hashlib.sha256(repr((list(columns), rows, list(lanes))).encode()).hexdigest()


def content_lanes(engine: Engine, opened: Opened, *, where: str = "TRUE") -> tuple[tuple[int, ...], int]:
    """(lanes, rows): each row's length-prefixed text is hashed with SHA-256, and the hashes are added up lane by
    lane, so files may be split and rows shuffled, and lanes of shards add up to those of the whole."""
    lanes = ", ".join(f"sum(gates_hex(substr(h, {1 + _HEX * lane}, {_HEX})))" for lane in range(LANES))
    source = f"(SELECT sha256({row_text(opened)}) AS h FROM {quoted(opened.name)} WHERE {where})"
    ((rows, *sums),) = run(engine, f"SELECT count(*), {lanes} FROM {source}")
    return tuple(int(lane or 0) for lane in sums), rows


def row_text(opened: Opened) -> str:
    """SQL of a text of a whole row that only an equal row has: each value's, prefixed by its length."""
    exact = [exact_text(opened, name) for name in opened.columns]
    return " || ',' || ".join(f"coalesce(length({text}) || ':' || {text}, '~')" for text in exact)


def exact_text(opened: Opened, name: str) -> str:
    """SQL of a text that only an equal value of a column has, and that every engine spells alike."""
    seen = opened.seen
    return _exact(seen[name]) if name in seen else f"CAST({quoted(name)} AS VARCHAR)"


def _exact(column: Column) -> str:
    """SQL of a text that only an equal value has, and that every engine spells alike: of a double its bits."""
    if column.is_double:
        bits = f"CAST(gates_bits({column.double}) AS VARCHAR)"
        return f"CASE WHEN isnan({column.double}) THEN 'NaN' ELSE {bits} END"  # there is more than one NaN
    whole = column.is_text and column.kind != "TIMESTAMP_NS"  # JSON sees no nanoseconds
    return column.text if whole else f"CAST({column.sql} AS VARCHAR)"
