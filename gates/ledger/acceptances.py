"""Read the ledger's waivers: which of them hold today. Each is proven when it is asked for."""

from __future__ import annotations

from collections.abc import Callable

from gates.documents.record import Record, RecordKind, Waiver
from gates.ledger.ledger import Ledger

Proven = Callable[[Record], str | None]  # why the record of a waiver proves nothing; None where somebody approved it


def holding(
    ledger: Ledger, head: str | None, name: str, proven: Proven, today: str
) -> tuple[tuple[Waiver, ...], tuple[str, ...]]:
    """Return the waivers of a model that hold, asked of ``proven`` now, and why each of the others does not.

    A run proves one record: the first one that names it. A later one was not written by that run.
    """
    waivers: list[Waiver] = []
    reasons: list[str] = []
    runs: set[int] = set()
    given = [entry.record for entry in ledger.entries(head) if entry.record.kind is RecordKind.WAIVER]
    for record in reversed(given):
        run = record.run.run_id
        again = run is not None and run in runs
        if run is not None:
            runs.add(run)
        if record.name != name:
            continue
        if all(one.until < today for one in record.waivers):
            waivers += record.waivers  # what has ended is told to have ended; who approved it no longer matters
            continue
        why = f"run {run} has given an earlier one" if again else proven(record)
        if why is None:
            waivers += record.waivers
        else:
            reasons += [f"the waiver in record {record.sequence} does not hold: {why}"]
    return tuple(waivers), tuple(reasons)
