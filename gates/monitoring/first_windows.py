"""Compare a window with the first ones after the promotion: windows are then what varies, weekdays and campaigns too.

They stay the first ones. A baseline that follows the newest windows learns a drop before anybody hears of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from statistics import fmean

from gates.documents.decision import Code, Verdict
from gates.documents.live.monitoring_decision import WatchedRule, WatchState
from gates.kinds.metric.subject import absent
from gates.monitoring.live_rules import Subject
from gates.monitoring.watch import name_of, state_of
from gates.schema.canonical import settled
from gates.stats.distributions.student import around
from gates.stats.quantity import Bounds, Quantity
from gates.wording import counted

Phased = tuple[int, float]  # the phase of the season, and a window's value


def compared(
    subject: Subject, before: WatchState | None, record: str, window: int
) -> tuple[Subject, WatchState | None, WatchedRule | None]:
    """Return the subject with what is to be judged. While the first windows are still counted: with the state that has
    taken this one up, and the outcome that says so. ``window``: its number."""
    assert subject.first is not None  # noqa: S101 -- callers have looked
    assert subject.first.against is not None  # noqa: S101
    if subject.live is None:
        return subject, before, None
    wanted, season = subject.first.against.windows, subject.first.against.season
    state, _ = state_of(subject, before, record)
    phase, value = window % season, settled(subject.live.value)
    if len(state.building) < wanted:
        state = replace(state, building=(*state.building, (phase, value)))
        told = f"{name_of(subject)} will be compared with the first {counted(wanted, 'window')} after the promotion"
        what = absent(None, Code.BUILDING, f"{told}; this is number {len(state.building)}")
        return subject, state, WatchedRule(gate=replace(subject, outcome=what).verdict, alarm=None)
    compared_with = change(state.building, phase, subject.live)
    if compared_with is None:
        what = absent(Verdict.INCONCLUSIVE, Code.NO_REFERENCE, "no first window has this place in the season")
        return replace(subject, outcome=what), state, None
    assert subject.held is not None  # noqa: S101 -- it was measured
    then, judged = compared_with
    beside = replace(
        subject.held,
        rule=subject.rule,
        judged=judged,
        champion=then,
        difference=judged,
        champion_name="the start",
    )
    return replace(subject, judged=judged, reference=then, held=beside), state, None


def change(first: Sequence[Phased], phase: int, live: Quantity) -> tuple[Quantity, Quantity] | None:
    """Return the mean of the first windows of a phase, and by how much a later one differs from it; None where there is
    none of that phase.

    The error of one more window is Student's t with as many degrees of freedom as there are windows less phases, s
    pooled over the phases (the prediction interval of a one-way layout).
    """
    values: dict[int, list[float]] = {}
    for place, value in first:
        values.setdefault(place, []).append(value)
    freedom = len(first) - len(values)
    if phase not in values or freedom < 1:
        return None
    squares = sum((value - fmean(some)) ** 2 for some in values.values() for value in some)
    same = values[phase]
    mean, spread = fmean(same), sqrt(squares / freedom)

    def beside(value: float, error: float) -> Quantity:
        def bounds(confidence: float) -> Bounds:
            return around(value, error, confidence, freedom)

        return Quantity(value=value, bounds=bounds, method="student-windows")

    then = beside(mean, spread / sqrt(len(same)))
    return then, beside(live.value - mean, spread * sqrt(1 + 1 / len(same)))
