"""Check a record of live windows: its evidence gives the decision again, by what its models were promoted with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from gates import __version__
from gates.documents.evidence import Evidence
from gates.documents.live.drift_profile import FILE as PROFILE
from gates.documents.live.drift_profile import DriftProfile
from gates.documents.live.live_evidence import LiveEvidence
from gates.documents.live.monitoring_decision import MonitoringDecision
from gates.documents.printed.audit import Flaw
from gates.documents.record import DECISION, EVIDENCE, Record
from gates.ledger.retrainings import Before
from gates.monitoring.judge_windows import judge_windows
from gates.monitoring.reference import Reference
from gates.policy import ResolvedPolicy
from gates.schema.canonical import digest
from gates.schema.validation import read_json

Get = Callable[[str], bytes | None]  # a blob's bytes
Documents = Mapping[str, str]  # a document's name -> its blob


@dataclass(frozen=True, slots=True)
class RestsOn:
    """What a record rests on besides its own documents.

    Of live windows: the record before it of the same model, and each move of the alias before it, by digest, with the
    documents beside them. Of a plan to train again: all records of the model before it; of an experiment and of a
    promotion, those of experiments and moves.
    """

    previous: Documents | None = None
    moves: Mapping[str, tuple[Record, Documents]] = field(default_factory=dict)
    before: tuple[Before, ...] = ()


def check_windows(
    get: Get, record: Record, documents: Documents, rests: RestsOn, resolved: ResolvedPolicy
) -> Iterator[tuple[Flaw, str]]:
    """Yield what is wrong with a record whose documents are those that it names."""
    live = read_json(LiveEvidence, get(documents[EVIDENCE]) or b"", EVIDENCE)
    yield from _models(record, live, rests)
    before = None
    if rests.previous is not None:
        before = read_json(MonitoringDecision, get(rests.previous.get(DECISION, "")) or b"", DECISION)
    wanted = {window.model.record for window in live.windows if window.model}
    references = {named: _reference(get, named, rests.moves[named][1]) for named in wanted & rests.moves.keys()}
    decision = judge_windows(resolved, live, references, before)
    if digest(decision) != record.decision:
        by = f"; it was made by gates {record.tool}" if record.tool != __version__ else ""
        yield Flaw.DECISION_DIFFERS, f"its evidence gives {decision.verdict}, {decision.reason}{by}"
    if record.verdict != decision.verdict or record.name != resolved.champion[0]:
        yield Flaw.CONTRADICTION, "its verdict or model is not that of its decision"


def _models(record: Record, live: LiveEvidence, rests: RestsOn) -> Iterator[tuple[Flaw, str]]:
    """Check that each window is about what the alias named when it ended, by the records before."""
    about = (record.name, record.alias)
    stood = [(told, one) for told, (one, _) in rests.moves.items() if (one.name, one.alias) == about]
    for window in live.windows:
        last = next((one for one in reversed(stood) if one[1].at <= window.end), None)
        named = (last[0], last[1].after.digest) if last and last[1].after else None
        if named != (window.model and (window.model.record, window.model.digest)):
            yield Flaw.CONTRADICTION, f"its window of {window.start} is not about the model that {record.alias} named"
            return


def _reference(get: Get, named: str, documents: Documents) -> Reference:
    evidence = read_json(Evidence, get(documents[EVIDENCE]) or b"", EVIDENCE) if EVIDENCE in documents else None
    profile = read_json(DriftProfile, get(documents[PROFILE]) or b"", PROFILE) if PROFILE in documents else None
    return Reference(record=named, evidence=evidence, profile=profile)
