"""Find the policies that move the same alias at the commit a pull request starts from: they judge, too."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gates.checkout.trusted_policy import at
from gates.checkout.workspace import Workspace
from gates.documents.printed.diff import Change, Effect
from gates.errors import GatesError
from gates.policy import ResolvedPolicy
from gates.policy.aliases import Alias, aliases, might_move
from gates.policy.policy_diff import compare, weakened
from gates.schema.yaml_text import MAX_BYTES
from gates.system.git import Git, failed, repository
from gates.wording import counted, plural

MOST = 1_000_000  # files of a commit that are looked through
_WHOLE = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_FILES = ("100644", "100755")


@dataclass(frozen=True, slots=True, kw_only=True)
class BasePolicy:
    """A policy that the candidate is held to, and the folder where its paths start."""

    resolved: ResolvedPolicy
    root: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a commit says about an alias: every policy that moves it there. ``told``: further notes, of
    policies that can't be read, that have moved, or that exist next to this one."""

    commit: str
    policies: tuple[BasePolicy, ...] = ()
    told: tuple[Change, ...] = ()

    def changes(self, head: ResolvedPolicy) -> tuple[Change, ...]:
        """Return what the policy at hand asks for differently."""
        found = list(self.told)
        for policy in self.policies:
            found += (change for change in compare(policy.resolved, head).changes if change not in found)
        return tuple(found)


def base_of(workspace: Workspace, revision: str, head: ResolvedPolicy, environ: Mapping[str, str]) -> Base:
    """Return what a commit says about the alias that this policy moves, whatever its file and its model are called
    there.

    Raises ``GatesError`` where the commit can't be had: then nobody knows what was asked for.
    """
    git, top, commit, path = _found(workspace, revision, environ)
    try:
        base, now = _Tree(git, commit), _Tree(git, git.resolve("HEAD^{commit}") or commit)
        policies, changes = _searched(base, head, path)
        changes += [_unknown("policy file", _shown(name), path) for name in policies if path not in policies]
        changes += _beside(base, now, path, policies, head)
    except GatesError as error:
        return Base(commit=commit, told=(_unread(path, path, error),))
    base_policies = (
        BasePolicy(resolved=policy, root=_root(policy, (top / name).parent, workspace.root))
        for name, policy in policies.items()
    )
    return Base(commit=commit, policies=tuple(base_policies), told=tuple(changes))


def policy_at(workspace: Workspace, revision: str, environ: Mapping[str, str]) -> ResolvedPolicy:
    """Return the policy with its contract at a commit. Raises ``GatesError`` where there is none, and for its
    mistakes."""
    git, _, commit, path = _found(workspace, revision, environ)
    return at(git, commit, path, f"{path} at {revision}")


def _found(workspace: Workspace, revision: str, environ: Mapping[str, str]) -> tuple[Git, Path, str, str]:
    """Return the repository, its top folder, the commit and the policy's path. A commit that a shallow clone lacks is
    fetched."""
    found = repository(workspace.root, environ)
    if found is None:
        raise GatesError("is not in a git repository", where=str(workspace.root), hint="Commit the policy there first.")
    git, top = found[0], found[1].resolve()
    if _WHOLE.fullmatch(revision) and git.resolve(f"{revision}^{{commit}}") is None:
        git.ask("fetch", "--quiet", "--depth=1", "--no-tags", "origin", revision, network=True)
    commit = git.resolve(f"{revision}^{{commit}}")
    if commit is None:
        hint = "In a workflow check out with `fetch-depth: 0`; elsewhere fetch it first."
        raise GatesError(f"this repository has no commit {revision}", where="git", hint=hint)
    return git, top, commit, workspace.policy.resolve().relative_to(top).as_posix()


@dataclass(frozen=True, slots=True, kw_only=True)
class _PolicyAt:
    """A policy at a path of a commit; where it can't be read ``error`` says why, and ``resolved`` is None."""

    resolved: ResolvedPolicy | None = None
    error: GatesError | None = None


