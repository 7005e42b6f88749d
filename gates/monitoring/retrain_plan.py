"""Decide from the ledger's records alone whether a model is to be trained again. Pure: times are seconds, or text.

A loop that trains at every alarm wears the holdout out and hides what is wrong. So there is a cooldown, a budget, and a
pause once candidates in a row were not promoted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gates.documents.decision import Verdict
from gates.documents.live.live_evidence import LABELS
from gates.documents.live.monitoring_decision import JudgedWindow, MonitoringDecision
from gates.documents.live.retraining import NotRetrained, Retraining, RetrainState
from gates.documents.record import Record, RecordKind
from gates.errors import GatesError
from gates.policy import ResolvedPolicy
from gates.policy.live_policies import parts_of
from gates.policy.monitor_section import seconds
from gates.policy.retrain_section import Retrain
from gates.wording import counted

IN_A_ROW = 2  # candidates that were not promoted, after which nothing is started
DAY = 86_400
RESUME = "gates retrain --resume --reason TEXT"
_OUTCOMES = (RecordKind.PROMOTION, RecordKind.REFUSAL, RecordKind.FAILURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRecord:
    """A record of the model. ``at``: when it was written, in seconds since 1970. ``decision``: of live windows."""

    digest: str
    at: int
    record: Record
    decision: MonitoringDecision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainPlan:
    """What is to be done, and why in one sentence."""

    retraining: Retraining
    reason: str


def retrain_plan(
    resolved: ResolvedPolicy, history: Sequence[PastRecord], now: int, named: str | None = None
) -> RetrainPlan:
    """Decide whether a candidate is to be trained.

    ``history``: the records of the model, the oldest first. ``named``: the digest of the record of live windows whose
    alarm asks for it; None: the newest with an alarm that stands. Raises ``GatesError`` where the policy has no retrain
    section.
    """
    ask = _Ask(resolved=resolved, history=history, now=now)
    alarms = ask.standing()
    newest = next((past.digest for past in reversed(history) if past.digest in alarms), None)
    asking = newest if named is None else named
    fresh, until = ask.fresh()
    stop = (
        ask.no_alarm(alarms, asking)
        or ask.paused()
        or ask.waits()
        or ask.budget_spent()
        or ask.same_data(until)
        or ask.no_fresh_rows(fresh)
    )
    if stop is None and asking is not None:
        code, state = None, RetrainState.STARTED
        reason = f"{' and '.join(sorted(alarms[asking]))} raised an alarm, and {_rows(fresh, ask.part)} are fresh"
    else:
        code, reason = stop or (NotRetrained.NO_ALARM, "no alarm stands")
        state = RetrainState.REFUSED
    retraining = Retraining(state=state, code=code, record=asking, fresh_rows=fresh, until=until)
    return RetrainPlan(retraining=retraining, reason=reason)


def is_paused(resolved: ResolvedPolicy, history: Sequence[PastRecord], now: int) -> bool:
    """Tell whether nothing is started before somebody ends the pause."""
    return _Ask(resolved=resolved, history=history, now=now).paused() is not None


def asks(resolved: ResolvedPolicy, decision: MonitoringDecision) -> bool:
    """Tell whether a decision has an alarm that may start a retraining; whether it does, the plan decides."""
    monitor = resolved.policy.monitor
    asked = monitor.retraining if monitor and resolved.policy.retrain else ()
    rules = (rule.gate for window in decision.windows for rule in window.rules)
    return any(gate.verdict is Verdict.FAIL and gate.id in asked for gate in rules)


Stop = tuple[NotRetrained, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """What the records say of each reason not to start."""

    resolved: ResolvedPolicy
    history: Sequence[PastRecord]
    now: int

    @property
    def retrain(self) -> Retrain:
        section = self.resolved.policy.retrain
        if section is None:
            raise GatesError("the policy has no retrain section", hint="docs/retraining.md has one.")
        return section

    @property
    def asked(self) -> tuple[str, ...]:
        """The gates whose alarms may start a retraining."""
        monitor = self.resolved.policy.monitor
        return monitor.retraining if monitor else ()

    @property
    def part(self) -> str:
        """The windows whose rows count: those with labels, where the policy judges labels."""
        return parts_of(self.resolved.policy)[-1]

    @property
    def windows(self) -> list[JudgedWindow]:
        decisions = [past.decision for past in self.history if past.decision]
        return [window for one in decisions for window in one.windows if window.part == self.part]

    @property
    def starts(self) -> list[int]:
        """Where in the history retrainings were started."""
        return [place for place, past in enumerate(self.history) if _state(past) is RetrainState.STARTED]

    @property
    def patience(self) -> int:
        """For how long nothing need be known of a candidate: trainings take hours, however short the cooldown is."""
        return max(seconds(self.retrain.cooldown), DAY)

    def standing(self) -> Mapping[str, set[str]]:
        """Return the records with an alarm about the model that serves which has not passed since: digest to the names
        of the gates."""
        about = self.resolved.champion
        moves = [past.record for past in self.history if past.record.moved]
        serving = next((one.after for one in reversed(moves) if (one.name, one.alias) == about and one.after), None)
        failed: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for past in self.history:
            for window in past.decision.windows if past.decision else ():
                if window.model is None or serving is None or window.model.digest != serving.digest:
                    continue
                for gate in (rule.gate for rule in window.rules if rule.gate.id in self.asked):
                    if gate.verdict is Verdict.FAIL:
                        failed.setdefault((window.part, gate.label), []).append((past.digest, gate.id))
                    elif gate.verdict is Verdict.PASS:
                        failed.pop((window.part, gate.label), None)
        alarms: dict[str, set[str]] = {}
        for digest, gate_id in (one for some in failed.values() for one in some):
            alarms.setdefault(digest, set()).add(gate_id)
        return alarms

    def fresh(self) -> tuple[int, str | None]:
        """Count the rows of windows that begin after the holdout of the last decision ends; and say when the newest
        window with rows ended."""
        since = max((_judged_until(past.record) for past in self.history), default="")
        windows = [window for window in self.windows if _rows_of(window)]
        fresh = sum(_rows_of(window) for window in windows if window.start >= since)
        return fresh, max((window.end for window in windows), default=None)

    def no_alarm(self, alarms: Mapping[str, set[str]], asking: str | None) -> Stop:
        if asking in alarms:
            return None
        which = "in that record " if asking else ""
        what = f"no alarm of {' or '.join(self.asked)} {which}stands about the model that serves"
        return NotRetrained.NO_ALARM, what

    def paused(self) -> Stop:
        resumed = [place for place, past in enumerate(self.history) if _state(past) is RetrainState.RESUMED]
        missed = 0
        for place in reversed([one for one in self.starts if one > max(resumed, default=-1)]):
            promoted = self._promoted(place)
            if promoted:
                break
            missed += promoted is False
        if missed < IN_A_ROW:
            return None
        told = f"the last {missed} retrained candidates were not promoted: find out why, then {RESUME}"
        return NotRetrained.PAUSED, told

    def waits(self) -> Stop:
        """Return why the last retraining is to be waited for."""
        if not self.starts:
            return None
        place = self.starts[-1]
        last = self.history[place]
        began = f"record {last.record.sequence} started a retraining"
        if self._promoted(place) is None:
            return NotRetrained.IN_FLIGHT, f"{began}, and nothing is known of its candidate yet"
        if self.now - last.at < seconds(self.retrain.cooldown):
            return NotRetrained.COOLDOWN, f"{began} less than {self.retrain.cooldown} ago"
        return None

    def budget_spent(self) -> Stop:
        recent = [place for place in self.starts if self.now - self.history[place].at < self.retrain.span]
        if len(recent) < self.retrain.most:
            return None
        return NotRetrained.BUDGET_SPENT, f"the budget of {self.retrain.budget} is spent"

    def same_data(self, until: str | None) -> Stop:
        last = self.history[self.starts[-1]].record if self.starts else None
        before = last.retrain.until if last and last.retrain else None
        if last is None or before is None or (until or "") > before:
            return None
        told = f"no window with rows was judged since record {last.sequence} started a retraining"
        return NotRetrained.SAME_DATA, told

    def no_fresh_rows(self, fresh: int) -> Stop:
        if fresh >= self.retrain.fresh_rows:
            return None
        wanted = f"{self.retrain.fresh_rows:,} are wanted"
        return NotRetrained.NO_FRESH_ROWS, f"{_rows(fresh, self.part)} newer than the last decision's holdout; {wanted}"

    def _promoted(self, index: int) -> bool | None:
        """Tell whether the candidate of a retraining was promoted; None while nothing need be known of it yet.

        What became of it was recorded by the same run. Outside of GitHub runs have no number: it is then what was
        recorded of the stage before the next retraining was started.
        """
        start = self.history[index]
        run = start.record.run.run_id
        next_start = min((later for later in self.starts if later > index), default=None) if run is None else None
        records = [past.record for past in self.history[index + 1 : next_start] if past.record.kind in _OUTCOMES]
        kinds = {record.kind for record in records if (record.alias, record.run.run_id) == (start.record.alias, run)}
        if kinds or self.now - start.at >= self.patience:
            return RecordKind.PROMOTION in kinds
        return None


def _state(past: PastRecord) -> RetrainState | None:
    return past.record.retrain.state if past.record.retrain else None


def _judged_until(record: Record) -> str:
    """Return when the holdout of a decision ends; where nobody says that, when it was recorded. Else nothing."""
    held = next((table for table in record.data if table.name == "holdout"), None)
    return (held.until or record.at) if held and record.decision else ""


def _rows_of(window: JudgedWindow) -> int:
    return (window.labelled or 0) if window.part == LABELS else window.rows


def _rows(number: int, part: str) -> str:
    return counted(number, "labelled row" if part == LABELS else "row")
