"""Train a record again: its commit in a fresh work tree, by its policy, on the same data; and say what differs."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gates.checkout.trusted_policy import TrustedPolicy
from gates.checkout.workspace import Workspace
from gates.documents.evidence import Evidence
from gates.documents.printed.audit import REPRODUCED, Reproduced
from gates.documents.record import EVIDENCE, POLICY
from gates.errors import Exit, GatesError
from gates.ledger.alias import as_now, renumbered
from gates.ledger.audit_documents import resolved_of
from gates.ledger.ledger import Entry
from gates.pipeline.baselines import version_of
from gates.pipeline.pipeline import Pipeline
from gates.pipeline.session import Session
from gates.schema.validation import read_json
from gates.system.files import folder_digest
from gates.system.git import Git, repository
from gates.wording import rows

if TYPE_CHECKING:
    from gates.measure.holdout.models import RegisteredModel

DIRTY = "code or data that was not committed can't be restored"


def reproduce(session: Session, entry: Entry, into: Path) -> Reproduced:
    """Train in the empty folder ``into``. Raises ``GatesError`` where record, commit or data don't allow it."""
    from gates.measure.holdout.models import Rivals

    record = entry.record
    checkout = repository(session.workspace.root, session.environ)
    commit = record.source.commit if record.source else None
    if (
        checkout is None
        or record.source is None
        or commit is None
        or record.policy is None
        or record.evidence is None
        or record.model is None
    ):
        what = "names no commit, policy, evidence and model to train again"
        raise GatesError(what, where=f"record {record.sequence}")
    _checked_out(checkout[0], commit, into)
    again = _session(session, entry, into)
    _data(session.workspace.root, again.workspace.root, [table.path for table in record.data])
    before = read_json(Evidence, session.ledger.document(entry, EVIDENCE), EVIDENCE)
    parts = list(_other_tables(again, before))
    if parts:
        dirty = f" The work tree differed from commit {commit[:7]} then." if record.source.clean is False else ""
        raise GatesError(parts[0], where=f"record {record.sequence}", hint=f"Fetch that version of the data.{dirty}")
    pipeline = Pipeline(again)
    findings = pipeline.check()
    pipeline.train()
    after = pipeline.measure(findings, Rivals(champion=_champion(session, before, into)), again=True)
    ours = again.measurement.predictions(again.workspace.candidate, "candidate")
    kept = _kept(session, again, entry, into)
    parts += list(_predictions(kept, ours)) + list(_counts(before, after))
    if parts and record.source.clean is False:
        parts.insert(0, f"the work tree differed from commit {commit[:7]} when it was recorded: {DIRTY}")
    return Reproduced(
        schema=REPRODUCED,
        record=record.sequence,
        commit=commit,
        model=folder_digest(again.workspace.candidate) == record.model.digest,
        predictions=None if kept is None else not list(_predictions(kept, ours)),
        evidence=not list(_counts(before, after)),
        parts=tuple(parts),
    )


def _checked_out(git: Git, commit: str, into: Path) -> None:
    """Check the commit's files out, in a repository of their own that borrows the objects: the user's has no part in
    it."""
    if git.resolve(f"{commit}^{{commit}}") is None:
        raise GatesError(f"commit {commit[:12]} is not here", where="git", hint="Fetch it.", exit_code=Exit.OUTSIDE)
    fresh = Git(folder=into / ".git", environ=git.environ)
    fresh.run("init", "--quiet", "--template=", str(into / ".git"))
    objects = (git.top or git.folder) / git.run("rev-parse", "--git-path", "objects")
    (into / ".git" / "objects" / "info").mkdir(parents=True, exist_ok=True)
    (into / ".git" / "objects" / "info" / "alternates").write_text(f"{objects}\n")
    fresh.run("config", "core.bare", "false")
    fresh.run(f"--work-tree={into}", "checkout", "--quiet", "--force", "--detach", commit)


