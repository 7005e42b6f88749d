"""Apply waivers: somebody's recorded acceptance, with an end, of one rule of one decision. Pure.

A waiver holds only while what fails stays within what was accepted: the same gate, rule and slice, a verdict no
worse, and a bound on the worse side that lies no further out. An ``error`` is never accepted, and a broken data
contract isn't either: the contract itself says what it allows, and whether it only warns. A ``fail`` is accepted
only of gates that the policy names in ``promotion.waivable``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from gates.documents.decision import Decision, Estimate, GateVerdict, Verdict, rule_label, worst
from gates.documents.record import User, Waiver
from gates.errors import Exit, GatesError
from gates.kinds.metric.comparison import COMPARISONS
from gates.schema.canonical import digest
from gates.schema.fields import DATE
from gates.schema.validation import nearest
from gates.wording import number

UNSEEN = "\u200b"  # what comments put behind an @, so that nobody is mentioned; it is copied along
MOST_LABELS = 20  # that an error lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Waived:
    """A rule that a waiver covers, and what was held against it: ``value`` and its ``bound`` on the worse side."""

    gate: GateVerdict
    waiver: Waiver
    value: float | None
    bound: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Void:
    """A waiver of a rule that did not pass, and why it does not cover it."""

    gate: GateVerdict
    waiver: Waiver
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A decision in the light of its waivers. ``verdict`` is that of the rules which nobody accepted."""

    verdict: Verdict
    waived: tuple[Waived, ...] = ()
    void: tuple[Void, ...] = ()


def settle(decision: Decision, waivers: Iterable[Waiver], today: str, waivable: Collection[str]) -> Settled:
    """Return what the waivers that hold on ``today`` (YYYY-MM-DD) make of the decision. ``waivable``: ids of the gates
    whose ``fail`` may be accepted."""
    given = list(waivers)
    waived, void = [], []
    for gate in decision.gates:
        if gate.verdict in (Verdict.PASS, None):
            continue
        tried = [(waiver, _why_not(gate, waiver, today, waivable)) for waiver in given if _is_about(waiver, gate)]
        held = [waiver for waiver, why in tried if why is None]
        if held:
            value, bound = _numbers(gate)
            waived.append(Waived(gate=gate, waiver=max(held, key=lambda one: one.until), value=value, bound=bound))
        else:
            void += [Void(gate=gate, waiver=waiver, why=why) for waiver, why in tried if why]
    return Settled(verdict=_rest(decision, waived), waived=tuple(waived), void=tuple(void))


def _is_about(waiver: Waiver, gate: GateVerdict) -> bool:
    told = (waiver.gate, waiver.rule, waiver.slice, waiver.against)
    return told == (gate.id, gate.rule, gate.slice, gate.against)


def _rest(decision: Decision, waived: list[Waived]) -> Verdict:
    """Return the worst verdict of what is not waived; without a waiver the decision's own."""
    if not waived:
        return decision.verdict
    covered = [one.gate for one in waived]
    found = worst(gate for gate in decision.gates if gate not in covered)
    return found.verdict if found and found.verdict else Verdict.PASS


def _why_not(gate: GateVerdict, waiver: Waiver, today: str, waivable: Collection[str]) -> str | None:
    """Tell why this waiver does not cover this rule; None where it does."""
    if waiver.until < today:
        return f"it ended on {waiver.until}"
    if not acceptable(gate, waivable):
        return _REFUSED.get(gate.verdict, _UNWAIVABLE)
    if gate.verdict is Verdict.FAIL and waiver.verdict == "inconclusive":
        return f"{waiver.verdict} was accepted, now it is {gate.verdict}"
    _, bound = _numbers(gate)
    if bound is None or waiver.bound is None:
        return None if bound is waiver.bound else "only one of the two verdicts has a number"
    if not _within(bound, waiver.bound, _direction(gate)):
        return f"it got worse: {number(waiver.bound)} at worst was accepted, now it is {number(bound)}"
    return None


def _judged(gate: GateVerdict) -> Estimate | None:
    """Return the estimate that was held against the limit."""
    how = COMPARISONS.get(gate.rule)
    return None if how is None else gate.difference if how.compares else gate.candidate


