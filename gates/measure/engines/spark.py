"""The engine Spark: the active session, or the one that Spark's own settings name.

A file is opened by DuckDB first, which finds its faults and its types; so both engines see the same table, and text
files, in which types are guessed, are handed to Spark as Parquet.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from gates.contract.sql import quoted
from gates.contract.text import hosts, patterns, text_formats
from gates.errors import Exit, GatesError
from gates.measure.engines import Rows, SeenFile, scratch, unordered
from gates.measure.engines.duckdb import DuckDB, is_file
from gates.measure.engines.engine_types import told
from gates.measure.engines.spark_sql import MATCHES, parsed, view_of, written
from gates.system.activity import ran

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # what does not fit is an error, never null or another number
    "spark.sql.parquet.filterPushdown": "false",  # a file's minimum and maximum leave NaN out
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    "spark.sql.timeType.enabled": "true",
}
STARTED = {"spark.log.level": "OFF", "spark.ui.showConsoleProgress": "false"}  # of a session that is ours: be quiet
TYPES: Mapping[str, str] = {  # DuckDB's type -> the type by which Spark reads it from Parquet
    "BOOLEAN": "boolean",
    "TINYINT": "tinyint",
    "UTINYINT": "smallint",
    "SMALLINT": "smallint",
    "USMALLINT": "int",
    "INTEGER": "int",
    "UINTEGER": "bigint",
    "BIGINT": "bigint",
    "UBIGINT": "decimal(20,0)",
    "FLOAT": "float",
    "DOUBLE": "double",
    "VARCHAR": "string",
    "DATE": "date",
    "TIME": "time(6)",
    "TIMESTAMP": "timestamp_ntz",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
}
LIKE = {"HUGEINT": "DECIMAL(38,0)"}  # Parquet has no whole numbers of 128 bits
_NAMES = {one: name for name, one in TYPES.items() if not name.startswith("U")}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
QUERY = "query of Spark"
EXTRA = "pip install 'gates-ml[spark]'"


class Spark:
    """A session of Spark. Until ``close`` it has our views and settings."""

    def __init__(self, now: datetime, threads: int | None = None, session: Any = None) -> None:
        self.session = session or _session()
        self._before = {name: self.session.conf.get(name, None) for name in SETTINGS}
        for name, value in SETTINGS.items():
            self.session.conf.set(name, value)
        self._views: set[str] = set()
        self._brought: dict[str, bool] = {}  # tables that are in no file -> whether DuckDB has them, too
        self._now = now
        self._duckdb = DuckDB(now, threads)
        self._folder = scratch(self)
        _register_functions(self.session)

    def close(self) -> None:
        """Give the session its own settings back, and take our views away."""
        self._duckdb.close()
        for view in self._views:
            self.session.catalog.dropTempView(view)
        for name, value in self._before.items():
            if value is None:
                self.session.conf.unset(name)
            else:
                self.session.conf.set(name, value)

    def run(self, sql: str) -> Rows:
        """See ``Engine``."""
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        tree = parsed(sql, self._now)
        try:
            with ran("engine", QUERY):
                if tree.key == "create":  # a temporary table: what it holds is held now
                    self._keep(self._frame(tree.expression).localCheckpoint(), tree.this.name)
                    return []
                return [tuple(map(_plain, row)) for row in self._frame(tree).collect()]
        except (PySparkException, Py4JError) as error:
            raise _told(error) from error

    def stream(self, _: str) -> Iterator[list[str]]:
        """See ``Engine``."""
        raise unordered()

    def write(self, sql: str, target: Path) -> None:
        """See ``Engine``. Parquet alone; the rows go through this process's memory."""
        import pyarrow.parquet as pq
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        try:
            with ran("engine", QUERY):
                pq.write_table(self._frame(parsed(sql, self._now)).toArrow(), target)
        except (PySparkException, Py4JError) as error:
            raise _told(error) from error

    def _frame(self, tree: Any) -> Any:
        return self.session.sql(written(tree))

    def _keep(self, frame: Any, view: str) -> None:
        frame.createOrReplaceTempView(_named(view))
        self._views.add(view)

    def open(self, root: Path, path: str, name: str) -> SeenFile:
        """Return a local file or a glob; else a table of Spark's catalog, or Parquet wherever Spark can read it."""
        if not is_file(path) and ("://" in path or not Path(path).suffix or self.session.catalog.tableExists(path)):
            return self._opened(path, name)
        seen = self._duckdb.open(root, path, name)
        self._brought.pop(name, None)
        if not seen.rows:
            return seen
        files = self._duckdb.files(root, path)
        if files[0].suffix.lower() != ".parquet":
            seen = seen._replace(columns={one: LIKE.get(kind, kind) for one, kind in seen.columns.items()})
            files = [self._as_parquet(name, seen.columns)]
        types = {column: _type_of(kind, f"{path}: the column {column}") for column, kind in seen.columns.items()}
        schema = ", ".join(f"{_named(column)} {kind}" for column, kind in types.items())
        self._view(self.session.read.schema(schema).parquet(*(file.as_uri() for file in files)), seen.columns, name)
        return seen

    def _opened(self, path: str, name: str) -> SeenFile:
        from pyspark.errors import PySparkException

        try:
            frame = self.session.read.parquet(path) if "://" in path else self.session.read.table(path)
            return self._seen(frame, path, name)
        except PySparkException as error:
            raise GatesError(
                f"{path} can't be read: {_told(error).what}", where=name, hint="Check its name."
            ) from error

    def _as_parquet(self, name: str, columns: Mapping[str, str]) -> Path:
        """Read a text file as DuckDB reads it."""
        target = Path(self._folder, f"{len(self._views)}.parquet")
        cast = ", ".join(f"CAST({quoted(one)} AS {kind}) AS {quoted(one)}" for one, kind in columns.items())
        self._duckdb.write(f"SELECT {cast} FROM {quoted(name)}", target)
        return target

    def register(self, table: Any, name: str) -> SeenFile:
        """Return a frame of Spark's own."""
        from pyspark.sql import DataFrame

        if not isinstance(table, DataFrame):
            raise GatesError(f"{type(table).__name__}: not a table that Spark can read", where=name)
        return self._seen(table, name, name)

    def _seen(self, frame: Any, path: str, name: str) -> SeenFile:
        fields = [(field.name, field.dataType.simpleString()) for field in frame.schema]
        if len({column.lower() for column, _ in fields}) < len(fields):
            raise GatesError(f"{path}: its column names are not unique", hint="Give each a unique name.")
        columns = {column: _name_of(kind, f"{path}: the column {column}") for column, kind in fields}
        self._view(frame, columns, name)
        self._brought[name] = False
        ((rows,),) = self.run(f"SELECT count(*) FROM {quoted(name)}")
        return SeenFile(columns, rows)

    def _view(self, frame: Any, columns: Mapping[str, str], name: str) -> None:
        """Return the view, in which text that is not UTF-8 is an error, as it is in DuckDB."""
        from pyspark.sql import functions

        shown = [
            functions.validate_utf8(frame[_named(one)]).alias(one) if kind == "VARCHAR" else frame[_named(one)]
            for one, kind in columns.items()
        ]
        self._keep(frame.select(*shown), view_of(name))

    def embedded(self, name: str) -> DuckDB:
        """Return DuckDB with the table open: a file is open there already, and a table of Spark's is brought over."""
        if self._brought.get(name) is False:
            self._duckdb.register(self.session.table(_named(view_of(name))).toArrow(), name)
            self._brought[name] = True
        return self._duckdb