class _Tree:
    """The files of a commit that are small enough for a policy, and the policies among them."""

    def __init__(self, git: Git, commit: str) -> None:
        self.git, self.commit = git, commit
        self.missing: list[str] = []  # files whose text this repository lacks
        self.files: dict[str, str] = {}  # path -> object
        arguments = ("ls-tree", "-r", "-z", "-l", "--full-tree", commit)
        listed = git.ask(*arguments)
        if listed.returncode:
            raise failed(arguments, listed.stderr)
        for line in os.fsdecode(listed.stdout).split("\0")[:-1]:
            about, _, path = line.partition("\t")
            mode, _, name, size = about.split()
            if mode in _FILES and not (size.isdigit() and int(size) > MAX_BYTES):  # such a policy is refused anyway
                self.files[path] = name

    def moving(self, wanted: frozenset[Alias], paths: Collection[str]) -> Iterator[tuple[str, _PolicyAt]]:
        """Yield those of some files whose policies move one of the aliases; as errors those that might but can't be
        read."""
        with self.git.objects() as objects:
            for path, data in zip(paths, objects.all([self.files[path] for path in paths]), strict=True):
                if data is None:
                    self.missing.append(path)
                elif might_move(data, wanted):
                    policy = self.read(path)
                    if policy.resolved is None or aliases(policy.resolved) & wanted:
                        yield path, policy

    def read(self, path: str) -> _PolicyAt:
        """Return the policy at a path, or why it can't be read."""
        try:
            return _PolicyAt(resolved=at(self.git, self.commit, path, f"{_shown(path)} at {self.commit[:7]}"))
        except GatesError as error:
            return _PolicyAt(error=error)


def _searched(base: _Tree, head: ResolvedPolicy, path: str) -> tuple[dict[str, ResolvedPolicy], list[Change]]:
    """Return the base's policies of the alias by their paths, and notes about the search. Where none moves it, the one
    that stood at this path counts: its alias was renamed."""
    notes, paths = [], list(base.files)
    if len(paths) > MOST:
        notes.append(
            _unknown("policy", f"only {MOST:,} of {plural(len(paths), 'file was', 'files were')} searched for it", path)
        )
    policies = dict(base.moving(aliases(head), paths[:MOST]))
    readable = {name: policy.resolved for name, policy in policies.items() if policy.resolved}
    if path in base.files and path not in policies and not readable:
        policies[path] = before = base.read(path)
        readable = {path: before.resolved} if before.resolved else {}
    for name, policy in policies.items():
        if policy.error and (name == path or not readable):  # by what can't be read nothing is promoted
            notes.append(_unread(name, path, policy.error))
    if missing := [name for name in base.missing if name != path]:
        many = f"{counted(len(missing), 'file')} can't be read here, such as {_shown(missing[0])}"
        notes.append(_unknown("policy", many, path))
    return readable, notes


def _beside(
    base: _Tree, now: _Tree, path: str, policies: Mapping[str, ResolvedPolicy], head: ResolvedPolicy
) -> Iterator[Change]:
    """Yield what policies that move the alias, too, ask less for than before: whoever adds a second one evades the
    first."""
    predecessors = [one for one in policies.values() if aliases(one) & aliases(head)]
    other = [
        name for name, one in now.files.items() if name != path and (name in policies or base.files.get(name) != one)
    ]
    for name, rival in now.moving(aliases(head), other):
        if rival.resolved and not (name in policies and policies[name].digest == rival.resolved.digest):
            for before in predecessors:
                for change in weakened(before, rival.resolved):
                    yield replace(change, rule=f"{_shown(name)}: {change.rule}")


def _root(resolved: ResolvedPolicy, own: Path, root: Path) -> Path:
    """Tell where a base policy's paths start: in its own folder, or in this one where its tables came along."""
    holdout = resolved.policy.data.holdout
    lies_there = (own / holdout).exists() or (not Path(holdout).is_absolute() and any(own.glob(holdout)))
    return own if lies_there else root


def _shown(path: str) -> str:
    """Return a path that may be no text."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _unread(name: str, path: str, error: GatesError) -> Change:
    where = "" if name == path else f"{_shown(name)} "
    return _unknown("policy", f"{where}can't be read: {str(error).splitlines()[0]}", path)


def _unknown(rule: str, before: str, after: str) -> Change:
    return Change(rule=rule, kind=Effect.UNKNOWN, before=before, after=after)