def _direction(gate: GateVerdict) -> int:
    """Return +1 where larger is better for this rule, -1 where smaller is, 0 where nobody knows."""
    return COMPARISONS[gate.rule].sign(gate.better or 0)


def _numbers(gate: GateVerdict) -> tuple[float | None, float | None]:
    """Return the value that was held against the limit, and its bound on the worse side."""
    judged = _judged(gate)
    if judged is None:
        return None, None
    return judged.value, judged.low if _direction(gate) > 0 else judged.high


def _within(bound: float, accepted: float, direction: int) -> bool:
    """Tell whether a bound is no worse than what was accepted.

    A number that is NaN, or whose better side nobody knows, never is.
    """
    return (direction > 0 and bound >= accepted) or (direction < 0 and bound <= accepted)


def accept(
    decision: Decision, label: str, *, who: User, reason: str, until: str, today: str, waivable: Collection[str]
) -> Waiver:
    """Return the waiver of one rule, named by its label, as this decision judged it.

    Raises ``GatesError`` for a rule that isn't there, needs no waiver or can't have one, and for a waiver without
    reason or with an end that is not a date in the future.
    """
    gate = _chosen(decision, label, waivable)
    if not reason.strip():
        raise GatesError("a waiver needs a reason", where="--reason")
    if not re.fullmatch(DATE, until) or until < today:
        raise GatesError(f"{until} is not a date in the future", where="--until", hint="Write it as YYYY-MM-DD.")
    value, bound = _numbers(gate)
    return Waiver(
        decision=digest(decision),
        gate=gate.id,
        rule=gate.rule,
        slice=gate.slice,
        against=gate.against,
        verdict="fail" if gate.verdict is Verdict.FAIL else "inconclusive",
        value=value,
        bound=bound,
        who=who,
        reason=reason.strip(),
        until=until,
    )


def _chosen(decision: Decision, label: str, waivable: Collection[str]) -> GateVerdict:
    copied = label.replace(UNSEEN, "")
    named = [gate for gate in decision.gates if gate.label == label] or [
        gate for gate in decision.gates if gate.label == copied
    ]
    if len(named) > 1:
        raise GatesError(f"{label}: several rules of this decision have this name", where="--gate")
    if not named:
        hint = nearest(label, (gate.label for gate in decision.gates if acceptable(gate, waivable)))
        raise GatesError(f"this decision has no rule {label}{hint}", where="--gate", hint=_labels(decision, waivable))
    if acceptable(named[0], waivable):
        return named[0]
    told = _REFUSED.get(named[0].verdict, _UNWAIVABLE)
    raise GatesError(f"{label}: {told}", where="--gate", exit_code=Exit.STOP)


def _labels(decision: Decision, waivable: Collection[str]) -> str:
    """Return the rules that there are: those that may be accepted, or where there are none all of them."""
    every = list(dict.fromkeys(gate.label for gate in decision.gates if gate.kind != "data"))
    named = list(dict.fromkeys(gate.label for gate in decision.gates if acceptable(gate, waivable)))
    what = "Can be accepted" if named else "No rule can be accepted; the rules are"
    shown = named or every
    more = f", and {len(shown) - MOST_LABELS} more" if len(shown) > MOST_LABELS else ""
    return f"{what}: {', '.join(shown[:MOST_LABELS])}{more}." if shown else "It has no rules."


def label_of(waiver: Waiver) -> str:
    """Return the label of the rule that a waiver accepts: ``recall:max_worsening@region=LATAM``."""
    return rule_label(waiver.gate, waiver.rule, waiver.slice, waiver.against)


_REFUSED = {
    Verdict.PASS: "it passes: there is nothing to accept",
    Verdict.ERROR: "an error can't be accepted; fix what it names",
    None: "it was not judged",
}
_UNWAIVABLE = "the policy does not allow accepting it (promotion.waivable)"


def acceptable(gate: GateVerdict, waivable: Collection[str]) -> bool:
    """Tell whether somebody may accept this verdict: a failure only where the policy says so, and only with its number,
    so that a worse one can be recognised."""
    if gate.verdict is Verdict.FAIL:
        return gate.id in waivable and _judged(gate) is not None and _direction(gate) != 0
    return gate.verdict is Verdict.INCONCLUSIVE and (_judged(gate) is None or _direction(gate) != 0)
