"""JSON lines -> SQL that reads them. Text stays text: in it the engine would see dates and UUIDs, and respell them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gates.contract.columns import literal
from gates.measure.delimited import Asked

TEXT = ("DATE", "TIME", "TIMESTAMP", "UUID", "INTERVAL")  # how the types begin that it sees in text


def source(files: Sequence[Path], ask: Asked) -> str:
    """SQL that reads files; their columns are the keys of any line of any file.

    Types are guessed once, and then named: a view would guess them at every look.
    """
    listed = ", ".join(literal(str(file)) for file in files)
    reader = f"read_json([{listed}], format = 'newline_delimited'"
    every = "sample_size = -1, maximum_sample_files = 1000000, union_by_name = true"
    kinds = {str(row[0]): str(row[1]) for row in ask(f"DESCRIBE SELECT * FROM {reader}, {every})")}
    types = {name: "VARCHAR" if kind.startswith((*TEXT, '"NULL"')) else kind for name, kind in kinds.items()}
    return f"{reader}, columns = {{{', '.join(f'{literal(name)}: {literal(kind)}' for name, kind in types.items())}}})"
