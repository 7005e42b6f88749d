"""DuckDB, embedded in the process: files, globs and objects in memory."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from gates.contract.columns import literal, quoted
from gates.errors import Exit, GatesError
from gates.files import lfs
from gates.measure import columnar, delimited, jsonlines
from gates.measure.engines import Rows, Seen, scratch
from gates.ran import ran

Source = Callable[[Sequence[Path], delimited.Asked], str]  # files, a way to ask the engine -> SQL that reads them
READERS: Mapping[str, Source] = {
    ".parquet": columnar.source,
    ".csv": delimited.source,
    ".tsv": delimited.source,
    ".jsonl": jsonlines.source,
    ".ndjson": jsonlines.source,
}
LFS_MEND = "Run git lfs pull; in the workflows, give lfs: true."
MEMORY = (256, 1024, None)  # MB a thread, each tried before the next; None: most of the machine's
QUERY = "query of DuckDB"  # what one asks may hold values of the data, so none is told
AT_ONCE = 100_000  # rows of a stream
_BEFORE_VALUES = re.compile(r"""(file "[^"]*"|(?! with value )[^"'])*""")


class DuckDB:
    """A fresh in-memory engine that reads local files only."""

    def __init__(self, now: datetime, threads: int | None = None) -> None:
        import duckdb

        options = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
        options |= {"temp_directory": scratch(self)} | ({"threads": str(threads)} if threads else {})
        self.connection = duckdb.connect(config=options)
        self._limits = list(MEMORY)
        self._roomier()
        self.connection.execute("SET enable_progress_bar = false")  # it would be written into standard output
        self.connection.execute("SET preserve_insertion_order = true")
        # a Parquet file's minimum and maximum leave NaN out; the optimizer would believe that there is none
        self.connection.execute("SET disabled_optimizers = 'statistics_propagation'")
        self.connection.execute("SET TimeZone = 'UTC'")  # a moment is told the same on every machine
        moment = literal(now.replace(tzinfo=None).isoformat(" "))
        for macro in (
            f"gates_now() AS CAST({moment} AS TIMESTAMP)",
            "gates_bits(number) AS CAST(CAST(number AS BIT) AS BIGINT)",  # of a double: IEEE 754's
            "gates_hex(digits) AS CAST(CAST(unhex(digits) AS BIT) AS BIGINT)",
        ):
            self.connection.execute(f"CREATE MACRO {macro}")

    def run(self, sql: str) -> Rows:
        """See ``Engine``."""
        import duckdb

        try:
            return self._ask(sql)
        except duckdb.OutOfMemoryException as error:
            if self._roomier():
                return self.run(sql)
            raise _failed(error) from error
        except duckdb.Error as error:
            raise _failed(error) from error

    def stream(self, sql: str) -> Iterator[list[str]]:
        """See ``Engine``."""
        import duckdb

        try:
            with ran("engine", QUERY):
                for batch in self.connection.sql(sql).to_arrow_reader(AT_ONCE):
                    yield batch.column(0).to_pylist()
        except (duckdb.Error, OSError) as error:
            raise _failed(error) from error

    def write(self, sql: str, target: Path) -> None:
        """See ``Engine``."""
        options = " (FORMAT csv, HEADER, DELIMITER '\t')" if target.suffix == ".tsv" else ""
        self.run(f"COPY ({sql}) TO {literal(str(target))}{options}")

    def _roomier(self) -> bool:
        """Take the next limit of memory, if there is one. What grows with the number of rows goes to disk early, but
        not all that the engine does can be done from disk."""
        if not self._limits:
            return False
        limit = self._limits.pop(0)
        ((threads,),) = self._ask("SELECT current_setting('threads')")
        self.connection.execute(f"SET memory_limit = '{threads * limit}MB'" if limit else "RESET memory_limit")
        return True

    def _ask(self, sql: str) -> Rows:
        with ran("engine", QUERY):
            rows: Rows = self.connection.execute(sql).fetchall()
        return rows

    def files(self, root: Path, path: str) -> list[Path]:
        """The files that a path or a glob beside ``root`` names."""
        return [Path(row[0]) for row in self._ask(f"SELECT file FROM glob({literal(str(root / path))}) ORDER BY file")]

    def open(self, root: Path, path: str, name: str) -> Seen:
        """See ``Engine``."""
        import duckdb

        suffix = suffix_of(path)
        role = name if name != Path(path).name else None  # the message names the path already
        files: list[Path] = []
        try:
            files = self.files(root, path)
            if not files:
                dvc = "Run dvc pull." if (root / f"{path}.dvc").is_file() else "Check the path."
                raise GatesError(f"{path} can't be read: there is no such file", where=role, mend=dvc)
            if any(map(lfs, files)):
                raise GatesError(f"{path} is a Git LFS pointer: the data was not fetched", where=role, mend=LFS_MEND)
            names = _names(files[0], self._ask)
            _refuse_names(path, names)
            if names == []:
                raise GatesError(f"{path} has no rows", where=role)
            source = READERS[suffix](files, self._ask)
            with ran("file", f"{path}: {_size(files)}"):
                self._ask(f"CREATE OR REPLACE VIEW {quoted(name)} AS SELECT * FROM {source}")
                return self._seen(name)
        except OSError as error:
            raise GatesError(f"{path} can't be read: {error.strerror}", where=role, mend="Check the path.") from error
        except (duckdb.Error, csv.Error, UnicodeDecodeError) as error:
            raise _damaged(path, role, files, error) from error

    def _seen(self, name: str) -> Seen:
        columns = {row[0]: row[1] for row in self._ask(f"DESCRIBE {quoted(name)}")}
        ((rows,),) = self._ask(f"SELECT count(*) FROM {quoted(name)}")
        return columns, rows

    def register(self, table: Any, name: str) -> Seen:
        """An object of Arrow, pandas or polars, or a relation of DuckDB's."""
        import duckdb

        if isinstance(table, duckdb.DuckDBPyRelation):
            table = table.to_arrow_table()  # a relation belongs to the connection that made it
        try:
            self.connection.register(name, table)
        except (duckdb.Error, TypeError) as error:
            raise GatesError(f"{type(table).__name__}: no table that the engine can see", where=name) from error
        columns, rows = self._seen(name)
        given = [str(column) for column in getattr(table, "column_names", getattr(table, "columns", columns))]
        if given != list(columns):  # the engine gave other names to what has none, or another's
            raise GatesError("its columns are not told apart by name", where=name, mend="Give each a name of its own.")
        return columns, rows

    def embedded(self, _: str) -> DuckDB:
        """Itself."""
        return self

    def close(self) -> None:
        """See ``Engine``."""
        self.connection.close()


