"""Copy a CSV holdout without its label, cell for cell, so that a training reads it exactly as it reads its own file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from gates.errors import GatesError
from gates.measure.engines.csv_files import head

SUFFIXES = (".csv", ".tsv")
_LONGEST = 2**31 - 1  # bytes of a cell


def without(files: Sequence[Path], label: str | None, target: Path) -> Path:
    """Write the rows of some files of one header, in their order, less one column, parted as the target's name says."""
    before = csv.field_size_limit(_LONGEST)
    try:
        with target.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, delimiter="\t" if target.suffix == ".tsv" else ",", lineterminator="\n")
            for index, file in enumerate(files):
                delimiter, _ = head(file)
                with file.open(encoding="utf-8-sig", newline="") as text:
                    rows = csv.reader(text, delimiter=delimiter)
                    header = next(rows)
                    at = header.index(label) if label in header else len(header)
                    if not index:
                        writer.writerow(header[:at] + header[at + 1 :])
                    writer.writerows(row[:at] + row[at + 1 :] for row in rows if row)
    except (OSError, UnicodeDecodeError, csv.Error, StopIteration) as error:
        raise GatesError(f"can't be copied without its label: {error}", where=str(target)) from error
    finally:
        csv.field_size_limit(before)
    return target
