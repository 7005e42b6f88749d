"""Judge the windows of live rows that are due: find what serves, count, judge by what was promoted, and record it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from gates.checkout.trusted_policy import TrustedPolicy
from gates.documents.live.live_evidence import LABELS, ROWS, SCHEMA, LiveEvidence, LiveWindow
from gates.documents.live.monitoring_decision import MonitoringDecision
from gates.documents.record import Record
from gates.errors import GatesError
from gates.ledger.ledger import Entry
from gates.ledger.watched import ServedModels, last_watch, model_at
from gates.measure.live.live_tables import LiveTables
from gates.measure.live.window_counts import Serving, counted
from gates.measure.live.window_times import MONDAY, WindowTime, due, moment, text_of, window_at
from gates.monitoring.judge_windows import judge_windows
from gates.pipeline.live.live_records import write_judged
from gates.pipeline.machines import handed_windows
from gates.pipeline.session import Session
from gates.policy.live_policies import measured, parts_of
from gates.policy.monitor_section import Monitor, seconds
from gates.schema.canonical import digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What one run has judged. ``entry`` is None where it was not recorded."""

    decision: MonitoringDecision
    entry: Entry | None


@dataclass(kw_only=True)
class MonitoringRun:
    """One look at live rows. ``now``: until when windows are closed."""

    session: Session
    trusted: TrustedPolicy
    now: datetime

    @cached_property
    def monitor(self) -> Monitor:
        """The policy's section. Raises ``GatesError`` where there is none."""
        section = self.trusted.resolved.policy.monitor
        if section is None:
            raise GatesError(
                "has no monitor section", where=str(self.session.workspace.policy), hint="docs/monitoring.md has one."
            )
        return section

    @property
    def name(self) -> str:
        """The registered model."""
        return self.trusted.resolved.champion[0]

    @cached_property
    def tables(self) -> LiveTables:
        """The live rows."""
        session = self.session
        return LiveTables(
            resolved=self.trusted.resolved, monitor=self.monitor, root=session.workspace.root, now=self.now
        )

    def judge(self, draft: Record, *, record: bool = True) -> Watched | None:
        """Judge every window that is due since the last record, and record it; None where none is.

        ``draft``: a record of this model that says nothing more than who runs this. ``record``: else nothing is
        written.

        Where somebody else has recorded windows in the meantime, those are not judged again.
        """
        while True:
            head = self.session.ledger.head()
            served, before = self._served(head), self._before(head)
            windows = self._due(served, before)
            if not windows:
                return None
            evidence = self._counted(served, windows, before)
            decision = self._judged(served, evidence, before)
            if not record:
                return Watched(decision=decision, entry=None)
            entry = self._recorded(draft, evidence, decision, head, before)
            if entry is not None:
                return Watched(decision=decision, entry=entry)

    def count(self) -> LiveEvidence | None:
        """Count every window that is due since the last record, for another machine to judge; None where none is."""
        head = self.session.ledger.head()
        served, before = self._served(head), self._before(head)
        windows = self._due(served, before)
        return self._counted(served, windows, before) if windows else None

    def judge_handed(self, evidence: LiveEvidence, draft: Record) -> Watched | None:
        """Judge what another machine has counted, and record it, without live rows; None where its windows were judged
        in the meantime.

        Raises ``GatesError`` where it is not about the windows that are due, or not about the models that served.
        """
        while True:
            head = self.session.ledger.head()
            served, before = self._served(head), self._before(head)
            if handed_windows.are_judged(evidence, before):
                return None
            policy = self.trusted.resolved.policy
            handed_windows.check(evidence, before, policy, self.now, served.moves, served.known)
            decision = self._judged(served, evidence, before)
            entry = self._recorded(draft, evidence, decision, head, before)
            if entry is not None:
                return Watched(decision=decision, entry=entry)

    def look(self, since: datetime, parts: Sequence[str] = (ROWS, LABELS)) -> Watched | None:
        """Judge the windows since a time by themselves, and record nothing."""
        served = self._served(self.session.ledger.head())
        windows = [(part, window) for part in parts for window in due(self.monitor, part, since, self.now)]
        asked = parts_of(self.trusted.resolved.policy)
        windows = [one for one in windows if one[0] in asked]
        if not windows:
            return None
        decision = self._judged(served, self._counted(served, windows, None), None)
        return Watched(decision=decision, entry=None)

    def _served(self, head: str | None) -> ServedModels:
        name, alias = self.trusted.resolved.champion
        return ServedModels(ledger=self.session.ledger, head=head, name=name, alias=alias)

    def _before(self, head: str | None) -> MonitoringDecision | None:
        last = last_watch(self.session.ledger, head, self.name)
        return last.decision if last else None

    def _due(self, served: ServedModels, before: MonitoringDecision | None) -> list[tuple[str, WindowTime]]:
        """Return the windows to be judged, all rows first, each part in the order of time.

        They begin where the last record ended. Without one they begin with the first that lies wholly after the first
        promotion and has rows, or lies after those that have.
        """
        parts = parts_of(self.trusted.resolved.policy)
        begins = {part: before.until(part) if before else None for part in parts}
        windows: list[tuple[str, WindowTime]] = []
        for part, begin in begins.items():
            first = moment(begin) if begin else self._first(served)
            windows += [(part, window) for window in due(self.monitor, part, first, self.now)]
        return windows

    def _first(self, served: ServedModels) -> datetime:
        if not served.moves:
            raise GatesError(
                "nothing was promoted yet, so nothing serves",
                where=self.name,
                hint="Promote a model first: gates run && gates promote.",
            )
        promoted = moment(served.moves[-1].record.at)
        rows = MONDAY + timedelta(microseconds=self.tables.first - int(MONDAY.timestamp()) * 10**6)
        return max(promoted, window_at(rows, seconds(self.monitor.window)).start)

    def _counted(
        self, served: ServedModels, windows: Sequence[tuple[str, WindowTime]], before: MonitoringDecision | None
    ) -> LiveEvidence:
        session, resolved, references = self.session, self.trusted.resolved, served.references
        serving = Serving(
            model_at=lambda time: model_at(served.moves, text_of(time)),
            known=served.known,
            profiles={record: one.profile for record, one in references.items() if one.profile is not None},
            classes={record: one.evidence.classes for record, one in references.items() if one.evidence is not None},
        )
        counts = []
        for part, window in windows:
            with session.steps.step("window", f"{text_of(window.start)}, {part}"):
                counts.append(counted(self.tables, window, part, serving, session.environ))
        return LiveEvidence(
            schema=SCHEMA,
            model=resolved.policy.model,
            measured=measured(resolved, self.monitor),
            previous=digest(before) if before else None,
            windows=self._asked(windows, counts),
        )

    def _asked(self, windows: Sequence[tuple[str, WindowTime]], counts: Sequence[LiveWindow]) -> tuple[LiveWindow, ...]:
        """Add what a Prometheus says about the end of each window, where the policy asks one."""
        questions, ends = self.monitor.questions, [window.end for part, window in windows if part == ROWS]
        if not questions or not ends:
            return tuple(counts)
        given = iter(self.session.ask(questions, ends, each=" a window"))
        return tuple(replace(one, answers=next(given)) if one.part == ROWS else one for one in counts)

    def _judged(
        self, served: ServedModels, evidence: LiveEvidence, before: MonitoringDecision | None
    ) -> MonitoringDecision:
        with self.session.steps.step("judge", f"{len(evidence.windows)} of {self.name}"):
            return judge_windows(self.trusted.resolved, evidence, served.references, before)

    def _recorded(
        self,
        draft: Record,
        evidence: LiveEvidence,
        decision: MonitoringDecision,
        head: str | None,
        before: MonitoringDecision | None,
    ) -> Entry | None:
        """Write the record; None where another run has judged windows of this model in the meantime."""
        return write_judged(
            self.session.ledger, draft, self.trusted, evidence, decision,
            head=head, still_follows=lambda now: self._before(now) == before,
        )  # fmt: skip
