"""Collect where a decision comes from: the run and its actor, the code, lock files, the model's files and the data's.

Reads files and asks git; loads no model and no table.
"""

from __future__ import annotations

import getpass
import os
import platform
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gates import __version__
from gates.checkout import pointers
from gates.documents.evidence import Evidence
from gates.documents.record import SCHEMA, Record, RecordedModel, RecordedTable, RecordKind, Run, TrainingCode, User
from gates.errors import GatesError
from gates.origins import copied_tables
from gates.policy import ResolvedPolicy
from gates.schema.canonical import digest
from gates.schema.yaml_text import parse
from gates.system import files
from gates.system.git import Git, full_name, repository

LOCKS = ("requirements.txt", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pixi.lock", "conda-lock.yml")
PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # how a pickle of protocol 2 to 5 begins
PICKLED = (".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth")
NAMED = 3  # files named in a message
MOST_FILES = 200  # of tables that git is asked about
SMALL = 1 << 16  # an MLmodel is a few lines


def run(environ: Mapping[str, str], git: Git | None) -> Run:
    """Return who and what runs this: GitHub's runner by its variables, else the name that git knows."""
    if environ.get("GITHUB_ACTIONS") == "true":
        again = environ.get("GITHUB_TRIGGERING_ACTOR")
        return Run(
            provider="github",
            repository=environ.get("GITHUB_REPOSITORY"),
            repository_id=_number(environ.get("GITHUB_REPOSITORY_ID")),
            run_id=_number(environ.get("GITHUB_RUN_ID")),
            run_attempt=_number(environ.get("GITHUB_RUN_ATTEMPT")),
            event=environ.get("GITHUB_EVENT_NAME"),
            actor=User(
                id=_number(environ.get("GITHUB_ACTOR_ID")), login=environ.get("GITHUB_ACTOR", "unknown"), type=None
            ),
            triggering_actor=User(id=None, login=again, type=None) if again else None,
        )
    if environ.get("JENKINS_URL") and environ.get("BUILD_NUMBER"):
        return _on_jenkins(environ)
    name = environ.get("GIT_AUTHOR_EMAIL") or (git.run("config", "user.email", fails=False) if git else "")
    return Run(
        provider="local",
        repository=None,
        repository_id=None,
        run_id=None,
        run_attempt=None,
        event=None,
        actor=User(id=None, login=name or _login(), type=None),
        triggering_actor=None,
    )


def _on_jenkins(environ: Mapping[str, str]) -> Run:
    """Return the build, by the variables that Jenkins sets. Who started it is known where a plugin says so."""
    who = environ.get("BUILD_USER_ID") or environ.get("CHANGE_AUTHOR") or "jenkins"
    return Run(
        provider="jenkins",
        repository=full_name(environ.get("GIT_URL", "")),
        repository_id=None,
        run_id=_number(environ.get("BUILD_NUMBER")),
        run_attempt=None,
        event="change" if environ.get("CHANGE_ID") else "branch",
        actor=User(id=None, login=who, type=None),
        triggering_actor=None,
    )


def draft(name: str, run: Run, kind: RecordKind, alias: str | None, reason: str) -> Record:
    """Draft a record about a registered model that says nothing more yet; the ledger fills in place, chain and time."""
    return Record(
        schema=SCHEMA, kind=kind, sequence=1, previous=None, at="", name=name, alias=alias, reason=reason,
        time_source="the runner's clock" if run.provider in ("github", "jenkins") else "this machine's clock",
        tool=__version__, python=platform.python_version(), run=run, code=None, verdict=None, decision=None,
        evidence=None, policy=None, model=None, data=(), source=None, before=None, after=None, intent=None,
        target=None, holder=None, lease=None, approvals=(), waivers=(), attached={},
    )  # fmt: skip


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "unknown"


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def code(git: Git | None, top: Path | None, root: Path) -> TrainingCode:
    """Return the commit checked out, and the lock files beside policy and repository."""
    locks = {}
    for folder in dict.fromkeys((top or root, root)):
        for path in (folder / name for name in LOCKS):
            if path.is_file():
                locks[path.relative_to(top or root).as_posix()] = f"sha256:{files.sha256(path)}"
    commit = git.resolve("HEAD^{commit}") if git else None
    return TrainingCode(commit=commit, clean=git.clean() if git and top and commit else None, locks=locks)


def uncommitted(git: Git | None, top: Path | None, resolved: ResolvedPolicy, root: Path) -> Iterator[str]:
    """Say what of code and data the commit does not hold, a sentence each: a record names that commit all the same."""
    commit = git.resolve("HEAD^{commit}") if git else None
    if git is None or top is None or commit is None:
        return
    names = git.changed()
    if changed := ["the work tree"] if names is None else [_printable(one) for one in names]:
        more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
        verb = "is" if len(changed) == 1 else "are"
        yield (
            f"{', '.join(changed[:NAMED])}{more} {verb} not as in commit {commit[:7]}, which the record names: "
            "gates reproduce would train something else. Commit first."
        )
    for name in _untracked(git, top.resolve(), resolved, root):
        yield f"{name} is in no commit: gates reproduce can't restore it. Commit it, or track it with DVC."


def _untracked(git: Git, top: Path, resolved: ResolvedPolicy, root: Path) -> list[str]:
    """Return the tables' files that git neither tracks nor ignores."""
    tables = filter(None, (resolved.policy.data.train, resolved.policy.data.holdout))
    paths = {one.resolve() for table in tables for one in pointers.named(root, table)}
    inside = [f":(top,literal){one.relative_to(top).as_posix()}" for one in sorted(paths) if one.is_relative_to(top)]
    if not inside:
        return []
    told = ("ls-files", "-z", "--others", "--exclude-standard", "--full-name", "--", *inside[:MOST_FILES])
    return [_printable(one) for one in os.fsdecode(git.ask(f"--work-tree={top}", *told).stdout).split("\0")[:-1]]


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def data(
    resolved: ResolvedPolicy, evidence: Evidence, root: Path, environ: Mapping[str, str]
) -> tuple[RecordedTable, ...]:
    """Give the tables that were read, with the digest of their files' bytes and the pointers that they were held to.

    Raises ``GatesError`` for a file that is not what its pointer names."""
    checkout = repository(root, environ)
    paths = {"train": resolved.policy.data.train, "holdout": resolved.policy.data.holdout}
    return tuple(
        RecordedTable(
            name=table.name,
            path=str(paths.get(table.name)),
            digest=table.digest,
            rows=table.rows,
            files=_files(root, str(paths.get(table.name))),
            pointer=_pointer(resolved, table.name, root, checkout),
            since=table.since,
            until=table.until,
        )
        for table in evidence.tables
    )


def _pointer(resolved: ResolvedPolicy, table: str, root: Path, checkout: tuple[Git, Path] | None) -> str | None:
    """Return what DVC, Git LFS and `gates fetch` say of a table."""
    path = str(getattr(resolved.policy.data, table, None))
    sayings = (
        pointers.of(root, path, checkout),
        copied_tables.pointer(resolved.policy.data, root / ".gates", root, table),
    )
    return " ".join(filter(None, sayings)) or None


def _files(root: Path, pattern: str) -> str | None:
    """Digest the sorted manifest of the files that a path, folder or glob names; None where it names none."""
    entries = [
        {
            "path": one.relative_to(root).as_posix() if one.is_relative_to(root) else one.name,
            "sha256": files.sha256(one),
        }
        for one in pointers.named(root, pattern)
    ]
    return digest(entries) if entries else None


def _yaml(path: Path) -> Any:
    if path.stat().st_size > SMALL:
        return None
    try:
        return parse(path.read_bytes(), path.name).value
    except GatesError:
        return None


def model(folder: Path, parameters: Any) -> RecordedModel:
    """Return the model of a candidate's folder. ``parameters(run_id)`` gives what a training logged under that run."""
    written = _yaml(folder / "model" / "MLmodel") if (folder / "model" / "MLmodel").is_file() else None
    flavours = written.get("flavors") if isinstance(written, dict) else None
    named = ", ".join(sorted(map(str, flavours))) if isinstance(flavours, dict) else ""
    run_id = written.get("run_id") if isinstance(written, dict) else None
    return RecordedModel(
        digest=files.folder_digest(folder),
        format=f"mlflow ({named})" if (folder / "model").is_dir() else "predictions",
        pickled=tuple(_pickled(folder)),
        parameters=parameters(run_id) if isinstance(run_id, str) and run_id.isalnum() else None,
    )


def _pickled(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (path.suffix in PICKLED or _holds_pickle(path)):
            yield path.relative_to(folder).as_posix()


def _holds_pickle(path: Path) -> bool:
    """Tell by its content whether a file holds a pickle: a pickle's first bytes, or an archive with one in it."""
    with path.open("rb") as file:
        if file.read(2) in PICKLES:
            return True
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(PICKLED) for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return False
