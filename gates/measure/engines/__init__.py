"""Engines: what holds tables and answers SQL. One module each, and one line in ``ENGINES``.

SQL is written once, in DuckDB's dialect, and means the same to every engine: the same rows, whole numbers and text.
What an engine can't do in the same way it refuses by name.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from gates.contract.sql import Dated
from gates.errors import GatesError

Rows = list[tuple[Any, ...]]


class SeenFile(NamedTuple):
    """A view: its columns with their types, in DuckDB's names; its number of rows; which text is dates."""

    columns: dict[str, str]
    rows: int
    dated: Mapping[str, Dated] = MappingProxyType({})


class Engine(Protocol):
    """An engine with tables open, by name."""

    def run(self, sql: str) -> Rows:
        """All rows of a query; of what is no query, none. A temporary table holds what it held when it was made.

        Raises ``GatesError`` where the data does not let the engine finish, or it knows no way to the same answer.
        """
        ...

    def stream(self, sql: str) -> Iterator[list[str]]:
        """The texts that a query gives, in the order of its rows, some at a time: for what memory does not hold.

        Raises ``GatesError`` as ``run`` does, and where rows have no order.
        """
        ...

    def write(self, sql: str, target: Path) -> None:
        """The rows of a query as a file, in the format that its name says. Raises ``GatesError`` as ``run`` does."""
        ...

    def open(self, root: Path, path: str, name: str) -> SeenFile:
        """A file or a glob beside ``root``, or a table of the engine, as the view ``name``. Raises ``GatesError``
        where it can't be read."""
        ...

    def register(self, table: Any, name: str) -> SeenFile:
        """An object in memory as the view ``name``. Raises ``GatesError`` for what the engine can't see."""
        ...

    def embedded(self, name: str) -> Engine:
        """DuckDB with one of the tables open, for what rests on the order of rows, or is done with rows themselves."""
        ...

    def close(self) -> None:
        """Leave no trace in what others use."""
        ...


def unordered() -> GatesError:
    """What is said where something rests on an order that rows don't have."""
    hint = "Name a key column in data.key, or take data.engine: duckdb."
    return GatesError("rows have no order in Spark", hint=hint)


def scratch(owner: object) -> str:
    """A folder that goes with its owner, or with the process."""
    folder = tempfile.mkdtemp(prefix="gates-")
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return folder


def _duckdb(now: datetime, threads: int | None, _: Any) -> Engine:
    from gates.measure.engines.duckdb import DuckDB

    return DuckDB(now, threads)


def _spark(now: datetime, threads: int | None, session: Any) -> Engine:
    from gates.measure.engines.spark import Spark

    return Spark(now, threads, session)


ENGINES: Mapping[str, Callable[[datetime, int | None, Any], Engine]] = {"duckdb": _duckdb, "spark": _spark}


def connect(
    now: datetime | None = None, threads: int | None = None, engine: str = "duckdb", session: Any = None
) -> Engine:
    """An engine without tables, which is told what time it is: the clock's, if not given. ``session``: somebody's
    session of it, to work in."""
    return ENGINES[engine]((now or datetime.now(UTC)).astimezone(UTC), threads, session)
