"""Read the policy that counts: the default branch's, not the work tree's."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from gates.checkout.workspace import Workspace
from gates.documents.record import LEDGER, PICTURES, REGISTRY, TIME, PolicyRef
from gates.errors import GatesError
from gates.policy import ResolvedPolicy
from gates.policy.policy_file import read
from gates.system import files
from gates.system.git import FETCHED, Git, repository, upstream

USUAL = ("main", "master", "trunk")
OURS = (LEDGER, PICTURES, REGISTRY)  # branches that hold no code


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedPolicy:
    """The policy with its contract, and where it stood. ``elsewhere``: the branch that this run is of, where it is a
    GitHub run of another one than the default branch."""

    resolved: ResolvedPolicy
    ref: PolicyRef
    elsewhere: str | None


def trusted(workspace: Workspace, environ: Mapping[str, str]) -> TrustedPolicy:
    """Return the policy of the default branch; outside a repository, the file as it lies there.

    Raises ``GatesError`` where that branch can't be determined or has no such policy, and with every mistake in it.
    """
    checkout = repository(workspace.root, environ)
    if checkout is None:
        resolved = workspace.load()
        ref = PolicyRef(digest=resolved.digest, path=workspace.policy.name, branch=None, commit=None, committed_at=None)
        return TrustedPolicy(resolved=resolved, ref=ref, elsewhere=None)
    git, top = checkout
    name, commit, elsewhere = _default(git, environ)
    path = workspace.policy.resolve().relative_to(top.resolve()).as_posix()
    resolved = at(git, commit, path, f"{path} on {name}")
    committed_at = datetime.fromtimestamp(_committed(git, commit), UTC).strftime(TIME)
    ref = PolicyRef(digest=resolved.digest, path=path, branch=name, commit=commit, committed_at=committed_at)
    return TrustedPolicy(resolved=resolved, ref=ref, elsewhere=elsewhere)


def at(git: Git, commit: str, path: str, name: str) -> ResolvedPolicy:
    """Return the policy at a path of a commit, with the contract beside it in that commit."""

    def blob(inside: str) -> bytes:
        done = git.ask("cat-file", "blob", f"{commit}:{posixpath.normpath(inside)}")
        if done.returncode:
            raise GatesError(f"is not in commit {commit[:12]}", where=name, hint="Commit it, and merge it there.")
        if len(done.stdout) > files.LARGEST:
            raise GatesError(f"is larger than {files.LARGEST // 2**20} MiB", where=name)
        return done.stdout

    beside = posixpath.dirname(path)
    return read(blob(path), name, lambda file: blob(posixpath.join(beside, file)), of_old=True)


def _default(git: Git, environ: Mapping[str, str]) -> tuple[str, str, str | None]:
    """Return the default branch, the commit of it that counts, and the branch of this run where that is another.

    A remote is asked now, for the name as well: what was fetched some time ago, or what the run started from, may be
    laxer than what holds by now.
    """
    on_github = environ.get("GITHUB_ACTIONS") == "true"
    remote = upstream(git)
    if remote:
        name, commit = _of_remote(git, remote)
    elif on_github:
        raise GatesError(
            "this checkout has no remote to ask for its default branch",
            where="git",
            hint="Check out with actions/checkout.",
        )
    else:
        name, commit = _of_here(git)
    ref = environ.get("GITHUB_REF") if on_github else None
    return name, commit, ref if ref != f"refs/heads/{name}" else None


def _of_remote(git: Git, remote: str) -> tuple[str, str]:
    """Return the remote's default branch and its newest commit, fetched where it is not here yet."""
    lines = git.retried("ls-remote", "--symref", remote, "HEAD", "refs/heads/*").splitlines()
    words = [line.split() for line in lines]
    name = next((one[1].removeprefix("refs/heads/") for one in words if one[0] == "ref:"), None)
    heads = {one[1].removeprefix("refs/heads/"): one[0] for one in words if one[0] != "ref:" and one[1] != "HEAD"}
    only = [one for one in heads if one not in OURS]
    if name is None and len(only) == 1:  # a HEAD that names a branch which nobody has pushed is not told
        name = only[0]
    commit = heads.get(name) if name else None
    if name is None or commit is None:
        raise GatesError(
            f"{remote} does not name its default branch",
            where="git",
            hint="Push the branch with the policy, and make it the default branch of the repository.",
        )
    if git.resolve(f"{commit}^{{commit}}") is None:
        git.retried("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", remote, f"+refs/heads/{name}:{FETCHED}")
        commit = git.resolve(f"{FETCHED}^{{commit}}") or commit
    return name, commit


def _of_here(git: Git) -> tuple[str, str]:
    """Return the default branch of a repository without a remote: the branch with a usual name, or the only one there
    is."""
    here = git.run("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").split()
    names = [name for name in here if name not in OURS]
    usual = [name for name in USUAL if name in names]
    name = usual[0] if usual else names[0] if len(names) == 1 else None
    commit = git.resolve(f"refs/heads/{name}^{{commit}}") if name else None
    if name is None or commit is None:
        what = f"none of {', '.join(names)} exists" if names else "nothing is committed yet"
        raise GatesError(
            f"no default branch found: {what}",
            where="git",
            hint=f"gates takes the policy from the default branch: commit it to {USUAL[0]}.",
        )
    return name, commit


def _committed(git: Git, commit: str) -> int:
    """Return when a commit was made, by its own word, in seconds since 1970."""
    lines = git.run("cat-file", "commit", commit).splitlines()
    return int(next(line for line in lines if line.startswith("committer ")).split()[-2])
