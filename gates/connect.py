"""A policy put on GitHub: caller workflows, lines of CODEOWNERS, and what is left for the settings."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from gates import callers, files
from gates.callers import PIN, Home
from gates.doctor.owners import PLACES, owners_of
from gates.errors import GatesError
from gates.init import repository
from gates.workspace import Workspace

_OWNER = re.compile(r"@[A-Za-z0-9_-]{1,100}(/[A-Za-z0-9._-]{1,100})?|[^\s@#/]+@[^\s@#/]+\.[^\s@#/]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """What was written, what stands there and was kept though it differs, what wants owners, what is to be set."""

    home: Home
    written: tuple[Path, ...]
    kept: tuple[Path, ...]
    unowned: tuple[str, ...]
    settings: tuple[str, ...]


def connect(root: Path, *, pin: str | None, owners: str | None, force: bool = False) -> Connected:
    """Write what the policy in the folder ``root`` needs on GitHub, all or none. What stands there stays, unless
    ``force``; of CODEOWNERS only lines are added.

    Raises ``GatesError`` for a policy with mistakes, and for a pin and owners that are none.
    """
    bound = Workspace(policy=root / "gates.yaml").load()
    top = repository(root)
    folder = root.relative_to(top).as_posix() if root != top else ""
    roles = tuple(dict.fromkeys(role for stage in bound.stages for role in stage.approvals))
    requirements = "requirements.txt" if (root / "requirements.txt").is_file() else None
    home = Home(model=bound.policy.model, folder=folder, requirements=requirements, branch=_branch(top), roles=roles)
    home = _pinned(home, pin or _standing(top / callers.path(home, "gates")) or origin())
    texts = {top / callers.path(home, one): callers.workflow(home, one) for one in callers.CALLERS}
    code_owners = next((top / name for name in PLACES if (top / name).is_file()), top / PLACES[0])
    text = _text(code_owners) if code_owners.is_file() else ""
    unowned = tuple(one for one in callers.owned(home, bound.policy.data.contract) if not owners_of(one, text))
    if owners is not None and unowned:
        texts[code_owners] = callers.owners(text, unowned, _checked(owners))
    standing = {path for path in texts if path != code_owners and (path.exists() or path.is_symlink())}
    differing = tuple(path for path in standing if _text(path) != texts[path])
    written = tuple(path for path in texts if path not in standing or (force and path in differing))
    files.write_all({path: texts[path].encode() for path in written})
    return Connected(
        home=home,
        written=written,
        kept=() if force else tuple(sorted(differing)),
        unowned=() if owners is not None else unowned,
        settings=tuple(callers.settings(home)),
    )


def _text(path: Path) -> str:
    return files.read(path, "Move it away.").decode("utf-8", "replace")


def _checked(owners: str) -> str:
    every = owners.replace(",", " ").split()
    wrong = [one for one in every if not _OWNER.fullmatch(one)]
    if wrong or not every:
        told = f"{wrong[0]} is no owner" if wrong else "names nobody"
        raise GatesError(told, where="--owners", mend="Write @LOGIN, @ORGANISATION/TEAM or an address.")
    return " ".join(every)


def _pinned(home: Home, pin: str | None) -> Home:
    if pin is None:
        return home
    match = PIN.fullmatch(pin)
    if not match:
        raise GatesError(
            f"{pin} is no OWNER/NAME@COMMIT", where="--gates", mend="Give all 40 digits of the commit: a tag can move."
        )
    return replace(home, project=match[1], commit=match[2])


def _standing(path: Path) -> str | None:
    """The copy of this project that a workflow written before calls."""
    found = re.search(r"uses: ([^/\s]+/[^/\s]+)/\S+@([0-9a-f]{40})\b", _text(path) if path.is_file() else "")
    return f"{found[1]}@{found[2]}" if found else None


def origin() -> str | None:
    """Where this very installation came from, as OWNER/NAME@COMMIT, where pip installed it from a git repository."""
    try:
        told = json.loads(distribution("mlgates").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return None
    found = re.search(r"github\.com[/:]([^/]+/[^/]+?)(?:\.git)?/?$", str(told.get("url", "")))
    commit = (told.get("vcs_info") or {}).get("commit_id")
    pin = f"{found[1]}@{commit}" if found and commit else ""
    return pin if PIN.fullmatch(pin) else None


def _branch(top: Path) -> str:
    """The default branch, where the remote has said which it is; else main."""
    try:
        done = subprocess.run(
            ["git", "symbolic-ref", "--short", "refs/remotes/origin/HEAD"],  # noqa: S607 -- git as the user has it
            cwd=top, capture_output=True, text=True, check=False, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return "main"
    return done.stdout.strip().partition("/")[2] or "main"
