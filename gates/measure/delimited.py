"""CSV and TSV files -> SQL that reads them, as they are written: the engine is left to guess nothing but types."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

from gates.contract.columns import literal, quoted

DELIMITERS = ",;\t|"
# The engine would otherwise skip lines until those that are left look alike; types are those of all rows.
OPTIONS = (
    "header = true, quote = '\"', escape = '\"', comment = '', skip = 0, null_padding = false, strict_mode = true, "
    "sample_size = -1, files_to_sniff = -1"
)
Asked = Callable[[str], Sequence[Sequence[object]]]  # a query -> its rows


def header_of(file: Path) -> list[str]:
    """The names in the first line, of which there are none in an empty file."""
    with file.open(encoding="utf-8-sig", newline="") as text:
        first = text.readline()
    return next(csv.reader([first], delimiter=_delimiter(first)), []) if first.strip() else []


def source(files: Sequence[Path], ask: Asked) -> str:
    """SQL that reads files of one header. Raises ``csv.Error`` where rows are wider than it."""
    with files[0].open(encoding="utf-8-sig", newline="") as text:
        delimiter = _delimiter(text.readline())
    listed = ", ".join(literal(str(file)) for file in files)
    reader = f"read_csv([{listed}], delim = {literal(delimiter)}, {OPTIONS}"
    kinds = {str(row[0]): str(row[1]) for row in ask(f"DESCRIBE SELECT * FROM {reader})")}
    width = len(header_of(files[0]))
    if len(kinds) != width:
        raise csv.Error(f"the header has {width} columns, its rows {len(kinds)}")
    words = _words(reader, [name for name, kind in kinds.items() if kind == "BOOLEAN"], ask)
    return f"{reader}, types = {_varchar(words)})" if words else f"{reader})"


def _words(reader: str, guessed: list[str], ask: Asked) -> list[str]:
    """The engine guesses Yes and No, or t and f, to be booleans; in a CSV only true and false are."""
    if not guessed:
        return []
    tests = ", ".join(f"bool_and(lower({quoted(column)}) IN ('true', 'false'))" for column in guessed)
    (true,) = ask(f"SELECT {tests} FROM {reader}, types = {_varchar(guessed)})")
    return [column for column, is_boolean in zip(guessed, true, strict=True) if not is_boolean]


def _varchar(columns: list[str]) -> str:
    return "{" + ", ".join(f"{literal(column)}: 'VARCHAR'" for column in columns) + "}"


def fault(file: Path) -> str | None:
    """What is wrong with a file, with its line and without its values; None where nothing is."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            first = text.readline()
            text.seek(0)
            reader = csv.reader(text, delimiter=_delimiter(first), strict=True)
            width = len(next(reader, []))
            for row in reader:
                if row and len(row) != width:
                    return f"line {reader.line_num} has {len(row)} fields, the header {width}"
    except UnicodeDecodeError:
        return "it is not UTF-8 text; save it as UTF-8"
    except csv.Error as error:
        return str(error)
    return None


def _delimiter(first: str) -> str:
    """The one that parts the header most often."""
    return max(DELIMITERS, key=first.count)
