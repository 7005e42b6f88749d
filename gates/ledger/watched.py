"""Read from the ledger what monitoring rests on: what served when, what it was promoted with, and the last verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from gates.documents.evidence import Evidence
from gates.documents.live.drift_profile import FILE as PROFILE
from gates.documents.live.drift_profile import DriftProfile
from gates.documents.live.live_evidence import LiveEvidence, WatchedModel
from gates.documents.live.monitoring_decision import JudgedWindow, MonitoringDecision
from gates.documents.live.watch_history import ColumnSpread, WatchHistory
from gates.documents.record import DECISION, EVIDENCE, RecordKind
from gates.ledger.alias import moves
from gates.ledger.ledger import Entry, Ledger
from gates.monitoring.alert_state import WatchRecord
from gates.monitoring.reference import Reference
from gates.schema.validation import read_json


@dataclass(frozen=True, kw_only=True)
class ServedModels:
    """What an alias named, and all that is known of those models, up to a head. Each part is read when it is asked for,
    and once."""

    ledger: Ledger
    head: str | None
    name: str
    alias: str

    @cached_property
    def moves(self) -> list[Entry]:
        """Every move of the alias, the newest first."""
        return list(moves(self.ledger, self.head, self.name, self.alias))

    @cached_property
    def references(self) -> dict[str, Reference]:
        """What each of them was promoted with, by its record's digest."""
        return {entry.digest: reference(self.ledger, entry) for entry in self.moves}

    @cached_property
    def known(self) -> frozenset[str]:
        """The digests of all models of the name that any alias was ever moved to."""
        records = (entry.record for entry in self.ledger.entries(self.head))
        return frozenset(one.after.digest for one in records if one.moved and one.name == self.name and one.after)


def model_at(moves: Sequence[Entry], time: str) -> WatchedModel | None:
    """Return what the alias named at a time, as records write it. ``moves``: the newest first."""
    for entry in moves:
        if entry.record.at <= time:
            after = entry.record.after
            return WatchedModel(digest=after.digest, version=after.version, record=entry.digest) if after else None
    return None


def reference(ledger: Ledger, entry: Entry) -> Reference:
    """Read what a model was promoted with. An adopted one has no evidence."""
    record = entry.record
    evidence = read_json(Evidence, ledger.document(entry, EVIDENCE), EVIDENCE) if record.evidence else None
    profile = read_json(DriftProfile, ledger.document(entry, PROFILE), PROFILE) if PROFILE in record.attached else None
    return Reference(record=entry.digest, evidence=evidence, profile=profile)


def watch_records(ledger: Ledger, head: str | None, name: str) -> Iterator[WatchRecord]:
    """Yield every monitoring decision of a model, the newest first. Each is read when it is asked for."""
    for entry, decision in _watches(ledger, head, name):
        yield WatchRecord(sequence=entry.record.sequence, digest=entry.digest, decision=decision)


def last_watch(ledger: Ledger, head: str | None, name: str) -> WatchRecord | None:
    """Read the newest of them; None where there is none."""
    return next(watch_records(ledger, head, name), None)


def _watches(ledger: Ledger, head: str | None, name: str) -> Iterator[tuple[Entry, MonitoringDecision]]:
    for entry in ledger.entries(head):
        if entry.record.kind is RecordKind.MONITOR and entry.record.name == name:
            yield entry, read_json(MonitoringDecision, ledger.document(entry, DECISION), DECISION)


MOST_WINDOWS = 120  # that a report shows, all rows and labels together


def watch_history(ledger: Ledger, head: str | None, name: str) -> WatchHistory | None:
    """Read the newest windows of a model that were judged; None where none was."""
    records: list[Entry] = []
    windows: list[JudgedWindow] = []
    for entry, decision in _watches(ledger, head, name):
        records.append(entry)
        windows[:0] = decision.windows
        if len(windows) >= MOST_WINDOWS:
            break
    if not records:
        return None
    last = records[0].record
    return WatchHistory(
        record=last.sequence,
        at=last.at,
        verdict=last.verdict or "",
        reason=last.reason,
        windows=tuple(windows[-MOST_WINDOWS:]),
        spreads=tuple(_spreads(ledger, head, records[0])),
    )


def _spreads(ledger: Ledger, head: str | None, entry: Entry) -> Iterator[ColumnSpread]:
    """Yield each column of the newest window beside its profile."""
    live = read_json(LiveEvidence, ledger.document(entry, EVIDENCE), EVIDENCE)
    window = next((one for one in reversed(live.windows) if one.columns and one.model), None)
    if window is None or window.model is None:
        return
    named = window.model.record
    promotion = next((one for one in ledger.entries(head) if one.digest == named), None)
    profile = reference(ledger, promotion).profile if promotion else None
    for counts in window.columns if profile else ():
        bins = profile.of(counts.column, counts.measure) if profile else None
        drawn = bins is not None and counts.measure == "psi" and any(counts.counts) and any(bins.counts)
        if bins is not None and drawn:
            yield ColumnSpread(
                column=counts.column,
                version=window.model.version,
                window=window.start,
                bins=bins.names,
                then=tuple(rows / sum(bins.counts, 0) for rows in bins.counts),
                now=tuple(rows / sum(counts.counts) for rows in counts.counts),
            )
