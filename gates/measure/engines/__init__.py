"""Engines hold tables and answer SQL. Each is one module with a function ``connect``.

``EngineName`` lists them; an engine and its module share a name. SQL is written once, in DuckDB's dialect, and every
engine must give the same rows, whole numbers and text. An engine refuses, by name, what it can't do in the same way.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, cast, get_args

from gates.contract.sql import Dated
from gates.errors import GatesError
from gates.policy.sections import EngineName

Rows = list[tuple[Any, ...]]


class SeenFile(NamedTuple):
    """A view: its columns with their types, in DuckDB's names; its number of rows; which text is dates."""

    columns: dict[str, str]
    rows: int
    dated: Mapping[str, Dated] = MappingProxyType({})


class Engine(Protocol):
    """An engine with tables open, by name."""

    def run(self, sql: str) -> Rows:
        """Return all rows of a query; of what is no query, none. A temporary table holds what it held when it was made.

        Raises ``GatesError`` where the data does not let the engine finish, or it knows no way to the same answer.
        """
        ...

    def stream(self, sql: str) -> Iterator[list[str]]:
        """Return the texts that a query gives, in the order of its rows, some at a time: for what memory does not hold.

        Raises ``GatesError`` as ``run`` does, and where rows have no order.
        """
        ...

    def write(self, sql: str, target: Path) -> None:
        """Return the rows of a query as a file, in the format that its name says. Raises ``GatesError`` as ``run``
        does."""
        ...

    def open(self, root: Path, path: str, name: str) -> SeenFile:
        """Open a file or a glob beside ``root``, or a table of the engine, as the view ``name``. Raises
        ``GatesError`` where it can't be read."""
        ...

    def register(self, table: Any, name: str) -> SeenFile:
        """Return an object in memory as the view ``name``. Raises ``GatesError`` for what the engine can't see."""
        ...

    def embedded(self, name: str) -> Engine:
        """Return DuckDB with one of the tables open: for what depends on the order of rows, or works on the rows
        themselves."""
        ...

    def close(self) -> None:
        """Leave no trace in what others use."""
        ...


class EngineModule(Protocol):
    """A module of this folder that brings an engine."""

    def connect(self, now: datetime, threads: int | None, session: Any) -> Engine:
        """Return an engine without tables. ``session``: the caller's own, for an engine that has sessions."""
        ...


def unordered() -> GatesError:
    """Return what is said where something rests on an order that rows don't have."""
    hint = "Name a key column in data.key, or use data.engine: duckdb."
    return GatesError("rows have no order in Spark", hint=hint)


def scratch(owner: object) -> str:
    """Return a folder that goes with its owner, or with the process."""
    folder = tempfile.mkdtemp(prefix="gates-")
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return folder


def connect(
    now: datetime | None = None, threads: int | None = None, engine: EngineName = "duckdb", session: Any = None
) -> Engine:
    """Return an engine without tables. ``now``: the time it is told, the clock's by default. ``session``: the caller's
    own session of it, to work in.

    Raises ``GatesError`` for an engine that gates does not know.
    """
    known = get_args(EngineName)
    if engine not in known:
        raise GatesError(f"unknown engine {engine}", hint=f"Use one of {', '.join(known)}.")
    module = cast("EngineModule", import_module(f"{__name__}.{engine}"))
    return module.connect((now or datetime.now(UTC)).astimezone(UTC), threads, session)
