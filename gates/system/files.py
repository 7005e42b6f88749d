"""Write files completely or not at all, and identify folders by the digest of their contents."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from gates.errors import GatesError
from gates.schema.canonical import digest
from gates.system.activity import ran

LARGEST = 64 * 2**20  # bytes of an evidence file; evidence is kilobytes to a few megabytes
LFS = b"version https://git-lfs.github.com/spec/v1"
LFS_MOST = 1024  # bytes of a pointer: a few lines
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


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Write several files, all or none: where one can't be written, those before it are as they were.

    Raises ``GatesError`` with the file that can't be written.
    """
    before: dict[Path, bytes | None] = {}
    for path, data in contents.items():
        try:
            before[path] = path.read_bytes() if path.exists() else None
            write(path, data)
        except OSError as error:
            before.pop(path, None)
            for done, old in before.items():
                done.unlink() if old is None else write(done, old)
            raise GatesError(f"can't be written: {error.strerror}", where=str(path)) from error


def read(path: Path, hint: str) -> bytes:
    """Return the bytes of a plain file of at most ``LARGEST``: it may have been handed over by somebody hostile.

    Raises ``GatesError``, with ``hint`` where there is no such file.
    """
    try:
        with ran("file", str(path)), open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise GatesError("is not a plain file", where=str(path))
            data = file.read(LARGEST + 1)
    except OSError as error:
        what = "is a link" if error.errno == errno.ELOOP else f"can't be read: {error.strerror}"
        raise GatesError(what, where=str(path), hint=hint) from error
    if len(data) > LARGEST:
        raise GatesError(f"is larger than {LARGEST // 2**20} MiB", where=str(path))
    return data


def remove(path: Path) -> None:
    """Take away a file, a folder with all that is in it, or a link itself; what is not there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def is_plain(path: Path) -> bool:
    """Tell whether it is a file, and no link to one: what a link leads to could change under the same name."""
    return path.is_file() and not path.is_symlink()


def manifest(folder: Path) -> list[dict[str, str | int]]:
    """Return every file below a folder: path, size and SHA-256, sorted by path.

    Raises ``GatesError`` for links and special files, whose content could change under the same name.
    """
    entries: list[dict[str, str | int]] = []
    for path in sorted(folder.rglob("*"), key=lambda one: one.relative_to(folder).as_posix()):
        name = _told(path.relative_to(folder).as_posix(), folder)
        if not is_plain(path) and (path.is_symlink() or not path.is_dir()):
            raise GatesError(
                f"{name} is a link or a special file; a model may contain plain files only", where=str(folder)
            )
        if is_plain(path):
            entries.append(_entry(name, path.stat().st_size, sha256(path)))
    return entries


def _told(name: str, folder: Path) -> str:
    """Return a file's name for records. Raises ``GatesError`` for one that is not text."""
    if not name.isprintable():
        raise GatesError(
            f"holds a file whose name is not plain text: {os.fsencode(name)!r}",
            where=str(folder),
            hint="Give it a name of printable UTF-8 characters.",
        )
    return name


def folder_digest(folder: Path) -> str:
    """Return the digest of the sorted file manifest of a folder."""
    return digest(manifest(folder))


def digest_of(paths: Iterable[Path], root: Path) -> str:
    """Return the digest that a folder would have with just these files of ``root`` in it."""
    named = sorted((one.relative_to(root).as_posix(), one) for one in paths)
    return digest([_entry(name, one.stat().st_size, sha256(one)) for name, one in named])


def entry(name: str, data: bytes) -> dict[str, str | int]:
    """Return the line of a manifest for a file with these bytes."""
    return _entry(name, len(data), hashlib.sha256(data).hexdigest())


def _entry(name: str, size: int, sha256_: str) -> dict[str, str | int]:
    return {"path": name, "size": size, "sha256": sha256_}


def sha256(path: Path) -> str:
    """Return the hex SHA-256 of a file."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            hasher.update(block)
    return hasher.hexdigest()


def lfs(path: Path) -> str | None:
    """Return the object that a Git LFS pointer names; None for a file that is none."""
    if not path.is_file() or path.stat().st_size > LFS_MOST:
        return None
    return lfs_object(path.read_bytes())


def lfs_object(data: bytes) -> str | None:
    """Return the object that bytes name if they are a Git LFS pointer."""
    lines = data.splitlines() if len(data) <= LFS_MOST else []
    if not lines or lines[0] != LFS:
        return None
    return next((line.split()[1].decode(errors="replace") for line in lines if line.startswith(b"oid ")), None)
