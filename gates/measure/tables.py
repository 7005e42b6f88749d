"""Files seen as tables of the engine (DuckDB): opening them, their columns, their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gates.contract.columns import Category, Column, literal, quoted
from gates.errors import Exit, GatesError
from gates.evidence import Table
from gates.validate import nearest

READERS: Mapping[str, str] = {
    ".parquet": "read_parquet({})",
    ".csv": "read_csv({}, header = true)",
    ".tsv": "read_csv({}, header = true)",
    ".jsonl": "read_json({}, format = 'newline_delimited')",
    ".ndjson": "read_json({}, format = 'newline_delimited')",
}
LANES = 4  # of 60 bits each: a row's SHA-256 is summed lane by lane, so the order of rows does not matter
_HEX = 15

_CATEGORIES: tuple[tuple[Category, tuple[str, ...]], ...] = (  # how a type's name begins; the first that fits
    ("boolean", ("BOOLEAN",)),
    (
        "integer",
        ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
    ),
    ("integer", ("UHUGEINT",)),
    ("number", ("FLOAT", "DOUBLE", "DECIMAL")),
    ("timestamp", ("TIMESTAMP",)),
    ("date", ("DATE",)),
    ("time", ("TIME",)),
    ("string", ("VARCHAR", "ENUM", "UUID")),
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
            if category and not kind.endswith("]"):
                found[name] = Column(name=name, category=category, kind=kind)
        return found

    def require(self, column: str, role: str) -> str:
        """The quoted column; raises ``GatesError`` where the table lacks it."""
        if column not in self.columns:
            known = nearest(column, self.columns) or f"; its columns are {', '.join(list(self.columns)[:20])}"
            raise GatesError(f"{role}: {self.path} has no column {column}{known}", where="gates.yaml")
        return quoted(column)


def connect(now: datetime | None = None, threads: int | None = None) -> Any:
    """A fresh in-memory engine that reads local files only, and is told what time it is."""
    import duckdb

    options = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    connection = duckdb.connect(config=options | ({"threads": str(threads)} if threads else {}))
    connection.execute("SET preserve_insertion_order = true")
    moment = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
    connection.execute(f"CREATE MACRO gates_now() AS CAST({literal(moment.isoformat(' '))} AS TIMESTAMP)")
    return connection


def suffix_of(path: str) -> str:
    """``.parquet`` or ``.csv``. Raises ``GatesError`` for what no reader knows."""
    suffix = Path(path).suffix.lower()
    if suffix not in READERS:
        raise GatesError(f"{path}: no table; known are {', '.join(READERS)}", where="gates.yaml")
    return suffix


def open_table(connection: Any, root: Path, path: str, name: str) -> Opened:
    """A file or a glob, beside ``root``, as a view. Raises ``GatesError`` where it can't be read or is empty."""
    import duckdb

    reader, file = READERS[suffix_of(path)], literal(str(root / path))
    try:
        columns = _view(connection, name, reader.format(file))
        if reader.startswith("read_csv"):
            columns = _words_as_text(connection, name, reader, file, columns)
        (rows,) = connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()
    except duckdb.IOException as error:
        raise GatesError(f"{path} can't be read: {_first_line(error)}", where=name, mend="Check the path.") from error
    except duckdb.Error as error:
        raise GatesError(f"{path} is damaged or no table: {_first_line(error)}", where=name) from error
    if not rows:
        raise GatesError(f"{path} has no rows", where=name)
    return Opened(name=name, path=path, columns=columns)


def _words_as_text(connection: Any, name: str, reader: str, file: str, columns: dict[str, str]) -> dict[str, str]:
    """The engine guesses Yes and No, or t and f, to be booleans; in a CSV only true and false are."""
    guessed = [column for column, kind in columns.items() if kind == "BOOLEAN"]
    if not guessed:
        return columns
    _view(connection, name, reader.format(f"{file}, types = {_varchar(guessed)}"))
    tests = ", ".join(f"bool_and(lower({quoted(column)}) IN ('true', 'false'))" for column in guessed)
    (true,) = connection.execute(f"SELECT [{tests}] FROM {quoted(name)}").fetchone()
    words = [column for column, is_boolean in zip(guessed, true, strict=True) if not is_boolean]
    return _view(connection, name, reader.format(f"{file}, types = {_varchar(words)}" if words else file))


def _varchar(columns: list[str]) -> str:
    return "{" + ", ".join(f"{literal(column)}: 'VARCHAR'" for column in columns) + "}"


def _view(connection: Any, name: str, source: str) -> dict[str, str]:
    """Make a view and give its columns with their types."""
    connection.execute(f"CREATE OR REPLACE VIEW {quoted(name)} AS SELECT * FROM {source}")
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE {quoted(name)}").fetchall()}


def run(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    """All rows of a query. Raises ``GatesError`` where the data does not let the engine finish."""
    import duckdb

    try:
        rows: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
    except duckdb.OutOfMemoryException as error:
        raise GatesError(f"the engine ran out of memory: {_first_line(error)}", exit_code=Exit.OUTSIDE) from error
    except duckdb.Error as error:
        raise GatesError(f"the data can't be read: {_first_line(error)}") from error
    return rows


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300]


def table_of(connection: Any, opened: Opened) -> Table:
    """Number of rows and digest of a table."""
    digest, rows = content_digest(connection, opened)
    return Table(name=opened.name, digest=digest, rows=rows)


def content_digest(connection: Any, opened: Opened, *, ordered: bool = False) -> tuple[str, int]:
    """(digest, rows) of column names, types and the multiset of rows; ``ordered``: of their sequence.

    Each row's length-prefixed text is hashed with SHA-256 and the hashes are added up, so files may be
    split and rows shuffled.
    """
    cells = [
        f"coalesce(length(CAST({column} AS VARCHAR)) || ':' || CAST({column} AS VARCHAR), '~')"
        for column in map(quoted, opened.columns)
    ]
    if ordered:
        cells.append("CAST(row_number() OVER () AS VARCHAR)")
    text = " || ',' || ".join(cells)
    lanes = ", ".join(f"sum(CAST('0x' || substr(h, {1 + _HEX * lane}, {_HEX}) AS BIGINT))" for lane in range(LANES))
    source = f"(SELECT sha256({text}) AS h FROM {quoted(opened.name)})"
    ((rows, *sums),) = run(connection, f"SELECT count(*), {lanes} FROM {source}")
    whole = repr((list(opened.columns.items()), rows, [int(lane or 0) for lane in sums]))
    return "sha256:" + hashlib.sha256(whole.encode()).hexdigest(), rows