def _session(session: Session, entry: Entry, into: Path) -> Session:
    """Open a session in the fresh work tree, with the record's policy."""
    ref = entry.record.policy
    assert ref is not None  # noqa: S101 -- the caller has looked
    workspace = Workspace(policy=into / ref.path)
    workspace.root.mkdir(parents=True, exist_ok=True)
    trusted = TrustedPolicy(resolved=resolved_of(session.ledger.document(entry, POLICY)), ref=ref, elsewhere=None)
    return replace(session, workspace=workspace, trusted=trusted, fresh=secrets.token_hex(8))


def _data(root: Path, fresh: Path, paths: list[str]) -> None:
    """Copy the tables that are not in the commit from beside today's policy. Whether they are the same is checked
    later."""
    for pattern in paths:
        for path in [] if Path(pattern).is_absolute() else sorted(root.glob(pattern)):
            target = fresh / path.relative_to(root)
            if target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if path.is_dir() else shutil.copyfile)(path, target)


def _other_tables(again: Session, before: Evidence) -> Iterator[str]:
    now = {table.name: table.digest for table in again.measurement.evidence(()).tables}
    for table in before.tables:
        if now.get(table.name) != table.digest:
            yield f"the {table.name} data here has changed: {table.digest[:19]} then"


def _champion(session: Session, before: Evidence, into: Path) -> RegisteredModel | None:
    champion = before.champion
    if champion is None or champion.version is None:
        return None
    name, _ = session.resolved.champion
    known = renumbered(session.ledger.entries(session.ledger.head()), name)
    now = (one.record.after for one in known if one.record.moved and one.record.name == name)
    version = next((one.version for one in now if one and one.digest == champion.digest), champion.version)
    return version_of(session, name, version, into / ".git" / "champion")


def _kept(session: Session, again: Session, entry: Entry, into: Path) -> Path | None:
    """Return the predictions of then, where they were promoted and are still kept."""
    after = as_now(session.ledger, session.ledger.head(), entry).record.after
    if after is None:
        return None
    served = session.registry.served(entry.record.name, after.version, entry.record.model, into / ".git" / "then")
    return served.predictions(again.measurement.holdout_identity) if served else None


def _predictions(then: Path | None, now: Path) -> Iterator[str]:
    """Yield where two files of predictions differ: columns, rows, or the first row that does."""
    import pandas

    if then is None:
        yield "the earlier predictions were not kept: the record promoted nothing"
        return
    earlier, later = (pandas.read_csv(p) if p.suffix == ".csv" else pandas.read_parquet(p) for p in (then, now))
    if list(earlier.columns) != list(later.columns) or len(earlier) != len(later):
        difference = (
            f"{rows(len(earlier))} of {', '.join(earlier.columns)} then; {len(later)} of {', '.join(later.columns)} now"
        )
        yield f"predictions: {difference}"
        return
    differ = ~((earlier == later) | (earlier.isna() & later.isna())).all(axis=1)
    if differ.any():
        first = int(differ.to_numpy().argmax())
        difference = f"{earlier.iloc[first].to_dict()} then, {later.iloc[first].to_dict()} now"
        yield f"predictions: {int(differ.sum()):,} of {rows(len(earlier))} differ, first row {first + 1}: {difference}"


def _counts(then: Evidence, now: Evidence) -> Iterator[str]:
    """Yield where two measurements differ, the model's own digest aside."""
    if (then.champion and then.champion.digest) != (now.champion and now.champion.digest):
        yield "evidence: the earlier champion is not the one stored"
    theirs = {(part.dimension, part.key): part for part in now.slices}
    for part in then.slices:
        if theirs.get((part.dimension, part.key)) != part:
            told = ", ".join(f"{column}={value}" for column, value in part.key) or "the whole holdout"
            yield f"evidence: {told} is counted differently"
            return
    if len(theirs) != len(then.slices):
        yield "evidence: the slices are different now"
