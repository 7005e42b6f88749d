"""Change which model an alias names: intent, registry, read back, outcome. If it is killed, the next one undoes what
was started.

Neither MLflow's aliases nor its bytes have a compare-and-swap. So an intent in the ledger, which has one, comes first;
one lock per registry keeps promotions of one machine apart, and a lease those of several.
"""

from __future__ import annotations

import os
import platform
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from gates import __version__
from gates.checkout.trusted_policy import TrustedPolicy
from gates.documents.record import CARD, OUTCOMES, TIME, Approval, Record, RecordKind, Refused, Run, Version
from gates.errors import Exit, GatesError
from gates.ledger.alias import NAMED, elsewhere, known_of, last_move
from gates.ledger.ledger import Entry, Ledger, LostRaceError
from gates.policy import Stage
from gates.promotion.provenance import draft
from gates.registry.interface import Registry

LEASE = timedelta(minutes=10)  # how long an intent may take before somebody else settles it
SKEW = timedelta(minutes=2)  # by which two machines' clocks may differ
POLL = 2.0  # seconds between two looks at somebody else's intent


class RefusedError(GatesError):
    """A promotion or rollback that may not be, or that was undone; ``code`` is its stable reason."""

    def __init__(self, code: Refused, what: str, *, hint: str | None = None, exit_code: Exit = Exit.STOP) -> None:
        super().__init__(what, where=code.value, hint=hint, exit_code=exit_code)
        self.code = code


Approve = Callable[[Stage, str], tuple[Approval, ...]]  # (stage, the model's digest) -> the approvals, or GatesError


def approved(approve: Approve, stage: Stage, model: str) -> tuple[Approval, ...]:
    """Ask for a stage's approvals, even where it names no role: the callable knows, and may only be stricter."""
    try:
        return approve(stage, model)
    except GatesError as error:
        raise RefusedError(Refused.APPROVALS, error.what, hint=error.hint, exit_code=error.exit_code) from error


