"""DuckDB, embedded in the process: files, globs and objects in memory."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gates.contract.sql import literal, quoted
from gates.contract.text.text_formats import CHECK, CHECKS
from gates.errors import Exit, GatesError
from gates.measure.engines import Rows, SeenFile, csv_files, frames, jsonl_files, parquet_files, scratch
from gates.measure.engines.column_types import Asked, ReadColumns
from gates.measure.engines.written_names import Paths, found, refuse_twins
from gates.system.activity import ran
from gates.system.files import lfs
from gates.wording import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Source = Callable[[str, Sequence[Path], Asked, Paths], ReadColumns]
Fault = Callable[[Path], tuple[str, str] | None]


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How files of a format are read, and what is wrong with one that can't be."""

    source: Source
    fault: Fault
    again: Source | None = None  # another way, for files in which nothing is wrong


_CSV = FileFormat(csv_files.source, csv_files.fault, csv_files.again)
_JSON = FileFormat(jsonl_files.source, jsonl_files.fault)
READERS: Mapping[str, FileFormat] = {
    ".parquet": FileFormat(parquet_files.source, parquet_files.fault),
    ".csv": _CSV,
    ".tsv": _CSV,
    ".jsonl": _JSON,
    ".ndjson": _JSON,
}
LFS_HINT = "Run git lfs pull; in the workflows, give lfs: true."
_ROOM = "Free some space, or point TMPDIR to a disk that has some: a CSV file takes half of its size."
MEMORY = (256, 1024, None)
QUERY = "query of DuckDB"  # what one asks may hold values of the data, so none is told
AT_ONCE = 100_000  # rows of a stream
MOST_SAID = 400  # characters of the engine's message
_VALUES = re.compile(r"""([Ff]ile (?:"[^"]*"|'[^']*'))|\{.*(?:\}|\.\.\.)|'[^']*'|"[^"]*"|(?<= with value ).*""")
_NO_REASONS = ("Original Line:", "Possible ", "LINE ", "Try ", "*", "^")


