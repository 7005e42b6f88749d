"""The policy as it stands at the commit that a pull request starts from: it judges, too."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from functools import partial

from gates import git
from gates.asks import Change, Effect
from gates.errors import GatesError
from gates.policy import Bound
from gates.policy.compare import weakened
from gates.policy.read import read as read_policy
from gates.source import parse
from gates.workspace import Workspace

MOST = 200  # files of a commit that are looked through for a policy that has moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a commit says about a model. ``bound`` is None where it has no policy for it, or one that can't be read:
    ``moved`` tells what is to be said of that."""

    commit: str
    bound: Bound | None
    moved: tuple[Change, ...] = ()

    def weakened(self, head: Bound) -> tuple[Change, ...]:
        """What the policy at hand asks less for, or may."""
        return self.moved + (weakened(self.bound, head) if self.bound else ())


def policy_at(commit: git.Commit, path: str) -> Bound | None:
    """The policy with its contract at a commit; None where there is none. Raises ``GatesError`` for its mistakes."""
    data = commit.file(path)
    if data is None:
        return None
    return read_policy(data, f"{commit.sha[:7]}:{path}", partial(_beside, commit.at(posixpath.dirname(path))))


def _beside(commit: git.Commit, path: str) -> bytes:
    data = commit.file(path)
    if data is None:
        raise GatesError("is not in that commit")
    return data


def base_of(workspace: Workspace, revision: str, model: str) -> Base:
    """What a commit says about this policy's model; a policy that has moved since is found by the model's name.

    Raises ``GatesError`` where the commit can't be had: then nobody knows what was asked for.
    """
    commit = git.commit(workspace.root, revision)
    path = workspace.policy.name
    try:
        bound = policy_at(commit, path)
        if bound is not None:
            return Base(commit=commit.sha, bound=bound)
        return _moved(commit, path, model)
    except GatesError as error:
        told = str(error).splitlines()[0]
        return Base(commit=commit.sha, bound=None, moved=(_unknown("policy", f"can't be read: {told}", path),))


def _moved(commit: git.Commit, path: str, model: str) -> Base:
    """Whoever moves a policy does not get rid of it."""
    for count, (elsewhere, data) in enumerate(commit.files(model, "*.yaml", "*.yml")):
        if count >= MOST:
            break
        if _model(data, elsewhere) == model:
            bound = policy_at(replace(commit, folder=""), elsewhere)
            return Base(commit=commit.sha, bound=bound, moved=(_unknown("policy file", elsewhere, path),))
    return Base(commit=commit.sha, bound=None)


def _model(data: bytes, name: str) -> str | None:
    """The model that a file names, if it is a policy."""
    try:
        value = parse(data, name).value
    except GatesError:
        return None
    return value.get("model") if isinstance(value, dict) and "gates" in value else None


def _unknown(rule: str, before: str, after: str) -> Change:
    return Change(rule=rule, kind=Effect.UNKNOWN, before=before, after=after)
