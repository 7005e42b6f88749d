"""Files seen as tables of the engine (DuckDB): opening them, their columns, their digest."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gates.contract.sql import Category, literal, quoted
from gates.errors import Exit, GatesError
from gates.evidence import Table
from gates.validate import nearest

READERS: Mapping[str, str] = {
    ".parquet": "read_parquet({})",
    ".csv": "read_csv({}, header = true, quote = '\"', escape = '\"', strict_mode = true, delim = {})",
    ".tsv": "read_csv({}, header = true, quote = '\"', escape = '\"', strict_mode = true, delim = {})",
}
DELIMITERS = ",;\t|"
LANES = 4  # of 60 bits each: a row's SHA-256 is summed lane by lane, so the order of rows does not matter
_HEX = 15

_CATEGORIES: tuple[tuple[Category, tuple[str, ...]], ...] = (
    ("boolean", ("BOOLEAN",)),
    (
        "integer",
        ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
    ),
    ("number", ("FLOAT", "DOUBLE", "DECIMAL")),
    ("string", ("VARCHAR", "ENUM", "UUID", "DATE", "TIME", "TIMESTAMP")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A table of the engine: its name there, what the policy calls it, and its columns."""

    name: str
    path: str
    columns: Mapping[str, str]  # column -> the engine's type

    @property
    def categories(self) -> dict[str, Category]:
        """What each column's values are in JSON. Nested columns have no category and are left out."""
        found: dict[str, Category] = {}
        for column, kind in self.columns.items():
            for category, prefixes in _CATEGORIES:
                if kind.startswith(prefixes) and not kind.endswith("]"):
                    found[column] = category
                    break
        return found

    def require(self, column: str, role: str) -> str:
        """The quoted column; raises ``GatesError`` where the table lacks it."""
        if column not in self.columns:
            known = nearest(column, self.columns) or f"; its columns are {', '.join(list(self.columns)[:20])}"
            raise GatesError(f"{role}: {self.path} has no column {column}{known}", where="gates.yaml")
        return quoted(column)


def connect(threads: int | None = None) -> Any:
    """A fresh in-memory engine that reads local files only."""
    import duckdb

    options = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    connection = duckdb.connect(config=options | ({"threads": str(threads)} if threads else {}))
    connection.execute("SET preserve_insertion_order = true")
    # a Parquet file's minimum and maximum leave NaN out; the optimizer would believe that there is none
    connection.execute("SET disabled_optimizers = 'statistics_propagation'")
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

    suffix, file = suffix_of(path), literal(str(root / path))
    files: list[Path] = []
    try:
        files = [Path(row[0]) for row in connection.execute(f"SELECT file FROM glob({file}) ORDER BY file").fetchall()]
        if not files:
            raise GatesError(f"{path} can't be read: there is no such file", where=name, mend="Check the path.")
        if suffix == ".parquet":
            _refuse_others(path, dict(connection.execute(_PARQUET_NAMES.format(file)).fetchall()))
            columns = _view(connection, name, READERS[suffix].format(file))
        else:
            columns = _open_csv(connection, path, name, READERS[suffix], files)
        (rows,) = connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()
    except OSError as error:
        raise GatesError(f"{path} can't be read: {error.strerror}", where=name, mend="Check the path.") from error
    except (duckdb.Error, csv.Error, UnicodeDecodeError) as error:
        raise _damaged(path, name, files, error) from error
    if not rows:
        raise GatesError(f"{path} has no rows", where=name)
    return Opened(name=name, path=path, columns=columns)


_PARQUET_NAMES = (
    "SELECT file_name, list(path_in_schema ORDER BY column_id) FROM parquet_metadata({}) WHERE row_group_id = 0 "
    "GROUP BY 1 ORDER BY 1"
)


def _damaged(path: str, name: str, files: list[Path], error: Exception) -> GatesError:
    """A file that is there and can't be read, in words that say where."""
    told = next((fault for file in files if suffix_of(path) != ".parquet" and (fault := _csv_fault(file))), None)
    if told is None:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        told = " ".join(lines[:2])[:300] or type(error).__name__
    return GatesError(f"{path} is damaged or no table: {told}", where=name)


def _csv_fault(file: Path) -> str | None:
    """What is wrong with a CSV, with its line; the engine's own words for it name neither."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            first = text.readline()
            text.seek(0)
            reader = csv.reader(text, delimiter=_delimiter(first), strict=True)
            width = len(next(reader, []))
            for row in reader:
                if len(row) != width:
                    return f"line {reader.line_num} has {len(row)} fields, the header {width}"
    except UnicodeDecodeError:
        return "it is not UTF-8 text; save it as UTF-8"
    except csv.Error as error:
        return str(error)
    return None


def _delimiter(first: str) -> str:
    """The one that parts a header most often, names in quotes aside."""
    return max(DELIMITERS, key=re.sub(r'"(?:[^"]|"")*"', "", first).count)


def _open_csv(connection: Any, path: str, name: str, reader: str, files: list[Path]) -> dict[str, str]:
    """A view of CSV files of one header, whose delimiter is the one that parts the header most often."""
    headers = {}
    for file in files:
        with file.open(encoding="utf-8-sig", newline="") as text:
            first = text.readline()
        if not first.strip():
            raise GatesError(f"{path} has no rows", where=name)
        headers[str(file)] = next(csv.reader([first], delimiter=_delimiter(first)))
    _refuse_others(path, headers)
    source = reader.format("[" + ", ".join(map(literal, headers)) + "]", literal(_delimiter(first)))
    columns = _view(connection, name, source)
    if len(columns) != len(headers[str(files[0])]):
        raise csv.Error(f"the header has {len(headers[str(files[0])])} columns, its rows {len(columns)}")
    return _words_as_text(connection, name, source, columns)


def _refuse_others(path: str, headers: Mapping[str, list[str]]) -> None:
    """Files of one table have the same columns, and no two of one name: the engine would give the second another
    name, and nobody would know."""
    if not headers:
        return
    expected = next(iter(headers.values()))
    for file, header in headers.items():
        if header != expected:
            other = sorted(set(expected) ^ set(header)) or ["in another order"]
            what = f"{Path(file).name} has other columns than the first file of {path}: {', '.join(other[:5])}"
            raise GatesError(what)
    twins = [name for name, count in Counter(name.lower() for name in expected).items() if count > 1]
    if twins:
        raise GatesError(f"{path}: the column {twins[0]} stands twice", mend="Give each column a name of its own.")


def _words_as_text(connection: Any, name: str, source: str, columns: dict[str, str]) -> dict[str, str]:
    """The engine guesses Yes and No, or t and f, to be booleans; in a CSV only true and false are."""
    guessed = [column for column, kind in columns.items() if kind == "BOOLEAN"]
    if not guessed:
        return columns
    reader = source.removesuffix(")")
    _view(connection, name, f"{reader}, types = {_varchar(guessed)})")
    tests = ", ".join(f"bool_and(lower({quoted(column)}) IN ('true', 'false'))" for column in guessed)
    (true,) = connection.execute(f"SELECT [{tests}] FROM {quoted(name)}").fetchone()
    words = [column for column, is_boolean in zip(guessed, true, strict=True) if not is_boolean]
    return _view(connection, name, f"{reader}, types = {_varchar(words)})" if words else source)


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
