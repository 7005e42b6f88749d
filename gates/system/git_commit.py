"""Write a commit with all of its files through one process of git."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import fsencode

from gates.errors import Exit, GatesError
from gates.system.git import BY, Git

_WHILE = "refs/gates/being-written"  # the command wants a name: it is gone before anything is written to it
_NOBODY = f"{BY['GIT_COMMITTER_NAME']} <{BY['GIT_COMMITTER_EMAIL']}>"
_QUOTED = {ord("\\"): "\\\\", ord('"'): '\\"', ord("\n"): "\\n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenCommit:
    """A commit that no branch names yet, its tree, and the object of each file by its path."""

    id: str
    tree: str
    blobs: Mapping[str, str]


def write_commit(git: Git, files: Mapping[str, bytes | str], message: str, parent: str | None = None) -> WrittenCommit:
    """Write a commit that holds these files and no others; no branch is moved.

    A file is its bytes, or the object that holds them already. Makes a bare repository where there is none. Raises
    ``GatesError`` where git fails.
    """
    if not git.folder.exists():
        git.run("init", "--quiet", "--bare", str(git.folder))
    fresh = {path: mark for mark, path in enumerate((one for one, data in files.items() if isinstance(data, bytes)), 1)}
    commit = len(fresh) + 1
    stream = b"".join(
        [
            b"feature done\n",
            *(b"blob\nmark :%d\n%s" % (mark, _counted(files[path])) for path, mark in fresh.items()),
            f"commit {_WHILE}\nmark :{commit}\ncommitter {_NOBODY} now\n".encode() + _counted(message),
            f"from {parent}\ndeleteall\n".encode() if parent else b"",
            *(_entry(path, f":{fresh[path]}" if path in fresh else str(data)) for path, data in files.items()),
            *(f"get-mark :{mark}\n".encode() for mark in range(1, commit + 1)),
            f'ls :{commit} ""\n'.encode(),
            f"reset {_WHILE}\nfrom {'0' * 40}\ndone\n".encode(),
        ]
    )
    answers = git.run("fast-import", "--quiet", "--done", "--date-format=now", data=stream).splitlines()
    if len(answers) != commit + 1:
        raise GatesError("fast-import: an unexpected answer", where="git", exit_code=Exit.OUTSIDE)
    held = {path: str(data) for path, data in files.items() if path not in fresh}
    written = {path: answers[mark - 1] for path, mark in fresh.items()}
    return WrittenCommit(id=answers[commit - 1], tree=answers[commit].split()[2], blobs=held | written)


def _counted(data: bytes | str) -> bytes:
    """Return bytes, or text, as the stream has them: their number first."""
    raw = data.encode() if isinstance(data, str) else data
    return b"data %d\n%s\n" % (len(raw), raw)


def _entry(path: str, held: str) -> bytes:
    return f"M 100644 {held} ".encode() + b'"' + fsencode(path.translate(_QUOTED)) + b'"\n'
