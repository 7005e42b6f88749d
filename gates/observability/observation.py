"""Read from ledger and registry what Prometheus learns of a model. What they don't agree on is an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from gates.documents.decision import Decision, Verdict
from gates.documents.live.experiment_evidence import ExperimentEvidence
from gates.documents.live.experiment_step import ExperimentState
from gates.documents.live.live_evidence import LABELS, ROWS
from gates.documents.live.monitoring_decision import JudgedWindow, MonitoringDecision
from gates.documents.live.retraining import RetrainState
from gates.documents.printed.standing import AliasState
from gates.documents.record import DECISION, EVIDENCE, OUTCOMES, Record, RecordKind
from gates.ledger.alias import Names, compared, renumbered
from gates.ledger.ledger import Entry, Ledger
from gates.ledger.retrainings import seconds_of
from gates.observability.observed_bars import NOT_JUDGED, alias_bar, decision_bars, doubted, merged, window_bars
from gates.observability.observed_model import ObservedBar, ObservedModel, ServingVersion
from gates.policy import ResolvedPolicy
from gates.policy.live_policies import parts_of
from gates.schema.validation import read_json


@dataclass(kw_only=True)
class _Walk:
    """What the ledger's records, read from its end, have said so far."""

    ledger: Ledger
    resolved: ResolvedPolicy
    now: float
    moves: dict[str, Entry] = field(default_factory=dict)
    windows: dict[str, JudgedWindow] = field(default_factory=dict)
    newest: MonitoringDecision | None = None
    times: dict[str, float] = field(default_factory=dict)
    started: int = 0
    intent: Record | None = None
    ended: bool = False
    past_budget: bool = False
    units: Mapping[str, int] | None = None
    aliases: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.aliases = tuple(stage.alias for stage in self.resolved.stages)
        self.parts = parts_of(self.resolved.policy) if self.resolved.policy.monitor else ()

    @property
    def unseen(self) -> list[str]:
        """The parts of a window of which the newest one was not read yet, though it was judged."""
        newest = self.newest
        judged = [part for part in self.parts if newest is None or newest.until(part) is not None]
        return [part for part in judged if part not in self.windows]

    @property
    def is_done(self) -> bool:
        policy = self.resolved.policy
        budget = policy.retrain is None or self.past_budget
        return len(self.moves) == len(self.aliases) and not self.unseen and budget

    def take(self, entry: Entry) -> None:
        """Look at one record of the model."""
        record, at = entry.record, seconds_of(entry.record.at)
        if record.kind is RecordKind.INTENT and not self.ended and self.intent is None:
            self.intent = record
        self.ended = self.ended or record.kind in OUTCOMES
        if record.moved and record.alias in self.aliases:
            self.moves.setdefault(record.alias or "", entry)
            if record.alias == self.resolved.champion[1]:
                self.times.setdefault(str(record.kind), at)
        if record.kind in (RecordKind.MONITOR, RecordKind.RETRAIN, RecordKind.EXPERIMENT):
            self.times.setdefault(str(record.kind), at)
        if record.kind is RecordKind.MONITOR and self.unseen:
            self._watch(entry)
        ended = self.resolved.champion[1] in self.moves  # by the promotion that came after it
        if record.kind is RecordKind.EXPERIMENT and self.units is None and not ended:
            self.units = self._units(entry)
        retrain = self.resolved.policy.retrain
        if retrain is not None:
            self.past_budget = self.now - at >= retrain.span
            began = record.retrain is not None and record.retrain.state is RetrainState.STARTED
            self.started += began and not self.past_budget

    def _units(self, entry: Entry) -> Mapping[str, int]:
        """Return the closed units of each arm; none of an experiment that was stopped, or can't be counted."""
        step = entry.record.experiment
        if step is None or step.state is ExperimentState.STOPPED:
            return {}
        if step.state is ExperimentState.STARTED:
            return {"champion": 0, "challenger": 0}
        evidence = read_json(ExperimentEvidence, self.ledger.document(entry, EVIDENCE), EVIDENCE)
        return {arm.arm: arm.closed for arm in evidence.arms}

    def _watch(self, entry: Entry) -> None:
        decision = read_json(MonitoringDecision, self.ledger.document(entry, DECISION), DECISION)
        self.newest = self.newest or decision
        judged = {window.part: window for window in decision.windows}  # the newest of each part comes last
        for part in self.unseen:
            if part in judged:
                self.windows[part] = judged[part]


