"""Hold a subject against its limit, alone and together with the windows before: the verdict and its sentence.

What clears the limit in this window alone passes. What the windows together speak against so strongly, as they do by
chance at most once in the stated number of windows, is an alarm and fails. All else is inconclusive.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite

from gates.documents.decision import Code, Estimate, GateVerdict, Verdict
from gates.documents.live.monitoring_decision import WatchedRule, WatchState
from gates.documents.slices import key_text
from gates.kinds.metric.verdict import hold
from gates.kinds.protocol import GateContext
from gates.monitoring.live_rules import Subject
from gates.schema.canonical import digest, settled
from gates.stats.e_detector import EVENTS, against, expected_events, grown, is_exact, said
from gates.stats.quantity import Quantity
from gates.wording import asked_size, counted, limit_text, number, percent, plural

_NOTHING = 0.01  # of an alarm: evidence begins here


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How rules are watched: their false alarms, how many rules there are, and what all gates share."""

    every: int
    rules: int
    terms: GateContext


def watched(subject: Subject, before: WatchState | None, record: str, watch: Watch) -> tuple[WatchedRule, WatchState]:
    """Return the outcome of one subject and what its watch has seen now. ``record``: the promotion's digest."""
    verdict = subject.verdict
    state, changed = state_of(subject, before, record)
    quantity = subject.judged
    if quantity is None:
        return WatchedRule(gate=verdict, alarm=_level(state, watch)), state
    value = settled(quantity.value)
    if not isfinite(value):
        what = f"{name_of(subject)} is not a finite number"
        wrong = replace(verdict, verdict=Verdict.ERROR, code=Code.NOT_FINITE, reason=what)
        return WatchedRule(gate=wrong, alarm=_level(state, watch)), state
    few = not is_exact(quantity, subject.at) and _events(subject) < EVENTS
    if not few:
        logs = tuple(settled(log) for log in grown(state.logs, said(quantity, subject.at, subject.sign)))
        state = replace(state, logs=logs, windows=state.windows + 1)
    level = _level(state, watch)
    if level is not None and level < _NOTHING:
        state = replace(state, windows=0)
    judged = _judged(subject, quantity, watch.terms)
    if level is not None and level >= 1:
        told = _alarm(subject, state.windows, watch.every)
        judged = replace(judged, verdict=Verdict.FAIL, code=Code.ALARM, reason=told, notes=())
        state = replace(state, logs=(), windows=0)
    elif judged.verdict is not Verdict.PASS:
        judged = _undecided(judged, level, few=few)
    if changed and judged.verdict is not Verdict.PASS:
        note = f"watched from its beginning, as {changed} changed"
        judged = replace(judged, reason=f"{judged.reason}; {note}", notes=(*judged.notes, note))
    return WatchedRule(gate=judged, alarm=level), state


def state_of(subject: Subject, before: WatchState | None, record: str) -> tuple[WatchState, str]:
    """Return the state to go on from, and what changed where it begins again."""
    terms = digest([subject.limit, record])
    if before is not None and before.terms == terms:
        return before, ""
    fresh = WatchState(rule=subject.verdict.label, terms=terms, logs=(), windows=0, building=())
    return fresh, "limit or model" if before is not None else ""


def _level(state: WatchState, watch: Watch) -> float | None:
    return settled(against(state.logs, watch.every, watch.rules)) if state.logs else None


def _events(subject: Subject) -> float:
    if subject.events is not None:
        return subject.events
    assert subject.live is not None  # noqa: S101 -- what is judged was measured
    if subject.first is not None:
        return float(EVENTS)  # the window is what counts, however many rows it has
    at = subject.limit if subject.reference is None else subject.reference.value
    return expected_events(subject.live, at, subject.n)


def _judged(subject: Subject, quantity: Quantity, terms: GateContext) -> GateVerdict:
    """Return the verdict of this window alone."""
    if subject.held is None:
        return _of_distance(subject, quantity, terms)
    outcome = hold(subject.held, terms.confidence, terms)
    head = outcome.reason.removesuffix("".join(f"; {note}" for note in outcome.notes))
    return replace(
        subject.verdict,
        verdict=outcome.verdict,
        code=outcome.code,
        reason=head,
        candidate=outcome.candidate,
        champion=outcome.champion,
        difference=outcome.difference,
        groups=outcome.groups,
        detectable=outcome.detectable,
        method=outcome.method,
    )


def _of_distance(subject: Subject, quantity: Quantity, terms: GateContext) -> GateVerdict:
    low, high = (settled(end) for end in quantity.bounds(terms.confidence))
    value = settled(quantity.value)
    sure = f"({percent(terms.stated)} sure, {plural(subject.n, *subject.noun)})"
    passed = high <= subject.limit
    if passed:
        statement = f"{subject.gate} is at most {number(high)} {sure}"
    elif low > subject.limit or not isfinite(high):
        statement = f"{subject.gate} is at least {number(low)} {sure}"
    else:
        statement = f"{subject.gate} lies between {number(low)} and {number(high)} {sure}"
    return replace(
        subject.verdict,
        verdict=Verdict.PASS if passed else Verdict.INCONCLUSIVE,
        code=Code.WITHIN_BAR if passed else Code.ACROSS_BAR,
        reason=f"{statement}; you allow {limit_text(subject.limit)}",
        candidate=Estimate(value=value, low=low, high=high) if isfinite(high) else None,
        method=quantity.method,
    )


def _undecided(judged: GateVerdict, level: float | None, *, few: bool) -> GateVerdict:
    """Return what did not pass as undecided: one window alone is no alarm."""
    if few:
        note = f"fewer than {EVENTS} events are expected in a window, so it counts towards no alarm"
        code = Code.TOO_FEW_ROWS
    else:
        note = f"{_share_of_alarm(level or 0.0)} of an alarm so far"
        code = Code.ACROSS_BAR if judged.code in (Code.BELOW_BAR, Code.ABOVE_BAR) else judged.code
    return replace(judged, verdict=Verdict.INCONCLUSIVE, code=code, reason=f"{judged.reason}; {note}", notes=(note,))


def _share_of_alarm(level: float) -> str:
    share = round(level * 100)
    return f"{share} %" if share else "less than 1 %"


def _alarm(subject: Subject, windows: int, every: int) -> str:
    """Write the sentence of an alarm."""
    seen = f"the last {counted(windows, 'window')} together" if windows > 1 else "this window alone"
    chance = f"by chance such an alarm comes at most once in {counted(every, 'window')}"
    return f"{_beyond(subject)}, by {seen}; {chance}"


def _beyond(subject: Subject) -> str:
    assert subject.live is not None  # noqa: S101 -- what is judged was measured
    name, now = name_of(subject), number(subject.live.value)
    if subject.kind == "drift":
        return f"{name} is above the {limit_text(subject.limit)} that you allow: {now} in the last window"
    if subject.held is None or subject.reference is None:
        side = "below" if subject.sign > 0 else "above"
        return f"{name} is {side} your limit of {limit_text(subject.limit)}: {now} in the last window"
    points = bool(subject.metric and subject.metric.points)
    more = f" by more than {asked_size(subject.limit, points=points)}" if subject.limit else ""
    then = number(subject.reference.value)
    return f"{name} is worse than {subject.held.champion_name}'s{more}: {now} in the last window, {then} then"


def name_of(subject: Subject) -> str:
    """Name a subject in a sentence: ``recall for region=LATAM``."""
    of = f" by {subject.by}" if subject.by else ""
    return f"{subject.gate.removesuffix(of)}{of}" + (f" for {key_text(subject.key)}" if subject.key else "")