def _size(files: Sequence[Path]) -> str:
    many = f"{len(files)} files" if len(files) > 1 else "1 file"
    return f"{many}, {sum(file.stat().st_size for file in files):,} bytes"


def is_file(path: str) -> bool:
    """Whether a path names local files, rather than a table of an engine's or what lies elsewhere."""
    return "://" not in path and Path(path).suffix.lower() in READERS


def suffix_of(path: str) -> str:
    """``.parquet`` or ``.csv``. Raises ``GatesError`` for what no reader knows."""
    suffix = Path(path).suffix.lower()
    if suffix not in READERS:
        raise GatesError(f"{path}: no table; known are {', '.join(READERS)}")
    return suffix


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
    told = next((fault for file in texts if (fault := delimited.fault(file))), None) or _told_by(error)
    return GatesError(f"{path} is damaged or no table: {told}", where=role)


def _failed(error: Exception) -> GatesError:
    import duckdb

    if isinstance(error, duckdb.OutOfMemoryException):
        return GatesError(f"the engine ran out of memory: {_told_by(error)}", exit_code=Exit.OUTSIDE)
    return GatesError(f"the data can't be read: {_told_by(error)}")


def _told_by(error: Exception) -> str:
    """The first line of the engine's message, up to what it quotes: that may be values of the data."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    told = _BEFORE_VALUES.match(first)
    return (told.group() if told else first).rstrip(" :,{[(")[:300]
