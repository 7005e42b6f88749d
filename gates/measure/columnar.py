"""Parquet files -> SQL that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gates.contract.columns import literal
from gates.errors import GatesError
from gates.measure.delimited import Asked


def names(file: Path, ask: Asked) -> list[str] | None:
    """The columns' names as they are written; None where some are nested."""
    (_, top), *rest = ask(f"SELECT name, num_children FROM parquet_schema({literal(str(file))})")
    return [str(name) for name, _ in rest] if top == len(rest) else None


def source(files: Sequence[Path], ask: Asked) -> str:
    """SQL that reads files of the same columns, in any order; where their types differ, as the wider one. Raises
    ``GatesError`` where one has other columns: the engine would fill them with nulls."""
    listed = f"[{', '.join(literal(str(file)) for file in files)}]"
    if len(files) == 1:
        return f"read_parquet({listed})"
    columns = f"SELECT file_name, list(name ORDER BY name) AS names FROM parquet_schema({listed}) GROUP BY file_name"
    firsts = ask(f"SELECT min(file_name) FROM ({columns}) GROUP BY names ORDER BY 1")
    if len(firsts) > 1:
        one, two = (Path(str(row[0])).name for row in firsts[:2])
        raise GatesError(f"{two} has other columns than {one}", mend="Keep files of the same columns in one glob.")
    return f"read_parquet({listed}, union_by_name = true)"
