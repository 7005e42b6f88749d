"""A branch without history: each change is a commit without a parent, which takes the place of the one before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from gates.errors import Exit, GatesError
from gates.system.git import Git, RemoteError, failed
from gates.system.retries import retried


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of the branch: its object, and its size in bytes."""

    id: str
    size: int


Tree = Mapping[str, Blob]  # path -> file
ROUNDS = 6  # of writing
HINT = (
    "Give the job, and the job that calls it, `contents: write`, and let no rule of the repository protect the branch."
)


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
            raise failed(fetch, done.stderr, RemoteError)
        return self.git.resolve(seen)

    def seen(self) -> str | None:
        """Find the commit that this clone knows of, without asking anybody."""
        if not self.git.folder.is_dir():
            return None
        theirs = (f"refs/gates/{self.name}", f"refs/remotes/{self.remote}/{self.name}") if self.remote else ()
        return next(filter(None, map(self.git.resolve, (*theirs, self.ref))), None)

    def files(self, commit: str | None) -> dict[str, Blob]:
        """List the plain files of a commit. Their paths are what somebody has pushed: they may lead anywhere."""
        if commit is None:
            return {}
        blobs: dict[str, Blob] = {}
        for line in self.git.run("ls-tree", "-r", "-l", "-z", "--full-tree", commit).split("\0"):
            about, _, path = line.partition("\t")
            mode, object_type, name, size = about.split() if path else ("", "", "", "")
            if object_type == "blob" and mode == "100644":
                blobs[path] = Blob(name, int(size))
        return blobs

    def blob(self, data: bytes) -> Blob:
        """Store bytes as an object of the repository."""
        if not self.git.folder.exists():
            self.git.run("init", "--quiet", "--bare", str(self.git.folder))
        return Blob(self.git.run("hash-object", "-w", "--stdin", data=data), len(data))

    def read(self, blobs: Sequence[Blob]) -> list[bytes]:
        """Read the bytes of many objects, through one process. Raises ``GatesError`` where one is missing."""
        with self.git.objects() as objects:
            found = [data for data in objects.all([blob.id for blob in blobs]) if data is not None]
        if len(found) < len(blobs):
            raise GatesError("an object is missing", where=self.name, exit_code=Exit.OUTSIDE)
        return found

    def change(self, change: Callable[[dict[str, Blob]], Mapping[str, Blob]], message: str) -> None:
        """Change the files; where somebody else was faster, look and change again.

        Raises ``RemoteError`` where the branch can't be written.
        """

        def attempt() -> None:
            old = self.newest()
            self._swap(old, self._commit(change(self.files(old)), message))

        try:
            retried(attempt, RemoteError, tries=ROUNDS)
        except RemoteError as error:
            error.hint = HINT
            raise

    def _swap(self, old: str | None, new: str) -> None:
        """Replace the commit ``old``. Raises ``RemoteError`` where it is no longer the newest, or can't be replaced."""
        swap: tuple[str, ...]
        if self.remote is None:
            swap = ("update-ref", self.ref, new, old or "0" * len(new))
        else:
            lease = f"--force-with-lease={self.ref}:{old or ''}"
            swap = ("push", "--quiet", "--no-verify", lease, self.remote, f"{new}:{self.ref}")
        done = self.git.ask(*swap, network=self.remote is not None)
        if done.returncode and self.newest() != new:  # an answer may be lost though the branch was moved
            raise failed(swap, done.stderr, RemoteError)

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
