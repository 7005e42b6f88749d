"""Collect what `gates doctor` checks: files of the checkout, and GitHub's settings if there is a token."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from gates.checkout.workspace import Workspace
from gates.doctor.codeowners import PLACES
from gates.doctor.seen import PolicyFile, RegistryBranch, Seen, Settings
from gates.errors import GatesError
from gates.schema.yaml_text import Source, parse
from gates.system import files
from gates.system.git import full_name, host, repository, root_above

POLICIES, ACTIONS = ("gates.yaml", "gates.yml"), ("action.yml", "action.yaml")
MOST_FOLDERS = 20_000
SKIPPED = {"node_modules", "site-packages", "__pycache__"}


def survey(
    folder: Path,
    repository: str | None,
    settings: Settings | None,
    registry: RegistryBranch | None = None,
    server: str | None = None,
) -> Seen:
    """Look at the checkout that a folder is in."""
    root = root_above(folder.resolve())
    workflows, actions, unreadable = list[Source](), list[Source](), dict[str, str]()
    for path in sorted([*root.glob(".github/workflows/*.yml"), *root.glob(".github/workflows/*.yaml")]):
        _read(path, root, workflows, unreadable)
    paths = list(_found(root))
    for path in paths:
        if path.name in ACTIONS:
            _read(path, root, actions, unreadable)
    return Seen(
        repository=repository,
        policies=tuple(_policy(path, root) for path in paths if path.name in POLICIES and ".github" not in path.parts),
        workflows=tuple(workflows),
        actions=tuple(actions),
        unreadable=unreadable,
        owners=_owners(root),
        settings=settings,
        registry=registry,
        server=server,
    )


def _found(root: Path) -> Iterator[Path]:
    """Yield every policy and action below, hidden folders and other people's packages left out."""
    for count, (folder, folders, names) in enumerate(os.walk(root)):
        if count >= MOST_FOLDERS:
            raise GatesError(f"more than {MOST_FOLDERS:,} folders", where=str(root), hint="Name a smaller one.")
        folders[:] = sorted(
            one for one in folders if one not in SKIPPED and (not one.startswith(".") or one == ".github")
        )
        wanted = {*POLICIES, *ACTIONS} & set(names)
        yield from (Path(folder) / name for name in sorted(wanted))


def _read(path: Path, root: Path, into: list[Source], unreadable: dict[str, str]) -> None:
    name = path.relative_to(root).as_posix()
    try:
        into.append(parse(files.read(path, ""), name))
    except GatesError as error:
        unreadable[name] = error.what


def _policy(path: Path, root: Path) -> PolicyFile:
    name = path.relative_to(root).as_posix()
    try:
        return PolicyFile(path=name, resolved=Workspace(policy=path).load())
    except GatesError as error:
        told = str(error).splitlines()[0].replace(f"{root}/", "")
        return PolicyFile(path=name, resolved=None, problem=f"can't be read: {told}")


def _owners(root: Path) -> tuple[str, str] | None:
    for name in PLACES:
        if (root / name).is_file():
            return name, files.read(root / name, "").decode("utf-8", "replace")
    return None


def repository_of(folder: Path, environ: Mapping[str, str]) -> str | None:
    """Find the repository's OWNER/NAME: what the runner says, else what the remote `origin` is."""
    if environ.get("GITHUB_REPOSITORY"):
        return environ["GITHUB_REPOSITORY"]
    return full_name(_origin(folder, environ))


def server_of(folder: Path, environ: Mapping[str, str]) -> str | None:
    """Find the host of the GitHub that has the repository: what the runner says, else where the remote `origin` is."""
    return host(environ.get("GITHUB_SERVER_URL") or _origin(folder, environ))


def _origin(folder: Path, environ: Mapping[str, str]) -> str:
    try:
        found = repository(folder, environ)
        return found[0].run("remote", "get-url", "origin", fails=False) if found else ""
    except GatesError:  # no git, or a repository that somebody else owns
        return ""
