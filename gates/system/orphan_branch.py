"""A branch without history: each change is a commit without a parent, which takes the place of the one before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gates.errors import Exit, GatesError
from gates.system.git import Git, RemoteError, failed
from gates.system.git_commit import write_commit
from gates.system.retries import retried


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of the branch: its object, and its size in bytes; ``data`` while it is not written yet."""

    id: str
    size: int
    data: bytes | None = None

    @classmethod
    def fresh(cls, data: bytes) -> Blob:
        """Return bytes that are written with the next change."""
        return cls("", len(data), data)


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
            files = {
                path: blob.id if blob.data is None else blob.data for path, blob in change(self.files(old)).items()
            }
            self._swap(old, write_commit(self.git, files, f"{message}\n").id)

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
