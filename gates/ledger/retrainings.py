"""The records that a plan to train again rests on; and whether what such records say follows from those before them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from gates.documents.live.monitoring_decision import MonitoringDecision
from gates.documents.live.retraining import RetrainState
from gates.documents.printed.audit import Flaw
from gates.documents.record import DECISION, TIME, Record, RecordKind
from gates.errors import GatesError
from gates.ledger.ledger import Entry, Ledger
from gates.monitoring.retrain_plan import PastRecord, retrain_plan
from gates.policy import ResolvedPolicy
from gates.schema.validation import read_json

Get = Callable[[str], bytes | None]  # a blob's bytes
Before = tuple[str, Record, Mapping[str, str]]  # a record's digest, the record, and the documents beside it


def past_records(ledger: Ledger, head: str | None, name: str) -> list[PastRecord]:
    """Read the records of a model that a plan rests on, the oldest first."""
    entries = [entry for entry in ledger.entries(head) if entry.record.name == name]
    return [_past(entry.digest, entry.record, _bytes(ledger, entry)) for entry in reversed(entries)]


def _bytes(ledger: Ledger, entry: Entry) -> bytes | None:
    return ledger.document(entry, DECISION) if entry.record.kind is RecordKind.MONITOR else None


def _past(digest: str, record: Record, decision: bytes | None) -> PastRecord:
    watched = read_json(MonitoringDecision, decision, DECISION) if decision is not None else None
    return PastRecord(digest=digest, at=seconds_of(record.at), record=record, decision=watched)


def seconds_of(text: str) -> int:
    """Return a record's time in seconds since 1970. Raises ``GatesError`` where the calendar has no such time."""
    try:
        return int(datetime.strptime(text, TIME).replace(tzinfo=UTC).timestamp())
    except ValueError as error:
        raise GatesError(f"{text} is no time of the calendar") from error


def check_retraining(
    get: Get, record: Record, before: Sequence[Before], resolved: ResolvedPolicy
) -> Iterator[tuple[Flaw, str]]:
    """Yield what is wrong with a plan, by its own policy and the records of the model before it.

    What was started must follow from these. A refusal is held to less: it starts nothing.
    """
    retraining = record.retrain
    if retraining is None:
        return
    if record.name != resolved.champion[0] or record.alias != resolved.retrain_stage:
        yield Flaw.CONTRADICTION, "its model or stage is not that of its policy"
    watched = {digest for digest, one, _ in before if one.kind is RecordKind.MONITOR}
    if retraining.record is not None and retraining.record not in watched:
        yield Flaw.RETRAIN, "it rests on a record of live windows that no record before it is"
        return
    if retraining.state is not RetrainState.STARTED:
        return
    history = [_past(digest, one, _decision(get, one, documents)) for digest, one, documents in before]
    plan = retrain_plan(resolved, history, seconds_of(record.at), retraining.record)
    if plan.retraining.state is not RetrainState.STARTED:
        yield Flaw.RETRAIN, f"the records before it refuse to start: {plan.reason}"
    elif plan.retraining != retraining:
        yield Flaw.RETRAIN, "the rows that it was started for are not those of the records before it"


def _decision(get: Get, record: Record, documents: Mapping[str, str]) -> bytes | None:
    return (get(documents.get(DECISION, "")) or b"") if record.kind is RecordKind.MONITOR else None
