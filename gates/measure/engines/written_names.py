"""Keep names of columns and files as the data has them, not as the engine would change them."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from gates.errors import GatesError

_SPECIAL = set("*?[]{}\\")  # to the engine


def refuse_twins(path: str, names: Sequence[str]) -> None:
    """Raise ``GatesError`` for names that differ only in case or blanks, and for columns without a name: the engine
    would give them names of its own, and nobody would know."""
    first: dict[str, int] = {}
    for number, name in enumerate(names):
        key = name.strip().lower()
        if not name:
            hint = "Give it a name, or leave it out: in pandas to_csv(index=False), in R row.names=FALSE."
            raise GatesError(f"{path}: column {number + 1} has no name", hint=hint)
        if key in first:
            other, places = names[first[key]], f"columns {first[key] + 1} and {number + 1}"
            what = f"the column {name} occurs twice: {places}"
            if other != name:
                what = f"{places} are {other!r} and {name!r}, which differ only in case or blanks"
            raise GatesError(f"{path}: {what}", hint="Give each column a unique name.")
        first[key] = number


def found(root: Path, path: str) -> list[Path]:
    """Return the files that a path beside ``root`` names: the one that is called so, or else those that match it as a
    glob, sorted."""
    literal = Path(root, path)
    if literal.is_file():
        return [literal]
    matched = sorted(glob.glob(path, root_dir=root, recursive=True))
    return [file for one in matched if (file := Path(root, one)).is_file()]


class Paths:
    """The paths by which the engine opens files: each names one file and is no pattern to it."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._files: dict[str, Path] = {}

    def of(self, file: Path) -> str:
        """Return the path of a file, or of a link to it where the engine would take its name for a pattern."""
        whole = os.path.abspath(file)
        if not _SPECIAL & set(whole):
            return whole
        link = os.path.join(self._folder, f"{len(self._files)}{file.suffix.lower()}")
        os.symlink(whole, link)
        self._files[link] = file
        return link

    def copied(self, file: Path) -> tuple[str, Path]:
        """Return the path of a copy that is to be made of a file, twice."""
        copy = os.path.join(self._folder, f"{len(self._files)}{file.suffix.lower()}")
        self._files[copy] = file
        return copy, Path(copy)

    def made(self, suffix: str) -> str:
        """Return the path of a file that is to be made."""
        path = os.path.join(self._folder, f"{len(self._files)}{suffix}")
        self._files[path] = Path(path)
        return path

    def own(self, path: str) -> Path:
        """Return the file that the engine knows by a path."""
        return self._files.get(path, Path(path))

    def told(self, message: str) -> str:
        """Return a message of the engine's with the files' own names."""
        for link, file in self._files.items():
            message = message.replace(link, str(file))
        return message
