"""Read from the ledger what monitoring rests on: what served when, what it was promoted with, and the last verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gates.documents.evidence import Evidence
from gates.documents.live.drift_profile import FILE as PROFILE
from gates.documents.live.drift_profile import DriftProfile
from gates.documents.live.live_evidence import WatchedModel
from gates.documents.live.monitoring_decision import MonitoringDecision
from gates.documents.record import DECISION, EVIDENCE, RecordKind
from gates.ledger.alias import moves, renumbered
from gates.ledger.ledger import Entry, Ledger
from gates.monitoring.alert_state import WatchRecord
from gates.monitoring.reference import Reference
from gates.schema.validation import read_json


def newest(ledger: Ledger, head: str | None, name: str, alias: str) -> list[Entry]:
    """Return every move of an alias, the newest first."""
    return list(moves(ledger, head, name, alias))


def model_at(moves: Sequence[Entry], time: str) -> WatchedModel | None:
    """Return what the alias named at a time, as records write it. ``moves``: the newest first."""
    for entry in moves:
        if entry.record.at <= time:
            after = entry.record.after
            return WatchedModel(digest=after.digest, version=after.version, record=entry.digest) if after else None
    return None


def digests(ledger: Ledger, head: str | None, name: str) -> frozenset[str]:
    """Return the digests of all models of a name that any alias was ever moved to."""
    records = (entry.record for entry in ledger.entries(head))
    return frozenset(one.after.digest for one in records if one.moved and one.name == name and one.after)


def reference(ledger: Ledger, entry: Entry) -> Reference:
    """Read what a model was promoted with. An adopted one has no evidence."""
    record = entry.record
    evidence = read_json(Evidence, ledger.document(entry, EVIDENCE), EVIDENCE) if record.evidence else None
    profile = read_json(DriftProfile, ledger.document(entry, PROFILE), PROFILE) if PROFILE in record.attached else None
    return Reference(record=entry.digest, evidence=evidence, profile=profile)


def last_watch(ledger: Ledger, head: str | None, name: str) -> Entry | None:
    """Find the newest record of live windows of a model."""
    for entry in renumbered(ledger.entries(head), name):
        if entry.record.kind is RecordKind.MONITOR and entry.record.name == name:
            return entry
    return None


def previous(ledger: Ledger, head: str | None, name: str) -> MonitoringDecision | None:
    """Read the newest monitoring decision of a model; None where there is none."""
    entry = last_watch(ledger, head, name)
    return read_json(MonitoringDecision, ledger.document(entry, DECISION), DECISION) if entry else None


def watch_records(ledger: Ledger, head: str | None, name: str) -> Iterator[WatchRecord]:
    """Yield every monitoring decision of a model, the newest first. Each is read when it is asked for."""
    for entry in renumbered(ledger.entries(head), name):
        if entry.record.kind is RecordKind.MONITOR and entry.record.name == name:
            decision = read_json(MonitoringDecision, ledger.document(entry, DECISION), DECISION)
            yield WatchRecord(sequence=entry.record.sequence, digest=entry.digest, decision=decision)