def connect(now: datetime, threads: int | None, session: Any) -> Spark:
    """See ``EngineModule``."""
    return Spark(now, threads, session)


def _session() -> Any:
    """Return the session that is active, or a new one by Spark's own settings: SPARK_REMOTE, spark-defaults.conf,
    ..."""
    try:
        import sqlglot  # noqa: F401 -- told here, before anything is started
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise GatesError(f"the engine spark needs {error.name}", hint=f"{EXTRA}.") from error
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    logging.getLogger("SQLQueryContextLogger").disabled = True  # it would tell every error a second time, as JSON
    builder = SparkSession.builder.appName("gates")
    for name, value in STARTED.items() if not os.environ.get("SPARK_REMOTE") else ():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except (PySparkException, OSError, RuntimeError) as error:
        raise GatesError(
            f"Spark did not start: {str(error).strip().splitlines()[0][:200]}",
            hint="It needs Java 17 or later on the PATH or in JAVA_HOME, or a server named by SPARK_REMOTE.",
            exit_code=Exit.OUTSIDE,
        ) from error


def _register_functions(session: Any) -> None:
    """Register RE2, by way of Arrow, and the text formats that no expression can check.

    The functions are pickled whole: the executors need no gates.
    """
    import pyarrow as pa
    from pyspark import cloudpickle
    from pyspark.sql.functions import arrow_udf

    for module in (text_formats, hosts, patterns):
        cloudpickle.register_pickle_by_value(module)
    checks = dict(text_formats.CHECKS)

    def matches(text, pattern):  # type: ignore[no-untyped-def] # what Spark reads are the annotations below
        import pyarrow.compute as pc

        return pc.match_substring_regex(text, pattern[0].as_py()) if len(text) else text.cast("bool")

    def has_format(text, name):  # type: ignore[no-untyped-def]
        check = checks[name[0].as_py()] if len(name) else bool
        return pa.array([None if one is None else check(one) for one in text.to_pylist()], pa.bool_())

    has_format.__annotations__ = {"text": pa.Array, "name": pa.Array, "return": pa.Array}
    matches.__annotations__ = {"text": pa.Array, "pattern": pa.Array, "return": pa.Array}
    context = getattr(session, "_sc", None)
    if context is not None and context.master.startswith("local") and "PYSPARK_PYTHON" not in os.environ:
        context.pythonExec = sys.executable  # the one that has Arrow
    session.udf.register(MATCHES, arrow_udf(matches, "boolean"))
    session.udf.register(text_formats.CHECK, arrow_udf(has_format, "boolean"))


def _named(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _type_of(type_name: str, where: str) -> str:
    decimal = _DECIMAL.fullmatch(type_name)
    if not decimal and type_name not in TYPES:
        what = f"{where} holds {told(type_name)}; the engine spark can't read it"
        raise GatesError(what, hint="Use data.engine: duckdb.")
    return type_name.lower() if decimal else TYPES[type_name]


def _name_of(type_name: str, where: str) -> str:
    if type_name.startswith("decimal("):
        return type_name.upper()
    if type_name not in _NAMES:
        raise GatesError(f"{where} holds {told(type_name)}; the engine spark reads flat columns only")
    return _NAMES[type_name]


def _plain(value: Any) -> Any:
    return (
        int(value)
        if isinstance(value, Decimal) and value == value.to_integral_value() and value.as_tuple().exponent == 0
        else value
    )


def _told(error: Any) -> GatesError:
    """Return its condition alone: the message may hold values of the data."""
    condition = getattr(error, "getCondition", lambda: None)() or type(error).__name__
    if condition == "USER_RAISED_EXCEPTION":
        return GatesError(f"the data can't be read: {error.getMessageParameters()['errorMessage']}")
    return GatesError(f"the data can't be read: Spark says {condition}")
