"""Check data against its pointers in git: those of DVC, in ``.dvc`` files and ``dvc.lock``, and those of Git LFS.

A pointer names the bytes of a file. Where the file is another one, nobody who checks the commit out would get the data
that were judged: that is an error.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gates.errors import GatesError
from gates.schema.canonical import digest
from gates.schema.yaml_text import parse
from gates.system import files
from gates.system.git import Git

LOCK = "dvc.lock"
UNCHECKED = ("etag", "checksum", "cloud")  # hashes that only a storage service can make
FOLDER = ".dir"  # behind the hash of a folder's listing
MANY = 8  # pointers that are recorded one by one
_BLOCK = 1 << 20  # DVC's own, too: its old hash tells text from binary a block at a time
_PRINTABLE = bytes(range(32, 127)) + b"\n\r\t\f\b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """One entry of a DVC file: what it says of a path."""

    file: Path
    path: Path
    says: Mapping[str, Any]

    @property
    def told(self) -> str:
        """As a record writes it: ``dvc:md5:...``."""
        kind = next((one for one in ("md5", *UNCHECKED) if one in self.says), "files")
        value = self.says.get(kind)
        return f"dvc:{kind}:{value if isinstance(value, str) else digest(value)}"


def of(root: Path, pattern: str, checkout: tuple[Git, Path] | None, *, lfs: bool = True) -> str | None:
    """Give what pointers say of the files that a path, folder or glob names, after holding the files to them; None
    where there are none. Without ``lfs`` only DVC's are looked at.

    Raises ``GatesError`` for a file that is not what its pointer names, and for a pointer that can't be read.
    """
    paths, pointers = named(root, pattern), set[str]()
    top = checkout[1].resolve() if checkout else root.resolve()
    for out, of_it in _covering(paths, top):
        _hold(out, of_it, root)
        pointers.add(out.told)
    if lfs:
        pointers |= {f"lfs:{oid}" for oid in (_lfs(path, checkout) for path in paths) if oid}
    return (
        f"{len(pointers)} pointers:{digest(sorted(pointers))}"
        if len(pointers) > MANY
        else " ".join(sorted(pointers)) or None
    )


def named(root: Path, pattern: str) -> list[Path]:
    """Return the files that a path, folder or glob names, sorted."""
    whole = Path(pattern)
    start, rest = (Path(whole.anchor), str(whole.relative_to(whole.anchor))) if whole.is_absolute() else (root, pattern)
    literal = root / pattern
    places = [literal] if literal.exists() else sorted(start.glob(rest)) if rest not in ("", ".") else [start]
    return [
        one for place in places for one in ([place] if place.is_file() else sorted(place.rglob("*"))) if one.is_file()
    ]


# -- DVC --


def _covering(paths: list[Path], top: Path) -> Iterator[tuple[Out, list[Path]]]:
    """Yield what the DVC files beside these paths, and above them, say of them or of a folder that they are in."""
    places = [Path(os.path.abspath(path)) for path in paths]  # as written: DVC itself may have put a link there
    for folder in dict.fromkeys(one for place in places for one in _above(place, top)):
        below = [place for place in places if folder in place.parents]
        for file in (*sorted(folder.glob("*.dvc")), folder / LOCK):
            for out in _outs(file, below) if file.is_file() else ():
                if of_it := [place for place in below if out.path in (place, *place.parents)]:
                    yield out, of_it


def _above(place: Path, top: Path) -> Iterator[Path]:
    """Yield the folders from a file's own up to the repository's; of a file elsewhere its own alone."""
    for folder in place.parents:
        yield folder
        if folder.resolve() == top or not folder.resolve().is_relative_to(top):
            return


def _outs(file: Path, below: list[Path]) -> Iterator[Out]:
    """Yield the entries of a DVC file. One that can't be read is none of our business unless it may be about our
    files."""
    data = file.read_bytes()
    try:
        value = parse(data, str(file)).value
    except GatesError as error:
        starts = {place.relative_to(file.parent).parts[0] for place in below}
        if any(os.fsencode(one) in data or file.name == f"{one}.dvc" for one in starts):
            error.hint = "It names the data of this commit. Write it again with dvc add or dvc commit."
            raise
        return
    stages = value.get("stages") if file.name == LOCK and isinstance(value, dict) else {"": value}
    for stage in (stages or {}).values():
        listed = stage.get("outs") if isinstance(stage, dict) else None
        for says in listed if isinstance(listed, list) else []:
            if isinstance(says, dict) and isinstance(says.get("path"), str):
                path = os.path.normpath(file.parent / str(stage.get("wdir", ".")) / says["path"])
                yield Out(file=file, path=Path(path), says=says)


def _hold(out: Out, places: list[Path], root: Path) -> None:
    """Hold files to an entry that names one of them, or a folder that they are in."""
    wanted, old = out.says.get("md5"), out.says.get("hash") is None  # without: of before DVC 3
    if isinstance(out.says.get("files"), list):
        _hold_listed({one.get("relpath"): one for one in out.says["files"] if isinstance(one, dict)}, out, places, root)
    elif isinstance(wanted, str) and wanted.endswith(FOLDER):
        kept = _cached(out.path, wanted)
        if kept is None:
            _hold_folder(out, wanted, root, old=old)
        else:
            _hold_listed({name: {**out.says, "md5": md5} for name, md5 in kept.items()}, out, places, root)
    else:
        _hold_listed({".": out.says}, out, places, root)


def _hold_listed(listed: Mapping[Any, Mapping[str, Any]], out: Out, places: list[Path], root: Path) -> None:
    """Hold files to what is said of each."""
    for file in places:
        says = listed.get(file.relative_to(out.path).as_posix(), {})
        wanted = says.get("md5")
        if wanted is None and any(one in says for one in UNCHECKED):
            continue
        md5 = _md5(file, old=says.get("hash") is None)
        if wanted != md5:
            raise _differs(file, out, root, f"md5 {wanted}; its own is {md5}" if wanted else "no hash of it")


def _hold_folder(out: Out, wanted: str, root: Path, *, old: bool) -> None:
    """Hold a folder to the hash of its listing."""
    made = _listing({one.relative_to(out.path).as_posix(): _md5(one, old=old) for one in named(out.path, ".")})
    if made != wanted:
        raise _differs(out.path, out, root, f"md5 {wanted}, of its files' listing; its own is {made}")


def _listing(entries: Mapping[str, str]) -> str:
    """Return DVC's hash of a folder: that of JSON with each file's path and hash, sorted by path."""
    listed = [{"md5": md5, "relpath": name} for name, md5 in sorted(entries.items())]
    return hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + FOLDER


def _cached(folder: Path, wanted: str) -> dict[str, str] | None:
    """Return a folder's listing out of DVC's cache, path to hash, if it is there and is the one that the hash names."""
    top = next((one for one in folder.parents if (one / ".dvc").is_dir()), None)
    if top is None:
        return None
    for cache in (top / ".dvc/cache/files/md5", top / ".dvc/cache"):
        file = cache / wanted[:2] / wanted[2:]
        if file.is_file():
            data = file.read_bytes()
            same = hashlib.md5(data, usedforsecurity=False).hexdigest() + FOLDER == wanted
            return {one["relpath"]: one["md5"] for one in json.loads(data)} if same else None
    return None


def _md5(path: Path, *, old: bool) -> str:
    """Return a file's hash as DVC makes it; ``old``: as before DVC 3, for which a text's two kinds of line ends were
    alike."""
    hasher = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            hasher.update(block.replace(b"\r\n", b"\n") if old and _is_text(block[:512]) else block)
    return hasher.hexdigest()


def _is_text(start: bytes) -> bool:
    """Tell whether DVC took a block for text: no null byte, and at most three tenths beyond printable ASCII."""
    return b"\0" not in start and len(start.translate(None, _PRINTABLE)) <= 0.3 * len(start)


def _differs(place: Path, out: Out, root: Path, says: str) -> GatesError:
    return GatesError(
        f"is not what {os.path.relpath(out.file, root)} names ({says})",
        where=os.path.relpath(place, root),
        hint="Run dvc pull to get the data it names, or dvc add if you changed the data on purpose.",
    )


# -- Git LFS --


def _lfs(path: Path, checkout: tuple[Git, Path] | None) -> str | None:
    """Return the object that the committed pointer names, whatever lies in the work tree."""
    oid = files.lfs_object(_committed(path, checkout))
    if oid is None:
        return None
    made = f"sha256:{files.sha256(path)}"
    if made != oid and files.lfs(path) != oid:
        raise GatesError(
            f"is not what its committed Git LFS pointer names ({oid}; its own is {made})",
            where=path.name,
            hint="Run git lfs pull to get the data of the commit, or commit the file if you meant to change it.",
        )
    return oid


def _committed(path: Path, checkout: tuple[Git, Path] | None) -> bytes:
    """Return what the commit holds at a path; empty for nothing, and for more than a pointer's length."""
    if checkout is None or not path.resolve().is_relative_to(checkout[1].resolve()):
        return b""
    git, name = checkout[0], f"HEAD:{path.resolve().relative_to(checkout[1].resolve()).as_posix()}"
    size = git.run("cat-file", "-s", name, fails=False)
    return git.ask("cat-file", "blob", name).stdout if size.isdigit() and int(size) <= files.LFS_MOST else b""