def observed(ledger: Ledger, registry: Names, resolved: ResolvedPolicy, now: datetime | None = None) -> ObservedModel:
    """Return what Prometheus learns of the policy's model. ``now``: the clock's time if not given.

    Raises ``GatesError`` where ledger or registry can't be asked: nothing is then written.
    """
    name = resolved.champion[0]
    walk = _Walk(ledger=ledger, resolved=resolved, now=(now or datetime.now(UTC)).timestamp())
    for entry in renumbered(ledger.entries(ledger.head()), name):
        if entry.record.name == name:
            walk.take(entry)
        if walk.is_done:
            break
    states = {alias: compared(registry, name, alias, walk.moves.get(alias)) for alias in walk.aliases}
    doubts = tuple(_doubts(walk, states))
    aliases = [alias_bar(alias, _verdict(alias, state, walk)) for alias, (state, _, _) in states.items()]
    bars = merged(_bars(walk))
    rows, labelled = walk.windows.get(ROWS), walk.windows.get(LABELS)
    retrain = resolved.policy.retrain
    model = ObservedModel(
        name=name,
        serving=tuple(_serving(walk, states)),
        bars=(*aliases, *bars),
        rows=rows.rows if rows else None,
        labelled=labelled.labelled if labelled else None,
        until=_until(walk.newest),
        records=walk.times,
        budget=max(0, retrain.most - walk.started) if retrain else None,
        units=walk.units or {},
        doubts=doubts,
    )
    return replace(model, bars=(*doubted(aliases), *doubted(bars)), serving=()) if doubts else model


States = Mapping[str, tuple[AliasState, str, str | None]]


def _doubts(walk: _Walk, states: States) -> Iterator[str]:
    """Yield why nobody knows what serves."""
    if walk.intent is not None:
        yield f"record {walk.intent.sequence} began to move {walk.intent.alias}, and nothing says how that ended"
    champion = walk.resolved.champion[1]
    for alias, (state, sentence, _) in states.items():
        if state not in (AliasState.AS_PROMOTED, AliasState.NOTHING) or (
            state is AliasState.NOTHING and alias == champion
        ):
            yield f"{alias}: {sentence}"


def _verdict(alias: str, state: AliasState, walk: _Walk) -> str:
    """Return what the rule of an alias says: a stage with nothing in it yet, but for the last, is no fault."""
    if state is AliasState.AS_PROMOTED:
        return str(Verdict.PASS)
    early = state is AliasState.NOTHING and alias != walk.resolved.champion[1]
    return NOT_JUDGED if early else str(Verdict.ERROR)


def _bars(walk: _Walk) -> Iterator[ObservedBar]:
    """Yield the rules of live rows where the policy asks for some, else those of the promotion."""
    move = walk.moves.get(walk.resolved.champion[1])
    after = move.record.after if move else None
    if walk.resolved.policy.monitor is not None:
        yield from window_bars(walk.windows.values(), after.digest if after else "")
    elif move is not None and move.record.decision is not None:
        yield from decision_bars(read_json(Decision, walk.ledger.document(move, DECISION), DECISION).gates)


def _serving(walk: _Walk, states: States) -> Iterator[ServingVersion]:
    for alias, (state, _, version) in states.items():
        move = walk.moves.get(alias)
        if state is AliasState.AS_PROMOTED and move and move.record.after and version:
            yield ServingVersion(alias=alias, version=version, digest=move.record.after.digest)


def _until(newest: MonitoringDecision | None) -> float | None:
    until = newest.rows_until if newest else None
    return float(seconds_of(until)) if until else None
