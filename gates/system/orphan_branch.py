"""A branch without history: each change is a commit without a parent, which takes the place of the one before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from gates.errors import Exit, GatesError
from gates.system.git import Git, failed


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of the branch: its object, and its size in bytes."""

    id: str
    size: int


ROUNDS = 8  # of writing, each after somebody else was faster
Tree = Mapping[str, Blob]  # path -> file


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanBranch:
    """A branch in the remote of a repository, or in the repository alone where ``remote`` is None."""

    git: Git
    remote: str | None
    name: str

    @property
    def ref(self) -> str:
        """The branch by its full name."""
        return f"refs/heads/{self.name}"

    def newest(self) -> str | None:
        """Find the newest commit, fetched; None where there is no such branch."""
        if self.remote is None:
            return self.git.resolve(self.ref) if self.git.folder.is_dir() else None
        seen = f"refs/gates/{self.name}"
        fetch = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", self.remote, f"+{self.ref}:{seen}")
        done = self.git.ask(*fetch, network=True)
        if done.returncode and b"couldn't find remote ref" in done.stderr:
            return None
        if done.returncode:
            raise failed(fetch, done.stderr)
        return self.git.resolve(seen)

    def files(self, commit: str | None) -> dict[str, Blob]:
        """List the plain files of a commit. Raises ``GatesError`` for a path that no folder may hold."""
        if commit is None:
            return {}
        found: dict[str, Blob] = {}
        for line in self.git.run("ls-tree", "-r", "-l", "-z", "--full-tree", commit).split("\0"):
            about, _, path = line.partition("\t")
            mode, kind, name, size = about.split() if path else ("", "", "", "")
            if kind == "blob" and mode == "100644":
                if not path.isprintable() or {"..", ".", ""} & set(path.split("/")) or "\\" in path:
                    raise GatesError(f"{path!r} is not a path that gates writes", where=self.name)
                found[path] = Blob(name, int(size))
        return found

    def blob(self, data: bytes) -> Blob:
        """Store bytes as an object of the repository."""
        if not self.git.folder.exists():
            self.git.run("init", "--quiet", "--bare", str(self.git.folder))
        return Blob(self.git.run("hash-object", "-w", "--stdin", data=data), len(data))

    def read(self, blob: Blob) -> bytes:
        """Read an object's bytes."""
        done = self.git.ask("cat-file", "blob", blob.id)
        if done.returncode:
            raise failed(("cat-file",), done.stderr)
        return done.stdout

    def change(self, change: Callable[[dict[str, Blob]], Mapping[str, Blob]], message: str) -> None:
        """Change the files, and look again where somebody else was faster."""
        for _ in range(ROUNDS):
            old = self.newest()
            new = self._commit(change(self.files(old)), message)
            if self._swap(old, new):
                return
        raise GatesError(
            f"{self.name} was changed by others each time it was to be changed here",
            where="git",
            hint="Start again when fewer promotions run.",
            exit_code=Exit.OUTSIDE,
        )

    def _swap(self, old: str | None, new: str) -> bool:
        """Replace the commit ``old``; False where it is no longer the newest."""
        if self.remote is None:
            return self.git.ask("update-ref", self.ref, new, old or "0" * len(new)).returncode == 0
        lease = f"--force-with-lease={self.ref}:{old or ''}"
        done = self.git.ask("push", "--quiet", "--no-verify", lease, self.remote, f"{new}:{self.ref}", network=True)
        if done.returncode == 0 or self.newest() == new:  # an answer may be lost though the branch was moved
            return True
        if b"stale info" in done.stderr or b"fetch first" in done.stderr or b"cannot lock ref" in done.stderr:
            return False
        error = failed(("push",), done.stderr)
        error.hint = (
            f"Give the job `contents: write`, and let no rule of the repository protect the branch {self.name}."
        )
        raise error

    def _commit(self, files: Tree, message: str) -> str:
        return self.git.run("commit-tree", self._tree(files), data=f"{message}\n".encode())

    def _tree(self, files: Tree) -> str:
        """Write a folder with all below it."""
        below: dict[str, dict[str, Blob]] = {}
        lines = []
        for path, blob in files.items():
            first, *rest = PurePosixPath(path).parts
            if rest:
                below.setdefault(first, {})["/".join(rest)] = blob
            else:
                lines.append(f"100644 blob {blob.id}\t{first}\0")
        lines += [f"040000 tree {self._tree(inside)}\t{name}\0" for name, inside in below.items()]
        return self.git.run("mktree", "-z", data="".join(lines).encode())
