"""Make and open parcels: a tar that depends on names and contents alone, named by its SHA-256."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gates.errors import GatesError
from gates.launch import inside
from gates.system import files

MOST_FILES = 10_000
LARGEST = 16 * 2**30  # bytes of a parcel: more than a hosted runner's disk has to spare
CODE_FILES = 100_000  # of a checkout


@contextmanager
def packed(contents: Iterable[tuple[str, Path]], beside: Path) -> Iterator[tuple[Path, str]]:
    """Give a tar of plain files, by their names in it, and its SHA-256; it is gone afterwards."""
    handle, name = tempfile.mkstemp(dir=beside, prefix=".parcel-")
    os.close(handle)
    target = Path(name)
    try:
        named = [(_text(name, path), path) for name, path in contents]
        yield target, inside.pack(named, target)
    finally:
        target.unlink(missing_ok=True)


def _text(name: str, path: Path) -> str:
    if not name.isprintable() or not files.is_plain(path):
        raise GatesError("is not a plain file with a plain name", where=ascii(name))
    return name


def below(folder: Path, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """Yield each file below a folder with its name in a parcel. Raises ``GatesError`` for links and special files."""
    try:
        for name, path in inside.plain_files(folder):
            yield prefix + name, Path(path)
    except inside.TroubleError as error:
        raise GatesError(str(error).replace("$GATES_OUT ", ""), where=str(folder)) from error


def opened(tar: Path, folder: Path, where: str) -> None:
    """Lay a parcel's files into a fresh folder. Raises ``GatesError``, with the folder gone, where it is none."""
    try:
        inside.unpack(tar, folder, MOST_FILES, LARGEST)
    except inside.TroubleError as error:
        files.remove(folder)
        raise GatesError(f"what the job left {error}", where=where) from error
