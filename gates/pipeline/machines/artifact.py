"""Lay an artifact of an earlier job into the checkout, as data: in a folder of its own, beside the commit's files.

Whoever made the artifact may have been hostile. It is looked at as plain files, within limits, before any is moved.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from gates.errors import GatesError
from gates.pipeline.machines.handover import plain_files
from gates.system.files import folder_digest
from gates.system.git import repository

FOLDER = "artifact-folder"
CLOSED = (".git", ".gates", ".github")  # folders that steer git, gates and GitHub
_HINT = "Name a folder that the commit does not have, such as artifact."


def take(
    source: Path, name: str, root: Path, environ: Mapping[str, str], *, patterns: str = "", digest: str = ""
) -> str:
    """Move what was downloaded into ``source`` to the folder ``name`` below ``root``; return the artifact's digest.

    ``patterns`` are those of a sparse checkout: what they leave out stays out. ``digest``: what an earlier job took
    under this name; a training could have put another artifact there since. ``source`` is gone afterwards, whatever
    happens. Raises ``GatesError``, and lays nothing, where anything is not as data should be.
    """
    try:
        target, names = _free(root, name, environ), _names(source)
        taken = folder_digest(source)
        if digest and digest != taken:
            what = "is not the artifact that the first job took: its digest differs"
            raise GatesError(what, where="artifact", hint="Upload it once, in a job that ends before this workflow.")
        names = [one for one in names if _wanted(f"{name}/{one}", patterns)]
        for one in names:
            (target / one).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(source / one, target / one)
        return taken
    finally:
        shutil.rmtree(source, ignore_errors=True)


def _free(root: Path, name: str, environ: Mapping[str, str]) -> Path:
    """Return where the artifact goes. Raises ``GatesError`` for a folder outside, of a link, or of the commit."""
    path = PurePosixPath(name)
    plain = name == path.as_posix() and name.isprintable() and "\\" not in name
    if not plain or path.is_absolute() or not path.parts or set(path.parts) & {".", ".."} or _closed(path):
        raise GatesError(f"{name!r} is no folder for data", where=FOLDER, hint=_HINT)
    target = root.resolve() / path
    above = [one for one in target.parents if one.is_relative_to(root.resolve()) and os.path.lexists(one)]
    if os.path.lexists(target) or any(one.is_symlink() or not one.is_dir() for one in above):
        raise GatesError(f"{name} is there already, or leads through a file or a link", where=FOLDER, hint=_HINT)
    found = repository(root, environ)
    if found and found[0].run("ls-files", "-z", "--", f":(icase,literal,top){name}"):
        raise GatesError(f"the commit has files in {name}", where=FOLDER, hint=_HINT)
    return target


def _names(source: Path) -> list[str]:
    """Return the files of an artifact. Raises ``GatesError`` for what is not a plain file, for too much, for a name
    that steers something, and for names that differ in case alone."""
    names = sorted(plain_files(source))
    if not names:
        raise GatesError("the artifact is empty", where="artifact")
    folded: dict[str, str] = {}
    for name in names:
        if _closed(PurePosixPath(name)) or "\\" in name:
            raise GatesError(f"{name!r} is not a name for data", where="artifact")
        if (other := folded.setdefault(name.casefold(), name)) != name:
            raise GatesError(f"{other!r} and {name!r} are the same file on some systems", where="artifact")
    return names


def _closed(path: PurePosixPath) -> bool:
    return any(part.casefold() in CLOSED for part in path.parts)


def _wanted(name: str, patterns: str) -> bool:
    from pathspec import PathSpec

    return not patterns.strip() or PathSpec.from_lines("gitwildmatch", patterns.splitlines()).match_file(name)
