"""Make the tables of a retraining by the policy's own command, and lay them ready for other machines."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from gates.documents.snapshot import FILE, SnapshotTable
from gates.errors import GatesError
from gates.pipeline.session import Session
from gates.pipeline.training import run_shell
from gates.policy.retrain_section import Retrain
from gates.system import sandbox

WHERE = "retrain.snapshot"
_APART = "Let it write the tables and snapshot.json into one folder that git does not track, such as data."


def retrain_of(session: Session) -> Retrain:
    """Return the section of the policy. Raises ``GatesError`` where there is none."""
    section = session.resolved.policy.retrain
    if section is None:
        where = str(session.workspace.policy)
        raise GatesError("has no retrain section", where=where, hint="docs/retraining.md has one.")
    return section


def make(session: Session) -> Mapping[str, SnapshotTable]:
    """Run the command beside the policy, and return the time range of each table that it wrote.

    The command sees neither credentials nor an older snapshot. Raises ``GatesError`` where it fails, or where its
    snapshot is missing or about other tables.
    """
    retrain, policy, work = retrain_of(session), session.resolved.policy, session.workspace
    where = f"{WHERE}: {retrain.snapshot}"
    # 1. what the last run has told goes, so that a command that writes none leaves none
    _path(session).unlink(missing_ok=True)
    # 2. the command
    work.prepare()
    log = work.work / "snapshot.log"
    log.unlink(missing_ok=True)
    seen = sandbox.without_secrets(session.environ, policy.train.environment)
    limit = policy.train.seconds, policy.train.timeout
    with session.steps.step("snapshot", retrain.snapshot), session.steps.follow(log):
        run_shell(retrain.snapshot, work.root, seen, log, limit, where)
    # 3. what it wrote, opened only now
    if not _path(session).is_file():
        raise GatesError(f"wrote no {FILE} beside the holdout", where=where, hint="docs/retraining.md has one.")
    with session.steps.step("tables", ", ".join(table.path for table in session.measurement.opened.values())):
        return session.measurement.spans()


def _path(session: Session) -> Path:
    return (session.workspace.root / session.resolved.policy.data.holdout).parent / FILE


def lay(session: Session) -> str:
    """Copy tables and snapshot into ``.gates/snapshot``; return the folder that they are of, from the repository's
    root. Raises ``GatesError`` where they are in no folder of their own."""
    from gates.measure.engines.written_names import found

    work, measurement = session.workspace, session.measurement
    tables = list(measurement.opened.values())
    paths = [measurement.snapshot, *(path for table in tables for path in found(work.root, table.path))]
    top = session.checkout[1] if session.checkout else Path(session.environ.get("GITHUB_WORKSPACE") or ".").resolve()
    folder = _folder([path.resolve() for path in paths], top.resolve())
    if session.checkout and session.checkout[0].run("ls-files", "-z", "--", f":(literal,top){folder}"):
        raise GatesError(f"the commit has files in {folder}", where=WHERE, hint=_APART)
    if work.snapshot.exists():
        shutil.rmtree(work.snapshot)
    for path in paths:
        target = work.snapshot / path.resolve().relative_to(top.resolve() / folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return folder


def _folder(files: list[Path], top: Path) -> str:
    """Return the folder that holds all of these files, from the top of the repository."""
    common = Path(os.path.commonpath([str(file.parent) for file in files]))
    if not common.is_relative_to(top) or common == top:
        raise GatesError("the tables and snapshot.json are in no folder of their own", where=WHERE, hint=_APART)
    return PurePosixPath(common.relative_to(top)).as_posix()