def on_default_branch(policy: TrustedPolicy, what: str) -> None:
    """Raise ``RefusedError`` in a GitHub run of another branch. ``what`` would begin there: ``Promotions``."""
    if policy.elsewhere:
        why = f"this run is of {policy.elsewhere}, not of {policy.ref.branch}"
        raise RefusedError(Refused.NOT_DEFAULT_BRANCH, why, hint=f"{what} start on the default branch.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionContext:
    """Registry and ledger of one registered model, who works on them, and a progress display."""

    name: str
    registry: Registry
    ledger: Ledger
    run: Run
    say: Callable[[str], None]
    held: list[str] = field(default_factory=list)  # the id of the lock, while it is held

    def version(self, number: str, digest: str) -> Version:
        """Return a version of this registry."""
        return Version(version=number, digest=digest, registry=self.registry.kind)

    def draft(self, kind: RecordKind, alias: str | None, reason: str) -> Record:
        """Draft a record that says nothing more yet."""
        return draft(self.name, self.run, kind, alias, reason)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one command at a time work on this machine. The lock ends with its process, however that ends."""
        from filelock import FileLock, Timeout

        path = self.registry.lock or self.ledger.git.lock
        lock = FileLock(path, preserve_lock_file=True, on_acquired=lambda file: self.held.append(_name(file)))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(blocking=False)
            except Timeout:
                self.say("waiting for another promotion on this machine")
                lock.acquire()
        except OSError as error:
            raise GatesError(f"can't be locked: {error.strerror}", where=str(path), exit_code=Exit.OUTSIDE) from error
        try:
            yield
        finally:
            self.held.clear()
            lock.release()

    def open_intent(self, head: str | None) -> Entry | None:
        """Return the intent of this model that nothing has closed yet: there is never more than one."""
        for entry in self.ledger.entries(head):
            if entry.record.name == self.name and entry.record.kind in (RecordKind.INTENT, *OUTCOMES):
                return entry if entry.record.kind is RecordKind.INTENT else None
        return None

    def settled(self) -> str | None:
        """Return the ledger's newest commit, once no intent is open: one that a dead process left is undone."""
        announced = False
        while True:
            self.registry.refresh()
            head = self.ledger.head()
            entry = self.open_intent(head)
            if entry is None:
                self.ledger.whole(head)
                return head
            if self._abandoned(entry.record):
                self.say(f"settling record {entry.record.sequence}, which was left open")
                outcome = undo(self, entry)
                self.say(f"record {outcome.record.sequence}: {outcome.record.kind}, {outcome.record.reason}")
                continue
            if not announced:
                by = f"{entry.record.run.actor.login} is carrying out, until {entry.record.lease} at most"
                self.say(f"waiting for record {entry.record.sequence}, which {by}")
            announced = True
            time.sleep(POLL)

    def _abandoned(self, intent: Record) -> bool:
        return intent.holder in self.held or not within_lease(intent, datetime.now(UTC))


def within_lease(intent: Record, now: datetime) -> bool:
    """Tell whether an intent's time has not run out.

    A lease is never longer than ``LEASE``: one that ends later was written by a clock that is wrong, or by somebody who
    wants all others to wait.
    """
    return intent.lease is not None and now.strftime(TIME) <= intent.lease <= (now + LEASE + SKEW).strftime(TIME)


def begin(desk: PromotionContext, intent: Record, documents: Mapping[str, bytes | str], *, after: str | None) -> Entry:
    """Write the intent. Raises ``LostRaceError`` where the ledger has moved on from ``after``."""
    lease = (datetime.now(UTC) + LEASE).strftime(TIME)
    return desk.ledger.append(replace(intent, holder=desk.held[-1], lease=lease), documents, after=after)


def undo(desk: PromotionContext, entry: Entry) -> Entry:
    """Close an intent that somebody left open, and undo what was done of it.

    It is never finished: what it rests on was verified by the process that died. A record that whoever may push can
    write is no order to the registry.
    """
    intent = entry.record
    last = last_move(desk.ledger, desk.ledger.head(), desk.name, str(intent.alias))
    if last and elsewhere(desk.registry, last.record.after):
        raise GatesError(
            f"record {entry.record.sequence} was left open in another registry, where it must be undone",
            where=desk.name,
            hint=NAMED,
        )
    if intent.after is None:
        version = desk.registry.made_for(desk.name, entry.digest)
    else:
        known = known_of(desk.ledger, desk.ledger.head(), desk.name, intent.after.version)
        version = intent.after.version if known else None
    return _undo(desk, entry, version, Refused.INTERRUPTED, "it was left open, and was undone")


def carry_out(desk: PromotionContext, entry: Entry) -> Entry:
    """Bring an intent that was just verified to its outcome: finished where its version is whole, undone where not.

    Does the same whether it goes on or begins again: each step looks first at what is.
    """
    intent = entry.record
    assert intent.alias is not None  # noqa: S101 -- every intent names both
    assert intent.model is not None  # noqa: S101
    name, alias, digest = desk.name, intent.alias, intent.model.digest
    desk.registry.refresh()
    version = intent.after.version if intent.after else desk.registry.made_for(name, entry.digest)
    if version is None:
        return _close(desk, entry, Refused.INTERRUPTED, "the model was not registered")
    before, now = intent.before and intent.before.version, desk.registry.at(name, alias)
    if now not in (before, version):
        why = f"somebody moved {alias} to version {now} in the meantime"
        return _close(desk, entry, Refused.ALIAS_MOVED, why)
    if desk.registry.stored(name, version) != digest:
        return _undo(desk, entry, version, Refused.STORED_BYTES, f"the stored bytes of version {version} were changed")
    closed = _closing(desk, entry, desk.ledger.head())
    if closed:
        return closed
    if now != version:
        if CARD in intent.documents and not intent.target:  # what is gone back to has its own already
            desk.registry.attach(name, version, CARD, desk.ledger.document(entry, CARD))
        desk.registry.move(name, alias, version)
    desk.registry.refresh()
    now = desk.registry.at(name, alias)
    if now != version:
        why = f"somebody moved {alias} to version {now} in the meantime"
        return _close(desk, entry, Refused.ALIAS_MOVED, why)
    if desk.registry.stored(name, version) != digest:
        return _undo(desk, entry, version, Refused.STORED_BYTES, f"the stored bytes of version {version} were changed")
    done = f"version {version} is {alias}"
    return _close(desk, entry, None, done, after=intent.after or desk.version(version, digest))


def _undo(desk: PromotionContext, entry: Entry, version: str | None, code: Refused, why: str) -> Entry:
    """Move the alias back to what the ledger says, if it names what this intent meant it to name.

    Not what the intent says stood there before: that would be an order, too.
    """
    alias = entry.record.alias
    assert alias  # noqa: S101 -- every intent names one
    last = last_move(desk.ledger, desk.ledger.head(), desk.name, alias)
    stood = last.record.after.version if last and last.record.after else None
    desk.registry.refresh()
    if version is not None and version != stood and desk.registry.at(desk.name, alias) == version:
        desk.registry.move(desk.name, alias, stood)
    return _close(desk, entry, code, why)


def _close(
    desk: PromotionContext, entry: Entry, code: Refused | None, why: str, *, after: Version | None = None
) -> Entry:
    """Write the outcome, unless somebody else has closed the intent: then theirs is the outcome."""
    intent = entry.record
    done = RecordKind.ROLLBACK if intent.target else RecordKind.PROMOTION
    outcome = replace(
        intent,
        kind=RecordKind.FAILURE if code else done,
        reason=why if not intent.target or code else f"{why} again: {intent.reason}",
        code=code,
        after=after,
        intent=entry.digest,
        holder=None,
        lease=None,
        run=desk.run,
        tool=__version__,
        python=platform.python_version(),
    )
    while True:
        head = desk.ledger.head()
        closed = _closing(desk, entry, head)
        if closed:
            return closed
        try:
            return desk.ledger.append(outcome, entry.documents, after=head)
        except LostRaceError:
            continue


def _closing(desk: PromotionContext, entry: Entry, head: str | None) -> Entry | None:
    """Return the outcome that somebody else, after our lease, has written for an intent."""
    still = desk.open_intent(head)
    if still is not None and still.digest == entry.digest:
        return None
    return next(one for one in desk.ledger.entries(head) if one.record.intent == entry.digest)


def _name(file: int) -> str:
    """Return the lock's own name, made by whoever held it first: whoever holds it knows that every other holder is
    gone."""
    os.lseek(file, 0, os.SEEK_SET)
    name = os.read(file, 64).decode(errors="replace")
    if not name:
        name = uuid.uuid4().hex
        os.write(file, name.encode())
    return name
