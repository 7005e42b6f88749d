"""Read MLflow's SQLite file without MLflow, whose import alone takes seconds.

`gates status` reads a registry, which changes nothing; whoever moves an alias asks MLflow. Where the file's tables
don't answer, this module asks MLflow, too, so the answer is the same. A promotion into a branch of the repository reads
what the training logged.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from gates.registry.address import SQLITE, MLflowAddress
from gates.registry.mlflow import MLflowRegistry
from gates.registry.stored_files import KEPT, LOCAL, hashed, on_this_machine, parts_of
from gates.system.activity import ran

ALIAS = """
SELECT v.version FROM registered_model_aliases AS a
JOIN model_versions AS v ON (v.name, v.version) = (a.name, a.version)
WHERE a.name = ? AND a.alias = ? AND v.current_stage != 'Deleted_Internal'
"""
VERSION = """
SELECT v.source, r.artifact_uri FROM model_versions AS v JOIN runs AS r ON r.run_uuid = v.run_id
WHERE v.name = ? AND v.version = ? AND v.current_stage != 'Deleted_Internal'
"""

LOGGED = """
SELECT p.key, p.value FROM runs AS r LEFT JOIN params AS p ON p.run_uuid = r.run_uuid
WHERE r.run_uuid = ? AND r.start_time BETWEEN ? AND ?
"""


def logged(file: Path, run_id: str, during: tuple[int, int] | None) -> dict[str, str] | None:
    """Return what a training logged there under that run.

    None where the file has no such run, or one that was not opened ``during`` the training.
    """
    rows = _asked(file, LOGGED, run_id, *during) if during and file.is_file() else None
    return {key: value for key, value in rows if key is not None} if rows else None


def named_in(file: Path, name: str, alias: str) -> str | None:
    """Return the version that an alias names in a registry that nobody has named; None where the file is no such
    registry."""
    rows = _asked(file, ALIAS, name, alias) if file.is_file() else None
    return str(rows[0][0]) if rows else None


def _asked(file: Path, query: str, *values: str | int) -> list[Any] | None:
    """Return the rows that a file answers with; None where its tables are others."""
    try:
        with (
            ran("registry", f"look into {file.name}"),
            closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as opened,
        ):
            return opened.execute(query, values).fetchall()
    except sqlite3.Error:
        return None


class SQLiteRegistry:
    """One registry, of which ``asked`` is MLflow's own view, made once it is needed."""

    def __init__(self, address: MLflowAddress, asked: Callable[[], MLflowRegistry]) -> None:
        uri = address.registry if address.registry == address.tracking else ""  # else versions lack their runs
        self._file = Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None
        self._asked = asked

    @property
    def kind(self) -> Literal["git", "mlflow"]:
        """See ``Registry``."""
        return "mlflow"

    def at(self, name: str, alias: str) -> str | None:
        """Return the version that an alias names, or None."""
        rows = self._rows(ALIAS, name, alias)
        if rows is None or len(rows) > 1:  # several: of several workspaces
            return self._asked().at(name, alias)
        return str(rows[0][0]) if rows else None

    def stored(self, name: str, version: str) -> str | None:
        """Digest the bytes that a version has now; None where they are gone."""
        rows = self._rows(VERSION, name, version) or []
        if len(rows) != 1 or not all(place.startswith(LOCAL) for place in rows[0]):
            return self._asked().stored(name, version)
        source, run = rows[0]
        kept = f"{run}/{KEPT}"
        beside = kept if on_this_machine(kept).is_dir() else None
        return hashed({below: on_this_machine(uri) for below, uri in parts_of(source, kept, beside).items()})

    def _rows(self, query: str, *values: str) -> list[Any] | None:
        """Return the rows that answer a question; None where this is no such file, or its tables are others."""
        return _asked(self._file, query, *values) if self._file and self._file.is_file() else None
