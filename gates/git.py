"""Git, read only: what files said at a commit. Neither work tree nor index is looked at."""

from __future__ import annotations

import os
import posixpath
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gates.errors import Exit, GatesError

_SECONDS = 120
_WHOLE = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit as seen from a folder of the repository; paths are relative to that folder."""

    root: Path
    sha: str
    folder: str = ""

    def at(self, folder: str) -> Commit:
        """The same commit as seen from a folder further down."""
        return replace(self, folder=posixpath.join(self.folder, folder))

    def file(self, path: str) -> bytes | None:
        """The bytes of a file; None where the commit has none there. Raises ``GatesError`` outside the repository."""
        whole = posixpath.normpath(posixpath.join(self.folder, path))
        if posixpath.isabs(whole) or whole.startswith("../"):
            raise GatesError("lies outside the repository", where=path, mend="Name a file of the repository.")
        return self._blob(whole)

    def files(self, word: str, *patterns: str) -> Iterator[tuple[str, bytes]]:
        """The files of these patterns, anywhere in the repository, that hold a word: path from its root, and bytes."""
        found = _git(self.root, "grep", "-zlFI", "-e", word, self.sha, "--", *patterns)
        for name in os.fsdecode(found.stdout).split("\0")[:-1]:
            path = name.removeprefix(f"{self.sha}:")
            data = self._blob(path)
            if data is not None:
                yield path, data

    def _blob(self, path: str) -> bytes | None:
        done = _git(self.root, "cat-file", "blob", f"{self.sha}:{path}")
        return None if done.returncode else done.stdout


def commit(folder: Path, revision: str) -> Commit:
    """The commit that a revision names, seen from ``folder`` and fetched where it isn't here yet. Raises
    ``GatesError`` where there is none."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top.returncode:
        raise GatesError("is in no git repository", where=str(folder), mend="Name two files instead of commits.")
    root = Path(os.fsdecode(top.stdout).rstrip("\n"))
    sha = _resolved(root, revision)
    if sha is None and _WHOLE.fullmatch(revision):  # a shallow clone lacks it
        _git(root, "fetch", "--quiet", "--depth=1", "--no-tags", "origin", revision)
        sha = _resolved(root, revision)
    if sha is None:
        raise GatesError(
            f"there is no commit {revision} in this repository",
            where="git",
            mend="In a workflow check out with `fetch-depth: 0`; elsewhere fetch it first.",
        )
    inside = folder.resolve().relative_to(root.resolve()).as_posix()
    return Commit(root=root, sha=sha, folder="" if inside == "." else inside)


def _resolved(folder: Path, revision: str) -> str | None:
    done = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return done.stdout.decode().strip() or None


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    command = ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", *arguments]
    try:
        return subprocess.run(  # noqa: S603 -- git, and revisions that stand behind --end-of-options
            command, cwd=folder, env={**os.environ, **quiet}, capture_output=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GatesError("git can't be run, or did not end", where="git", exit_code=Exit.OUTSIDE) from error
