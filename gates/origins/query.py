"""Copy the rows of a query into a Parquet file, in one order, from a session that may only read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from gates.errors import Exit, GatesError
from gates.system import files
from gates.system.activity import ran
from gates.system.git import shorn

EXTRA = "Install gates-ml[warehouse]."
READ_ONLY = "Write one SELECT; a WITH may stand before it."


@dataclass(frozen=True, slots=True)
class Driver:
    """A database by its ADBC driver: its module, its package, its dialect, and what makes a session read only."""

    module: str
    package: str
    dialect: str
    first: str | None = None


DRIVERS: Mapping[str, Driver] = {
    "postgresql": Driver(
        "adbc_driver_postgresql.dbapi", "adbc-driver-postgresql", "postgres",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    ),
    "snowflake": Driver("adbc_driver_snowflake.dbapi", "adbc-driver-snowflake", "snowflake"),
    "bigquery": Driver("adbc_driver_bigquery.dbapi", "adbc-driver-bigquery", "bigquery"),
    "flightsql": Driver("adbc_driver_flightsql.dbapi", "adbc-driver-flightsql", ""),
}  # fmt: skip


def ordered(text: str, dialect: str, key: str | None, where: str) -> str:
    """Return a query whose rows come in the order of the key. Raises ``GatesError`` for what is not one SELECT."""
    try:
        import sqlglot
        from sqlglot import exp, tokens
    except ImportError as error:
        raise GatesError("sqlglot is not installed", where=where, hint=EXTRA) from error
    try:
        parsed = sqlglot.parse(text, read=dialect)
        statements = [one for one in parsed if one is not None and not isinstance(one, exp.Semicolon)]
        semicolons = [
            one.start for one in sqlglot.tokenize(text, read=dialect) if one.token_type is tokens.TokenType.SEMICOLON
        ]
    except sqlglot.errors.SqlglotError as error:
        first = str(error).splitlines()[0][:200]
        raise GatesError(f"is not SQL: {first}", where=where, hint=READ_ONLY) from error
    if (
        len(statements) != 1
        or not isinstance(statements[0], exp.Query)
        or parsed[0] is not statements[0]
        or len(semicolons) > 1
    ):
        raise GatesError("is not one SELECT", where=where, hint=READ_ONLY)
    if statements[0].find(exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Into, exp.Lock):
        raise GatesError("does more than read", where=where, hint=READ_ONLY)
    body = text[: semicolons[0]] if semicolons else text
    if key is None:
        return body
    column = exp.to_identifier(key, quoted=True).sql(dialect=dialect)
    return f"SELECT * FROM (\n{body}\n) AS gates_rows ORDER BY {column}"  # noqa: S608 -- the user's own query


def copied(driver: str, query: str, address: str, path: Path, where: str) -> int:
    """Write the rows of a query to a Parquet file, and return how many there are.

    Raises ``GatesError`` where the driver is missing, the database does not answer, or there is no row.
    """
    row = DRIVERS[driver]
    try:
        dbapi = import_module(row.module)
    except ImportError as error:
        raise GatesError(
            f"{row.package} is not installed", where="data.from", hint=f"Install {row.package}."
        ) from error
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".fetched-")
    os.close(handle)
    try:
        with ran("warehouse", f"ask {driver}"):
            rows = _streamed(dbapi, row, query, address, Path(beside))
        if not rows:
            raise GatesError("the query gives no rows", where=where, hint="Run it by hand: is its day right?")
        Path(beside).replace(path)
        return rows
    except dbapi.Error as error:
        line = shorn(" ".join(str(error).split()))[:300].replace(address, "…")
        hint = "Check the address in the variable, the login and the query."
        raise GatesError(f"{driver}: {line}", where=where, hint=hint, exit_code=Exit.OUTSIDE) from error
    finally:
        files.remove(Path(beside))


def _streamed(dbapi: Any, row: Driver, query: str, address: str, path: Path) -> int:
    import pyarrow.parquet as pq

    rows = 0
    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        if row.first:
            cursor.execute(row.first)
            connection.commit()
        cursor.execute(query)
        reader = cursor.fetch_record_batch()
        with pq.ParquetWriter(path, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
                rows += batch.num_rows
    return rows
