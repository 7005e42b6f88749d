"""Write SQL that reads CSV and TSV files as text, and gives each column its type by ``column_types``."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gates.contract.sql import every, literal, quoted
from gates.errors import GatesError
from gates.measure.engines.column_types import Asked, ReadColumns, bits_of, first, keeps, of_cell, type_of
from gates.measure.engines.reader_options import CSV, LONGEST, PARQUET
from gates.measure.engines.written_names import Paths, refuse_twins
from gates.wording import counted

DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"([^"]|"")*"')
_BLOCK = 1 << 24
WIDTH = "Give every row the header's columns, and quote a cell that contains the separator."
UTF8 = "Save it as UTF-8."
SMALL = 1 << 28  # bytes of files whose rows are kept in memory
WRITTEN = {"HUGEINT": "VARCHAR"}  # types that Parquet has not -> what is written


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    before = csv.field_size_limit(LONGEST)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def head(file: Path) -> tuple[str, list[str]]:
    """Return what separates a file's cells, and the names in its first record; an empty file has no names.

    Raises ``GatesError`` for what is not UTF-8 text.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as text, _cells_of_any_length():
            first = ""
            for line in text:  # a name may hold line breaks
                first += line
                if first.count('"') % 2 == 0:
                    break
            bare = _QUOTED.sub("", first)
            delimiter = max(DELIMITERS, key=bare.count)
            return delimiter, next(csv.reader(first.splitlines(keepends=True), delimiter=delimiter), [])
    except UnicodeDecodeError as error:
        raise GatesError(f"{file.name}: {_encoding(file)}", hint=UTF8) from error


def source(path: str, files: Sequence[Path], ask: Asked, paths: Paths) -> ReadColumns:
    """Write SQL that reads files of one header. Raises ``GatesError`` where headers differ, or rows have other
    columns."""
    delimiter, names = head(files[0])
    if not files[0].stat().st_size:
        raise GatesError(f"{path} has no rows")
    if not names:
        raise GatesError(f"{path}: line 1 is empty; it must be the header", hint="Delete the line.")
    refuse_twins(path, names)
    for file in files[1:]:
        if head(file) != (delimiter, names):
            raise GatesError(
                f"{path}: the header of {file.name} is not that of {files[0].name}",
                hint="All files of a glob need the same columns in the same order.",
            )
    read, size = _read(names, delimiter, [paths.of(file) for file in files], ask, paths)
    if not _all_told(files, size):
        for file in files:
            if _may_end_in(file, delimiter, len(names)) and (wrong := fault(file)):
                raise GatesError(f"{file.name}: {wrong[0]}", hint=wrong[1])
    return read


def again(_: str, files: Sequence[Path], ask: Asked, paths: Paths) -> ReadColumns:
    """Return the same from copies with line ends of one sort: mixed ones the engine can't read."""
    delimiter, names = head(files[0])
    copies = []
    for file in files:
        known, copy = paths.copied(file)
        with (
            file.open(encoding="utf-8-sig", newline="") as old,
            copy.open("w", encoding="utf-8", newline="") as new,
            _cells_of_any_length(),
        ):
            rows = csv.reader(old, delimiter=delimiter, strict=True)
            csv.writer(new, delimiter=delimiter, lineterminator="\n").writerows(row for row in rows if row)
        copies.append(known)
    return _read(names, delimiter, copies, ask, paths)[0]


