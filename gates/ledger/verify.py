"""Check the ledger: its chain, the documents of each record, and every verdict, derived again from its evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gates.documents.printed.audit import SCHEMA, Audit, AuditFinding, Flaw
from gates.documents.record import OUTCOMES, TIME, Record, RecordKind, Version, Waiver
from gates.errors import GatesError
from gates.ledger.alias import key
from gates.ledger.audit_documents import Filed, Told, check
from gates.ledger.audit_monitoring import RestsOn
from gates.ledger.committed import check as committed
from gates.ledger.experiments.experiment_records import resting
from gates.ledger.ledger import Commit, Ledger
from gates.ledger.record_names import names, not_one
from gates.ledger.retrainings import Before
from gates.schema.canonical import canonical, digest_bytes
from gates.schema.validation import read_json
from gates.wording import plural


@dataclass(slots=True)
class Chain:
    """What is kept while the records are gone through, from the first to the newest."""

    digests: list[str] = field(default_factory=list)
    intents: dict[str, Record] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    moves: dict[str, Record] = field(default_factory=dict)  # by digest
    stood: dict[tuple[str, str | None], Version | None] = field(default_factory=dict)  # (name, alias) -> what it names
    watched: dict[str, Mapping[str, str]] = field(default_factory=dict)  # the last live windows of a model: documents
    moved: dict[str, tuple[Record, Mapping[str, str]]] = field(default_factory=dict)  # moves with their documents
    given: set[tuple[str, bytes]] = field(default_factory=set)  # (name, what was accepted)
    past: dict[str, list[Before]] = field(default_factory=dict)  # all records of a model
    last: str = ""  # when the record before was written


def audit(ledger: Ledger, *, only: str | None = None, expected: str | None = None, key: Path | None = None) -> Audit:
    """Check the whole ledger; with ``only`` (a sequence number, or the beginning of a digest) the documents of that
    record alone, and the chain of all. ``expected``: the digest of a record that was the newest once. ``key``: the
    public key that must have signed the decision of every promotion.

    Raises ``GatesError`` where the ledger can't be read, or ``only`` is no record of it.
    """
    files = list(ledger.files(ledger.head()))[::-1]
    chain, flaws = Chain(), [list[Told]() for _ in files]
    chosen: dict[int, Filed | None] = {}  # by index
    for index, (commit, documents, data) in enumerate(files):
        record, wrong = _chain(chain, index + 1, commit, files[index - 1][0] if index else None, data)
        sha256 = digest_bytes(data or b"")
        flaws[index] += wrong + (list(_order(chain, record, sha256)) if record else [])
        if only is None or names(only, index + 1, sha256):
            chosen[index] = Filed(record, documents, _rests_on(chain, record)) if record else None
        if record:
            _remember(chain, record, sha256, documents)
        chain.digests.append(sha256)
    if only is not None and len(chosen) != 1:
        raise not_one(only, len(chosen), "verify")
    filed = {index: one for index, one in chosen.items() if one}
    beside = check(ledger.git, list(filed.values()), key)
    policies = committed(ledger.git, list(filed.values()))
    for index, wrong, policy in zip(filed, beside.flaws, policies.flaws, strict=True):
        flaws[index] += wrong + policy
    findings = [
        AuditFinding(sequence=sequence, code=code, what=what)
        for sequence, some in enumerate(flaws, 1)
        for code, what in some
    ]
    return Audit(
        schema=SCHEMA,
        records=len(chosen),
        derived=len(beside.derived),
        head=chain.digests[-1] if chain.digests else None,
        anchored=expected in chain.digests,
        tiers=beside.tiers,
        found=(*findings, *_anchor(chain, expected)),
        unknown=(*(() if expected else UNANCHORED), *_unseen(policies.unknown)),
    )


def _rests_on(chain: Chain, record: Record) -> RestsOn:
    """Return what live windows, a plan to train again, an experiment or a promotion rests on; of others, nothing."""
    if record.kind is RecordKind.RETRAIN:
        return RestsOn(before=tuple(chain.past.get(record.name, ())))
    if record.kind in (RecordKind.EXPERIMENT, RecordKind.INTENT, RecordKind.PROMOTION):
        return RestsOn(before=tuple(resting(chain.past.get(record.name, ()))))
    if record.kind is not RecordKind.MONITOR:
        return RestsOn()
    return RestsOn(chain.watched.get(record.name), dict(chain.moved))


def _remember(chain: Chain, record: Record, sha256: str, documents: Mapping[str, str]) -> None:
    chain.past.setdefault(record.name, []).append((sha256, record, documents))
    if record.kind is RecordKind.MONITOR:
        chain.watched[record.name] = documents
    if record.moved:
        chain.moved[sha256] = (record, documents)


UNANCHORED = (
    "whether records were taken from the end, or the ledger was rewritten: "
    "keep the newest record's digest somewhere else, and name it with --expect-head",
)


def _unseen(policies: int) -> tuple[str, ...]:
    what = f"whether {plural(policies, 'record rests', 'records rest')} on the default branch's policy: "
    return (f"{what}those commits are not in this clone; fetch the default branch whole",) if policies else ()


def _anchor(chain: Chain, expected: str | None) -> Iterator[AuditFinding]:
    if expected is not None and expected not in chain.digests:
        what = f"the expected record {expected} is not in the ledger: it was cut short or rewritten"
        yield AuditFinding(sequence=0, code=Flaw.ANCHOR, what=what)


def _chain(
    chain: Chain, sequence: int, commit: Commit, before: Commit | None, data: bytes | None
) -> tuple[Record | None, list[Told]]:
    """Return the record, and what is wrong with its form and place."""
    flaws: list[Told] = []
    if commit.parents != ((before.id,) if before else ()):
        flaws.append((Flaw.PARENTS, f"commit {commit.id[:12]} does not have exactly one parent"))
    try:
        record = read_json(Record, data or b"", f"commit {commit.id[:12]}")
    except GatesError as error:
        return None, [*flaws, (Flaw.UNREADABLE, error.what)]
    if canonical(record) != data:
        flaws.append((Flaw.NOT_CANONICAL, "its bytes are not what gates writes"))
    if record.sequence != sequence:
        flaws.append((Flaw.SEQUENCE, f"it says that it is record {record.sequence}"))
    if record.previous != (chain.digests[-1] if chain.digests else None):
        flaws.append((Flaw.PREVIOUS, "it names another record as its predecessor"))
    return record, flaws


SKEW = timedelta(hours=1)  # by which the clocks of two machines may differ
AGAIN = ("verdict", "decision", "evidence", "policy", "model", "data", "source", "attached")  # of what is gone back to
KEPT = ("name", "alias", "verdict", "decision", "evidence", "policy", "model", "data", "source", "before", "target",
        "approvals", "waivers", "attached")  # fmt: skip


def _order(chain: Chain, record: Record, sha256: str) -> Iterator[Told]:
    """Hold a record to those before it, and remember what those after it are held to."""
    yield from _form(chain, record)
    yield from _closes(chain, record, sha256)
    yield from _rests(chain, record)
    yield from _copies(chain, record)
    if record.kind is RecordKind.WAIVER:
        chain.given |= {(record.name, _frozen(one)) for one in record.waivers}
    if record.moved:
        chain.moves[sha256] = record
        chain.stood[record.name, record.alias] = record.after


def _form(chain: Chain, record: Record) -> Iterator[Told]:
    """Check that a record holds what its kind asks for, and was not written before the one that it follows."""
    if record.misfits:
        yield Flaw.INCOMPLETE, f"a record of kind {record.kind} must not be like this: {', '.join(record.misfits)}"
    before = _moment(chain.last or record.at)
    if before is None or (now := _moment(record.at)) is None or before - now > SKEW:
        yield Flaw.TIME, f"it was written at {record.at}, before the record that it follows, of {chain.last}"
    else:
        chain.last = max(chain.last, record.at)


def _closes(chain: Chain, record: Record, sha256: str) -> Iterator[Told]:
    """Check that outcomes close intents, each once, and say of them what they said."""
    if record.kind is RecordKind.INTENT:
        chain.intents[sha256] = record
    if record.kind in OUTCOMES:
        intent = chain.intents.get(record.intent or "")
        if intent is None or record.intent in chain.closed:
            yield Flaw.INTENT, "it closes no intent, or one that is closed already"
            return
        chain.closed.add(record.intent or "")
        other = [name for name in KEPT if getattr(record, name) != getattr(intent, name)]
        if other:
            yield Flaw.INTENT, f"it differs from its intent: {', '.join(other)}"
    if record.moved and (record.after is None or record.model is None or record.after.digest != record.model.digest):
        yield Flaw.CONTRADICTION, "its version is not the model that it is about"


def _rests(chain: Chain, record: Record) -> Iterator[Told]:
    """Check that what a record goes back to, takes the place of, and was accepted by, stands in records before it."""
    going = record.kind in (RecordKind.INTENT, RecordKind.ROLLBACK, RecordKind.FAILURE)
    if going and record.target:
        goal = chain.moves.get(record.target)
        other = [name for name in ("name", "alias", *AGAIN) if goal and getattr(record, name) != getattr(goal, name)]
        moved = [] if record.kind is RecordKind.FAILURE or goal is None or record.after == goal.after else ["after"]
        if goal is None:
            yield Flaw.TARGET, "it goes back to a record that moved no alias, or that never was"
        elif other or moved:
            yield Flaw.TARGET, f"it differs from the record it goes back to: {', '.join((*other, *moved))}"
    if record.kind is RecordKind.INTENT and not record.target:
        stood = chain.stood.get((record.name, record.alias))
        if record.before != stood:
            named = f"version {stood.version}" if stood else "nothing"
            yield Flaw.BEFORE, f"{record.alias} named {named} by the records before"
    if record.kind in (RecordKind.INTENT, RecordKind.PROMOTION):
        foreign = [one.gate for one in record.waivers if (record.name, _frozen(one)) not in chain.given]
        if foreign:
            yield Flaw.WAIVER, f"no record before it accepts {', '.join(foreign)}"


def _copies(chain: Chain, record: Record) -> Iterator[Told]:
    """Check that a migration copies what the records before it know, all that an alias names, and no other bytes.

    From then on versions have their new numbers.
    """
    if record.kind is not RecordKind.MIGRATION or record.versions is None:
        return
    now = {key(one.before): one.after for one in record.versions}
    known = {key(one.after): one.after for one in chain.moves.values() if one.after and one.name == record.name}
    stood = {alias: version for (name, alias), version in chain.stood.items() if name == record.name and version}
    foreign = [one.before.version for one in record.versions if known.get(key(one.before)) is None]
    if foreign:
        yield Flaw.BEFORE, f"no record before it knows version {', '.join(foreign)} with those bytes"
    named = {(alias, key(one.before)) for one in record.versions for alias in one.aliases}
    if named != {(alias, key(version)) for alias, version in stood.items()}:
        yield Flaw.BEFORE, "its aliases are not those that the records before it moved"
    changed = [one.after.version for one in record.versions if one.after.digest != one.before.digest]
    if (
        changed
        or len({one.after.version for one in record.versions}) != len(record.versions)
        or len(now) != len(record.versions)
    ):
        yield Flaw.CONTRADICTION, "its copies are not the versions that they were made of"
    for digest, one in chain.moves.items():
        if one.name == record.name and one.after:
            chain.moves[digest] = replace(one, after=now.get(key(one.after)))
    for alias, version in stood.items():
        chain.stood[record.name, alias] = now.get(key(version))


def _frozen(waiver: Waiver) -> bytes:
    """Return a waiver in a form that can be looked up: it holds a dict."""
    return canonical(waiver)


def _moment(text: str) -> datetime | None:
    """Return the moment that a record names; None where the calendar has no such day or hour."""
    try:
        return datetime.strptime(text, TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
