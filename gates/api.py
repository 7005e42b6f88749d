"""The Python API: ``from gates.api import check_data``. What is heavy is loaded with the first call."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from gates.checked import Checked
from gates.errors import GatesError
from gates.source import Source
from gates.workspace import load_contract, read_contract

__all__ = ["Checked", "GatesError", "check_data"]


def check_data(table: Any, contract: str | PathLike[str] | Mapping[str, Any], *, name: str = "table") -> Checked:
    """Hold a table to a contract.

    ``table``: a path or a glob; or an Arrow table, a pandas or polars frame, a relation of DuckDB's, which
    ``name`` names in sentences. ``contract``: a path, or its value, such as ``Model.model_json_schema()``.
    Rules that look at training data are not looked at; ``skipped`` names them.

    Raises ``GatesError`` for a table that can't be read and for mistakes in the contract.
    """
    from gates.measure.alone import hold
    from gates.measure.engines import connect
    from gates.measure.tables import open_table, register

    if isinstance(contract, Mapping):
        rules, root = read_contract(Source(name="contract", value=dict(contract), places={})), Path.cwd()
    else:
        rules, root = load_contract(Path(contract)), Path(contract).resolve().parent
    connection = connect()
    if isinstance(table, str | PathLike):
        path = str(table)
        return hold(connection, open_table(connection, Path.cwd(), path, Path(path).name), rules, root)
    return hold(connection, register(connection, table, name), rules, root)
