"""Judge windows of live rows by the policy's ``monitor`` section. Pure: no clock, no network, no data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from gates.documents.decision import Code, GateVerdict, Verdict, worst
from gates.documents.live.live_evidence import LABELS, ROWS, LiveEvidence, LiveWindow
from gates.documents.live.monitoring_decision import (
    SCHEMA,
    JudgedWindow,
    MonitoringDecision,
    WatchedRule,
    WatchState,
)
from gates.errors import GatesError
from gates.judge.answers import wrong_answers
from gates.judge.consistency import contradiction
from gates.kinds.data import judged_rule
from gates.kinds.metric.rule import limits_of
from gates.monitoring import estimate, first_windows
from gates.monitoring.live_answers import of_share, of_value
from gates.monitoring.live_rules import Subject, evidence_of, of_drift, of_metric
from gates.monitoring.reference import Reference
from gates.monitoring.structure import checks
from gates.monitoring.watch import Watch, watched
from gates.policy import ResolvedPolicy
from gates.policy.live_policies import live_rules, measured, of_part, rules_of
from gates.policy.monitor_section import Monitor
from gates.schema.canonical import digest

References = Mapping[str, Reference]  # by the digest of the record


def judge_windows(
    resolved: ResolvedPolicy, live: LiveEvidence, references: References, previous: MonitoringDecision | None
) -> MonitoringDecision:
    """Return the verdicts of every window, and what the watches have seen.

    Raises ``GatesError`` where the evidence was counted under another policy, does not follow the decision before, or
    contradicts itself.
    """
    monitor = resolved.policy.monitor
    if monitor is None:
        raise GatesError("the policy has no monitor section", hint="Write one: docs/monitoring.md.")
    _refuse(resolved, monitor, live, previous)
    bench = _Bench(resolved=resolved, monitor=monitor, references=references)
    bench.states = {one.rule: one for one in previous.states} if previous else {}
    windows = tuple(bench.judged(window) for window in live.windows)
    verdicts = [one.gate for window in windows for one in window.rules]
    bad = worst(verdicts)
    assert bad is not None  # noqa: S101 -- every window has checks of its own
    assert bad.verdict is not None  # noqa: S101 -- ``worst`` looks at judged ones only
    passed = bad.verdict is Verdict.PASS
    until = {part: _until(live, part, previous) for part in (ROWS, LABELS)}
    return MonitoringDecision(
        schema=SCHEMA,
        model=live.model,
        verdict=bad.verdict,
        code=bad.code,
        reason="every rule that was judged holds" if passed else bad.reason,
        confidence=resolved.policy.confidence,
        false_alarm_every=monitor.false_alarm_every,
        evidence=digest(live),
        policy=resolved.digest,
        previous=live.previous,
        windows=windows,
        rows_until=until[ROWS],
        labels_until=until[LABELS],
        states=tuple(bench.states[rule] for rule in sorted(bench.states)),
    )


def _until(live: LiveEvidence, part: str, previous: MonitoringDecision | None) -> str | None:
    ends = [window.end for window in live.windows if window.part == part]
    return max(ends) if ends else previous.until(part) if previous else None


def _refuse(
    resolved: ResolvedPolicy, monitor: Monitor, live: LiveEvidence, previous: MonitoringDecision | None
) -> None:
    if live.measured != measured(resolved, monitor):
        raise GatesError(
            "the live rows were counted under another policy", hint="Run gates monitor again; it counts them again."
        )
    if live.previous != (digest(previous) if previous else None):
        raise GatesError("the live evidence does not follow the monitoring decision before it")
    if not live.windows:
        raise GatesError("the live evidence has no window")
    for part in (ROWS, LABELS):
        ends = previous.until(part) if previous else None
        for window in live.windows:
            if window.part != part:
                continue
            if window.start >= window.end or (ends is not None and window.start < ends):
                raise GatesError(f"the window of {window.start} was judged before, or overlaps another one")
            ends = window.end


@dataclass(kw_only=True)
class _Bench:
    """What the judging of one window leaves for the next."""

    resolved: ResolvedPolicy
    monitor: Monitor
    references: References
    states: dict[str, WatchState] = field(default_factory=dict)

    def judged(self, window: LiveWindow) -> JudgedWindow:
        rules = tuple(self._rules(window))
        bad = worst(one.gate for one in rules)
        assert bad is not None  # noqa: S101 -- its own checks are always judged
        assert bad.verdict is not None  # noqa: S101
        return JudgedWindow(
            start=window.start,
            end=window.end,
            part=window.part,
            model=window.model,
            rows=window.rows,
            labelled=window.labelled,
            verdict=bad.verdict,
            rules=rules,
        )

    def _rules(self, window: LiveWindow) -> Iterator[WatchedRule]:
        own = list(checks(window, self.monitor))
        yield from (WatchedRule(gate=one, alarm=None) for one in own)
        broken = next(
            (one for one in own if one.verdict is not Verdict.PASS and one.code is not Code.UNKNOWN_MODEL), None
        )
        if window.part == ROWS:
            yield from (WatchedRule(gate=one, alarm=None) for one in self._data(window))
        reference = self.references.get(window.model.record) if window.model else None
        subjects = list(self._subjects(window, reference, broken))
        if window.part == ROWS:
            wrong = next(wrong_answers(self.monitor.questions, window.answers), None)
            if wrong:
                raise GatesError(f"the live evidence contradicts itself: {wrong}")
            subjects += [of_share(rule, window) for rule in self.monitor.promqls if rule.counts]
        watch = self._watch(window.part, subjects)
        record = window.model.record if window.model else ""
        for subject in subjects:
            yield self._outcome(subject, record, window.number, watch)
        if window.part == ROWS:
            for rule in self.monitor.promqls:
                yield from () if rule.counts else of_value(rule, window, self.resolved.policy.confidence)
        if window.part == ROWS and broken is None:
            yield from (WatchedRule(gate=one, alarm=None) for one in self._estimates(window, reference))

    def _outcome(self, subject: Subject, record: str, number: int, watch: Watch) -> WatchedRule:
        label = subject.verdict.label
        before = self.states.get(label)
        early: WatchedRule | None = None
        if subject.first is not None:
            subject, before, early = first_windows.compared(subject, before, record, number)
        if early is None:
            early, before = watched(subject, before, record, watch)
        assert before is not None  # noqa: S101 -- both give one
        if before.logs or before.building or label in self.states:
            self.states[label] = before
        return early

    def _data(self, window: LiveWindow) -> Iterator[GateVerdict]:
        """Hold all rows to the contract; a rule that was not counted is an error."""
        if not self.monitor.checks_data or window.unreadable is not None or not window.rows:
            return
        terms, found = self.resolved.terms(), {one.rule: one for one in window.findings}
        for rule in live_rules(self.resolved):
            yield judged_rule("live", rule, found.get(rule.id), terms)

    def _estimates(self, window: LiveWindow, reference: Reference | None) -> Iterator[GateVerdict]:
        wrong = estimate.contradiction(window)
        if wrong:
            raise GatesError(f"the live evidence contradicts itself: {wrong}")
        terms = self.resolved.terms()
        uncharged = replace(terms, confidence=terms.stated)  # live rows are no holdout that is used again
        for rule in self.monitor.estimates:
            yield from estimate.of_estimate(rule, window, reference, uncharged)

    def _subjects(
        self, window: LiveWindow, reference: Reference | None, broken: GateVerdict | None
    ) -> Iterator[Subject]:
        if broken is not None:
            return
        if window.part == ROWS:
            for rule in self.monitor.drifts:
                yield from of_drift(rule, window, reference)
        derived = of_part(self.resolved, window.part)
        if derived is None:
            return
        evidence = evidence_of(window, derived)
        wrong = contradiction(derived, evidence)
        if wrong:
            raise GatesError(f"the live evidence contradicts itself: {wrong}")
        told = f"the promoted v{window.model.version}" if window.model else ""
        for metric_rule in rules_of(self.resolved.policy, window.part):
            yield from of_metric(metric_rule, evidence, reference, derived, told)

    def _watch(self, part: str, subjects: list[Subject]) -> Watch:
        """Share the false alarms among all rules that are watched: those of this window and of the other part."""
        known = self.states.keys() | {one.verdict.label for one in subjects}
        declared = sum(len(rule.columns) for rule in self.monitor.drifts)
        declared += sum(rule.counts for rule in self.monitor.promqls)
        declared += sum(1 for rule in self.monitor.metrics if not rule.estimate for _ in limits_of(rule))
        terms = (of_part(self.resolved, part) or self.resolved).terms()
        return Watch(every=self.monitor.false_alarm_every, rules=max(1, declared, len(known)), terms=terms)
