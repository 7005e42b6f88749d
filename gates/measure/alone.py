"""One table held to a contract, without a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gates import checked
from gates.checked import Checked
from gates.contract.columns import quoted
from gates.contract.rules import Contract
from gates.errors import GatesError
from gates.measure.contract import findings
from gates.measure.tables import Opened, open_table, run


def hold(connection: Any, opened: Opened, contract: Contract, root: Path) -> Checked:
    """Every rule that one table can be held to; other tables that rules name are looked for beside ``root``.

    Raises ``GatesError`` where there is no such rule: nothing to judge is not a pass.
    """
    held = checked.alone(contract, opened.name)
    if not held.rules:
        raise GatesError("the contract has no rule that one table alone can be held to", where=opened.path)
    counted = findings(connection, opened, held, lambda path: open_table(connection, root, path, f"beside {path}"))
    return checked.judge(contract, opened.name, counted)


def register(connection: Any, table: Any, name: str) -> Opened:
    """An object in memory as a table of the engine: of Arrow, pandas, polars, or a relation of DuckDB's.

    Raises ``GatesError`` for what the engine can't see, and for a table without rows.
    """
    import duckdb

    if isinstance(table, duckdb.DuckDBPyRelation):
        table = table.to_arrow_table()  # a relation belongs to the connection that made it
    try:
        connection.register(name, table)
    except (duckdb.Error, TypeError) as error:
        raise GatesError(f"{type(table).__name__}: no table that the engine can see", where=name) from error
    columns = {row[0]: row[1] for row in run(connection, f"DESCRIBE {quoted(name)}")}
    given = [str(column) for column in getattr(table, "column_names", getattr(table, "columns", columns))]
    if given != list(columns):  # the engine gave other names to what has none, or another's
        raise GatesError("its columns are not told apart by name", where=name, mend="Give each a name of its own.")
    ((rows,),) = run(connection, f"SELECT count(*) FROM {quoted(name)}")
    if not rows:
        raise GatesError("has no rows", where=name)
    return Opened(name=name, path=name, columns=columns)
