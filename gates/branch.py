"""The policy that counts: as it stands on the default branch, not as it lies in the work tree."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gates import files
from gates.errors import Exit, GatesError
from gates.git import Git, repository
from gates.ledger import BRANCH, TIME
from gates.policy import Bound
from gates.policy.read import read
from gates.record import PolicyRef
from gates.workspace import Workspace

USUAL = ("main", "master", "trunk")
FETCHED = "fetch it (actions/checkout with fetch-depth: 0), or name it: git remote set-head origin --auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """The policy with its contract, and where it stood. ``elsewhere``: the branch that this run is of, where it is a
    GitHub run of another one than the default branch."""

    bound: Bound
    ref: PolicyRef
    elsewhere: str | None


def trusted(workspace: Workspace, environ: Mapping[str, str]) -> Trusted:
    """The policy of the default branch; outside a repository, the file as it lies there.

    Raises ``GatesError`` where that branch can't be told or has no such policy, and with every mistake in it.
    """
    found = repository(workspace.root, environ)
    if found is None:
        bound = workspace.load()
        ref = PolicyRef(digest=bound.digest, path=workspace.policy.name, branch=None, commit=None, committed_at=None)
        return Trusted(bound=bound, ref=ref, elsewhere=None)
    git, top = found
    name, commit, elsewhere = _default(git, environ)
    path = workspace.policy.resolve().relative_to(top.resolve()).as_posix()
    bound = at(git, commit, path, f"{path} on {name}")
    made = datetime.fromtimestamp(int(git.run("show", "--no-patch", "--format=%ct", commit)), UTC).strftime(TIME)
    ref = PolicyRef(digest=bound.digest, path=path, branch=name, commit=commit, committed_at=made)
    return Trusted(bound=bound, ref=ref, elsewhere=elsewhere)


def at(git: Git, commit: str, path: str, name: str) -> Bound:
    """The policy at a path of a commit, with the contract beside it in that commit."""

    def blob(inside: str) -> bytes:
        done = git.ask("cat-file", "blob", f"{commit}:{posixpath.normpath(inside)}")
        if done.returncode:
            raise GatesError(f"is not in commit {commit[:12]}", where=name, mend="Commit it, and merge it there.")
        if len(done.stdout) > files.LARGEST:
            raise GatesError(f"is larger than {files.LARGEST // 2**20} MiB", where=name)
        return done.stdout

    return read(blob(path), name, lambda beside: blob(posixpath.join(posixpath.dirname(path), beside)))


def _default(git: Git, environ: Mapping[str, str]) -> tuple[str, str, str | None]:
    """The default branch, the commit of it that counts, and the branch of this run where that is another."""
    name = _of_event(environ)
    if name and environ.get("GITHUB_REF") == f"refs/heads/{name}" and git.resolve(f"{environ.get('GITHUB_SHA')}^{{}}"):
        return name, str(environ["GITHUB_SHA"]), None
    elsewhere = environ.get("GITHUB_REF") if environ.get("GITHUB_ACTIONS") == "true" else None
    origin = git.run("symbolic-ref", "--quiet", "refs/remotes/origin/HEAD", fails=False)
    name = name or origin.removeprefix("refs/remotes/origin/") or _only(git)
    for ref in (f"refs/remotes/origin/{name}", f"refs/heads/{name}"):
        commit = git.resolve(f"{ref}^{{commit}}")
        if commit:
            return name, commit, elsewhere if elsewhere != f"refs/heads/{name}" else None
    raise GatesError(
        f"the default branch {name or ''} is not here".replace("  ", " "),
        where="git",
        mend=f"The policy that counts is the one on it: commit it there, or {FETCHED}.",
        exit_code=Exit.INPUT,
    )


def _of_event(environ: Mapping[str, str]) -> str | None:
    """What GitHub's event says."""
    if environ.get("GITHUB_ACTIONS") != "true":
        return None
    try:
        event = json.loads(files.read(Path(environ.get("GITHUB_EVENT_PATH", "")), "It names the event's file."))
        name = event["repository"]["default_branch"]
    except (GatesError, ValueError, KeyError, TypeError):
        return None
    return name if isinstance(name, str) else None


def _only(git: Git) -> str:
    """Where no remote tells: the branch with a usual name, or the only one there is."""
    here = git.run("for-each-ref", "--format=%(refname:short)", "refs/heads").split()
    remote = git.run("for-each-ref", "--format=%(refname:lstrip=3)", "refs/remotes/origin").split()
    names = [name for name in dict.fromkeys((*remote, *here)) if name not in (BRANCH, "HEAD")]
    usual = [name for name in USUAL if name in names]
    return usual[0] if usual else names[0] if len(names) == 1 else ""
