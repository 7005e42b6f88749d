"""Set up a policy on GitHub: caller workflows, lines of CODEOWNERS, and a list of settings."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from gates.checkout.workspace import Workspace
from gates.doctor.codeowners import OWNER, PLACES, owners_of
from gates.errors import GatesError
from gates.github import caller_workflows
from gates.github.caller_workflows import PIN, UNPINNED, Home
from gates.policy.monitor_section import Monitor, seconds
from gates.policy.promotion_section import Stage
from gates.system import files
from gates.system.git import Git, full_name, repository, root_above


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
    ``force``, but for the copy of gates where it names none yet; of CODEOWNERS only lines are added.

    Raises ``GatesError`` for a policy with mistakes, and for a pin and owners that are none.
    """
    resolved = Workspace(policy=root / "gates.yaml").load()
    top = root_above(root)
    folder = root.relative_to(top).as_posix() if root != top else ""
    kinds = [gate.kind for gate in resolved.gates]
    kinds += [gate.kind for gate in resolved.policy.monitor.gates] if resolved.policy.monitor else []
    experiment = resolved.policy.experiment
    requirements = "requirements.txt" if (root / "requirements.txt").is_file() else None
    home = Home(
        model=resolved.policy.model,
        folder=folder,
        requirements=requirements,
        branch=default_branch(top),
        roles=_roles(resolved.stages),
        cron=cron_of(resolved.policy.monitor) if resolved.policy.monitor else "",
        asks_prometheus="promql" in kinds or bool(experiment and experiment.questions),
        experiments=experiment is not None,
        retrains=resolved.policy.retrain is not None,
        retrain_roles=_roles(stage for stage in resolved.stages if stage.alias == resolved.retrain_stage),
    )
    before = top / caller_workflows.path(home, "gates")
    home = caller_workflows.as_before(home, _text(before) if before.is_file() else "")
    if found := pin or (origin() if home.commit == UNPINNED[1] else None):
        project, commit = checked_pin(found)
        home = replace(home, project=project, commit=commit, version=version_of(found))
    texts = {
        top / caller_workflows.path(home, one): caller_workflows.workflow(home, one)
        for one in caller_workflows.callers(home)
    }
    code_owners = next((top / name for name in PLACES if (top / name).is_file()), top / PLACES[0])
    text = _text(code_owners) if code_owners.is_file() else ""
    unowned = tuple(
        one for one in caller_workflows.owned(home, resolved.policy.data.contract) if not owners_of(one, text)
    )
    if owners is not None and unowned:
        texts[code_owners] = caller_workflows.owners(text, unowned, checked_owners(owners))
    standing = {path for path in texts if path != code_owners and (path.exists() or path.is_symlink())}
    differing = {path for path in standing if _text(path) != texts[path]}
    if not force:
        texts |= {path: caller_workflows.pinned(_text(path), home) for path in differing}
    written = tuple(
        path for path in texts if path not in standing or (path in differing and _text(path) != texts[path])
    )
    files.write_all({path: texts[path].encode() for path in written})
    return Connected(
        home=home,
        written=written,
        kept=() if force else tuple(sorted(differing - set(written))),
        unowned=() if owners is not None else unowned,
        settings=tuple(caller_workflows.settings(home)),
    )


def _roles(stages: Iterable[Stage]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(role for stage in stages for role in stage.approvals))


def cron_of(monitor: Monitor) -> str:
    """Say when live rows are judged: an hour after a day's window is due, and each hour where windows are shorter."""
    if seconds(monitor.window) < seconds("1d"):
        return "17 * * * *"
    return f"17 {(seconds(monitor.delay) // 3600 + 1) % 24} * * *"


def _text(path: Path) -> str:
    return files.read(path, "Move it.").decode("utf-8", "replace")


def checked_owners(owners: str) -> str:
    """Return owners as CODEOWNERS wants them. Raises ``GatesError`` for what is none."""
    every = owners.replace(",", " ").split()
    wrong = [one for one in every if not OWNER.fullmatch(one)]
    if wrong or not every:
        told = f"{wrong[0]} is not an owner" if wrong else "names nobody"
        raise GatesError(told, where="--owners", hint="Write @LOGIN, @ORGANISATION/TEAM or an address.")
    return " ".join(every)


def checked_pin(pin: str) -> tuple[str, str]:
    """Split a copy of this project into OWNER/NAME and its commit. Raises ``GatesError`` for what is none."""
    match = PIN.fullmatch(pin)
    if not match:
        raise GatesError(
            f"{pin} is not OWNER/NAME@COMMIT", where="--gates", hint="Give all 40 digits of the commit: a tag can move."
        )
    return match[1], match[2]


def origin() -> str | None:
    """Return where this very installation came from, as OWNER/NAME@COMMIT, or None.

    Either pip installed it from a git repository on GitHub, or it is a checkout of one, at a commit that is there.
    """
    direct_url = _installed_from()
    url, commit = str(direct_url.get("url", "")), (direct_url.get("vcs_info") or {}).get("commit_id")
    if (direct_url.get("dir_info") or {}).get("editable") and url.startswith("file://"):
        url, commit = _checkout(Path(unquote(urlsplit(url).path)))
    name = full_name(url) if re.search(r"github\.com[/:]", url) else None
    pin = f"{name}@{commit}" if name and commit else ""
    return pin if PIN.fullmatch(pin) else None


def version_of(pin: str) -> str:
    """Return the version of a copy of this project, such as v0.2.0; empty where it is not this installation's, or has
    none."""
    if pin != origin():
        return ""
    direct_url = _installed_from()
    revision = str((direct_url.get("vcs_info") or {}).get("requested_revision", ""))
    if (direct_url.get("dir_info") or {}).get("editable"):
        folder = Path(unquote(urlsplit(str(direct_url["url"])).path))
        git = Git(folder=folder / ".git", environ=os.environ)
        revision = git.run("describe", "--tags", "--exact-match", "--match", "v*", "HEAD", fails=False)
    return revision if re.fullmatch(r"v\d+\.\d+\.\d+", revision) else ""


def _installed_from() -> dict[str, Any]:
    """Return what pip noted down about where it got this installation; nothing where it noted nothing."""
    try:
        direct_url = json.loads(distribution("gates-ml").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return {}
    return direct_url if isinstance(direct_url, dict) else {}


def _checkout(folder: Path) -> tuple[str, str]:
    """Return the remote of a checkout and its commit; no commit where the remote is not known to have it."""
    git = Git(folder=folder / ".git", environ=os.environ)
    try:
        url, commit, there = (
            git.run(*words.split(), fails=False)
            for words in ("remote get-url origin", "rev-parse HEAD", "branch --remotes --contains HEAD")
        )
    except GatesError:  # no git
        return "", ""
    return url, commit if there else ""


def default_branch(top: Path) -> str:
    """Return the default branch, where the remote has said which it is; else main."""
    try:
        found = repository(top, os.environ)
        told = found[0].run("symbolic-ref", "--short", "refs/remotes/origin/HEAD", fails=False) if found else ""
    except GatesError:  # no git, or a repository that somebody else owns
        return "main"
    return told.partition("/")[2] or "main"