def _read(
    names: Sequence[str], delimiter: str, files: Sequence[str], ask: Asked, paths: Paths
) -> tuple[ReadColumns, int]:
    """Return the SQL of the rows, and the bytes of their lines. The files are read once, and what is in them is kept
    with its types, in memory or as Parquet: whatever looks at them does so many times.

    Columns have the types that the first rows show; where other rows don't keep to these, their classes are told, and
    the files are read again.
    """
    cells, typed = [f"c{n}" for n in range(len(names))], [f"t{n}" for n in range(len(names))]
    listed = ", ".join(f"{cell}: 'VARCHAR'" for cell in cells)
    text, parquet = CSV.call(files, delim=literal(delimiter), columns=f"{{{listed}}}"), paths.made(".parquet")
    small = sum(os.stat(file).st_size for file in files) <= SMALL
    table = quoted(parquet) if small else PARQUET.call([parquet], union_by_name="false")
    bits, rows, size, odd = first(cells, text, ask, of_cell), 0, 0, 1
    while odd:
        kinds = [type_of(one).kind for one in bits]
        rows_of = f"(SELECT *, {', '.join(map(_cast, cells, kinds, typed))} FROM {text})"
        kept = every(list(map(keeps, cells, typed, bits)))
        written = [f"CAST({one} AS {WRITTEN.get(kind, kind)}) AS {one}" for one, kind in zip(typed, kinds, strict=True)]
        looked = f"strlen(concat({', '.join(cells)})) AS size, {kept} AS kept"
        rows_kept = f"SELECT {', '.join(written)}, {looked} FROM {rows_of}"
        to_disk = f"COPY ({rows_kept}) TO {literal(parquet)} (FORMAT parquet)"
        ask(f"CREATE OR REPLACE TEMP TABLE {table} AS {rows_kept}" if small else to_disk)
        totals = ask(f"SELECT count(*), coalesce(sum(size), 0), count(*) FILTER (NOT kept) FROM {table}")
        rows, size, odd = (int(str(one)) for one in totals[0])
        if odd:
            more, _ = bits_of(cells, f"(SELECT * FROM {rows_of} WHERE NOT ({kept}))", ask, of_cell)
            bits = [one | other for one, other in zip(bits, more, strict=True)]
    named = ", ".join(map(_cast, typed, kinds, map(quoted, names)))
    dated = {name: dated for name, one in zip(names, bits, strict=True) if (dated := type_of(one).dated)}
    return ReadColumns(sql=f"(SELECT {named} FROM {table})", dated=dated, rows=rows), size + rows * len(names)


def _cast(value: str, kind: str, name: str) -> str:
    return f"TRY_CAST({value} AS {kind}) AS {name}"


def _all_told(files: Sequence[Path], size: int) -> bool:
    """Tell whether headers and lines of ``size`` bytes, each with one for its end, are all that is in the files. If so
    no cell is hidden; if not, there are quotes, other line ends, or an empty cell too many that the engine dropped."""
    for file in files:
        with file.open("rb") as data:
            size += len(data.readline(LONGEST))
            data.seek(-1, os.SEEK_END)
            size -= data.read() != b"\n"
    return size == sum(file.stat().st_size for file in files)


def _may_end_in(file: Path, delimiter: str, width: int) -> bool:
    """Tell whether a row may have one cell too many, an empty one at its end: the engine would drop it."""
    mark = delimiter.encode()
    with file.open("rb") as data:
        blocks = iter(lambda: data.read(_BLOCK), b"")
        tail, hit = b"", False
        for block in blocks:
            joined = tail + block
            hit = hit or any(mark + end in joined for end in (b"\n", b"\r")) or mark + b'""' in joined
            tail = joined[-4:]
        if not (hit or tail.endswith(mark)):
            return False
        data.seek(0)
        for line in data:
            bare = line.rstrip(b"\r\n")
            if b"\r" in bare or (bare.endswith((mark, b'""')) and (b'"' in bare or bare.count(mark) >= width)):
                return True
    return False


def fault(file: Path) -> tuple[str, str] | None:
    """Return what is wrong with a file, with its line and without its values, and how to fix it; None where nothing
    is."""
    try:
        delimiter, names = head(file)
        with file.open(encoding="utf-8-sig", newline="") as text, _cells_of_any_length():
            reader = csv.reader(text, delimiter=delimiter, strict=True)
            next(reader, [])
            try:
                for row in reader:
                    if row and len(row) != len(names):
                        return (
                            f"line {reader.line_num} has {counted(len(row), 'field')}, the header {len(names)}",
                            WIDTH,
                        )
            except csv.Error as error:
                told = str(error).replace("field limit", "limit of bytes of a cell")
                return f"line {reader.line_num}: {told}", 'Write a quote within a quoted cell twice: "".'
    except UnicodeDecodeError:
        return _encoding(file), UTF8
    except GatesError as error:
        return error.what.removeprefix(f"{file.name}: "), error.hint or UTF8
    return None


def _encoding(file: Path) -> str:
    """Return what is said of a file that is no UTF-8 text: the line, or that it is UTF-16."""
    with file.open("rb") as data:
        if data.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            return "it is UTF-16 text, not UTF-8"
        data.seek(0)
        for number, line in enumerate(data, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return f"line {number} is not UTF-8 text"
    return "it is not UTF-8 text"
