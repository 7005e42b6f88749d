"""The policy as it stands at the commit that a pull request starts from: it judges, too."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gates.asks import Change, Effect
from gates.branch import at
from gates.errors import GatesError
from gates.git import Git, failed, repository
from gates.policy import Bound
from gates.policy.compare import compare
from gates.source import parse
from gates.workspace import Workspace

MOST = 200  # files of a commit that are looked through for a policy that has moved
_WHOLE = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a commit says about a model. ``bound`` is None where it has no policy for it, or one that can't be read:
    ``moved`` tells what is to be said of that."""

    commit: str
    bound: Bound | None
    moved: tuple[Change, ...] = ()

    def changes(self, head: Bound) -> tuple[Change, ...]:
        """What the policy at hand asks for differently."""
        return self.moved + (compare(self.bound, head).changes if self.bound else ())


def base_of(workspace: Workspace, revision: str, model: str, environ: Mapping[str, str]) -> Base:
    """What a commit says about this policy's model; a policy that has moved since is found by the model's name.

    Raises ``GatesError`` where the commit can't be had: then nobody knows what was asked for.
    """
    git, commit, path = _found(workspace, revision, environ)
    try:
        if _has(git, commit, path):
            return Base(commit=commit, bound=at(git, commit, path, f"{path} at {commit[:7]}"))
        return _moved(git, commit, path, model)
    except GatesError as error:
        told = str(error).splitlines()[0]
        return Base(commit=commit, bound=None, moved=(_unknown("policy", f"can't be read: {told}", path),))


def policy_at(workspace: Workspace, revision: str, environ: Mapping[str, str]) -> Bound:
    """The policy with its contract at a commit. Raises ``GatesError`` where there is none, and for its mistakes."""
    git, commit, path = _found(workspace, revision, environ)
    return at(git, commit, path, f"{path} at {revision}")


def _found(workspace: Workspace, revision: str, environ: Mapping[str, str]) -> tuple[Git, str, str]:
    """The repository, the commit and the policy's path in it. A commit that a shallow clone lacks is fetched."""
    found = repository(workspace.root, environ)
    if found is None:
        raise GatesError("is in no git repository", where=str(workspace.root), mend="Commit the policy there first.")
    git, top = found
    if _WHOLE.fullmatch(revision) and git.resolve(f"{revision}^{{commit}}") is None:
        git.ask("fetch", "--quiet", "--depth=1", "--no-tags", "origin", revision, network=True)
    commit = git.resolve(f"{revision}^{{commit}}")
    if commit is None:
        mend = "In a workflow check out with `fetch-depth: 0`; elsewhere fetch it first."
        raise GatesError(f"there is no commit {revision} in this repository", where="git", mend=mend)
    return git, commit, workspace.policy.resolve().relative_to(Path(top).resolve()).as_posix()


def _has(git: Git, commit: str, path: str) -> bool:
    """Asks the commit's tree: that git can't read a file must not look as if there were none."""
    return bool(git.run("ls-tree", "--full-tree", "--name-only", commit, "--", path))


def _moved(git: Git, commit: str, path: str, model: str) -> Base:
    """Whoever moves a policy does not get rid of it."""
    for elsewhere in _naming(git, commit, model):
        if _model(git.ask("cat-file", "blob", f"{commit}:{elsewhere}").stdout, elsewhere) == model:
            bound = at(git, commit, elsewhere, f"{elsewhere} at {commit[:7]}")
            return Base(commit=commit, bound=bound, moved=(_unknown("policy file", elsewhere, path),))
    return Base(commit=commit, bound=None)


def _naming(git: Git, commit: str, word: str) -> Iterator[str]:
    """The YAML files of a commit that hold a word."""
    arguments = ("grep", "-zlFI", "-e", word, commit, "--", "*.yaml", "*.yml")
    found = git.ask(*arguments)
    if found.returncode > 1:  # 1: nothing found
        raise failed(arguments, found.stderr)
    for name in os.fsdecode(found.stdout).split("\0")[:-1][:MOST]:
        yield name.removeprefix(f"{commit}:")


def _model(data: bytes, name: str) -> str | None:
    """The model that a file names, if it is a policy."""
    try:
        value = parse(data, name).value
    except GatesError:
        return None
    return value.get("model") if isinstance(value, dict) and "gates" in value else None


def _unknown(rule: str, before: str, after: str) -> Change:
    return Change(rule=rule, kind=Effect.UNKNOWN, before=before, after=after)
