"""Find the models that an event is about: the policies whose files changed. What can't be determined is judged."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gates.errors import GatesError
from gates.github.event import Event
from gates.system.git import failed, repository
from gates.wording import counted

MOST = 256  # jobs of one matrix, by GitHub
HERE = "{folder}"  # in a pattern: the policy's own folder
ALWAYS = ".github/workflows/**"  # the workflow decides how a model is judged
_COMPARED = {"pull_request", "push", "merge_group"}  # the other events are about everything
_CHECKOUT = "This command needs the repository, checked out with its history."
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The policies to judge, from the repository's root, why those, and the others, of which nothing has changed."""

    policies: tuple[str, ...]
    unchanged: tuple[str, ...]
    reason: str


def plan(
    root: Path,
    event: Event,
    folder: str,
    policies: Sequence[str],
    paths: Sequence[str],
    passed: Callable[[str], bool] = lambda _: True,
) -> Plan:
    """Return the policies to judge for an event. ``passed`` says of a policy whether the commit that this one is
    compared with passed: else what has not changed since has nothing to rest on.

    ``root`` is the checkout, ``folder`` where the patterns ``policies`` start (git's glob pathspecs). ``paths`` are
    pathspecs from the root; a policy is judged where a file changed that fits one of them, with ``{folder}`` for its
    own folder, or the policy itself, or a workflow. Raises ``GatesError`` where no policy is found.
    """
    known = policies_of(root, folder, policies)
    base = _base(root, event)
    if base is None:
        return Plan(policies=known, unchanged=(), reason="all: no commit to compare this event's commit with")
    chosen = tuple(policy for policy in known if _changed(root, base, policy, paths) or not passed(policy))
    rest = tuple(policy for policy in known if policy not in chosen)
    return Plan(policies=chosen, unchanged=rest, reason=f"those with changes since {base[:12]}, or red there")


def policies_of(root: Path, folder: str, patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the policies of a checkout that fit patterns starting at ``folder``, from its root."""
    start = Path(folder).as_posix().strip("/")
    if Path(folder).is_absolute() or ".." in Path(folder).parts:
        raise GatesError(f"{folder!r} leads out of the repository", where="working-directory")
    policies: set[str] = set()
    for pattern in patterns:
        whole = pattern if start in ("", ".") else f"{start}/{pattern}"
        here = _git(root, "ls-files", "-z", "--", f":(top,glob){whole}").split("\0")
        if here == [""]:
            hint = "Commit one, or name it: patterns start in the working directory."
            raise GatesError(f"no policy: no file of this commit matches {whole!r}", where="policy", hint=hint)
        policies |= set(filter(None, here))
    for name in sorted(policies):
        if not name.isprintable():
            raise GatesError(f"{name!r} is not a valid path of a policy", where="policy")
    if not policies:
        raise GatesError(
            "no policy was named", where="policy", hint="Name gates.yaml, or a pattern such as */gates.yaml."
        )
    if len(policies) > MOST:
        raise GatesError(f"{counted(len(policies), 'policy')}; GitHub runs at most {MOST} at once", where="policy")
    return tuple(sorted(policies))


def _base(root: Path, event: Event) -> str | None:
    """Return the commit to compare with: the base branch's parent of a test merge, else what the event says."""
    if event.name not in _COMPARED:
        return None
    parents = _git(root, "rev-list", "--parents", "--max-count=1", "HEAD").split()[1:]
    if event.name == "pull_request":
        if len(parents) > 1:
            return parents[0] if _has(root, parents[0]) else None
        return _git(root, "merge-base", event.base_sha or "", "HEAD", quiet=True).strip() or None
    return event.base_sha if event.base_sha and _has(root, event.base_sha) else None


def _has(root: Path, commit: str) -> bool:
    return bool(_COMMIT.fullmatch(commit)) and bool(
        _git(root, "rev-parse", "-q", "--verify", commit + "^{tree}", quiet=True)
    )


def _changed(root: Path, base: str, policy: str, paths: Sequence[str]) -> bool:
    folder = Path(policy).parent.as_posix()
    own = "" if folder == "." else f"{_literal(folder)}/"
    wanted = [pattern.replace(f"{HERE}/", own) for pattern in paths] or [f"{own}**"]
    specs = [f":(top,glob){pattern}" for pattern in (*wanted, _literal(policy), ALWAYS)]
    asked = ("--name-only", "-z", "-r", "--no-renames", "--ignore-submodules=none", "--no-ext-diff", "--no-textconv")
    return bool(_git(root, "diff-tree", *asked, base, "HEAD", "--", *specs))


def _literal(path: str) -> str:
    return re.sub(r"([\\*?\[])", r"\\\1", path)


def _git(root: Path, *arguments: str, quiet: bool = False) -> str:
    """Return what git says of the repository's root; with ``quiet`` nothing where it fails."""
    found = repository(root, os.environ)
    if found is None:
        raise GatesError("fatal: not a git repository", where="git", hint=_CHECKOUT)
    done = found[0].ask(*arguments)
    if done.returncode and not quiet:
        error = failed(arguments, done.stderr)
        error.hint = _CHECKOUT
        raise error
    return "" if done.returncode else os.fsdecode(done.stdout)
