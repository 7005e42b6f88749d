"""Files seen as tables of the engine (DuckDB): opening them, their columns, their digest."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gates.contract.columns import Category, Column, literal, quoted
from gates.errors import Exit, GatesError
from gates.evidence import Table
from gates.measure import columnar, delimited, jsonlines
from gates.validate import nearest

Source = Callable[[Sequence[Path], delimited.Asked], str]  # files, a way to ask the engine -> SQL that reads them
READERS: Mapping[str, Source] = {
    ".parquet": columnar.source,
    ".csv": delimited.source,
    ".tsv": delimited.source,
    ".jsonl": jsonlines.source,
    ".ndjson": jsonlines.source,
}
LANES = 4  # of 60 bits each: a row's SHA-256 is summed lane by lane, so the order of rows does not matter
_HEX = 15
_BEFORE_VALUES = re.compile(r"""(file "[^"]*"|(?! with value )[^"'])*""")

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


def connect(now: datetime | None = None, threads: int | None = None) -> Any:
    """A fresh in-memory engine that reads local files only, and is told what time it is."""
    import duckdb

    options = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    connection = duckdb.connect(config=options | ({"threads": str(threads)} if threads else {}))
    connection.execute("SET preserve_insertion_order = true")
    # a Parquet file's minimum and maximum leave NaN out; the optimizer would believe that there is none
    connection.execute("SET disabled_optimizers = 'statistics_propagation'")
    connection.execute("SET TimeZone = 'UTC'")  # a moment is told the same on every machine
    moment = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
    connection.execute(f"CREATE MACRO gates_now() AS CAST({literal(moment.isoformat(' '))} AS TIMESTAMP)")
    return connection


def suffix_of(path: str) -> str:
    """``.parquet`` or ``.csv``. Raises ``GatesError`` for what no reader knows."""
    suffix = Path(path).suffix.lower()
    if suffix not in READERS:
        raise GatesError(f"{path}: no table; known are {', '.join(READERS)}")
    return suffix


def open_table(connection: Any, root: Path, path: str, name: str) -> Opened:
    """A file or a glob, beside ``root``, as a view. Raises ``GatesError`` where it can't be read or is empty."""
    import duckdb

    suffix, pattern = suffix_of(path), literal(str(root / path))
    role = name if name != Path(path).name else None  # the message names the path already
    files: list[Path] = []

    def ask(sql: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
        return rows

    try:
        files = [Path(row[0]) for row in ask(f"SELECT file FROM glob({pattern}) ORDER BY file")]
        if not files:
            raise GatesError(f"{path} can't be read: there is no such file", where=role, mend="Check the path.")
        names = _names(files[0], ask)
        _refuse_names(path, names)
        if names == []:
            raise GatesError(f"{path} has no rows", where=role)
        ask(f"CREATE OR REPLACE VIEW {quoted(name)} AS SELECT * FROM {READERS[suffix](files, ask)}")
        columns = {row[0]: row[1] for row in ask(f"DESCRIBE {quoted(name)}")}
        ((rows,),) = ask(f"SELECT count(*) FROM {quoted(name)}")
    except OSError as error:
        raise GatesError(f"{path} can't be read: {error.strerror}", where=role, mend="Check the path.") from error
    except (duckdb.Error, csv.Error, UnicodeDecodeError) as error:
        raise _damaged(path, role, files, error) from error
    if not rows:
        raise GatesError(f"{path} has no rows", where=role)
    return Opened(name=name, path=path, columns=columns)


def _names(file: Path, ask: delimited.Asked) -> list[str] | None:
    """The columns' names as they are written; None where they can't be told."""
    reader = READERS[file.suffix.lower()]
    if reader is columnar.source:
        return columnar.names(file, ask)
    return delimited.header_of(file) if reader is delimited.source else None


def _refuse_names(path: str, names: list[str] | None) -> None:
    """The engine would give the second of two columns of one name another name, and nobody would know."""
    twins = [name for name, count in Counter(name.lower() for name in names or ()).items() if count > 1]
    if twins:
        raise GatesError(f"{path}: the column {twins[0]} stands twice", mend="Give each column a name of its own.")
    if path.lower().endswith(".parquet") and "" in (names or ()):
        raise GatesError(f"{path}: a column has no name", mend="Give each column a name of its own.")


def _damaged(path: str, role: str | None, files: list[Path], error: Exception) -> GatesError:
    """A file that is there and can't be read, in words that say where."""
    texts = files if READERS[suffix_of(path)] is delimited.source else []
    told = next((fault for file in texts if (fault := delimited.fault(file))), None) or told_by(error)
    return GatesError(f"{path} is damaged or no table: {told}", where=role)


def run(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    """All rows of a query. Raises ``GatesError`` where the data does not let the engine finish."""
    import duckdb

    try:
        rows: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
    except duckdb.OutOfMemoryException as error:
        raise GatesError(f"the engine ran out of memory: {told_by(error)}", exit_code=Exit.OUTSIDE) from error
    except duckdb.Error as error:
        raise GatesError(f"the data can't be read: {told_by(error)}") from error
    return rows


def told_by(error: Exception) -> str:
    """The first line of the engine's message, up to what it quotes: that may be values of the data."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    told = _BEFORE_VALUES.match(first)
    return (told.group() if told else first).rstrip(" :,{[(")[:300]


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
