"""CSV and TSV files -> SQL that reads them, as they are written: the engine is left to guess nothing but types."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from gates.contract.columns import literal, quoted

DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"([^"]|"")*"')
# The engine would otherwise skip lines until those that are left look alike.
FORM = "header = true, quote = '\"', escape = '\"', comment = '', skip = 0, null_padding = false, strict_mode = true"
GUESS = "sample_size = -1, files_to_sniff = -1"  # types are those of all rows
Asked = Callable[[str], Sequence[Sequence[object]]]  # a query -> its rows


def header_of(file: Path) -> list[str]:
    """The names in the first line, of which there are none in an empty file."""
    with file.open(encoding="utf-8-sig", newline="") as text:
        return next(csv.reader(text, delimiter=_delimiter(text)), [])


def source(files: Sequence[Path], ask: Asked) -> str:
    """SQL that reads files of one header. Raises ``csv.Error`` where they, or their rows, have other columns.

    Types are guessed once, and then named: a view would guess them at every look.
    """
    header = header_of(files[0])
    other = next((file.name for file in files if header_of(file) != header), None)
    if other:
        raise csv.Error(f"the header of {other} is not that of {files[0].name}")
    with files[0].open(encoding="utf-8-sig", newline="") as text:
        delimiter = _delimiter(text)
    listed = ", ".join(literal(str(file)) for file in files)
    reader = f"read_csv([{listed}], delim = {literal(delimiter)}, {FORM}"
    kinds = {str(row[0]): str(row[1]) for row in ask(f"DESCRIBE SELECT * FROM {reader}, {GUESS})")}
    if len(kinds) != len(header):
        raise csv.Error(f"the header has {len(header)} columns, its rows {len(kinds)}")
    return _typed(reader, {**kinds, **dict.fromkeys(_words(reader, kinds, ask), "VARCHAR")})


def _words(reader: str, kinds: Mapping[str, str], ask: Asked) -> list[str]:
    """Columns that are text after all. The engine guesses Yes and No, or t and f, to be booleans, and days in any
    order of day and month to be dates; here only true and false are, and what is written as in ISO 8601."""
    guessed = [column for column, kind in kinds.items() if kind.startswith(("BOOLEAN", "DATE", "TIME"))]
    if not guessed:
        return []
    tests = ", ".join(f"bool_and({_is(quoted(column), kinds[column])})" for column in guessed)
    (true,) = ask(f"SELECT {tests} FROM {_typed(reader, {**kinds, **dict.fromkeys(guessed, 'VARCHAR')})}")
    return [column for column, is_one in zip(guessed, true, strict=True) if not is_one]


def _is(text: str, kind: str) -> str:
    if kind == "BOOLEAN":
        return f"lower({text}) IN ('true', 'false')"
    return f"{text} IS NULL OR TRY_CAST({text} AS {kind}) IS NOT NULL"


def _typed(reader: str, kinds: Mapping[str, str]) -> str:
    columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in kinds.items())
    return f"{reader}, auto_detect = false, columns = {{{columns}}})"


def fault(file: Path) -> str | None:
    """What is wrong with a file, with its line and without its values; None where nothing is."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, delimiter=_delimiter(text), strict=True)
            width = len(next(reader, []))
            for row in reader:
                if row and len(row) != width:
                    return f"line {reader.line_num} has {len(row)} fields, the header {width}"
    except UnicodeDecodeError:
        return "it is not UTF-8 text; save it as UTF-8"
    except csv.Error as error:
        return str(error)
    return None


def _delimiter(text: TextIO) -> str:
    """The one that parts the first line most often, outside quotes. The text is left at its beginning."""
    first = _QUOTED.sub("", text.readline())
    text.seek(0)
    return max(DELIMITERS, key=first.count)