class DuckDB:
    """A fresh in-memory engine that reads local files only."""

    def __init__(self, now: datetime, threads: int | None = None, limits: Sequence[int | None] = MEMORY) -> None:
        """Begin one. ``limits``: MB a thread, each tried before the next; None: most of the machine's."""
        import duckdb

        options = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
        folder = scratch(self)
        self._paths = Paths(folder)
        options |= {"temp_directory": folder} | ({"threads": str(threads)} if threads else {})
        self.connection = duckdb.connect(config=options)
        self._limits = list(limits)
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
        self.connection.create_function(CHECK, _has_format, ["VARCHAR", "VARCHAR"], "BOOLEAN")

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

    def hashes(self, sql: str) -> NDArray[np.uint64]:
        """Return the one column of a query whose values are hashes. Raises ``GatesError`` as ``run`` does."""
        import duckdb

        try:
            with ran("engine", QUERY):
                (column,) = self.connection.execute(sql).fetchnumpy().values()
        except duckdb.Error as error:
            raise _failed(error) from error
        return column  # type: ignore[no-any-return]

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
        """Return the files that a path or a glob beside ``root`` names."""
        return found(root, path)

    def open(self, root: Path, path: str, name: str) -> SeenFile:
        """See ``Engine``."""
        reader = READERS[suffix_of(path)]
        role = name if name != Path(path).name else None  # the message names the path already
        try:
            files = self._there(root, path, role)
            with ran("file", f"{path}: {_size(files)}"):
                return self._opened(reader, path, files, name)
        except OSError as error:
            raise GatesError(f"{path} can't be read: {error.strerror}", where=role, hint="Check the path.") from error
        except GatesError as error:
            error.where = error.where or role
            raise

    def _there(self, root: Path, path: str, role: str | None) -> list[Path]:
        """Return the files. Raises ``GatesError`` where there are none, or none with data."""
        files = self.files(root, path)
        if not files and Path(root, path).is_dir():
            hint = f"Name its files: {path.rstrip('/')}/*{Path(path).suffix}"
            raise GatesError(f"{path} can't be read: it is a folder", where=role, hint=hint)
        if not files:
            dvc = "Run dvc pull." if (root / f"{path}.dvc").is_file() else "Check the path."
            raise GatesError(f"{path} can't be read: there is no such file", where=role, hint=dvc)
        if any(map(lfs, files)):
            raise GatesError(f"{path} is a Git LFS pointer: the data was not fetched", where=role, hint=LFS_HINT)
        return files

    def _opened(self, reader: FileFormat, path: str, files: list[Path], name: str) -> SeenFile:
        import duckdb

        try:
            read = reader.source(path, files, self._ask, self._paths)
            self._ask(f"CREATE OR REPLACE VIEW {quoted(name)} AS SELECT * FROM {read.sql}")
            return self._seen(name, read)
        except duckdb.OutOfMemoryException as error:
            if self._roomier():
                return self._opened(reader, path, files, name)
            raise _failed(error) from error
        except duckdb.Error as error:
            if _full(error):
                raise _failed(error) from error
            wrong = next(((file, told) for file in files if (told := reader.fault(file))), None)
            if wrong is None and reader.again:
                return self._opened(replace(reader, source=reader.again, again=None), path, files, name)
            what, hint = wrong[1] if wrong else (self._paths.told(_told_by(error)), None)
            place = f"{wrong[0].name}: " if wrong and len(files) > 1 else ""
            raise GatesError(f"{path} is damaged or not a table: {place}{what}", hint=hint) from error

    def _seen(self, name: str, read: ReadColumns | None = None) -> SeenFile:
        columns = {row[0]: row[1] for row in self._ask(f"DESCRIBE {quoted(name)}")}
        rows = read.rows if read else None
        if rows is None:
            ((rows,),) = self._ask(f"SELECT count(*) FROM {quoted(name)}")
        return SeenFile(columns, rows, read.dated if read else {})

    def register(self, table: Any, name: str) -> SeenFile:
        """Return an object of Arrow, pandas or polars, or a relation of DuckDB's."""
        import duckdb

        if isinstance(table, duckdb.DuckDBPyRelation):
            table = table.to_arrow_table()  # a relation belongs to the connection that made it
        names = frames.names(table)
        refuse_twins(name, names or [])
        seen = self._registered(frames.plain(table, name), name)
        if names is not None and names != list(seen.columns):  # the engine gave a column a name of its own
            raise GatesError("its column names are not unique", where=name, hint="Give each a unique name.")
        return seen

    def _registered(self, table: Any, name: str) -> SeenFile:
        import duckdb

        try:
            self.connection.execute(f"SET pandas_analyze_sample = {max(1, len(table))}")
            self.connection.register(name, table)
            return self._seen(name)
        except (duckdb.Error, TypeError) as error:
            straight = frames.straight(table)
            if straight is not None:
                return self._registered(straight, name)
            raise self._unseen(table, name) from error

    def _unseen(self, table: Any, name: str) -> GatesError:
        """Return what is said of an object that the engine can't see; of a frame, by the column that is why."""
        import duckdb

        for column, part in frames.parts(table):
            try:
                self.connection.register("gates_part", part)
                self._ask("SELECT count(*) FROM gates_part")
            except (duckdb.Error, TypeError) as error:
                what = f"the column {column} can't be read: {_told_by(error)}"
                return GatesError(what, where=name, hint="Give it a type of text, numbers, booleans, dates or times.")
        return GatesError(f"{type(table).__name__}: not a table that the engine can read", where=name)

    def embedded(self, _: str) -> DuckDB:
        """Return this engine itself."""
        return self

    def close(self) -> None:
        """See ``Engine``."""
        self.connection.close()


def connect(now: datetime, threads: int | None, session: Any) -> DuckDB:  # noqa: ARG001 -- the shape all engines share
    """See ``EngineModule``."""
    return DuckDB(now, threads)


def _has_format(text: str, name: str) -> bool:
    return CHECKS[name](text)


def _size(files: Sequence[Path]) -> str:
    size = sum(file.stat().st_size for file in files)
    return f"{counted(len(files), 'file')}, {counted(size, 'byte')}"


def is_file(path: str) -> bool:
    """Tell whether a path names local files, rather than a table of an engine's or what lies elsewhere."""
    return "://" not in path and Path(path).suffix.lower() in READERS


def suffix_of(path: str) -> str:
    """Return a table's suffix, ``.parquet`` or ``.csv``. Raises ``GatesError`` for one that no reader knows."""
    suffix = Path(path).suffix.lower()
    if suffix not in READERS:
        raise GatesError(f"{path}: not a table; supported are {', '.join(READERS)}")
    return suffix


def _failed(error: Exception) -> GatesError:
    import duckdb

    if isinstance(error, duckdb.OutOfMemoryException):
        return GatesError(f"the engine ran out of memory: {_told_by(error)}", exit_code=Exit.OUTSIDE)
    if _full(error):
        return GatesError("the disk for temporary files is full", hint=_ROOM, exit_code=Exit.OUTSIDE)
    return GatesError(f"the data can't be read: {_told_by(error)}")


def _full(error: Exception) -> bool:
    return os.strerror(errno.ENOSPC) in str(error)


def _told_by(error: Exception) -> str:
    """Return the engine's message up to its first reason, without what may be values of the data."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith(_NO_REASONS)][:2]
    return _VALUES.sub(lambda found: found.group(1) or "…", " ".join(told) or type(error).__name__).rstrip(" :,{[(")[
        :MOST_SAID
    ]
