"""Files: written whole or not at all; folders told by the digest of what is in them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from gates.canonical import digest
from gates.errors import GatesError

_BLOCK = 1 << 20


def write(path: Path, data: bytes) -> None:
    """Write beside the target and rename, so that nobody ever reads a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def read(path: Path, mend: str) -> bytes:
    """The bytes of a file that an earlier step wrote. Raises ``GatesError`` with ``mend`` where it is not there."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise GatesError(f"can't be read: {error.strerror}", where=str(path), mend=mend) from error


def manifest(folder: Path) -> list[dict[str, str | int]]:
    """Every file below a folder: path, size and SHA-256, sorted by path.

    Raises ``GatesError`` for links and special files, whose content could change under the same name.
    """
    entries: list[dict[str, str | int]] = []
    for path in sorted(folder.rglob("*"), key=lambda one: one.relative_to(folder).as_posix()):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise GatesError(f"{name} is a link or no plain file; a model may hold plain files only", where=str(folder))
        if path.is_file():
            entries.append({"path": name, "size": path.stat().st_size, "sha256": _sha256(path)})
    return entries


def folder_digest(folder: Path) -> str:
    """Digest of the sorted file manifest of a folder."""
    return digest(manifest(folder))


def _sha256(path: Path) -> str:
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            hasher.update(block)
    return hasher.hexdigest()
