"""What is to be told about a model that serves: which rules stand in alarm since when, and whether all is well again.

It follows from the ledger alone. A rule stands in alarm from the window where it fails, or can't be judged, to the
window where it passes. What is undecided, not judged or absent is no pass. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice, pairwise

from gates.documents.decision import Verdict
from gates.documents.live.monitoring_decision import JudgedWindow, MonitoringDecision, WatchedRule
from gates.monitoring.estimate import KIND

LONGEST = 1000  # records that are looked back at
RUNNING = 2  # windows of each part that must pass one after the other
_BAD = (Verdict.FAIL, Verdict.ERROR)
_COLUMNS = "live:columns"  # in a window only where a column is missing: a window without it has all of them

RuleName = tuple[str, str]  # the part of a window, and the rule's label


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRecord:
    """A record of judged windows: its number and digest in the ledger, and its decision."""

    sequence: int
    digest: str
    decision: MonitoringDecision


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingAlarm:
    """A rule that has not passed since it failed. ``rule``: as it failed last. ``since``: where the window began in
    which it failed first."""

    part: str
    rule: WatchedRule
    since: str

    @property
    def name(self) -> RuleName:
        """What distinguishes it."""
        return self.part, self.rule.gate.label


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """What the ledger says about a model now.

    ``record``: the newest one. ``newest``: the newest window of each part that the policy judges; None where none was
    judged yet. ``overdue``: the parts of which a window should have been judged by now. ``stood``: what stood in alarm
    after each record, by its number, the oldest first.
    """

    record: WatchRecord
    newest: Mapping[str, JudgedWindow | None]
    overdue: frozenset[str]
    passing: bool
    failed_at: int | None
    stood: tuple[tuple[int, tuple[StandingAlarm, ...]], ...]

    @property
    def standing(self) -> tuple[StandingAlarm, ...]:
        """The rules that stand in alarm now, the worst first."""
        return self.stood[-1][1]

    def changes(self, told: int) -> tuple[tuple[StandingAlarm, ...], tuple[StandingAlarm, ...]]:
        """Return the rules that began to fail since a record, and those that ceased to."""
        before = next((alarms for number, alarms in reversed(self.stood) if number <= told), ())
        names, then = {one.name for one in self.standing}, {one.name for one in before}
        return (
            tuple(one for one in self.standing if one.name not in then),
            tuple(one for one in before if one.name not in names),
        )


class AlertAction(StrEnum):
    """What is to be done to the issue."""

    OPEN = "open"
    REOPEN = "reopen"
    REWRITE = "rewrite"
    CLOSE = "close"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownIssue:
    """The model's issue as it stands. ``recent``: closed not long ago. ``told``: the number of the newest record that
    any of the model's issues was written about."""

    is_open: bool
    recent: bool
    told: int


def next_action(state: AlertState, known: KnownIssue | None) -> AlertAction:
    """Decide what is to be done to the issue.

    It is opened for what failed after the last record that it was written about: somebody who closes it by hand is
    not contradicted before something fails again.
    """
    if known is not None and known.is_open:
        return AlertAction.CLOSE if state.passing else AlertAction.REWRITE
    told = known.told if known else 0
    if not state.standing or (state.failed_at or 0) <= told:
        return AlertAction.NOTHING
    return AlertAction.REOPEN if known is not None and known.recent else AlertAction.OPEN


def alert_state(
    records: Iterable[WatchRecord], parts: Sequence[str], overdue: Collection[str] = ()
) -> AlertState | None:
    """Read what stands from the records of a model, the newest first; None where there are none.

    ``parts``: those that the policy judges. ``overdue``: those of them of which a window should have been judged.
    """
    history = list(islice(records, LONGEST))
    if not history:
        return None
    bench = _Follower(last={part: [] for part in parts})
    stood = tuple((record.sequence, bench.after(record)) for record in reversed(history))
    return AlertState(
        record=history[0],
        newest={part: windows[-1] if windows else None for part, windows in bench.last.items()},
        overdue=frozenset(overdue),
        passing=bench.is_well and not overdue,
        failed_at=bench.failed_at,
        stood=stood,
    )


@dataclass(slots=True, kw_only=True)
class _Follower:
    """Follows records, the oldest first. ``last``: the last windows of each part. ``failed_at``: the number of the
    last record in which something failed."""

    last: dict[str, list[JudgedWindow]]
    standing: dict[RuleName, StandingAlarm] = field(default_factory=dict)
    failed_at: int | None = None

    def after(self, record: WatchRecord) -> tuple[StandingAlarm, ...]:
        """Return what stands in alarm after one more record, the worst first."""
        for window in record.decision.windows:
            if window.part in self.last:
                self.last[window.part] = [*self.last[window.part], window][-RUNNING:]
                self._follow(window, record.sequence)
        if self.is_well:
            self.standing.clear()
        return tuple(sorted(self.standing.values(), key=lambda one: one.rule.gate.badness, reverse=True))

    def _follow(self, window: JudgedWindow, sequence: int) -> None:
        for rule in window.rules:
            name = (window.part, rule.gate.label)
            if rule.gate.verdict in _BAD:
                fresh = StandingAlarm(part=window.part, rule=rule, since=window.start)
                self.standing[name] = replace(self.standing.get(name, fresh), rule=rule)
                self.failed_at = sequence
            elif _is_fine(rule):
                self.standing.pop(name, None)
        if all(rule.gate.label != _COLUMNS for rule in window.rules):
            self.standing.pop((window.part, _COLUMNS), None)

    @property
    def is_well(self) -> bool:
        """Whether the last windows of every part passed, one after the other, and none lacks what failed before."""
        if not all(map(_passed, self.last.values())):
            return False
        return not any(_is_missed(one, self.last[one.part]) for one in self.standing.values())


def _is_missed(alarm: StandingAlarm, windows: Sequence[JudgedWindow]) -> bool:
    """Tell whether the gate is still judged, but not on the slice that failed: no rows of it came."""
    gate = alarm.rule.gate
    others = [one.gate for one in windows[-1].rules] if windows else []
    return any((one.id, one.rule) == (gate.id, gate.rule) for one in others)


def _passed(windows: Sequence[JudgedWindow]) -> bool:
    """Tell whether so many windows as must passed, one after the other."""
    if len(windows) < RUNNING or any(earlier.end != later.start for earlier, later in pairwise(windows)):
        return False
    return all(one.rules and all(map(_is_fine, one.rules)) for one in windows)


def _is_fine(rule: WatchedRule) -> bool:
    """Tell whether a rule passed. An estimate never does: it holds nothing up unless it can't be made."""
    return rule.gate.verdict is Verdict.PASS or (rule.gate.kind == KIND and rule.gate.verdict not in _BAD)
