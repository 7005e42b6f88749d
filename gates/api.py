"""The Python API: ``from gates.api import check_data``. What is heavy is loaded with the first call."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from gates.checked import Checked
from gates.errors import GatesError
from gates.source import Source
from gates.workspace import load_contract, read_contract

__all__ = ["Checked", "GatesError", "check_data"]


def check_data(
    table: Any,
    contract: str | PathLike[str] | Mapping[str, Any],
    *,
    name: str = "table",
    engine: Literal["duckdb", "spark"] = "duckdb",
) -> Checked:
    """Hold a table to a contract.

    ``table``: a path or a glob, or what ``engine`` calls a table; or an Arrow table, a pandas or polars frame, a
    relation of DuckDB's, a frame of Spark's, which ``name`` names in sentences. ``contract``: a path, or its value,
    such as ``Model.model_json_schema()``. Rules that look at training data are not looked at; ``skipped`` names them.

    A frame of Spark's is looked at in its own session, anything else in memory in DuckDB. Raises ``GatesError`` for
    a table that can't be read and for mistakes in the contract.
    """
    from gates.measure.alone import hold
    from gates.measure.engines import connect
    from gates.measure.tables import open_table, register

    if isinstance(contract, Mapping):
        rules, root = read_contract(Source(name="contract", value=dict(contract), places={})), Path.cwd()
    else:
        rules, root = load_contract(Path(contract)), Path(contract).resolve().parent
    is_path = isinstance(table, str | PathLike)
    session = getattr(table, "sparkSession", None)
    kind = "spark" if session is not None else engine if is_path else "duckdb"
    with closing(connect(engine=kind, session=session)) as opened:
        path = str(table)
        seen = open_table(opened, Path.cwd(), path, Path(path).name) if is_path else register(opened, table, name)
        return hold(opened, seen, rules, root)
