"""Read from the ledger which models an alias has named, for reports and badges."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from gates.documents.champion import Champion
from gates.documents.decision import Decision
from gates.documents.record import DECISION, LEDGER, MOVES, Record
from gates.errors import GatesError
from gates.ledger.ledger import Entry, Ledger
from gates.schema.canonical import digest_bytes
from gates.schema.validation import read_json

MOST = 30  # moves, the newest: a report stays small
MARKS = tuple(f'"kind":"{kind}"'.encode() for kind in MOVES)


def champions(ledger: Ledger, head: str | None, name: str, alias: str, most: int = MOST) -> tuple[Champion, ...]:
    """Return the newest moves of a model's alias, the oldest of them first.

    Reads no more of the ledger than it must; raises ``GatesError`` where that can't be read.
    """
    known: dict[str, Entry] = {}
    missing: set[str] = set()  # what rollbacks went back to
    for entry in _moves(ledger, head, name, alias):
        known[entry.digest] = entry
        missing = (missing | {entry.record.target or entry.digest}) - known.keys()
        if len(known) >= most and not missing:
            break
    return tuple(_champion(ledger, known, one) for one in islice(known.values(), most))[::-1]


def trained_from(ledger: Ledger, head: str | None, name: str, alias: str) -> str | None:
    """Return the commit that trained what an alias names now, by the ledger; of a rollback, what it went back to.

    None where it names nothing, or nobody knows.
    """
    target = None
    for entry in _moves(ledger, head, name, alias):
        if target in (None, entry.digest):
            target = entry.record.target
            if target is None:
                return entry.record.source.commit if entry.record.source else None
    return None


def _moves(ledger: Ledger, head: str | None, name: str, alias: str) -> Iterator[Entry]:
    """Yield the moves, the newest first. A record's bytes are canonical, so most can be passed over unread."""
    for commit, documents, data in ledger.files(head):
        if data and any(mark in data for mark in MARKS):
            record = read_json(Record, data, f"{LEDGER} {commit.id[:12]}")
            if record.moved and (record.name, record.alias) == (name, alias):
                yield Entry(commit=commit, record=record, digest=digest_bytes(data), documents=documents)


def _champion(ledger: Ledger, known: dict[str, Entry], entry: Entry) -> Champion:
    judged = entry
    while judged.record.target in known:  # of a rollback: what it went back to, which may be a rollback
        judged = known[judged.record.target]
    return Champion(record=entry.record, digest=entry.digest, judged=judged.record, decision=_decision(ledger, entry))


def _decision(ledger: Ledger, entry: Entry) -> Decision | None:
    """Read a record's decision; None where an older gates wrote it in another form, or it was changed: gates verify
    reports it."""
    try:
        return read_json(Decision, ledger.document(entry, DECISION), DECISION)
    except GatesError:
        return None
