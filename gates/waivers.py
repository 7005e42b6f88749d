"""Waivers: somebody's recorded, expiring acceptance of one bar of one decision, and what they make of another. Pure.

A waiver holds only while what fails stays within what was accepted: the same gate, rule and slice, a verdict no
worse, and a bound on the worse side that lies no further out. An ``error`` is never accepted, and a broken data
contract isn't either: the contract itself says what it allows, and whether it only warns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gates.canonical import digest
from gates.decision import Decision, Estimate, GateVerdict, Verdict, worst
from gates.errors import Exit, GatesError
from gates.fields import DATE, declare
from gates.kinds.bars import BARS
from gates.metrics import METRICS
from gates.validate import nearest
from gates.words import number

ACCEPTABLE = (Verdict.INCONCLUSIVE, Verdict.FAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """What somebody accepted: one bar of one decision, as it was judged then."""

    WRITTEN = "whole"
    decision: str = declare("Digest of the decision that was looked at.")
    gate: str = declare("The gate's id.")
    rule: str = declare("The bar's rule.")
    slice: dict[str, str | None] | None = declare("The slice; null for the whole holdout.")
    verdict: Verdict = declare("The accepted verdict: inconclusive or fail.")
    value: float | None = declare("The accepted value; null where there was no number.")
    bound: float | None = declare("Its bound on the worse side: nothing beyond it is accepted.")
    who: str = declare("Who accepted it.", minLength=1)
    reason: str = declare("Why.", minLength=1)
    until: str = declare("The last day on which it holds, by UTC: YYYY-MM-DD.", pattern=DATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waived:
    """A bar that a waiver covers, and what was held against it: ``value`` and its ``bound`` on the worse side."""

    gate: GateVerdict
    waiver: Waiver
    value: float | None
    bound: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Void:
    """A waiver of a bar that did not pass, and why it does not cover it."""

    gate: GateVerdict
    waiver: Waiver
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A decision in the light of its waivers. ``verdict`` is that of the bars which nobody accepted."""

    verdict: Verdict
    waived: tuple[Waived, ...] = ()
    void: tuple[Void, ...] = ()


def settle(decision: Decision, waivers: Iterable[Waiver], today: str) -> Settled:
    """What the waivers that hold on ``today`` (YYYY-MM-DD) make of the decision."""
    given = list(waivers)
    waived, void = [], []
    for gate in decision.gates:
        if gate.verdict in (Verdict.PASS, None):
            continue
        tried = [(waiver, _why_not(gate, waiver, today)) for waiver in given if _is_about(waiver, gate)]
        held = [waiver for waiver, why in tried if why is None]
        if held:
            value, bound = _numbers(gate)
            waived.append(Waived(gate=gate, waiver=max(held, key=lambda one: one.until), value=value, bound=bound))
        else:
            void += [Void(gate=gate, waiver=waiver, why=why) for waiver, why in tried if why]
    return Settled(verdict=_rest(decision, waived), waived=tuple(waived), void=tuple(void))


def _is_about(waiver: Waiver, gate: GateVerdict) -> bool:
    return (waiver.gate, waiver.rule, waiver.slice) == (gate.id, gate.rule, gate.slice)


def _rest(decision: Decision, waived: list[Waived]) -> Verdict:
    """The worst verdict of what is not waived; without a waiver the decision's own."""
    if not waived:
        return decision.verdict
    covered = [one.gate for one in waived]
    found = worst(gate for gate in decision.gates if gate not in covered)
    return found.verdict if found and found.verdict else Verdict.PASS


def _why_not(gate: GateVerdict, waiver: Waiver, today: str) -> str | None:
    """Why this waiver does not cover this bar; None where it does."""
    if waiver.until < today:
        return f"it ended on {waiver.until}"
    if not acceptable(gate):
        return "this can't be accepted"
    if gate.verdict is Verdict.FAIL and waiver.verdict is not Verdict.FAIL:
        return f"{waiver.verdict} was accepted, now it is {gate.verdict}"
    _, bound = _numbers(gate)
    if bound is None or waiver.bound is None:
        return None if bound is waiver.bound else "there was a number then or now, not both times"
    if not _within(bound, waiver.bound, _direction(gate)):
        return f"it got worse: {number(waiver.bound)} at worst was accepted, now it is {number(bound)}"
    return None


def _judged(gate: GateVerdict) -> Estimate | None:
    """The estimate that was held against the bar."""
    bar = BARS.get(gate.rule)
    return None if bar is None else gate.difference if bar.compares else gate.candidate


def _direction(gate: GateVerdict) -> int:
    """+1 where larger is better for this bar, -1 where smaller is, 0 where nobody knows."""
    metric = METRICS.get(gate.metric or "")
    return BARS[gate.rule].sign(metric.better if metric else 0)


def _numbers(gate: GateVerdict) -> tuple[float | None, float | None]:
    """The value that was held against the bar, and its bound on the worse side."""
    judged = _judged(gate)
    if judged is None:
        return None, None
    return judged.value, judged.low if _direction(gate) > 0 else judged.high


def _within(bound: float, accepted: float, direction: int) -> bool:
    """Written so that a number which is none, or of which nobody knows the better side, is within nothing."""
    return (direction > 0 and bound >= accepted) or (direction < 0 and bound <= accepted)


def accept(decision: Decision, bar: str, *, who: str, reason: str, until: str, today: str) -> Waiver:
    """The waiver of one bar, named by its label, as this decision judged it.

    Raises ``GatesError`` for a bar that isn't there, needs no waiver or can't have one, and for a waiver without
    reason or with an end that is no day to come.
    """
    gate = _chosen(decision, bar)
    if not reason.strip():
        raise GatesError("a waiver needs a reason", where="--reason")
    if not re.fullmatch(DATE, until) or until < today:
        raise GatesError(f"{until} is no day to come", where="--until", mend="Write it as YYYY-MM-DD.")
    value, bound = _numbers(gate)
    return Waiver(
        decision=digest(decision),
        gate=gate.id,
        rule=gate.rule,
        slice=gate.slice,
        verdict=gate.verdict or Verdict.PASS,
        value=value,
        bound=bound,
        who=who,
        reason=reason.strip(),
        until=until,
    )


def _chosen(decision: Decision, bar: str) -> GateVerdict:
    named = [gate for gate in decision.gates if gate.label == bar]
    if len(named) > 1:
        raise GatesError(f"{bar}: several bars of this decision are called so", where="--gate")
    if not named:
        hint = nearest(bar, (gate.label for gate in decision.gates if acceptable(gate)))
        raise GatesError(f"this decision has no bar {bar}{hint}", where="--gate")
    if acceptable(named[0]):
        return named[0]
    why = {
        Verdict.PASS: "it holds: there is nothing to accept",
        Verdict.ERROR: "an error can't be accepted; mend what it names",
        None: "it was not judged",
    }
    told = why.get(named[0].verdict, "it can't be accepted; change the contract, or let the rule only warn")
    raise GatesError(f"{bar}: {told}", where="--gate", exit_code=Exit.STOP)


def acceptable(gate: GateVerdict) -> bool:
    """Whether somebody may accept this verdict: a failure only with its number, so that a worse one is told from it."""
    if gate.kind == "data":
        return False
    judged = _judged(gate)
    known = judged is not None and _direction(gate) != 0
    return gate.verdict in ACCEPTABLE and (known or (judged is None and gate.verdict is Verdict.INCONCLUSIVE))
