"""Write SQL that reads Parquet files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gates.contract.sql import literal
from gates.errors import GatesError
from gates.measure.engines.column_types import Asked, ReadColumns
from gates.measure.engines.reader_options import PARQUET
from gates.measure.engines.written_names import Paths, refuse_twins

LEAST = 12  # bytes: the mark at both ends, and a length
PLAIN, ENCRYPTED = b"PAR1", b"PARE"


def source(path: str, files: Sequence[Path], ask: Asked, paths: Paths) -> ReadColumns:
    """Write SQL that reads files of the same columns, in any order; where their types differ, as the wider one. Raises
    ``GatesError`` where one has other columns: the engine would fill them with nulls."""
    known = [paths.of(file) for file in files]
    names = [_names(one, ask) for one in known]
    for file, own in zip(files, names, strict=True):
        refuse_twins(path if len(files) == 1 else f"{path}: {file.name}", own)
        if sorted(own) != sorted(names[0]):
            raise GatesError(
                f"{path}: {file.name} has other columns than {files[0].name}",
                hint="All files of a glob need the same columns.",
            )
    return ReadColumns(sql=PARQUET.call(known, union_by_name="true" if len(files) > 1 else "false"))


def _names(known: str, ask: Asked) -> list[str]:
    """Return the names of the outermost columns, as they are written."""
    (_, top), *rest = ask(f"SELECT name, coalesce(num_children, 0) FROM parquet_schema({literal(known)})")
    names: list[str] = []
    inner = 0  # columns of a nested one that are still to come
    for name, children in rest:
        if not inner:
            names.append(str(name))
        inner = max(0, inner - 1) + int(str(children))
    assert len(names) == top  # noqa: S101 -- as the format has it
    return names


def fault(file: Path) -> tuple[str, str] | None:
    """Return what is wrong with a file, and how to fix it; None where it has at least a Parquet file's marks."""
    size = file.stat().st_size
    if not size:
        return "it is empty", "Write the file again."
    with file.open("rb") as data:
        start = data.read(len(PLAIN))
        data.seek(max(0, size - len(PLAIN)))
        end = data.read()
    if start == ENCRYPTED:
        return "it is encrypted", "Write it without encryption."
    if size < LEAST or start != PLAIN:
        return "it is not a Parquet file", "Name it by what it holds: .csv, .tsv, .jsonl."
    return None if end == PLAIN else ("its end is missing", "Write or fetch the file again.")
