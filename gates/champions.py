"""The models that an alias has named, read from the ledger: what reports and badges tell of them."""

from __future__ import annotations

from itertools import islice

from gates.decision import Decision
from gates.errors import GatesError
from gates.ledger import Entry, Ledger
from gates.record import DECISION
from gates.report.past import Champion
from gates.validate import read_json

MOST = 30  # moves, the newest: a report stays small


def champions(ledger: Ledger, head: str | None, name: str, alias: str, most: int = MOST) -> tuple[Champion, ...]:
    """The newest moves of a model's alias, the oldest of them first. Raises ``GatesError`` for a ledger that can't be
    read."""
    moves = [
        one for one in ledger.entries(head) if one.record.moved and (one.record.name, one.record.alias) == (name, alias)
    ]
    known = {one.digest: one for one in moves}
    return tuple(_champion(ledger, known, one) for one in islice(moves, most))[::-1]


def _champion(ledger: Ledger, known: dict[str, Entry], entry: Entry) -> Champion:
    judged = entry
    while judged.record.target in known:  # of a rollback: what it went back to, which may be a rollback
        judged = known[judged.record.target]
    return Champion(record=entry.record, digest=entry.digest, judged=judged.record, decision=_decision(ledger, entry))


def _decision(ledger: Ledger, entry: Entry) -> Decision | None:
    """None where an older gates wrote it in another form, or it was changed: gates verify tells."""
    try:
        return read_json(Decision, ledger.document(entry, DECISION), DECISION)
    except GatesError:
        return None
